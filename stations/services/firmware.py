"""Firmware updates of stations, from the plan to the end (OCPP 1.6 sections 4.5, 5.19; white paper and 2.x L01).

An update is offered only after `firmware_library.check_offer`. What the station says is kept word by word; the state
follows from the words, which come late, twice, out of order or not at all: a boot with the wanted version counts as
Installed, whatever was said before. A failure waits for an operator.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Greatest

from cpo.lib import clock, events
from stations.events import FilesChanged
from stations.models import (
    ChargingStation,
    Command,
    FileLink,
    FirmwareImage,
    FirmwareStatus,
    FirmwareUpdate,
    ReviewItem,
    StoredFile,
)
from stations.services import commands, files, firmware_library, provisioning, requests, review
from stations.services.errors import InvalidPayload, NotOpen, UpdateUnderWay

State = FirmwareUpdate.State
SUBJECT = "firmware:"  # of commands, followed by the row's id
REQUEST = "update_firmware"
STATUS_LENGTH = 40  # characters of a status that are kept
RECENT = timedelta(days=1)  # in which a word without a request id may still be about an update that has ended
IDLE = "Idle"  # said when asked, while nothing is updated: it changes nothing
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
# One after the other; a word from before the newest one changes nothing.
ORDER = (
    "DownloadScheduled",
    "Downloading",
    "DownloadPaused",
    "Downloaded",
    "SignatureVerified",
    "InstallScheduled",
    "InstallRebooting",
    "Installing",
)
AGAIN = frozenset(
    {"DownloadScheduled", "Downloading", "Downloaded"}
)  # after a failure: the station's own retry


@transaction.atomic(savepoint=False)
def plan(
    station: ChargingStation,
    *,
    image: FirmwareImage | None = None,
    location: str = "",
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

    Signed wherever the image is. Raise `UnsuitableFirmware`, `UntrustedFirmware`, `UpdateUnderWay`,
    `InvalidPayload`, and what `commands.queue` raises.
    """
    if (image is None) == (not location):
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
        assert image.file is not None
        waiting = settings.OCPP_QUEUED_COMMAND_TTL_S if queue_offline else 0
        again = min((retries or 0) * (retry_interval_s or 0), 86_400)
        ends = max(retrieve_at, now) + timedelta(seconds=settings.FILES_LINK_S + waiting + again)
        link, url = files.download_link(image.file, station=station, expires_at=ends, created_by=requested_by)
    update = FirmwareUpdate.objects.create(
        station=station,
        image=image,
        location=location,
        version=image.version if image is not None else version,
        version_before=station.firmware_version,
        request_id=secrets.randbelow(2**31 - 1) + 1,
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
    _say(update, "Planned", now, remark=requested_by)
    requests.queue(
        station,
        REQUEST,
        facts={"update": update, "location": url},
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
        subject=f"{SUBJECT}{update.pk}",
    )
    events.publish(FilesChanged(station.pk))
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
        location=update.location,
        version=update.version,
        retries=update.retries,
        retry_interval_s=update.retry_interval_s,
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
    )


@transaction.atomic(savepoint=False)
def cancel(update: FirmwareUpdate, *, by: str) -> None:
    """Give an update up: take its command and its link back; raise `NotOpen` when it has ended.

    A station that has the request already goes on until it needs the link; one that has the file may install it.
    """
    update = FirmwareUpdate.objects.select_for_update(of=("self",)).select_related("link").get(pk=update.pk)
    if not update.is_open:
        raise NotOpen("the update has already ended")
    now = clock.now()
    _say(update, "Cancelled", now, remark=by)
    _become(update, State.CANCELLED, now, reason=f"cancelled by {by}")
    for command in Command.objects.filter(subject=f"{SUBJECT}{update.pk}", status=Command.Status.QUEUED):
        commands.cancel(command, by=by)


def of_subject(subject: str) -> FirmwareUpdate | None:
    """Return the update that a command is about, locked, if it is about one."""
    number = subject.removeprefix(SUBJECT)
    if number == subject or not number.isdecimal():
        return None
    rows = FirmwareUpdate.objects.select_for_update(of=("self",)).select_related("link", "station")
    return rows.filter(pk=number).first()


