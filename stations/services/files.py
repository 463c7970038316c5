"""The file store: links that stations may use without a login, and the files behind them.

A link is a URL with 256 bits of chance in it; only its hash is kept. It is of one station, goes one way, ends after
FILES_LINK_S or when what it was made for is over, and takes or serves one file of at most FILES_MAX_BYTES. An upload
link takes exactly one file: of two uploads at once, the first to end wins. A download link serves its file in pieces
and as often as the station asks until it ends, for stations look first (HEAD), resume and try again.
SECURITY.md 3.4 rows 11, 12 and 16.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Sum

from cpo.lib import clock, events, guard
from stations.events import FilesChanged
from stations.models import ChargingStation, FileLink, FirmwareImage, StoredFile
from stations.services import file_store
from stations.services.errors import (
    FileTooLarge,
    ForbiddenLocation,
    InvalidFileName,
    LinkGone,
    NoSpace,
    UnknownLink,
)

PREFIX = "/files/"  # of the path; cpo.lib.redact blanks what follows it
NAME_LENGTH = 255  # characters of a file's name that are kept
LOCATION_LENGTH = 512  # characters of a URL, white paper sections 6.9 and 6.14
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
LINKS_KEPT = timedelta(days=30)  # how long an ended link tells about its uses
_UNFIT = re.compile(r"[^\w.\- ()\[\]+@,=]")

Kind, Direction = StoredFile.Kind, FileLink.Direction


@transaction.atomic(savepoint=False)
def upload_link(
    *,
    kind: str,
    station: ChargingStation | None = None,
    expires_at: datetime | None = None,
    created_by: str = "",
    name: str = "log",
) -> tuple[FileLink, str]:
    """Make a link that takes one file; return it with its URL, which can never be read again."""
    return _new_link(
        Direction.UPLOAD,
        kind=kind,
        station=station,
        expires_at=expires_at,
        created_by=created_by,
        name=name,
    )


@transaction.atomic(savepoint=False)
def download_link(
    file: StoredFile, *, station: ChargingStation, expires_at: datetime | None = None, created_by: str = ""
) -> tuple[FileLink, str]:
    """Make a link that serves this file to a station; return it with its URL, which can never be read again."""
    return _new_link(
        Direction.DOWNLOAD,
        kind=file.kind,
        station=station,
        file=file,
        expires_at=expires_at,
        created_by=created_by,
        name=file.name,
    )


def revoke(link: FileLink | None) -> None:
    """End a link now, if there is one that has not ended."""
    if link is not None:
        FileLink.objects.filter(pk=link.pk, revoked_at=None).update(revoked_at=clock.now())


def find(token: str, *, direction: str | None = None) -> FileLink:
    """Return the link of this token; raise `UnknownLink`, or `LinkGone` when it is used, expired or taken back."""
    if not TOKEN.fullmatch(token):
        raise UnknownLink("there is no such link")
    link = FileLink.objects.select_related("file", "station").filter(token_hash=_hash(token)).first()
    if link is None or (direction is not None and link.direction != direction):
        raise UnknownLink("there is no such link")
    _check_usable(link)
    return link


def check_space(size: int) -> None:
    """Raise `FileTooLarge` or `NoSpace` when a file of so many bytes cannot be taken."""
    if size > settings.FILES_MAX_BYTES:
        raise FileTooLarge(f"more than {settings.FILES_MAX_BYTES} bytes")
    stored = StoredFile.objects.aggregate(total=Sum("size"))["total"] or 0
    if stored + size > settings.FILES_QUOTA_BYTES:
        raise NoSpace("the quota of all files is used up")


@transaction.atomic(savepoint=False)
def take(
    incoming: file_store.Incoming,
    *,
    link: FileLink,
    name: str,
    content_type: str = "",
    address: str = "",
) -> StoredFile:
    """Keep what came over an upload link; raise `LinkGone` when another upload was faster.

    The caller discards `incoming` when this or the commit fails: no row then speaks of it.
    """
    link = FileLink.objects.select_for_update().get(pk=link.pk)
    _check_usable(link, is_under_way=True)
    check_space(incoming.size)
    now = clock.now()
    file = _keep(
        incoming,
        kind=link.kind,
        name=name,
        content_type=content_type,
        station_id=link.station_id,
        uploaded_by=link.station.identity if link.station else link.created_by,
        now=now,
    )
    link.file, link.used_at, link.uses, link.remote_address, link.last_fault = (
        file, now, link.uses + 1, address[:64], "",
    )  # fmt: skip
    link.save(update_fields=["file", "used_at", "uses", "remote_address", "last_fault"])
    _changed(link.station_id)
    return file


def served(link: FileLink, *, address: str, is_whole: bool) -> None:
    """Note that a download link was used; `is_whole`: to the last byte of its file."""
    rows = FileLink.objects.filter(pk=link.pk)
    rows.update(uses=F("uses") + 1, remote_address=address[:64], last_fault="")
    if is_whole:
        rows.filter(used_at=None).update(used_at=clock.now())
    _changed(link.station_id)


def failed(link: FileLink, *, address: str, fault: str) -> None:
    """Note why an attempt over a link failed."""
    FileLink.objects.filter(pk=link.pk).update(remote_address=address[:64], last_fault=fault[:100])
    _changed(link.station_id)


def store(
    pieces: Iterable[bytes], *, kind: str, name: str, content_type: str = "", uploaded_by: str
) -> StoredFile:
    """Keep a file that an operator hands in; raise `FileTooLarge`, `NoSpace` or `InvalidFileName`."""
    label = clean_name(name)
    incoming = file_store.Incoming(max_bytes=settings.FILES_MAX_BYTES)
    try:
        for piece in pieces:
            incoming.write(piece)
        check_space(incoming.size)
        with transaction.atomic():
            return _keep(
                incoming,
                kind=kind,
                name=label,
                content_type=content_type,
                station_id=None,
                uploaded_by=uploaded_by,
                now=clock.now(),
            )
    except BaseException:
        incoming.discard()
        raise


@transaction.atomic(savepoint=False)
def delete(file: StoredFile) -> None:
    """Forget a file; its bytes go once that is committed. Links to it end."""
    FileLink.objects.filter(file=file, direction=Direction.DOWNLOAD, revoked_at=None).update(
        revoked_at=clock.now()
    )
    file.delete()
    transaction.on_commit(lambda: file_store.remove(file.stored_as))
    _changed(file.station_id)


def clean_name(name: str) -> str:
    """Return a label that is safe to show and to offer for saving; raise `InvalidFileName` for a path out of it.

    Only the last part of a path is kept; a station that is told a folder may send folders of its own.
    """
    parts = re.split(r"[/\\]", name)
    if ".." in parts or any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise InvalidFileName("a name that leads out of its folder, or with control characters")
    label = _UNFIT.sub("_", parts[-1])[-NAME_LENGTH:].strip(". ")
    return label or "file"


def check_location(station: ChargingStation, url: str, *, direction: str) -> None:
    """Raise `ForbiddenLocation` unless the station may be sent there: a live link of its own, or a listed server."""
    own = own_token(url)
    if own is None:
        try:
            guard.check_location(url, hosts=settings.FILES_EXTERNAL_HOSTS)
        except guard.ForbiddenUrl as error:
            raise ForbiddenLocation(str(error)) from error
        return
    try:
        link = find(own, direction=direction)
    except (UnknownLink, LinkGone) as error:
        raise ForbiddenLocation(f"not a link of ours that works: {error}") from error
    if link.station_id != station.pk:
        raise ForbiddenLocation("the link is of another station")


def own_token(url: str) -> str | None:
    """Return the token in a URL of ours, None for any other URL."""
    base = f"{settings.FILES_URL}{PREFIX}"
    return url[len(base) :].partition("/")[0] if url.startswith(base) else None


def transport() -> str:
    """Return the protocol of our links as OCPP names it: HTTP or HTTPS."""
    return settings.FILES_URL.partition("://")[0].upper()


def sweep() -> int:
    """Delete outdated logs, those beyond a share, ended links and what dead processes left; return how many."""
    now = clock.now()
    logs = StoredFile.objects.filter(kind=Kind.LOG)
    doomed = list(logs.filter(stored_at__lt=now - timedelta(days=settings.FILES_RETENTION_DAYS))[:1000])
    doomed += _beyond_share()
    doomed += list(_unused_images(now)[:1000])
    for file in {file.pk: file for file in doomed}.values():
        delete(file)
    ended = FileLink.objects.filter(expires_at__lt=now - LINKS_KEPT)
    count = len(doomed) + ended.delete()[0]
    for left in file_store.abandoned():
        left.unlink(missing_ok=True)
        count += 1
    return count + _remove_orphans()


def _unused_images(now: datetime) -> Any:
    """Return firmware files that no image names: their upload was refused, or their image was deleted."""
    named = FirmwareImage.objects.exclude(file=None).values("file_id")
    return StoredFile.objects.filter(kind=Kind.FIRMWARE, stored_at__lt=now - timedelta(hours=1)).exclude(
        pk__in=named
    )


def _beyond_share() -> list[StoredFile]:
    found: list[StoredFile] = []
    logs = StoredFile.objects.filter(kind=Kind.LOG, station__isnull=False)
    counts = logs.order_by().values_list("station_id").annotate(count=Count("pk"))
    for station_id, count in counts.filter(count__gt=settings.FILES_PER_STATION):
        extra = count - settings.FILES_PER_STATION
        found += list(logs.filter(station_id=station_id).order_by("id")[:extra])
    return found


def _remove_orphans() -> int:
    """Delete complete files whose row was never committed."""
    names = list(file_store.complete_names())
    count = 0
    for start in range(0, len(names), 1000):
        part = set(names[start : start + 1000])
        for name in part - set(
            StoredFile.objects.filter(stored_as__in=part).values_list("stored_as", flat=True)
        ):
            file_store.remove(name)
            count += 1
    return count


def _new_link(
    direction: str,
    *,
    kind: str,
    station: ChargingStation | None,
    expires_at: datetime | None,
    created_by: str,
    name: str,
    file: StoredFile | None = None,
) -> tuple[FileLink, str]:
    token = secrets.token_urlsafe(32)
    now = clock.now()
    link = FileLink.objects.create(
        token_hash=_hash(token),
        direction=direction,
        kind=kind,
        station=station,
        file=file,
        max_bytes=settings.FILES_MAX_BYTES,
        created_by=created_by[:100],
        created_at=now,
        expires_at=expires_at or now + timedelta(seconds=settings.FILES_LINK_S),
    )
    # ASCII only, and short: the whole URL must fit into 512 characters.
    label = re.sub(r"[^A-Za-z0-9._-]", "_", clean_name(name))[-80:]
    return link, f"{settings.FILES_URL}{PREFIX}{token}/{label}"


def _check_usable(link: FileLink, *, is_under_way: bool = False) -> None:
    """Raise `LinkGone` unless it works now; a transfer that began in time may end later."""
    if link.revoked_at is not None:
        raise LinkGone("the link was taken back")
    if link.is_upload and link.used_at is not None:
        raise LinkGone("the link has taken its file")
    if not is_under_way and link.expires_at <= clock.now():
        raise LinkGone("the link has expired")
    if not link.is_upload and link.file is None:
        raise LinkGone("the file is gone")


def _keep(
    incoming: file_store.Incoming,
    *,
    kind: str,
    name: str,
    content_type: str,
    station_id: int | None,
    uploaded_by: str,
    now: datetime,
) -> StoredFile:
    """Put the file in its place, then write its row: a row never speaks of what is not there."""
    incoming.commit()
    return StoredFile.objects.create(
        kind=kind,
        name=name[:NAME_LENGTH],
        content_type=re.sub(r"[^\x20-\x7e]", "", content_type)[:100],
        size=incoming.size,
        sha256=incoming.sha256,
        stored_as=incoming.stored_as,
        station_id=station_id,
        uploaded_by=uploaded_by[:100],
        stored_at=now,
    )


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _changed(station_id: int | None) -> None:
    if station_id is not None:
        events.publish(FilesChanged(station_id))


def read(file: StoredFile) -> Iterator[bytes]:
    """Yield a file's bytes, for an operator who saves it; raise `LinkGone` when it is not on the disk."""
    try:
        yield from file_store.pieces(file.stored_as)
    except FileNotFoundError as error:
        raise LinkGone("the file is gone") from error
