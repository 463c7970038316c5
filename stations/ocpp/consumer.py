"""The Channels consumer of a charging station's socket.

It has no channel layer (a restart of Redis drops no charger) and no per-message connection check. Frames are read one
after another: each is answered after its commit, then the next is read, so that a flooding station meets back-pressure
and not memory. Frames read before a disconnect are processed to the end.
"""

import asyncio
import random
from datetime import datetime
from typing import Any

import structlog
from channels.consumer import AsyncConsumer
from django.conf import settings
from django.db import Error as DatabaseError

from cpo.lib import clock, metrics
from cpo.lib.threads import Unavailable
from stations.models import HandshakeRejection
from stations.ocpp import codec, frames, handshake, hub, signed, takeover
from stations.ocpp.budget import Budget
from stations.ocpp.handshake import Refusal, Welcome
from stations.ocpp.link import Link, load, load_parts
from stations.ocpp.pipeline import CONTENTS
from stations.ocpp.sender import Sender
from stations.services import connections, quirks

log = structlog.get_logger(__name__)

GOING_AWAY, PROTOCOL_ERROR, NO_BINARY, POLICY = 1001, 1002, 1003, 1008
MAX_GARBAGE = 50  # unreadable frames in a row after which the socket is closed
SOCKET = "opencpo.socket"  # what our own server tells about a socket (cpo/websocket.py); others do not
URGENT_SHARE = 5  # so many times more of what a station repeats until it is answered: its transactions

# The messages of each version that a station keeps until they are answered, and that are looked at one by one.
URGENT = {
    version: frozenset(
        name
        for action, route in contents.inbound.items()
        if route.vital and not route.is_fast
        for name in (action, f"{action}{signed.SUFFIX}")
    )
    for version, contents in CONTENTS.items()
}


