"""A socket that the application can ask things of: is the peer alive, how often to ping it, how much of it waits.

uvicorn's WebSocket protocol with what ASGI has no words for, offered as `scope["extensions"]["opencpo.socket"]`. A
sign of life is any octet from the peer, not the pong alone: some chargers know no pong, and a busy one answers late
(field notes, quirk 19). A frame that begins and never ends is cut off (case F24). Daphne has nothing of this.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION = "opencpo.socket"
HALF_FRAME_S = 45.0  # seconds a frame may take from its first octet to its last


class SocketProtocol(WebSocketsSansIOProtocol):
    """One connection, with its liveness."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.last_heard_at = self.loop.time()
        self._listeners: list[asyncio.Future[bool]] = []
        self._half_frame: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_half_frame()
        self._told(False)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; remember that the peer lives, and whether a frame is under way."""
        self.last_heard_at = self.loop.time()
        if self._listeners:
            self._told(True)
        super().data_received(data)
        if self.frames or _where(self.conn) == "Frame.parse":
            if self._half_frame is None:
                self._half_frame = self.loop.call_later(HALF_FRAME_S, self._too_late)
        elif self._half_frame is not None:
            self._forget_half_frame()

    def handle_connect(self, event: Any) -> None:
        """Start the application, which finds this socket in its scope."""
        super().handle_connect(event)
        if not self.close_sent:
            cast(dict[str, Any], self.scope["extensions"])[EXTENSION] = self

    def keepalive_timeout(self) -> None:
        """Close after an unanswered ping, unless anything else was heard since, or nobody was listening."""
        if self.last_heard_at <= self.ping_sent_at and not self.read_paused:
            super().keepalive_timeout()
            self.abandon("no answer to a ping")
            return
        self.pong_timer = None
        self.pending_ping_payload = None
        if not (self.close_sent or self.transport.is_closing()):
            self.schedule_ping()

    # --- for the application -----------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Give the number of messages that were received and not asked for yet."""
        return self.queue.qsize()

    def ping_every(self, seconds: float) -> None:
        """Ping it so often from now on, and give it as long to answer; 0: never."""
        self.stop_keepalive()
        self.ping_interval = self.ping_timeout = seconds
        if self.handshake_complete and not self.close_sent:
            self.start_keepalive()

    async def is_alive(self, within_s: float, *, with_ping: bool = True) -> bool:
        """Ping it and return whether anything comes in time. A peer that is read from slowly is alive."""
        if self.transport.is_closing() or self.disconnected:
            return False
        if self.read_paused:
            return True
        heard: asyncio.Future[bool] = self.loop.create_future()
        self._listeners.append(heard)
        if with_ping and not self.close_sent:
            self.conn.send_ping(b"alive?")
            self.transport.write(b"".join(self.conn.data_to_send()))
        try:
            return await asyncio.wait_for(heard, within_s)
        except TimeoutError:
            return False
        finally:
            if heard in self._listeners:
                self._listeners.remove(heard)

    def abandon(self, reason: str) -> None:
        """Drop the connection at once: the other side is not there to say goodbye to."""
        if not self.disconnected:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006, "reason": reason})
            self.transport.abort()

    # ---------------------------------------------------------------------------------------------------------------

    def _too_late(self) -> None:
        self._half_frame = None
        if self.read_paused:  # the rest may have come: it is we who do not read
            self._half_frame = self.loop.call_later(HALF_FRAME_S, self._too_late)
            return
        self.abandon("a frame that never ended")

    def _told(self, is_alive: bool) -> None:
        listeners, self._listeners = self._listeners, []
        for heard in listeners:
            if not heard.done():
                heard.set_result(is_alive)

    def _forget_half_frame(self) -> None:
        if self._half_frame is not None:
            self._half_frame.cancel()
            self._half_frame = None


def _where(conn: Any) -> str:
    """Name what the parser waits for: `Frame.parse` in the middle of a frame; '' where it cannot be told."""
    session = getattr(conn.parser, "gi_yieldfrom", None)
    return getattr(getattr(session, "gi_yieldfrom", None), "__qualname__", "")
