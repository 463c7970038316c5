"""Logs of stations: asked for, uploaded, kept (OCPP 1.6 sections 4.4 and 5.9; 2.x and white paper N01).

What the station says and what arrives are two things: a file that arrived is there whatever was said, and a station
that says Uploaded without one is shown as such. Words come late, twice and in any order; each is kept in the history.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from cpo.lib import clock
from stations.models import ChargingStation, FileLink, LogStatus, LogUpload, StoredFile
from stations.services import files, provisioning, transfers
from stations.services.errors import InvalidPayload
from stations.services.transfers import IDLE, Life

Kind, State = LogUpload.Kind, LogUpload.State

# The station's word -> what the upload is then. Others are kept and change nothing.
WORDS: dict[str, str] = {
    "Uploading": State.UPLOADING,
    "Uploaded": State.UPLOADED,
    "UploadFailed": State.FAILED,  # 1.6
    "UploadFailure": State.FAILED,  # white paper and 2.x
    "BadMessage": State.FAILED,
    "NotSupportedOperation": State.FAILED,
    "PermissionDenied": State.FAILED,
    transfers.CANCELED: State.CANCELLED,  # 2.x N01.FR.20
}


class _Upload(Life[LogUpload]):
    """How an upload goes on."""

    rows, words, place = LogUpload, LogStatus, "upload"
    waiting, request, prefix, noun = State.REQUESTED, "get_log", "log:", "log"
    alerts = False  # who asked for a log looks for it

    def judge(self, row: LogUpload, status: str) -> tuple[str, bool]:
        state = WORDS.get(status, "")
        return _remark(row, status, state), bool(state) and _is_news(row, state)

    def follow(self, row: LogUpload, status: str, now: datetime) -> None:
        """Take the station's word, except that an upload to us is only there when its file is."""
        state = WORDS[status]
        if state == State.UPLOADED and row.link_id is not None and row.file_id is None:
            self.become(row, State.UPLOADING, now)
            return
        self.become(row, state, now, reason=status if state in (State.FAILED, State.CANCELLED) else "")


LIFE = _Upload()
of_subject, cancel = LIFE.of_subject, LIFE.cancel
refused, not_asked = LIFE.refused, LIFE.not_asked


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
            expires_at=transfers.link_ends_at(
                now, retries=retries, retry_interval_s=retry_interval_s, queue_offline=queue_offline
            ),
            created_by=requested_by,
            name=f"{station.identity}.log",
        )
    upload = LogUpload.objects.create(
        station=station,
        kind=kind,
        request_id=transfers.new_request_id(),
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
    LIFE.send(
        upload,
        location=url,
        word="Requested",
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
    )
    return upload


@transaction.atomic(savepoint=False)
def accepted(upload: LogUpload, *, file_name: str, cancels_others: bool = False) -> None:
    """The station will upload this file; `cancels_others`: what was under way ends with that (N01.FR.12)."""
    upload.file_name = file_name[:255]
    upload.save(update_fields=["file_name"])
    LIFE.accepted(upload, cancels_others=cancels_others)


@transaction.atomic(savepoint=False)
def nothing_to_send(upload: LogUpload) -> None:
    """The station has no such log (1.6 section 5.9: no file name)."""
    now = clock.now()
    LIFE.say(upload, "Accepted", now, remark="no file name: nothing to send")
    if upload.state in (State.REQUESTED, State.UNANSWERED):
        LIFE.become(upload, State.NOTHING, now, reason="the station has nothing to send")


@transaction.atomic(savepoint=False)
def status(
    station: ChargingStation, *, status: str, request_id: int | None, now: datetime, remark: str = ""
) -> LogUpload | None:
    """Store the station's word about an upload and return the upload it belongs to (1.6 section 4.4, N01.FR.13)."""
    provisioning.diagnostics_status(station.pk, status=status)
    return LIFE.heard(station, status=status, request_id=request_id, now=now, remark=remark)


@transaction.atomic(savepoint=False)
def file_arrived(link: FileLink, file: StoredFile) -> LogUpload | None:
    """A file came over the link: the upload that it was made for has it, whatever the station says about it."""
    upload = LogUpload.objects.select_for_update().filter(link=link).first()
    if upload is None:
        return None
    now = clock.now()
    upload.file = file
    upload.save(update_fields=["file"])
    LIFE.say(upload, "Received", now, remark=f"{file.name}, {file.size} bytes")
    LIFE.become(upload, State.UPLOADED, now)
    return upload


def sweep() -> int:
    """End uploads of which nothing was heard until their link expired; return how many."""
    now = clock.now()
    count = 0
    LIFE.forget_strays(now)
    with transaction.atomic():
        silent = LogUpload.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            state__in=[State.ACCEPTED, State.UPLOADING],
            changed_at__lt=now - timedelta(seconds=settings.FILES_LINK_S),
        )
        for upload in silent.select_related("link")[:500]:
            if upload.link is not None and upload.link.expires_at > now:
                continue
            reason = (
                "the station says Uploaded, but no file came"
                if upload.status == "Uploaded"
                else "nothing came until the link expired"
            )
            LIFE.stall(upload, now, reason=reason)
            count += 1
    return count


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