class OcppConsumer(AsyncConsumer):
    """One station's socket, from the handshake to its end."""

    channel_layer_alias = "none"  # there is no such layer: none is used
    link: Link
    sender: Sender
    _silent_since: datetime | None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self.hub = hub.current()
        self._control = scope.get("extensions", {}).get(SOCKET)
        self._is_flooded = False
        self._garbage = 0
        self.frames_in = self.frames_out = 0
        self._is_open = True
        self._ended: tuple[int | None, str, str] = (None, "peer", "")
        await receive()  # websocket.connect
        knock = handshake.knock_of(scope)
        began = asyncio.get_running_loop().time()
        verdict = await self._decide(knock)
        metrics.ocpp_handshakes.add(verdict.reason if isinstance(verdict, Refusal) else "accepted")
        if isinstance(verdict, Refusal):
            log.info(
                "handshake refused",
                identity=knock.identity[:64],
                reason=verdict.reason,
                status=verdict.status,
            )
            await asyncio.sleep(handshake.pause_s(asyncio.get_running_loop().time() - began))
            await self._refuse(verdict)
            return
        if await self._open(verdict, knock):
            await self._serve(verdict)

    async def send_text(self, text: str) -> bool:
        """Send one frame; False once the socket is gone."""
        if not self._is_open:
            return False
        try:
            await self._send({"type": "websocket.send", "text": text})
            self.frames_out += 1
        except (OSError, RuntimeError):  # uvicorn's ClientDisconnected is an OSError
            self._is_open = False
        return self._is_open

    async def is_alive(self, within_s: float) -> bool:
        """Return whether the station gives a sign of life in time; False where the server cannot tell."""
        if self._control is None or not self._is_open:
            return False
        knows_pong = self.link.quirks.get("ping_interval_s") != 0
        alive: bool = await self._control.is_alive(within_s, with_ping=knows_pong)
        return alive

    def is_newly_silent(self) -> bool:
        """Tell whether no message came for longer than it may, and nobody has asked about that yet."""
        since = self.link.last_seen_at or self._opened_at
        if not self._is_open or self._silent_since == since:
            return False
        if (clock.now() - since).total_seconds() < connections.silence_s(self.link.station_id):
            return False
        self._silent_since = since
        return True

    async def question_silence(self) -> None:
        """End a socket that is only half open; tell an operator in any case."""
        since = self._silent_since or self._opened_at
        is_alive = await self.is_alive(settings.OCPP_TAKEOVER_PING_S)
        if not is_alive and self._silent_since == (self.link.last_seen_at or self._opened_at):
            metrics.ocpp_closed.add("silent")
            self._ended = (None, "us", "silent: no message and no answer to a ping")
            await self._close(GOING_AWAY, "no sign of life")
            if self._control is not None:
                self._control.abandon("silent")
        try:
            await self.hub.workers.run(
                connections.silent, self.link.station_id, since=since, is_alive=is_alive
            )
        except DatabaseError:
            log.warning("silence not recorded", station=self.link.station.identity)

    def displace(self) -> None:
        """A newer connection owns the station: end this one."""
        if not self._is_open:
            return
        self._ended = (PROTOCOL_ERROR, "takeover", "a newer connection of this station")
        asyncio.get_running_loop().create_task(self._close(GOING_AWAY, "replaced by a newer connection"))

    async def _decide(self, knock: handshake.Knock) -> Welcome | Refusal:
        """Let it in or not: is there room, is it who it says, and is nobody else connected as this station."""
        if self.hub.is_crowded:
            return Refusal(503, "overload", ((b"retry-after", str(random.randint(5, 30)).encode()),))  # noqa: S311
        try:
            verdict = await self.hub.door.run(handshake.decide, knock)
            if isinstance(verdict, Refusal):
                return verdict
            address = knock.remote_address[:64]
            if await takeover.is_welcome(self.hub, verdict.station, address=address, profile=verdict.profile):
                return verdict
            return await self.hub.door.run(_duplicate, verdict.station.identity, knock)
        except DatabaseError as error:
            log.error("handshake without database", error=type(error).__name__)
            return Refusal(503, "database", ((b"retry-after", b"10"),))

    async def _open(self, welcome: Welcome, knock: handshake.Knock) -> bool:
        """Become the station's owner; False when the database would not have it, or nobody is there any more."""
        if self._control is not None and self._control.disconnected:
            return False
        facts = handshake.facts_of(welcome, knock)
        try:
            self.link = await self.hub.door.run(_own, welcome, self.hub.owner, facts)
        except DatabaseError:
            await self._refuse(Refusal(503, "database", ((b"retry-after", b"10"),)))
            return False
        self.sender = Sender(self.link, self.hub.pipeline, self.send_text, self._redial)
        self._opened_at = clock.now()
        self._silent_since = None
        self._ping_every_s = -1.0
        self._boots = 0
        self._flooding_since: float | None = None
        per_s, burst = settings.OCPP_MESSAGES_PER_S, settings.OCPP_MESSAGES_BURST
        self._budget = Budget(per_s, burst)
        self._urgent_budget = Budget(per_s * URGENT_SHARE, burst * URGENT_SHARE)
        self._urgent = URGENT[self.link.version]
        replaced = self.hub.enter(self)
        if replaced is not None:
            replaced.displace()
        return True

    async def _accept(self, welcome: Welcome) -> bool:
        accept: dict[str, Any] = {"type": "websocket.accept"}
        if welcome.subprotocol:
            accept["subprotocol"] = welcome.subprotocol
        try:
            await self._send(accept)
        except (OSError, RuntimeError):
            return False
        self._set_ping()
        return True

    def _set_ping(self) -> None:
        wanted_s = float(self.link.quirks.get("ping_interval_s", settings.OCPP_PING_INTERVAL_S))
        if self._control is not None and wanted_s != self._ping_every_s:
            self._control.ping_every(wanted_s)
        self._ping_every_s = wanted_s

    async def _serve(self, welcome: Welcome) -> None:
        try:
            if await self._accept(welcome):
                await self._read()
        finally:
            self._is_open = False
            self.sender.close()
            self.hub.leave(self)
            await asyncio.shield(self._leave())

    async def _read(self) -> None:
        while not self._is_flooded:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                if self._ended[1] == "peer":
                    self._ended = (message.get("code"), "peer", message.get("reason") or "")
                return
            self.frames_in += 1
            text = message.get("text")
            if text is None:
                await self._end(NO_BINARY, "binary frames are not OCPP")
                continue
            await self._frame(text)

    async def _frame(self, text: str) -> None:
        received_at = clock.now()
        if self.link.stale:
            await self._reload()
        try:
            frame = codec.decode(self.link.version, text)
        except frames.FrameRefused as refused:
            await self._spend(self._budget, "")
            await self._garbled(text, refused)
            return
        self._garbage = 0
        text = _storable(text)
        if isinstance(frame, frames.Call):
            await self._spend(
                self._urgent_budget if frame.action in self._urgent else self._budget, frame.action
            )
            if self._is_flooded:
                return
            reply = await self.hub.pipeline.answer(self.link, frame, text=text, received_at=received_at)
            if reply is not None:
                await self.send_text(reply)
                self.sender.heard += 1
                if self.link.boots != self._boots:
                    self._boots = self.link.boots
                    self.sender.booted()
                metrics.ocpp_answer_seconds.observe((clock.now() - received_at).total_seconds())
        elif isinstance(frame, frames.Send):
            await self._spend(self._budget, frame.action)
            if not self._is_flooded:
                await self.hub.pipeline.take(self.link, frame, text=text, received_at=received_at)
        elif isinstance(frame, frames.CallResult | frames.CallError):
            await self._spend(self._budget, "")
            try:
                await self.sender.take_answer(frame, text=text)
            except (DatabaseError, Unavailable):
                log.warning("answer of a station not stored", station=self.link.station.identity)
        else:
            await self._spend(self._budget, "")
            await self._record(text, message_id=getattr(frame, "message_id", ""), verdict="message_type")

    async def _spend(self, budget: Budget, action: str) -> None:
        """Read no faster than the station may send; one that never waits for its answers is closed (D4, D5)."""
        now = self.hub.loop.time()
        wait_s = budget.spend(now)
        if wait_s <= 0:
            if budget is self._budget:
                self._flooding_since = None
            return
        if self._control is not None and self._control.waiting:
            self._flooding_since = self._flooding_since or now
            if now - self._flooding_since > settings.OCPP_FLOOD_S:
                await self._flood(action)
                return
        else:
            self._flooding_since = None
        await asyncio.sleep(wait_s)

    async def _flood(self, action: str) -> None:
        self._is_flooded = True
        metrics.ocpp_closed.add("flood")
        await self._end(POLICY, "too many messages")
        try:
            await self.hub.workers.run(connections.flooded, self.link.station_id, action=action)
        except DatabaseError:
            log.warning("flood not recorded", station=self.link.station.identity)

    async def _redial(self, reason: str) -> None:
        """Close the socket so that the station dials again."""
        metrics.ocpp_closed.add("redial")
        self._ended = (GOING_AWAY, "us", reason)
        await self._close(GOING_AWAY, "dial again")

    async def _garbled(self, text: str, refused: frames.FrameRefused) -> None:
        """Journal a frame that cannot be understood, answer it if it can be, close where the rules say so."""
        self._garbage += 1
        reply = codec.refusal(self.link.version, refused)
        verdict = f"refused:{refused.reason}"
        quirks.tally.note(self.link.station_id, [verdict])
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
            self._set_ping()
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
        await self._send({"type": "websocket.http.response.body", "body": refusal.body})
        await self._receive()  # the disconnect: uvicorn calls an earlier return an error


def _own(welcome: Welcome, owner: str, facts: dict[str, Any]) -> Link:
    """Become the station's owner and read what the hot path must know (blocking)."""
    epoch = connections.opened(welcome.station.pk, owner=owner, version=welcome.version, facts=facts)
    link = Link(station=welcome.station, version=welcome.version, epoch=epoch, quirks=welcome.quirks)
    load_parts(link)
    return link


def _duplicate(identity: str, knock: handshake.Knock) -> Refusal:
    """Record that a second device was kept out (blocking)."""
    connections.refused(
        identity=identity,
        remote_address=knock.remote_address,
        reason=HandshakeRejection.Reason.DUPLICATE,
        user_agent=knock.user_agent,
        now=clock.now(),
    )
    return Refusal(409, HandshakeRejection.Reason.DUPLICATE, ((b"retry-after", b"60"),))


def _storable(text: str) -> str:
    """Show a raw NUL as the replacement character: PostgreSQL's text cannot hold it, and the frame would be lost."""
    return text.replace("\x00", "\ufffd") if "\x00" in text else text
