"""A server that ends TLS itself, and stations that come with certificates of every sort."""

import ssl
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.authority import Authority, Issued
from tests.processes import Server, free_port
from tests.stories.story import PASSWORD, basic


@dataclass
class TlsServer:
    """A server with a TLS port, and what its clients must trust."""

    server: Server
    port: int
    authority: Authority
    folder: Path

    @property
    def url(self) -> str:
        return f"wss://127.0.0.1:{self.port}/ocpp"

    def trusting(self, client: Issued | None = None) -> ssl.SSLContext:
        """Give a station's TLS: it trusts the server, and shows this certificate."""
        context = ssl.create_default_context(cadata=self.authority.root.pem)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        if client is not None:
            context.load_cert_chain(client.save(self.folder, "client"))
        return context


@contextmanager
def served(env: dict[str, str], folder: Path, **extra: str) -> Iterator[TlsServer]:
    """Serve with an EC and an RSA certificate."""
    authority, port = Authority(), free_port()
    files = [
        str(authority.issue("localhost", kind=kind, is_server=True).save(folder, kind))
        for kind in ("ec", "rsa")
    ]
    tls = {"OCPP_TLS_PORT": str(port), "OCPP_TLS_CERTIFICATES": ",".join(files)}
    found = Server({**env, "OCPP_SETTLE_S": "0.1", "OCPP_CALL_TIMEOUT_S": "1", **tls, **extra})
    found.start()
    try:
        yield TlsServer(found, port, authority, folder)
    finally:
        found.close()


@asynccontextmanager
async def station(
    url: str,
    identity: str = "ADA-1",
    *,
    tls: ssl.SSLContext | None = None,
    password: str | None = PASSWORD,
    **options: Any,
) -> Any:
    """Connect as a station; the socket is open when the block begins."""
    headers = (basic(identity, password) if password else {}) | options.pop("headers", {})
    async with connect(
        f"{url}/{identity}", ssl=tls, subprotocols=[options.pop("subprotocol", "ocpp1.6")], additional_headers=headers,
        proxy=None, close_timeout=1, ping_interval=None, **options,
    ) as socket:  # fmt: skip
        yield socket


async def status_of(url: str, identity: str = "ADA-1", **options: Any) -> int:
    """Return the HTTP status that a handshake gets: 101 when the station is let in."""
    try:
        async with station(url, identity, **options):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code