@transaction.atomic(savepoint=False)
def accepted(update: FirmwareUpdate, *, cancels_others: bool = False) -> None:
    """The station will do it; `cancels_others`: what it was doing before has ended with that (L01.FR.26)."""
    now = clock.now()
    others = FirmwareUpdate.objects.select_for_update(of=("self",)).filter(
        station_id=update.station_id, state__in=FirmwareUpdate.OPEN, pk__lt=update.pk
    )
    for other in others.select_related("link") if cancels_others else []:
        _say(other, "AcceptedCanceled", now, remark="a newer update took its place")
        _become(other, State.CANCELLED, now, reason="a newer update took its place")
    _say(update, "AcceptedCanceled" if cancels_others else "Accepted", now)
    if update.state in (State.SCHEDULED, State.UNANSWERED):
        _become(update, State.ACCEPTED, now)


@transaction.atomic(savepoint=False)
def refused(update: FirmwareUpdate, *, answer: str, reason: str = "") -> None:
    """The station said no: Rejected, InvalidCertificate or RevokedCertificate (L01.FR.24, L01.FR.25, L01.FR.27)."""
    now = clock.now()
    _say(update, answer, now, remark=reason)
    if update.state not in (State.SCHEDULED, State.UNANSWERED):
        return
    update.status = answer[:STATUS_LENGTH]
    update.save(update_fields=["status"])
    _become(update, State.REJECTED, now, reason=reason or answer)
    _alert(update, f"refused the firmware: {answer}")


@transaction.atomic(savepoint=False)
def not_asked(update: FirmwareUpdate, *, outcome: str, reason: str) -> None:
    """The request had no answer: `outcome` is the state of its command. What was sent may still have been obeyed."""
    now = clock.now()
    _say(update, outcome, now, remark=reason)
    if update.state != State.SCHEDULED:
        return
    state = {"timed_out": State.UNANSWERED, "cancelled": State.CANCELLED}.get(outcome, State.FAILED)
    _become(update, state, now, reason=reason)
    if outcome != "cancelled":
        _alert(update, f"firmware update: {reason or outcome}")


@transaction.atomic(savepoint=False)
def unsigned_instead(update: FirmwareUpdate, *, location: str) -> bool:
    """Ask again without a signature, of a station that cannot take one; False where that is not allowed."""
    if not settings.FIRMWARE_ALLOW_UNSIGNED or not update.is_signed:
        return False
    update.is_signed = False
    update.save(update_fields=["is_signed"])
    _say(update, "Planned", clock.now(), remark="again without a signature: the station knows none")
    requests.queue(
        update.station,
        REQUEST,
        facts={"update": update, "location": location},
        requested_by=update.requested_by,
        queue_offline=True,
        subject=f"{SUBJECT}{update.pk}",
    )
    return True


@transaction.atomic(savepoint=False)
def status(
    station: ChargingStation, *, status: str, request_id: int | None, now: datetime
) -> FirmwareUpdate | None:
    """Store the station's word about an update and return the update it belongs to, if it belongs to one.

    Without a request id (1.6 section 4.5) it is about the newest update that has not ended, or that ended lately.
    """
    provisioning.firmware_status(station.pk, status=status)
    update = _meant(station.pk, request_id, now)
    if update is None:
        remark = "" if status == IDLE else "it belongs to no update of ours"
        _row(station.pk, None, request_id, status, now, remark)
        return None
    remark = _remark(update, status)
    _say(update, status, now, request_id=request_id, remark=remark)
    if not remark and status != IDLE:
        _follow(update, status, now)
    events.publish(FilesChanged(station.pk))
    return update


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
    _say(update, BOOTED, now, remark=f"with version {found}")
    if update.version and not _same_version(found, update.version):
        _alert(update, f"came back with version {found} instead of {update.version}")
        return None
    _become(update, State.INSTALLED, now)
    return update


def file_arrived(link: FileLink, file: StoredFile) -> FirmwareImage | None:
    """A firmware file came over a link: the image that waits for it is checked now."""
    return firmware_library.file_arrived(link, file)


