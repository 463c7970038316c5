"""Firmware on local controllers, from the request to the day on which it is offered no longer (OCPP 2.x L03, L04).

A local controller fetches an image of ours once and serves it to the stations of its site. The MD5 of the file is its
name for the controller. What is published is checked again before each station is sent there.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from cpo.lib import clock, events
from stations.events import FilesChanged
from stations.models import (
    ChargingStation,
    Command,
    FirmwareImage,
    FirmwarePublication,
    FirmwareUpdate,
    PublicationStatus,
)
from stations.services import (
    file_store,
    files,
    firmware,
    firmware_library,
    published_locations,
    requests,
    transfers,
)
from stations.services.errors import NotOpen, UpdateUnderWay
from stations.services.transfers import IDLE, Life

State = FirmwarePublication.State
PUBLISHED = "Published"
UNPUBLISHED, NO_FIRMWARE = "Unpublished", "NoFirmware"  # answers after which nothing is there any more
UNPUBLISH = "unpublish_firmware"

# The controller's word -> what the publication is then. Others are kept and change nothing.
WORDS: dict[str, str] = {
    "DownloadScheduled": State.RUNNING,
    "DownloadPaused": State.RUNNING,
    "Downloading": State.RUNNING,
    "Downloaded": State.RUNNING,
    "ChecksumVerified": State.RUNNING,
    PUBLISHED: State.PUBLISHED,
    "DownloadFailed": State.FAILED,
    "InvalidChecksum": State.FAILED,
    "PublishFailed": State.FAILED,
}
RANKS = {
    "DownloadScheduled": 0,
    "Downloading": 1,
    "DownloadPaused": 1,
    "Downloaded": 2,
    "ChecksumVerified": 3,
}
OVER = (State.UNPUBLISHED, State.CANCELLED, State.REJECTED)
MAY_GO = (State.PUBLISHED, State.FAILED, State.STALLED, State.UNANSWERED)  # what may lie at the controller


class _Publication(Life[FirmwarePublication]):
    """How a publication goes on."""

    rows, words, place = FirmwarePublication, PublicationStatus, "publication"
    waiting, request, prefix, noun = State.REQUESTED, "publish_firmware", "publication:", "publication"
    ends_link = (State.PUBLISHED, State.CANCELLED, State.REJECTED)

    def judge(self, row: FirmwarePublication, status: str) -> tuple[str, bool]:
        remark = _remark(row, status)
        return remark, not remark and status != IDLE

    def follow(self, row: FirmwarePublication, status: str, now: datetime) -> None:
        state = WORDS[status]
        self.become(row, state, now, reason=status if state == State.FAILED else "")
        if state == State.FAILED:
            self.alert(row, f"publication failed: {status}")


LIFE = _Publication()
cancel = LIFE.cancel


@transaction.atomic(savepoint=False)
def publish(
    controller: ChargingStation,
    image: FirmwareImage,
    *,
    retries: int | None = None,
    retry_interval_s: int | None = None,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
) -> FirmwarePublication:
    """Let a local controller fetch an image of ours and serve it to the stations behind it (L03).

    The image need not be one for the controller itself. Raise `UnsuitableFirmware`, `UntrustedFirmware`,
    `UpdateUnderWay` when it is there or on its way already, and what `commands.queue` raises.
    """
    file = firmware_library.check_sound(image)
    states = [*FirmwarePublication.OPEN, State.PUBLISHED]
    if FirmwarePublication.objects.filter(station=controller, image=image, state__in=states).exists():
        raise UpdateUnderWay(f"{image} is published there already, or on its way")
    now = clock.now()
    ends_at = transfers.link_ends_at(
        now, retries=retries, retry_interval_s=retry_interval_s, queue_offline=queue_offline
    )
    link, url = files.download_link(file, station=controller, expires_at=ends_at, created_by=requested_by)
    publication = FirmwarePublication.objects.create(
        station=controller,
        image=image,
        checksum=file_store.md5(file.stored_as),
        request_id=transfers.new_request_id(),
        link=link,
        retries=retries,
        retry_interval_s=retry_interval_s,
        requested_by=requested_by[:100],
        requested_at=now,
        changed_at=now,
    )
    LIFE.send(
        publication,
        location=url,
        word="Requested",
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
    )
    return publication


@transaction.atomic(savepoint=False)
def unpublish(
    publication: FirmwarePublication, *, requested_by: str = "", user: Any = None, queue_offline: bool = False
) -> Command:
    """Let the controller serve it no longer (L04); raise `NotOpen` where nothing can lie there."""
    if publication.state not in MAY_GO:
        raise NotOpen(f"the publication is {publication.get_state_display().lower()}")
    return requests.queue(
        publication.station,
        UNPUBLISH,
        facts={"publication": publication},
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
        subject=f"{LIFE.prefix}{publication.pk}",
    )


@transaction.atomic(savepoint=False)
def unpublish_answered(controller: ChargingStation, *, checksum: str, answer: str) -> None:
    """Take the controller's word: gone, never there, or a station is just fetching it (L04.FR.02 to FR.04)."""
    now = clock.now()
    for row in _of_checksum(controller, checksum):
        LIFE.say(row, answer, now)
        if answer in (UNPUBLISHED, NO_FIRMWARE):
            remark = "the controller had none" if answer == NO_FIRMWARE else ""
            LIFE.become(row, State.UNPUBLISHED, now, reason=remark)
        else:
            _remain(row, f"not taken back: {answer}, try again later")


