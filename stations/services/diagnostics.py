"""Logs of stations: asked for, uploaded, kept (OCPP 1.6 sections 4.4 and 5.9; 2.x and white paper N01).

What the station says and what arrives are two things: a file that arrived is there whatever was said, and a station
that says Uploaded without one is shown as such. Words come late, twice and in any order; each is kept in the history.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from cpo.lib import clock, events
from stations.events import FilesChanged
from stations.models import ChargingStation, Command, FileLink, LogStatus, LogUpload, StoredFile
from stations.services import commands, files, provisioning, requests
from stations.services.errors import InvalidPayload, NotOpen

Kind, State = LogUpload.Kind, LogUpload.State
SUBJECT = "log:"  # of commands, followed by the row's id
REQUEST = "get_log"
STATUS_LENGTH = 40  # characters of a status that are kept
RECENT = timedelta(days=1)  # in which a word without a request id may still be about an upload that has ended
IDLE = "Idle"  # said when asked, while nothing is uploaded: it changes nothing

# The station's word -> what the upload is then. Others are kept and change nothing.
WORDS: dict[str, str] = {
    "Uploading": State.UPLOADING,
    "Uploaded": State.UPLOADED,
    "UploadFailed": State.FAILED,  # 1.6
    "UploadFailure": State.FAILED,  # white paper and 2.x
    "BadMessage": State.FAILED,
    "NotSupportedOperation": State.FAILED,
    "PermissionDenied": State.FAILED,
    "AcceptedCanceled": State.CANCELLED,  # 2.x
}


@transaction.atomic(savepoint=False)
def request(
    station: ChargingStation,
    *,
    kind: str = Kind.DIAGNOSTICS,
    location: str = "",
    oldest: datetime | None = None,
    latest: datetime | None = None,
    retries: int | None = None,
    retry_interval_s: int | None = None,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
) -> LogUpload:
    """Ask the station to upload a log, to us or, with `location`, to a listed server of others.

    `oldest` and `latest` bound the entries. Raise `InvalidPayload`, and what `commands.queue` raises.
    """
    if oldest is not None and latest is not None and latest < oldest:
        raise InvalidPayload("latest", "it lies before the oldest entry")
    now = clock.now()
    link, url = None, location
    if not location:
        link, url = files.upload_link(
            kind=StoredFile.Kind.LOG,
            station=station,
            expires_at=now + timedelta(seconds=_link_s(retries, retry_interval_s, queue_offline)),
            created_by=requested_by,
            name=f"{station.identity}.log",
        )
    upload = LogUpload.objects.create(
        station=station,
        kind=kind,
        request_id=secrets.randbelow(2**31 - 1) + 1,
        location=location,
        link=link,
        oldest=oldest,
        latest=latest,
        retries=retries,
        retry_interval_s=retry_interval_s,
        requested_by=requested_by[:100],
        requested_at=now,
        changed_at=now,
    )
    _say(upload, "Requested", now, remark=requested_by)
    requests.queue(
        station,
        REQUEST,
        facts={"upload": upload, "location": url},
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
        subject=f"{SUBJECT}{upload.pk}",
    )
    events.publish(FilesChanged(station.pk))
    return upload


def of_subject(subject: str) -> LogUpload | None:
    """Return the upload that a command is about, locked, if it is about one."""
    number = subject.removeprefix(SUBJECT)
    if number == subject or not number.isdecimal():
        return None
    return LogUpload.objects.select_for_update(of=("self",)).filter(pk=number).first()


@transaction.atomic(savepoint=False)
def accepted(upload: LogUpload, *, file_name: str, cancels_others: bool = False) -> None:
    """The station will upload this file; `cancels_others`: an upload that was under way ends with that (N01.FR.11)."""
    now = clock.now()
    upload.file_name = file_name[:255]
    upload.save(update_fields=["file_name"])
    if cancels_others:
        others = LogUpload.objects.select_for_update().filter(
            station_id=upload.station_id, state__in=LogUpload.OPEN, pk__lt=upload.pk
        )
        for other in others:
            _say(other, "AcceptedCanceled", now, remark="a newer request took its place")
            _become(other, State.CANCELLED, now, reason="a newer request took its place")
    _say(upload, "AcceptedCanceled" if cancels_others else "Accepted", now)
    if upload.state in (State.REQUESTED, State.UNANSWERED):
        _become(upload, State.ACCEPTED, now)


@transaction.atomic(savepoint=False)
def nothing_to_send(upload: LogUpload) -> None:
    """The station has no such log (1.6 section 5.9: no file name)."""
    now = clock.now()
    _say(upload, "Accepted", now, remark="no file name: nothing to send")
    if upload.state in (State.REQUESTED, State.UNANSWERED):
        _become(upload, State.NOTHING, now, reason="the station has nothing to send")


@transaction.atomic(savepoint=False)
def refused(upload: LogUpload, *, reason: str) -> None:
    """The station said no."""
    now = clock.now()
    _say(upload, "Rejected", now, remark=reason)
    if upload.state in (State.REQUESTED, State.UNANSWERED):
        _become(upload, State.REJECTED, now, reason=reason or "the station said no")


@transaction.atomic(savepoint=False)
def not_asked(upload: LogUpload, *, outcome: str, reason: str) -> None:
    """The request had no answer: `outcome` is the state of its command. What was sent may still have been obeyed."""
    now = clock.now()
    _say(upload, outcome, now, remark=reason)
    if upload.state != State.REQUESTED:
        return
    state = {"timed_out": State.UNANSWERED, "cancelled": State.CANCELLED}.get(outcome, State.FAILED)
    _become(upload, state, now, reason=reason)


@transaction.atomic(savepoint=False)
def status(
    station: ChargingStation, *, status: str, request_id: int | None, now: datetime
) -> LogUpload | None:
    """Store the station's word about an upload and return the upload it belongs to, if it belongs to one.

    Without a request id (1.6 section 4.4) it is about the newest upload that has not ended, or that ended lately.
    """
    provisioning.diagnostics_status(station.pk, status=status)
    upload = _meant(station.pk, request_id, now)
    if upload is None:
        remark = "" if status == IDLE else "it belongs to no request of ours"
        _row(station.pk, None, request_id, status, now, remark)
        return None
    state = WORDS.get(status, "")
    _say(upload, status, now, request_id=request_id, remark=_remark(upload, status, state))
    if state and _is_news(upload, state):
        upload.status = status[:STATUS_LENGTH]
        upload.save(update_fields=["status"])
        _follow(upload, state, now, reason=status)
    events.publish(FilesChanged(station.pk))
    return upload


@transaction.atomic(savepoint=False)
def file_arrived(link: FileLink, file: StoredFile) -> LogUpload | None:
    """A file came over the link: the upload that it was made for has it, whatever the station says about it."""
    upload = LogUpload.objects.select_for_update().filter(link=link).first()
    if upload is None:
        return None
    now = clock.now()
    upload.file = file
    upload.save(update_fields=["file"])
    _say(upload, "Received", now, remark=f"{file.name}, {file.size} bytes")
    _become(upload, State.UPLOADED, now)
    return upload


@transaction.atomic(savepoint=False)
def cancel(upload: LogUpload, *, by: str) -> None:
    """Expect this upload no longer and take its link back; raise `NotOpen` when it has ended.

    A request that was not sent yet is taken back too. One that was sent cannot be: the station is refused later.
    """
    upload = LogUpload.objects.select_for_update().get(pk=upload.pk)
    if not upload.is_open:
        raise NotOpen("the upload has already ended")
    now = clock.now()
    _say(upload, "Cancelled", now, remark=by)
    _become(upload, State.CANCELLED, now, reason=f"cancelled by {by}")
    files.revoke(upload.link)
    for command in Command.objects.filter(subject=f"{SUBJECT}{upload.pk}", status=Command.Status.QUEUED):
        commands.cancel(command, by=by)


def sweep() -> int:
    """End uploads of which nothing was heard until their link expired; return how many."""
    now = clock.now()
    count = 0
    horizon = now - timedelta(seconds=settings.FILES_LINK_S)
    kept_since = now - timedelta(days=settings.FILES_RETENTION_DAYS)
    LogStatus.objects.filter(upload=None, at__lt=kept_since).delete()
    with transaction.atomic():
        silent = LogUpload.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            state__in=[State.ACCEPTED, State.UPLOADING], changed_at__lt=horizon
        )
        for upload in silent.select_related("link")[:500]:
            if upload.link is not None and upload.link.expires_at > now:
                continue
            reason = (
                "the station says Uploaded, but no file came"
                if upload.status == "Uploaded"
                else "nothing came until the link expired"
            )
            _say(upload, "Stalled", now, remark=reason)
            _become(upload, State.STALLED, now, reason=reason)
            count += 1
    return count


def _link_s(retries: int | None, retry_interval_s: int | None, queue_offline: bool) -> int:
    """Seconds that the link must work: the station's own retries and its time offline come on top."""
    waiting = settings.OCPP_QUEUED_COMMAND_TTL_S if queue_offline else 0
    return int(settings.FILES_LINK_S) + min((retries or 0) * (retry_interval_s or 0), 86_400) + int(waiting)


