"""The door: /files/ is answered here, everything else goes on to Django."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import structlog
from django.db import DatabaseError

from cpo.files.downloads import download
from cpo.files.pace import TooSlow
from cpo.files.request import Disconnected, Message, Receive, Refusal, Request, Send
from cpo.files.uploads import upload
from stations.services import files
from stations.services.errors import LinkGone, UnknownLink

log = structlog.get_logger(__name__)
Application = Callable[[Any, Any, Any], Awaitable[None]]

METHODS = {"GET": download, "HEAD": download, "PUT": upload, "POST": upload}
DRAIN_BYTES, DRAIN_S = 1024 * 1024, 2  # read of a refused upload, so that its sender gets to read the answer


def in_front_of(django: Application) -> Application:
    """Give an ASGI application that answers /files/ itself."""

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(files.PREFIX):
            await answer(Request.read(scope, receive, send, prefix=files.PREFIX))
        else:
            await django(scope, receive, send)

    return application


async def answer(request: Request) -> None:
    """Serve one request; no token, name or path is ever logged."""
    try:
        await _serve(request)
    except Refusal as refusal:
        await _refuse(request, refusal.status, refusal.text, refusal.headers)
    except UnknownLink:
        await _refuse(request, 404, "There is no such link.", {})
    except LinkGone as error:
        await _refuse(request, 410, f"{str(error).capitalize()}.", {})
    except DatabaseError:
        await _refuse(request, 503, "Try again later.", {"retry-after": "30"})
    except (Disconnected, TooSlow, ConnectionError):
        return  # nobody to answer, or an answer that is cut off: the server closes the connection
    except Exception as error:
        log.error("file not served", error=type(error).__name__, method=request.method)
        await _refuse(request, 500, "The server failed.", {})


async def _serve(request: Request) -> None:
    way = METHODS.get(request.method)
    if way is None:
        raise Refusal(405, "GET, HEAD, PUT and POST only.", allow=", ".join(METHODS))
    await way(request)


async def _refuse(request: Request, status: int, text: str, headers: dict[str, str]) -> None:
    """Answer with a sentence, unless an answer has begun: then the missing bytes tell that it is not whole."""
    if request.is_answered:
        return
    if request.method not in ("PUT", "POST"):
        await request.text(status, text, headers)
        return
    # What is left of the body is read for a moment: a connection closed over unread bytes loses the answer.
    await request.text(status, text, headers | {"connection": "close"}, more=True)
    if "expect" not in request.headers:
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await _drain(request)
    await request.piece(b"", more=False)


async def _drain(request: Request) -> None:
    left = DRAIN_BYTES
    while left > 0:
        message = await request.receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
        left -= len(message.get("body", b""))