@transaction.atomic(savepoint=False)
def not_unpublished(controller: ChargingStation, *, checksum: str, reason: str) -> None:
    """The request to serve it no longer came to nothing."""
    for row in _of_checksum(controller, checksum):
        LIFE.say(row, "Not taken back", clock.now(), remark=reason)
        _remain(row, f"not taken back: {reason}")


@transaction.atomic(savepoint=False)
def status(
    controller: ChargingStation,
    *,
    status: str,
    request_id: int | None,
    locations: Sequence[str],
    now: datetime,
    remark: str = "",
) -> FirmwarePublication | None:
    """Store the controller's word about a publication, with where the firmware lies, and return what it is about."""
    row = LIFE.heard(controller, status=status, request_id=request_id, now=now, remark=remark)
    if row is None or status != PUBLISHED or row.state != State.PUBLISHED:
        return row
    row.locations = published_locations.usable(list(locations)) or row.locations
    row.save(update_fields=["locations"])
    if not row.locations:
        LIFE.alert(row, "says that it publishes firmware, but nowhere that stations can be sent to")
    return row


@transaction.atomic(savepoint=False)
def update_stations(
    publication: FirmwarePublication, stations: Sequence[ChargingStation], **options: Any
) -> list[FirmwareUpdate]:
    """Send these stations of the site to what is published; `options` are those of `firmware.plan`.

    None is sent when one of them cannot be: raise what `firmware.plan` raises.
    """
    return [firmware.plan(station, publication=publication, **options) for station in stations]


def behind(controller: ChargingStation) -> Any:
    """Give the stations of the controller's site, without the controller."""
    if controller.location_id is None:
        return ChargingStation.objects.none()
    return ChargingStation.objects.filter(location_id=controller.location_id).exclude(pk=controller.pk)


def images_for(controller: ChargingStation) -> list[FirmwareImage]:
    """Return the signed images that fit a station of the controller's site, the newest first."""
    found: dict[int, FirmwareImage] = {}
    for station in _one_of_each_model(controller):
        for image in firmware_library.for_station(station):
            if image.signature:
                found[image.pk] = image
    return sorted(found.values(), key=lambda image: image.pk, reverse=True)


def sweep() -> int:
    """Call publications halted of which nothing was heard for FIRMWARE_PATIENCE_S; return how many."""
    now = clock.now()
    LIFE.forget_strays(now)
    horizon = now - timedelta(seconds=settings.FIRMWARE_PATIENCE_S)
    with transaction.atomic():
        silent = FirmwarePublication.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            state__in=[State.ACCEPTED, State.RUNNING], changed_at__lt=horizon
        )
        found = list(silent.select_related("link", "station")[:500])
        for row in found:
            LIFE.stall(row, now, reason=f"nothing heard since {row.status or 'Accepted'}")
    return len(found)


def _one_of_each_model(controller: ChargingStation) -> Any:
    return behind(controller).order_by("vendor", "model").distinct("vendor", "model")


def _of_checksum(controller: ChargingStation, checksum: str) -> list[FirmwarePublication]:
    """Return what has this name at the controller: it does not tell two requests for one file apart."""
    rows = FirmwarePublication.objects.select_for_update(of=("self",)).select_related("link", "station")
    return list(rows.filter(station=controller, checksum__iexact=checksum, state__in=MAY_GO))


def _remain(row: FirmwarePublication, reason: str) -> None:
    row.reason = reason[:255]
    row.save(update_fields=["reason"])
    events.publish(FilesChanged(row.station_id))


def _remark(row: FirmwarePublication, status: str) -> str:
    """Say why a word changes nothing, '' when it is news."""
    if status == IDLE:
        return ""
    if status not in WORDS:
        return "a word that we do not know"
    if row.status == status:
        return "repeated"
    if row.state == State.RUNNING and RANKS.get(status, 9) < RANKS.get(row.status, 0):
        return "out of order"
    if row.state == State.PUBLISHED or row.state in OVER:
        return "late: it is published" if row.state == State.PUBLISHED else "late: it has ended"
    if row.state == State.FAILED and WORDS[status] == State.RUNNING and status not in firmware.AGAIN:
        return "late: it has failed"
    return ""
