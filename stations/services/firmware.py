"""Firmware updates of stations, from the plan to the end (OCPP 1.6 sections 4.5, 5.19; white paper and 2.x L01, L02).

An update is offered only after `firmware_library.check_offer`. What the station says is kept word by word; the state
follows from the words, which come late, twice, out of order or not at all: a boot with the wanted version counts as
Installed, whatever was said before. A failure waits for an operator.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Greatest

from cpo.lib import clock
from stations.models import (
    ChargingStation,
    FileLink,
    FirmwareImage,
    FirmwarePublication,
    FirmwareStatus,
    FirmwareUpdate,
    StoredFile,
)
from stations.services import files, firmware_library, provisioning, published_locations, transfers
from stations.services.errors import InvalidPayload, NotOpen, UpdateUnderWay
from stations.services.transfers import IDLE, Life

State = FirmwareUpdate.State
INSTALLED = "Installed"
BOOTED = "Booted"  # our own word in the history: a boot with another version

# The station's word -> what the update is then. Others are kept and change nothing.
WORDS: dict[str, str] = {
    "DownloadScheduled": State.RUNNING,
    "DownloadPaused": State.RUNNING,
    "Downloading": State.RUNNING,
    "Downloaded": State.RUNNING,
    "SignatureVerified": State.RUNNING,
    "InstallScheduled": State.RUNNING,
    "InstallRebooting": State.RUNNING,
    "Installing": State.RUNNING,
    INSTALLED: State.INSTALLED,
    "DownloadFailed": State.FAILED,
    "InstallationFailed": State.FAILED,
    "InstallVerificationFailed": State.FAILED,
    "InvalidSignature": State.FAILED,
    "InvalidCertificate": State.FAILED,  # white paper, first edition
    "RevokedCertificate": State.FAILED,
}
# States in which a boot with the wanted version tells that it is installed: the station has had the request.
BOOT_DECIDES = (State.ACCEPTED, State.RUNNING, State.UNANSWERED, State.STALLED, State.FAILED)
# Of two words of different rank the one of the lower rank is late and changes nothing. A station may reboot before it
# installs (L01.FR.15) or after it (L01.FR.32).
RANKS = {
    "DownloadScheduled": 0,
    "Downloading": 1,
    "DownloadPaused": 1,
    "Downloaded": 2,
    "SignatureVerified": 3,
    "InstallScheduled": 4,
    "InstallRebooting": 5,
    "Installing": 5,
}
AGAIN = frozenset(
    {"DownloadScheduled", "Downloading", "Downloaded"}
)  # after a failure: the station's own retry


class _Update(Life[FirmwareUpdate]):
    """How an update goes on."""

    rows, words, place = FirmwareUpdate, FirmwareStatus, "update"
    waiting, request, prefix, noun = State.SCHEDULED, "update_firmware", "firmware:", "firmware update"
    ends_link = (State.INSTALLED, State.CANCELLED, State.REJECTED)

    def judge(self, row: FirmwareUpdate, status: str) -> tuple[str, bool]:
        remark = _remark(row, status)
        return remark, not remark and status != IDLE

    def follow(self, row: FirmwareUpdate, status: str, now: datetime) -> None:
        state = WORDS[status]
        self.become(row, state, now, reason=status if state == State.FAILED else "")
        if state == State.FAILED:
            self.alert(row, f"firmware update failed: {status}")


LIFE = _Update()
of_subject, cancel = LIFE.of_subject, LIFE.cancel
accepted, refused, not_asked = LIFE.accepted, LIFE.refused, LIFE.not_asked


@transaction.atomic(savepoint=False)
def plan(
    station: ChargingStation,
    *,
    image: FirmwareImage | None = None,
    location: str = "",
    publication: FirmwarePublication | None = None,
    version: str = "",
    retrieve_at: datetime | None = None,
    install_at: datetime | None = None,
    retries: int | None = None,
    retry_interval_s: int | None = None,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
) -> FirmwareUpdate:
    """Send the station an image of ours, or to a listed server's `location`; `version` is then what it shall become.

    With `publication` the image comes from the local controller that has published it (L03). Signed wherever the
    image is. Raise `UnsuitableFirmware`, `UntrustedFirmware`, `UpdateUnderWay`, `InvalidPayload`, and what
    `commands.queue` raises.
    """
    if publication is not None:
        image, location = publication.image, published_locations.of_station(publication, station)
    elif (image is None) == (not location):
        raise InvalidPayload("image", "an image or a location")
    now = clock.now()
    retrieve_at = retrieve_at or now
    if install_at is not None and install_at < retrieve_at:
        raise InvalidPayload("install_at", "it lies before the download")
    if FirmwareUpdate.objects.filter(station=station, state__in=[State.SCHEDULED]).exists():
        raise UpdateUnderWay("another update is on its way to the station: cancel it first")
    link, url = None, location
    if image is not None:
        firmware_library.check_offer(image, station)
    if image is not None and publication is None:
        assert image.file is not None
        ends_at = transfers.link_ends_at(
            max(retrieve_at, now),
            retries=retries,
            retry_interval_s=retry_interval_s,
            queue_offline=queue_offline,
        )
        link, url = files.download_link(
            image.file, station=station, expires_at=ends_at, created_by=requested_by
        )
    update = FirmwareUpdate.objects.create(
        station=station,
        image=image,
        publication=publication,
        location=location,
        version=image.version if image is not None else version,
        version_before=station.firmware_version,
        request_id=transfers.new_request_id(),
        link=link,
        is_signed=image is not None and bool(image.signature),
        retrieve_at=retrieve_at,
        install_at=install_at,
        retries=retries,
        retry_interval_s=retry_interval_s,
        requested_by=requested_by[:100],
        planned_at=now,
        changed_at=now,
    )
    LIFE.send(
        update,
        location=url,
        word="Planned",
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
    )
    return update


def retry(
    update: FirmwareUpdate, *, requested_by: str = "", user: Any = None, queue_offline: bool = False
) -> FirmwareUpdate:
    """Plan the same again, at once, as a new update; raise `NotOpen` while the old one goes on."""
    if update.is_open:
        raise NotOpen("the update still goes on")
    return plan(
        update.station,
        image=update.image,
        location="" if update.publication else update.location,
        publication=update.publication,
        version=update.version,
        retries=update.retries,
        retry_interval_s=update.retry_interval_s,
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
    )


@transaction.atomic(savepoint=False)
def unsigned_instead(update: FirmwareUpdate, *, location: str) -> bool:
    """Ask again without a signature, of a station that cannot take one; False where that is not allowed."""
    if not settings.FIRMWARE_ALLOW_UNSIGNED or not update.is_signed:
        return False
    update.is_signed = False
    update.save(update_fields=["is_signed"])
    LIFE.say(update, "Planned", clock.now(), remark="again without a signature: the station knows none")
    LIFE.ask(update, location=location, requested_by=update.requested_by, queue_offline=True)
    return True


@transaction.atomic(savepoint=False)
def status(
    station: ChargingStation, *, status: str, request_id: int | None, now: datetime, remark: str = ""
) -> FirmwareUpdate | None:
    """Store the station's word about an update and return the update it belongs to (1.6 section 4.5, L01.FR.20)."""
    provisioning.firmware_status(station.pk, status=status)
    return LIFE.heard(station, status=status, request_id=request_id, now=now, remark=remark)


