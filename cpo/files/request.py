"""What one request for a file is made of, and how it is answered."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from cpo.lib import addresses, threads

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Whatever a station has sent us, a browser must not run it (SECURITY.md 3.4 row 12).
SAFE_HEADERS = {
    "cache-control": "private, no-store",
    "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
workers = threads.Workers(4, name="files")  # disk and database; not those of the chargers' messages


class Refusal(Exception):
    """An answer that is not the file: status, a sentence, further headers."""

    def __init__(self, status: int, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text
        self.headers = {key.replace("_", "-"): value for key, value in headers.items()}


class Disconnected(Exception):
    """The peer is gone: there is nobody to answer."""


@dataclass(slots=True)
class Request:
    """One request; header names in lower case, `name` as it stands in the URL."""

    method: str
    token: str
    name: str
    headers: dict[str, str]
    address: str
    receive: Receive
    send: Send
    is_answered: bool = field(default=False)

    @classmethod
    def read(cls, scope: Message, receive: Receive, send: Send, *, prefix: str) -> "Request":
        """Take an ASGI scope apart."""
        token, _, name = scope["path"].removeprefix(prefix).partition("/")
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        peer = str(scope["client"][0]) if scope.get("client") else ""
        address = addresses.client(peer, headers.get("x-forwarded-for", ""))
        return cls(scope["method"], token, name, headers, address, receive, send)

    async def start(self, status: int, headers: dict[str, str]) -> None:
        """Send status and headers; the body follows."""
        self.is_answered = True
        all_headers = SAFE_HEADERS | headers
        await self.send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(key.encode(), value.encode("latin-1")) for key, value in all_headers.items()],
            }
        )

    async def piece(self, body: bytes, *, more: bool = True) -> None:
        """Send a piece of the body."""
        await self.send({"type": "http.response.body", "body": body, "more_body": more})

    async def text(
        self, status: int, text: str, headers: dict[str, str] | None = None, *, more: bool = False
    ) -> None:
        """Answer with one sentence; `more`: the caller ends the answer."""
        body = f"{text}\n".encode()
        plain = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body))}
        await self.start(status, plain | (headers or {}))
        await self.piece(b"" if self.method == "HEAD" else body, more=more)
