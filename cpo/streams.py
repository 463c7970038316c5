"""Long answers in pieces, under both kinds of server: memory stays constant, and the first piece comes at once."""

from collections.abc import AsyncIterator, Iterable, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse


def response(
    request: HttpRequest, pieces: Iterable[bytes], *, content_type: str, filename: str
) -> StreamingHttpResponse:
    """Stream the pieces as a file to be saved. Under ASGI each is made in the request's own thread, when it is due.

    Without this Django would first collect a plain iterator in memory.
    """
    body = _in_thread(iter(pieces)) if isinstance(request, ASGIRequest) else pieces
    answer = StreamingHttpResponse(body, content_type=content_type)
    answer["Content-Disposition"] = f'attachment; filename="{filename}"'
    answer["X-Accel-Buffering"] = "no"  # nginx passes each piece on
    return answer


async def _in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    def step() -> bytes | None:
        return next(pieces, None)

    while (piece := await sync_to_async(step, thread_sensitive=True)()) is not None:
        yield piece
