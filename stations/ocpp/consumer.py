"""The Channels consumer of a charging station's socket.

It has no channel layer (a restart of Redis drops no charger) and no per-message connection check. Frames are read one
after another: each is answered after its commit, then the next is read, so that a flooding station meets back-pressure
and not memory. Frames read before a disconnect are processed to the end.
"""

import asyncio
from typing import Any

import structlog
from channels.consumer import AsyncConsumer
from django.conf import settings
from django.db import Error as DatabaseError

from cpo.lib import clock, metrics
from cpo.lib.threads import Unavailable
from stations.ocpp import codec, frames, handshake, hub
from stations.ocpp.handshake import Refusal, Welcome
from stations.ocpp.link import Link, load, load_parts
from stations.ocpp.sender import Sender
from stations.services import connections

log = structlog.get_logger(__name__)

GOING_AWAY, PROTOCOL_ERROR, NO_BINARY, POLICY = 1001, 1002, 1003, 1008
MAX_GARBAGE = 50  # unreadable frames in a row after which the socket is closed


class OcppConsumer(AsyncConsumer):
    """One station's socket, from the handshake to its end."""

    channel_layer_alias = "none"  # there is no such layer: none is used
    link: Link
    sender: Sender

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self.hub = hub.current()
        self._garbage = 0
        self.frames_in = self.frames_out = 0
        self._is_open = True
        self._ended: tuple[int | None, str, str] = (None, "peer", "")
        await receive()  # websocket.connect
        knock = handshake.knock_of(scope)
        try:
            verdict = await self.hub.door.run(handshake.decide, knock)
        except DatabaseError as error:
            log.error("handshake without database", error=type(error).__name__)
            verdict = Refusal(503, "database", ((b"retry-after", b"10"),))
        metrics.ocpp_handshakes.add(verdict.reason if isinstance(verdict, Refusal) else "accepted")
        if isinstance(verdict, Refusal):
            log.info(
                "handshake refused",
                identity=knock.identity[:64],
                reason=verdict.reason,
                status=verdict.status,
            )
            await self._refuse(verdict)
            return
        if await self._open(verdict, knock):
            await self._serve()

    async def send_text(self, text: str) -> None:
        """Send one frame; quietly nothing once the socket is gone."""
        if not self._is_open:
            return
        try:
            await self._send({"type": "websocket.send", "text": text})
            self.frames_out += 1
        except (OSError, RuntimeError):  # uvicorn's ClientDisconnected is an OSError
            self._is_open = False

    def displace(self) -> None:
        """A newer connection owns the station: end this one."""
        self._ended = (PROTOCOL_ERROR, "takeover", "a newer connection of this station")
        asyncio.get_running_loop().create_task(self._close(GOING_AWAY, "replaced by a newer connection"))

    async def _open(self, welcome: Welcome, knock: handshake.Knock) -> bool:
        """Accept the socket and become the station's owner; False when the database would not have it."""
        facts = {
            "remote_address": knock.remote_address[:64],
            "subprotocol": welcome.subprotocol,
            "offered_subprotocols": ",".join(knock.subprotocols)[:255],
            "user_agent": knock.user_agent,
            "is_tls": knock.is_tls,
        }
        try:
            self.link = await self.hub.door.run(_own, welcome, self.hub.owner, facts)
        except DatabaseError:
            await self._refuse(Refusal(503, "database", ((b"retry-after", b"10"),)))
            return False
        self.sender = Sender(self.link, self.hub.pipeline, self.send_text)
        replaced = self.hub.enter(self)
        if replaced is not None:
            replaced.displace()
        accept: dict[str, Any] = {"type": "websocket.accept"}
        if welcome.subprotocol:
            accept["subprotocol"] = welcome.subprotocol
        await self._send(accept)
        return True

    async def _serve(self) -> None:
        try:
            while True:
                message = await self._receive()
                if message["type"] == "websocket.disconnect":
                    if self._ended[1] == "peer":
                        self._ended = (message.get("code"), "peer", message.get("reason") or "")
                    break
                self.frames_in += 1
                text = message.get("text")
                if text is None:
                    await self._end(NO_BINARY, "binary frames are not OCPP")
                    continue
                await self._frame(text)
        finally:
            self._is_open = False
            self.sender.close()
            self.hub.leave(self)
            await asyncio.shield(self._leave())

    async def _frame(self, text: str) -> None:
        received_at = clock.now()
        if self.link.stale:
            await self._reload()
        try:
            frame = codec.decode(self.link.version, text)
        except frames.FrameRefused as refused:
            await self._garbled(text, refused)
            return
        self._garbage = 0
        text = _storable(text)
        if isinstance(frame, frames.Call):
            reply = await self.hub.pipeline.answer(self.link, frame, text=text, received_at=received_at)
            if reply is not None:
                await self.send_text(reply)
                self.sender.ready()
                metrics.ocpp_answer_seconds.observe((clock.now() - received_at).total_seconds())
        elif isinstance(frame, frames.CallResult | frames.CallError):
            try:
                await self.sender.take_answer(frame, text=text)
            except (DatabaseError, Unavailable):
                log.warning("answer of a station not stored", station=self.link.station.identity)
        else:
            await self._record(text, message_id=getattr(frame, "message_id", ""), verdict="message_type")

    async def _garbled(self, text: str, refused: frames.FrameRefused) -> None:
        """Journal a frame that cannot be understood, answer it if it can be, close where the rules say so."""
        self._garbage += 1
        reply = codec.refusal(self.link.version, refused)
        verdict = f"refused:{refused.reason}"
        await self._record(text, message_id=refused.message_id or "", verdict=verdict)
        metrics.ocpp_messages.add(self.link.version, "?", "in", "refused")
        if refused.message_type in frames.ANSWERS and refused.message_id is not None:
            await self._unreadable_answer(refused.message_id, refused.description)
        if reply is not None:
            await self.send_text(reply)
        if refused.close_code is not None:
            await self._end(refused.close_code, refused.reason)
        elif self._garbage >= MAX_GARBAGE:
            await self._end(POLICY, "too many unreadable frames")

    async def _unreadable_answer(self, message_id: str, description: str) -> None:
        try:
            await self.sender.give_up(message_id, reason=f"the answer cannot be read: {description}")
        except (DatabaseError, Unavailable):
            log.warning("answer of a station not stored", station=self.link.station.identity)

    async def _record(self, text: str, *, message_id: str, verdict: str) -> None:
        clean = _storable(text).encode("utf-8", "replace").decode()
        await self.hub.pipeline.record(
            self.link, direction="i", message_type=0, message_id=message_id, action="", text=clean[:65536],
            at=clock.now(), verdict=verdict,
        )  # fmt: skip

    async def _reload(self) -> None:
        try:
            await self.hub.workers.run(load, self.link)
        except DatabaseError:
            self.link.stale = True

    async def _end(self, code: int, reason: str) -> None:
        self._ended = (code, "us", reason)
        await self._close(code, reason)

    async def _close(self, code: int, reason: str) -> None:
        if not self._is_open:
            return
        self._is_open = False
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason[:100]})
        except (OSError, RuntimeError):
            log.debug("socket was closed already")

    async def _leave(self) -> None:
        code, by, reason = self._ended
        try:
            await self.hub.workers.patiently(
                settings.OCPP_CLOSE_GRACE_S,
                connections.closed,
                self.link.station_id,
                epoch=self.link.epoch,
                code=code if code and 0 < code < 5000 else None,
                by=by,
                reason=reason,
                frames_in=self.frames_in,
                frames_out=self.frames_out,
            )
        except Exception as error:  # noqa: BLE001 - the sweep tells the station offline
            log.warning("end of connection not stored", error=type(error).__name__)

    async def _refuse(self, refusal: Refusal) -> None:
        """Answer the handshake with an HTTP status where the server can; 101 means: complete it, then close."""
        if refusal.status == 101:
            await self._send({"type": "websocket.accept"})
            await self._send(
                {"type": "websocket.close", "code": PROTOCOL_ERROR, "reason": "no common subprotocol"}
            )
            return
        if "websocket.http.response" not in self.scope.get("extensions", {}):
            await self._send({"type": "websocket.close"})  # Daphne answers 403
            return
        await self._send(
            {
                "type": "websocket.http.response.start",
                "status": refusal.status,
                "headers": [(b"content-type", b"text/plain"), *refusal.headers],
            }
        )
        await self._send({"type": "websocket.http.response.body", "body": refusal.reason.encode()})
        await self._receive()  # the disconnect: uvicorn calls an earlier return an error


def _own(welcome: Welcome, owner: str, facts: dict[str, Any]) -> Link:
    """Become the station's owner and read what the hot path must know (blocking)."""
    epoch = connections.opened(welcome.station.pk, owner=owner, version=welcome.version, facts=facts)
    link = Link(station=welcome.station, version=welcome.version, epoch=epoch)
    load_parts(link)
    return link


def _storable(text: str) -> str:
    """Show a raw NUL as the replacement character: PostgreSQL's text cannot hold it, and the frame would be lost."""
    return text.replace("\x00", "\ufffd") if "\x00" in text else text