def sweep() -> int:
    """Call updates halted of which nothing was heard for FIRMWARE_PATIENCE_S; return how many."""
    now = clock.now()
    count = 0
    kept_since = now - timedelta(days=settings.FILES_RETENTION_DAYS)
    FirmwareStatus.objects.filter(update=None, at__lt=kept_since).delete()
    with transaction.atomic():
        silent = (
            FirmwareUpdate.objects.select_for_update(skip_locked=True, of=("self",))
            .annotate(due=Greatest("changed_at", "retrieve_at", "install_at"))
            .filter(
                state__in=[State.ACCEPTED, State.RUNNING],
                due__lt=now - timedelta(seconds=settings.FIRMWARE_PATIENCE_S),
            )
        )
        for update in silent.select_related("link", "station")[:500]:
            reason = f"nothing heard since {update.status or 'Accepted'}"
            _say(update, "Stalled", now, remark=reason)
            _become(update, State.STALLED, now, reason=reason)
            _alert(update, f"firmware update came to a halt: {reason}")
            count += 1
    return count


def _follow(update: FirmwareUpdate, status: str, now: datetime) -> None:
    state = WORDS[status]
    update.status = status[:STATUS_LENGTH]
    update.save(update_fields=["status"])
    _become(update, state, now, reason=status if state == State.FAILED else "")
    if state == State.FAILED:
        _alert(update, f"firmware update failed: {status}")


def _remark(update: FirmwareUpdate, status: str) -> str:
    """Say why a word changes nothing, '' when it is news."""
    if status == IDLE:
        return ""
    if status not in WORDS:
        return "a word that we do not know"
    if update.status == status:
        return "repeated"
    if update.state == State.RUNNING and _is_before(status, update.status):
        return "out of order"
    if update.state == State.INSTALLED:
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


def _become(update: FirmwareUpdate, state: str, now: datetime, *, reason: str = "") -> None:
    update.state, update.changed_at, update.reason = state, now, reason[:255]
    update.ended_at = None if update.is_open else update.ended_at or now
    update.save(update_fields=["state", "changed_at", "reason", "ended_at"])
    if state in (State.INSTALLED, State.CANCELLED, State.REJECTED):
        files.revoke(update.link)
    events.publish(FilesChanged(update.station_id))


def _meant(station_id: int, request_id: int | None, now: datetime) -> FirmwareUpdate | None:
    rows = FirmwareUpdate.objects.select_for_update(of=("self",)).select_related("link", "station")
    mine = rows.filter(station_id=station_id)
    if request_id is not None:
        return mine.filter(request_id=request_id).first()
    newest = mine.order_by("-id")
    return (
        newest.filter(state__in=FirmwareUpdate.OPEN).first()
        or newest.filter(changed_at__gt=now - RECENT).first()
    )


def _is_before(status: str, newest: str) -> bool:
    """A pause and the download after it may take turns; otherwise nothing goes back."""
    if {status, newest} == {"Downloading", "DownloadPaused"} or not {status, newest} <= set(ORDER):
        return False
    return ORDER.index(status) < ORDER.index(newest)


def _same_version(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _alert(update: FirmwareUpdate, summary: str) -> None:
    station = update.station
    review.raise_item(
        ReviewItem.Kind.FIRMWARE,
        key=f"firmware:{update.pk}:{update.state}",
        summary=f"{station.identity} {summary}",
        station=station,
        facts={"update": update.pk, "version": update.version, "status": update.status},
    )


def _say(
    update: FirmwareUpdate, status: str, now: datetime, *, request_id: int | None = None, remark: str = ""
) -> None:
    _row(update.station_id, update, request_id, status, now, remark)


def _row(
    station_id: int,
    update: FirmwareUpdate | None,
    request_id: int | None,
    status: str,
    now: datetime,
    remark: str,
) -> None:
    FirmwareStatus.objects.create(
        station_id=station_id,
        update=update,
        request_id=request_id,
        status=status[:STATUS_LENGTH],
        remark=remark[:255],
        at=now,
    )
