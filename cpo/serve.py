"""The server: uvicorn with the product's own limits, and TLS for chargers on a port of its own.

`python -m cpo.serve --host 0.0.0.0 --port 8000` serves everything in plain text: behind a proxy, or at home. With
OCPP_TLS_PORT it also listens there for chargers, and ends their TLS itself: security profiles 2 and 3 without a proxy.
"""

import argparse
import asyncio
import os
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import django
import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cpo import tls
from cpo.websocket import SocketProtocol

log = structlog.get_logger(__name__)

APPLICATION = "cpo.asgi:application"
MAX_HEADER_BYTES = 32_768  # of one request's line and headers
HEADERS_WITHIN_S = 15.0  # seconds a request may take to say what it wants
TLS_HANDSHAKE_S = 15.0  # seconds
RELOAD_EVERY_S = 2.0  # seconds between looks at the certificate files
# What the port for chargers serves beside their sockets: files that stations fetch or leave, and the health check.
OPEN_PATHS = ("/files/", "/livez")


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's, with an end to headers that never end and to connections that never say what they want."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._unread_bytes = 0
        self._patience = self.loop.call_later(HEADERS_WITHIN_S, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._patience.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; of a request that is still in its headers, only so much."""
        self._unread_bytes += len(data)
        super().data_received(data)
        if self._unread_bytes > MAX_HEADER_BYTES and not self.transport.is_closing():
            _refuse(self.transport, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._patience.cancel()
        self._patience = self.loop.call_later(HEADERS_WITHIN_S, self._too_late)

    def on_headers_complete(self) -> None:
        self._patience.cancel()
        self._unread_bytes = -sys.maxsize  # a body has limits of its own
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._unread_bytes = 0
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over; a handshake that the WebSocket side cannot read is answered, not left hanging."""
        super().handle_websocket_upgrade()
        protocol = self.transport.get_protocol()
        if isinstance(protocol, WebSocketProtocol) and protocol.conn.handshake_exc is not None:
            protocol.give_up()
            _refuse(self.transport, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _too_late(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


class WebSocketProtocol(SocketProtocol):
    """Ours, telling the application what TLS knows of the peer (`scope["extensions"]["tls"]`)."""

    async def run_asgi(self) -> None:
        ssl_object = self.transport.get_extra_info("ssl_object")
        if ssl_object is not None:
            cast(dict[str, Any], self.scope["extensions"])["tls"] = tls.peer_of(ssl_object)
        await super().run_asgi()

    def give_up(self) -> None:
        """Take no part in this connection any more: there was no handshake."""
        self.handshake_initiated = self.handshake_complete = self.close_sent = True


class Server(uvicorn.Server):
    """uvicorn's, with a second listener for chargers' TLS that shares its event loop, sockets and shutdown."""

    def __init__(
        self, config: uvicorn.Config, *, tls_port: int = 0, certificates: tls.Certificates | None = None
    ) -> None:
        super().__init__(config)
        self._tls_port, self._certificates = tls_port, certificates
        self._watch: asyncio.Task[None] | None = None

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self._certificates is None or not self.started:
            return
        config = configuration(only_chargers(self.config.loaded_app), self.config.host, self._tls_port)
        config.load()
        loop = asyncio.get_running_loop()

        def create_protocol() -> asyncio.Protocol:
            return HttpProtocol(
                config=config, server_state=self.server_state, app_state=self.lifespan.state, _loop=loop
            )

        listener = await loop.create_server(
            create_protocol,
            host=config.host,
            port=self._tls_port,
            ssl=self._certificates.context,
            ssl_handshake_timeout=TLS_HANDSHAKE_S,
            backlog=config.backlog,
        )
        self.servers.append(listener)
        self._watch = loop.create_task(_keep(self._certificates))

    async def shutdown(self, sockets: Any = None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        await super().shutdown(sockets)


async def _keep(certificates: tls.Certificates) -> None:
    """Serve new certificate files to new connections, without a restart."""
    while True:
        await asyncio.sleep(RELOAD_EVERY_S)
        try:
            if certificates.reload():
                log.info("certificates reloaded")
        except tls.Unusable as error:
            log.error("certificates not reloaded, the old ones stay", problem=str(error))


def only_chargers(application: Any) -> Any:
    """Wrap the application for the port of chargers: no pages and no API where plain RSA suites are spoken."""

    async def wrapped(scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and not path.startswith(OPEN_PATHS):
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        elif scope["type"] == "websocket" and not path.startswith("/ocpp"):
            await receive()
            await send({"type": "websocket.close"})
            await receive()
        else:
            await application(scope, receive, send)

    return wrapped


def configuration(
    application: Any, host: str, port: int, *, stop_s: int = 25, deflate: bool = True
) -> uvicorn.Config:
    """Give uvicorn's settings. Proxies are believed by TRUSTED_PROXIES alone: it leaves the peer's address as it is."""
    return uvicorn.Config(
        application,
        host=host,
        port=port,
        http=HttpProtocol,
        ws=WebSocketProtocol,
        ws_max_size=1_048_576,
        ws_max_queue=32,
        ws_per_message_deflate=deflate,  # RFC 7692, which OCPP-J demands of us
        ws_ping_interval=60,
        ws_ping_timeout=60,
        timeout_graceful_shutdown=stop_s,
        server_header=False,
        proxy_headers=False,
        backlog=4096,  # a fleet that reconnects at once
        log_config=None,
    )


def main(argv: list[str]) -> int:
    """Serve until a signal; 3 with a sentence when the certificates cannot be served."""
    options = _parser().parse_args(argv)
    config = configuration(
        options.application, options.host, options.port, stop_s=options.stop_s, deflate=not options.no_deflate
    )
    try:
        tls_port, certificates = _tls() if options.application == APPLICATION else (0, None)
    except tls.Unusable as error:
        print(f"opencpo: {error}", file=sys.stderr)
        return 3
    Server(config, tls_port=tls_port, certificates=certificates).run()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cpo.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--stop-s", type=int, default=25, help="seconds that requests have to end at a stop")
    parser.add_argument("--application", default=APPLICATION, help="another one, to be measured beside ours")
    parser.add_argument(
        "--no-deflate", action="store_true", help="compress no messages, to measure without it"
    )
    return parser


def _tls() -> tuple[int, tls.Certificates | None]:
    """Give the port of chargers' TLS and its certificates; ours are made where none are named."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cpo.settings")
    from django.conf import settings

    if not settings.OCPP_TLS_PORT:
        return 0, None
    pairs = tls.pairs_of(settings.OCPP_TLS_CERTIFICATES)
    if not pairs and settings.OCPP_TLS_FOLDER:
        django.setup()
        from stations.services import server_certificates

        files = server_certificates.ensure(Path(settings.OCPP_TLS_FOLDER), names=settings.ALLOWED_HOSTS)
        pairs = tls.pairs_of([str(file) for file in files])
    return settings.OCPP_TLS_PORT, tls.Certificates(pairs)


def _refuse(transport: asyncio.Transport, status: HTTPStatus) -> None:
    body = status.phrase.encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}"
    )
    transport.write(f"{head}\r\nconnection: close\r\n\r\n".encode() + body)
    transport.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
