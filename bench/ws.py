"""A WebSocket client that costs next to nothing: one asyncio protocol, no task and no queue per socket.

It speaks just enough of RFC 6455 for a trusted server on loopback. The mask is four zero bytes: legal on the
wire, the server unmasks as always, and the generator saves its own half of the work.
"""

import asyncio
import base64
import os
import zlib
from collections.abc import Callable

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
RSV1 = 0x40
DEFLATE_TAIL = b"\x00\x00\xff\xff"
WINDOW_BITS = 12


def handshake(
    path: str, *, username: str, password: str | None, deflate: bool, subprotocol: str = "ocpp1.6"
) -> bytes:
    """The upgrade request of one charger."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: {subprotocol}",
    ]
    if password is not None:
        lines.append(f"Authorization: Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}")
    if deflate:
        offer = (
            f"permessage-deflate; server_max_window_bits={WINDOW_BITS}; client_max_window_bits={WINDOW_BITS}"
        )
        lines.append(f"Sec-WebSocket-Extensions: {offer}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def frame(payload: bytes, first: int = 0x80 | TEXT) -> bytes:
    """A masked frame (with the zero mask) around a payload of up to 64 KiB."""
    size = len(payload)
    if size < 126:
        return bytes((first, 0x80 | size, 0, 0, 0, 0)) + payload
    return bytes((first, 0xFE, size >> 8, size & 0xFF, 0, 0, 0, 0)) + payload


class Socket(asyncio.Protocol):
    """Calls `on_open()`, `on_text(bytes)` and `on_lost(status)`; status is the HTTP status or 0."""

    __slots__ = (
        "buffer",
        "deflater",
        "inflater",
        "on_lost",
        "on_open",
        "on_text",
        "opened",
        "request",
        "status",
        "write",
    )

    def __init__(
        self,
        request: bytes,
        on_open: Callable[[], None],
        on_text: Callable[[bytes], None],
        on_lost: Callable[[int], None],
    ) -> None:
        self.request, self.on_open, self.on_text, self.on_lost = request, on_open, on_text, on_lost
        self.buffer = b""
        self.opened = False
        self.status = 0
        self.deflater: zlib._Compress | None = None
        self.inflater: zlib._Decompress | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.write = transport.write  # type: ignore[attr-defined]
        self.write(self.request)

    def send(self, payload: bytes) -> None:
        """Send one text message."""
        if self.deflater is None:
            self.write(frame(payload))
            return
        packed = self.deflater.compress(payload) + self.deflater.flush(zlib.Z_SYNC_FLUSH)
        self.write(frame(packed[:-4], 0x80 | RSV1 | TEXT))

    def data_received(self, data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
            self.buffer = b""
        if not self.opened:
            self.upgrade(data)
            return
        # the common case first: one short, whole, uncompressed text frame
        if data[0] == 0x81 and data[1] < 126 and len(data) == data[1] + 2:
            self.on_text(data[2:])
            return
        self.split(data)

    def upgrade(self, data: bytes) -> None:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self.buffer = data
            return
        head = data[:end].lower()
        self.status = int(head[9:12])
        if self.status != 101:
            return
        if b"permessage-deflate" in head:
            self.deflater = zlib.compressobj(wbits=-WINDOW_BITS, memLevel=4)
            self.inflater = zlib.decompressobj(wbits=-WINDOW_BITS)
        self.opened = True
        self.on_open()
        if len(data) > end + 4:
            self.split(data[end + 4 :])

    def split(self, data: bytes) -> None:
        """Take the frames of `data` apart; keep an unfinished one for later."""
        at, size = 0, len(data)
        while size - at >= 2:
            length, head = data[at + 1], 2
            if length == 126 and size - at >= 4:
                length, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            elif length == 127 and size - at >= 10:
                length, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
            elif length > 125:
                break
            if size - at < head + length:
                break
            self.take(data[at], data[at + head : at + head + length])
            at += head + length
        self.buffer = data[at:]

    def take(self, first: int, payload: bytes) -> None:
        opcode = first & 0x0F
        if opcode == TEXT:
            if first & RSV1 and self.inflater is not None:
                payload = self.inflater.decompress(payload + DEFLATE_TAIL)
            self.on_text(payload)
        elif opcode == PING:
            self.write(frame(payload, 0x80 | PONG))

    def connection_lost(self, exc: Exception | None) -> None:
        self.on_lost(self.status)