def _follow(upload: LogUpload, state: str, now: datetime, *, reason: str) -> None:
    """Take the station's word, except that an upload to us is only there when its file is."""
    if state == State.UPLOADED and upload.link_id is not None and upload.file_id is None:
        _become(upload, State.UPLOADING, now)
        return
    _become(upload, state, now, reason=reason if state in (State.FAILED, State.CANCELLED) else "")


def _become(upload: LogUpload, state: str, now: datetime, *, reason: str = "") -> None:
    upload.state, upload.changed_at, upload.reason = state, now, reason[:255]
    upload.ended_at = None if upload.is_open else upload.ended_at or now
    upload.save(update_fields=["state", "changed_at", "reason", "ended_at"])
    events.publish(FilesChanged(upload.station_id))


def _is_news(upload: LogUpload, state: str) -> bool:
    """Once the file is here, only the station's own Uploaded can still be told."""
    if upload.file_id is not None:
        return state == State.UPLOADED
    return upload.state in LogUpload.MAY_GO_ON


def _remark(upload: LogUpload, status: str, state: str) -> str:
    if status == IDLE:
        return ""
    if not state:
        return "a word that we do not know"
    if upload.status == status:
        return "repeated"
    if not _is_news(upload, state):
        return "late"
    if state == State.UPLOADED and upload.link_id and not upload.file_id:
        return "but its file is not here"
    return ""


def _meant(station_id: int, request_id: int | None, now: datetime) -> LogUpload | None:
    mine = LogUpload.objects.select_for_update().filter(station_id=station_id)
    if request_id is not None:
        return mine.filter(request_id=request_id).first()
    newest = mine.order_by("-id")
    return (
        newest.filter(state__in=LogUpload.OPEN).first() or newest.filter(changed_at__gt=now - RECENT).first()
    )


def _say(
    upload: LogUpload, status: str, now: datetime, *, request_id: int | None = None, remark: str = ""
) -> None:
    _row(upload.station_id, upload, request_id, status, now, remark)


def _row(
    station_id: int,
    upload: LogUpload | None,
    request_id: int | None,
    status: str,
    now: datetime,
    remark: str,
) -> None:
    LogStatus.objects.create(
        station_id=station_id,
        upload=upload,
        request_id=request_id,
        status=status[:STATUS_LENGTH],
        remark=remark[:255],
        at=now,
    )