@transaction.atomic(savepoint=False)
def after_boot(station: ChargingStation, *, now: datetime) -> FirmwareUpdate | None:
    """Take a boot with the wanted version for Installed: some stations never say it. Return the update that it ended.

    A boot with another new version than the wanted one waits for an operator.
    """
    rows = FirmwareUpdate.objects.select_for_update(of=("self",)).select_related("link", "station", "image")
    update = rows.filter(station_id=station.pk).order_by("-id").first()
    if update is None or update.state not in BOOT_DECIDES:
        return None
    found = station.firmware_version
    if _same_version(found, update.version_before) and not _same_version(found, update.version):
        return None  # it restarted for another reason, or has yet to install
    if _same_version(update.version, update.version_before):
        return None  # the same version again: a boot proves nothing
    LIFE.say(update, BOOTED, now, remark=f"with version {found}")
    if update.version and not _same_version(found, update.version):
        LIFE.alert(update, f"came back with version {found} instead of {update.version}")
        return None
    LIFE.become(update, State.INSTALLED, now)
    return update


def file_arrived(link: FileLink, file: StoredFile) -> FirmwareImage | None:
    """A firmware file came over a link: the image that waits for it is checked now."""
    return firmware_library.file_arrived(link, file)


def sweep() -> int:
    """Call updates halted of which nothing was heard for FIRMWARE_PATIENCE_S; return how many."""
    now = clock.now()
    LIFE.forget_strays(now)
    with transaction.atomic():
        silent = (
            FirmwareUpdate.objects.select_for_update(skip_locked=True, of=("self",))
            .annotate(due=Greatest("changed_at", "retrieve_at", "install_at"))
            .filter(
                state__in=[State.ACCEPTED, State.RUNNING],
                due__lt=now - timedelta(seconds=settings.FIRMWARE_PATIENCE_S),
            )
        )
        found = list(silent.select_related("link", "station")[:500])
        for update in found:
            LIFE.stall(update, now, reason=f"nothing heard since {update.status or 'Accepted'}")
    return len(found)


def _remark(update: FirmwareUpdate, status: str) -> str:
    """Say why a word changes nothing, '' when it is news."""
    if status == IDLE:
        return ""
    if status not in WORDS:
        return "a word that we do not know"
    if update.status == status:
        return "repeated"
    if update.state == State.RUNNING and RANKS.get(status, 9) < RANKS.get(update.status, 0):
        return "out of order"
    if update.state == State.INSTALLED and not _belies_boot(update, status):
        return "late: it is installed"
    if (
        update.state == State.FAILED
        and status != INSTALLED
        and status not in AGAIN
        and WORDS[status] != State.FAILED
    ):
        return "late: it has failed"
    if update.state in (State.CANCELLED, State.REJECTED) and status != INSTALLED:
        return "late: it has ended"
    return ""


def _belies_boot(update: FirmwareUpdate, status: str) -> bool:
    """Tell whether the station says that it failed where only its boot told of success (L01.FR.32)."""
    return update.status != INSTALLED and WORDS[status] == State.FAILED


def _same_version(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
