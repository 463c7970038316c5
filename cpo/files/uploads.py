"""A file on its way in: one PUT or POST, its body as it is or as a form."""

from collections import Counter

from django.db import DatabaseError, transaction

from cpo.files.form import MAX_OVERHEAD, BadForm, Form, boundary
from cpo.files.pace import Pace, TooSlow
from cpo.files.request import Disconnected, Refusal, Request, workers
from cpo.lib.threads import Unavailable
from stations.models import FileLink, StoredFile
from stations.services import diagnostics, file_store, files, firmware
from stations.services.errors import FileTooLarge, InvalidFileName, LinkGone, NoSpace

PIECE = 256 * 1024  # bytes collected before a thread writes them
AT_ONCE = 64  # uploads of this process
TRIES_AT_ONCE = 2  # uploads over one link: an attempt whose connection hangs must not lock out the next one

_running: Counter[int] = Counter()


async def upload(request: Request) -> None:
    """Take the body and keep it, or leave nothing; raise `Refusal`."""
    link = await workers.run(files.find, request.token, direction=FileLink.Direction.UPLOAD)
    if _running.total() >= AT_ONCE or _running[link.pk] >= TRIES_AT_ONCE:
        raise Refusal(503, "Too many uploads at once; try again later.", retry_after="30")
    _running[link.pk] += 1
    try:
        file = await _take(request, link)
    except (Refusal, Disconnected) as error:
        await _note(link, request, str(error) or "the connection was lost")
        raise
    finally:
        _running[link.pk] -= 1
        if not _running[link.pk]:
            del _running[link.pk]
    await request.text(200, f"Stored {file.size} bytes, SHA-256 {file.sha256}.")


async def _take(request: Request, link: FileLink) -> StoredFile:
    try:
        form = _form(request)
        label = files.clean_name(request.name)
        length = _length(request)
        if length > link.max_bytes + (MAX_OVERHEAD if form else 0):
            raise FileTooLarge(f"more than {link.max_bytes} bytes")
        await workers.run(files.check_space, min(length, link.max_bytes))
        incoming = await workers.run(file_store.Incoming, max_bytes=link.max_bytes)
        is_kept = False
        try:
            await _receive(request, incoming, form)
            if form is not None and form.filename:
                label = files.clean_name(form.filename)
            kind = form.content_type if form else request.headers.get("content-type", "")
            file = await workers.run(_keep, incoming, link, label, kind, request.address)
            is_kept = True
        finally:
            if not is_kept:
                incoming.discard()
    except TooSlow:
        raise Refusal(408, "Too slow: the upload was cut off.") from None
    except BadForm as error:
        raise Refusal(400, f"The body is {error}.") from error
    except InvalidFileName as error:
        raise Refusal(403, f"The file may not be called so: {error}.") from error
    except FileTooLarge as error:
        raise Refusal(413, f"The file is too large: {error}.") from error
    except NoSpace as error:
        raise Refusal(507, f"There is no room for the file: {error}.", retry_after="3600") from error
    except LinkGone as error:
        raise Refusal(410, f"{str(error).capitalize()}.") from error
    except (DatabaseError, Unavailable) as error:
        raise Refusal(503, "The file could not be kept now; try again.", retry_after="30") from error
    return file


def _keep(
    incoming: file_store.Incoming, link: FileLink, label: str, content_type: str, address: str
) -> StoredFile:
    """Keep the file and tell whom it was awaited by, in one transaction (blocking)."""
    with transaction.atomic():
        file = files.take(incoming, link=link, name=label, content_type=content_type, address=address)
        arrived = diagnostics.file_arrived if link.kind == StoredFile.Kind.LOG else firmware.file_arrived
        arrived(link, file)
    return file


async def _receive(request: Request, incoming: file_store.Incoming, form: Form | None) -> None:
    """Write the body to the disk, piece by piece; raise what can be wrong with it."""
    pace = Pace()
    collected = bytearray()
    more = True
    while more:
        message = await pace.wait(request.receive())
        if message["type"] == "http.disconnect":
            raise Disconnected
        body, more = message.get("body", b""), message.get("more_body", False)
        pace.moved(len(body))
        collected += form.feed(body) if form and body else body
        if len(collected) >= PIECE or not more:
            await workers.run(incoming.write, bytes(collected))
            collected.clear()
    if form is not None and not (form.is_complete and form.has_file):
        raise BadForm("a form without a file, or cut off")
    if not incoming.size:
        raise BadForm("empty")


def _form(request: Request) -> Form | None:
    if "content-range" in request.headers:
        raise Refusal(400, "Send the whole file: uploads are not resumed.")
    found = boundary(request.headers.get("content-type", ""))
    return Form(found) if found else None


def _length(request: Request) -> int:
    """Return the announced length of the body, 0 when there is none."""
    text = request.headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


async def _note(link: FileLink, request: Request, fault: str) -> None:
    try:
        await workers.run(files.failed, link, address=request.address, fault=fault)
    except DatabaseError:
        return
