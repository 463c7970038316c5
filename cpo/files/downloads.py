"""A file on its way out: the whole of it or one range (RFC 9110 section 14), so that a station can resume."""

import asyncio
import contextlib
import re

from django.db import DatabaseError

from cpo.files.pace import Pace, TooSlow
from cpo.files.request import Disconnected, Refusal, Request, workers
from stations.models import FileLink, StoredFile
from stations.services import file_store, files

SENT_AT_ONCE = 8 * 1024  # bytes: small, so that the pace of a slow line can be seen
WINDOWS = 4  # the server's own buffers hide the pace: look four times as long
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


async def download(request: Request) -> None:
    """Serve the file of a link; raise `Refusal`."""
    link = await workers.run(files.find, request.token, direction=FileLink.Direction.DOWNLOAD)
    file = link.file
    assert file is not None  # files.find sees to it
    first, last, is_part = _range(request, file)
    headers = _headers(file, first, last, is_part=is_part)
    if request.method == "HEAD":
        await request.start(206 if is_part else 200, headers)
        await request.piece(b"", more=False)
        return
    if not await workers.run(file_store.path(file.stored_as).is_file):
        raise Refusal(410, "The file is gone.")
    await request.start(206 if is_part else 200, headers)
    fault = ""
    try:
        await _send(request, file, first, last)
    except TooSlow:
        fault = "too slow: the download was cut off"
        raise
    except (Disconnected, asyncio.CancelledError):
        fault = "the connection was lost"
        raise
    finally:
        with contextlib.suppress(DatabaseError):
            await asyncio.shield(workers.run(_note, link, request.address, fault, last == file.size - 1))


async def _send(request: Request, file: StoredFile, first: int, last: int) -> None:
    pace = Pace(windows=WINDOWS)
    gone = asyncio.ensure_future(_gone(request))
    pieces = file_store.pieces(file.stored_as, first=first, count=last - first + 1)
    left = last - first + 1
    try:
        while left:
            piece = await workers.run(next, pieces, b"")
            if not piece:
                raise Disconnected  # shorter than its row says: the peer must not take it for whole
            for start in range(0, len(piece), SENT_AT_ONCE):
                if gone.done():
                    raise Disconnected
                part = piece[start : start + SENT_AT_ONCE]
                left -= len(part)
                await pace.wait(request.piece(part, more=left > 0))
                pace.moved(len(part))
    finally:
        gone.cancel()
        pieces.close()


async def _gone(request: Request) -> None:
    """Return once the peer has hung up."""
    while (await request.receive())["type"] != "http.disconnect":
        continue


def _note(link: FileLink, address: str, fault: str, is_whole: bool) -> None:
    if fault:
        files.failed(link, address=address, fault=fault)
    else:
        files.served(link, address=address, is_whole=is_whole)


def _range(request: Request, file: StoredFile) -> tuple[int, int, bool]:
    """Return first and last byte to send and whether that is a part; raise 416 where there is no such part."""
    everything = (0, file.size - 1, False)
    match = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if match is None or match.group(1) == match.group(2) == "":
        return everything  # none, several, or nonsense: the whole file is always right
    if request.headers.get("if-range", _etag(file)) != _etag(file):
        return everything
    start, end = match.groups()
    if not start:
        first, last = max(0, file.size - int(end)), file.size - 1
    else:
        first, last = int(start), min(int(end), file.size - 1) if end else file.size - 1
    if first > last or (not start and not int(end)):
        raise Refusal(416, "There is no such part of the file.", content_range=f"bytes */{file.size}")
    return first, last, True


def _headers(file: StoredFile, first: int, last: int, *, is_part: bool) -> dict[str, str]:
    headers = {
        "content-type": "application/octet-stream",
        "content-length": str(last - first + 1),
        "content-disposition": "attachment",
        "accept-ranges": "bytes",
        "etag": _etag(file),
    }
    if is_part:
        headers["content-range"] = f"bytes {first}-{last}/{file.size}"
    return headers


def _etag(file: StoredFile) -> str:
    return f'"{file.sha256}"'
