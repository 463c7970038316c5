"""Commands out: one outstanding CALL per socket, in the order of the queue; inbound is never kept waiting.

One task per socket sleeps until it is woken (a command was queued, the station may be spoken to) and then sends what
waits, one CALL after another. The row says what happened; an answer after the timeout is recorded as late.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from django.conf import settings
from django.db import Error as DatabaseError

from cpo.lib import clock, metrics
from stations.models import Command
from stations.ocpp import codec, frames, signed
from stations.ocpp.link import Link
from stations.ocpp.pipeline import CALL, CALL_ERROR, CALL_RESULT, CONTENTS, Pipeline
from stations.services import commands, connections, quirks

log = structlog.get_logger(__name__)

Answer = frames.CallResult | frames.CallError


class Sender:
    """Sends one station's queued commands over its socket.

    Nothing goes out until the station has booted and settled: some boot for ever when they are spoken to early
    (quirk 9). One that sends no BootNotification is asked for it once, and then spoken to (quirk 8).
    """

    def __init__(
        self,
        link: Link,
        pipeline: Pipeline,
        send_text: Callable[[str], Awaitable[bool]],
        redial: Callable[[str], Awaitable[None]],
    ) -> None:
        self.link = link
        self.heard = 0  # CALLs of the station that were answered
        self._pipeline = pipeline
        self._send_text = send_text
        self._redial = redial
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._news = asyncio.Event()
        self._open: tuple[str, asyncio.Future[None]] | None = None
        self._opened_at = self._loop.time()
        self._booted_at: float | None = None
        self._automatic_at = 0.0  # when the next command may go out that nobody asked for
        self._is_withheld = False  # such a one may be waiting
        self._is_done = False
        self._timeouts = 0  # commands in a row without an answer
        self._heard_before = 0  # `heard` when the first of them was sent
        self._task = self._loop.create_task(self._run())

    def wake(self) -> None:
        """Look at the queue."""
        self._wake.set()

    def booted(self) -> None:
        """A BootNotification was answered: let the station settle, also when it is the second one."""
        self._booted_at = self._loop.time()
        self._news.set()

    def close(self) -> None:
        """Send nothing more."""
        self._task.cancel()

    async def take_answer(self, answer: Answer, *, text: str) -> None:
        """Match a station's answer with the open CALL; others are recorded as late, or as answers to nothing."""
        now = clock.now()
        is_error = isinstance(answer, frames.CallError)
        signature, fault = "", ""
        if isinstance(answer, frames.CallResult) and signed.is_wrapped(answer.payload):
            opened = await self._pipeline.workers.patiently(
                settings.OCPP_STORE_TIMEOUT_S, self._unwrap, answer
            )
            signature = opened.verdict
            fault = opened.fault[1] if opened.fault else ""
            if isinstance(opened.frame, frames.CallResult):
                answer, text = opened.frame, opened.text
        mine = self._open is not None and self._open[0] == answer.message_id
        # Stored here, in the order of the socket, and not by the task that waits: it may end with the connection.
        command = await self._pipeline.workers.patiently(
            settings.OCPP_STORE_TIMEOUT_S, self._store, answer, fault
        )
        self._timeouts = 0
        place = "" if mine else "late" if command else "unsolicited"
        verdict = ",".join(word for word in (signature, place) if word)
        await self._pipeline.record(
            self.link, direction="i", message_type=CALL_ERROR if is_error else CALL_RESULT,
            message_id=answer.message_id, action=command.action if command else "", text=text, at=now,
            verdict=verdict,
        )  # fmt: skip
        if command is not None:
            metrics.commands.add(command.action, command.status)
        if mine and self._open is not None and not self._open[1].done():
            self._open[1].set_result(None)

    async def give_up(self, message_id: str, *, reason: str) -> None:
        """Fail the command of this id: the station answered, but nobody can read it."""
        answer = frames.CallError(message_id, "", reason, {})
        await self._pipeline.workers.patiently(settings.OCPP_STORE_TIMEOUT_S, self._store, answer)
        if self._open is not None and self._open[0] == message_id and not self._open[1].done():
            self._open[1].set_result(None)

    async def _run(self) -> None:
        while not self._is_done:
            try:
                await self._settle()
                self._wake.clear()
                while await self._send_next():
                    await self._settle()
            except DatabaseError:
                log.warning("commands wait for the database", station=self.link.station.identity)
            await _set(
                self._wake, within_s=self._automatic_at - self._loop.time() if self._is_withheld else None
            )

    async def _settle(self) -> None:
        """Wait until the station may be spoken to."""
        while True:
            self._news.clear()
            settle_s = self.link.quirks.get("settle_s", settings.OCPP_SETTLE_S)
            left_s = (self._booted_at or 0.0) + settle_s - self._loop.time()
            if self._booted_at is None:
                never_boots = self.link.quirks.get("no_boot_on_reconnect", False)
                wait_s = settle_s if never_boots else settings.OCPP_BOOT_WAIT_S
                left_s = self._opened_at + wait_s - self._loop.time()
                if left_s <= 0 and not never_boots:
                    await self._ask_for_boot()
            if left_s <= 0:
                return
            await _set(self._news, within_s=left_s)

    async def _ask_for_boot(self) -> None:
        """Ask for the BootNotification that did not come, once per connection."""
        link = self.link
        if link.asked_for_boot:
            return
        link.asked_for_boot = True
        if self.heard and link.station.last_boot_at is not None:
            quirks.tally.note(link.station_id, ["no_boot_on_reconnect"], value=True)
        if not link.quirks.get("no_boot_trigger", False):
            await self._pipeline.workers.run(connections.ask_for_boot, link.station)

    async def _send_next(self) -> bool:
        """Send the first waiting command that may go out, and see it to its end; False when there is none."""
        link = self.link
        self._is_withheld = self._loop.time() < self._automatic_at
        command = await self._pipeline.workers.run(
            commands.claim, link.station_id, epoch=link.epoch, is_asked_for=self._is_withheld
        )
        if command is None:
            return False
        if command.priority < 0:
            a_minute = link.quirks.get("max_rate", settings.OCPP_AUTOMATIC_PER_MINUTE)
            self._automatic_at = self._loop.time() + 60 / a_minute
        future: asyncio.Future[None] = self._loop.create_future()
        self._open = (command.uid, future)
        text = codec.encode_call(command.uid, command.action, command.payload)
        wrapped = self._signed(command)
        timeout_s = link.quirks.get("call_timeout_s", settings.OCPP_CALL_TIMEOUT_S)
        if not self._timeouts:
            self._heard_before = self.heard
        try:
            if not await self._send_text(wrapped or text):
                await self._pipeline.workers.run(commands.put_back, command.uid, epoch=link.epoch)
                self._is_done = True
                return False
            await self._pipeline.record(
                link, direction="o", message_type=CALL, message_id=command.uid, action=command.action,
                text=text, at=clock.now(), verdict="signed" if wrapped else "",
            )  # fmt: skip
            await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            await self._pipeline.workers.run(
                commands.timed_out,
                command.uid,
                station_id=link.station_id,
                reason=f"no answer within {timeout_s} s",
            )
            metrics.commands.add(command.action, Command.Status.TIMED_OUT)
            await self._unanswered()
        finally:
            self._open = None
        return not self._is_done

    async def _unanswered(self) -> None:
        """Have a station dial again that sends but has stopped answering (quirk 19)."""
        self._timeouts += 1
        limit = self.link.quirks.get("redial_after_timeouts", settings.OCPP_REDIAL_AFTER_TIMEOUTS)
        if limit and self._timeouts >= limit and self.heard > self._heard_before:
            quirks.tally.note(self.link.station_id, ["unanswered_commands"])
            self._is_done = True
            await self._redial(f"{self._timeouts} commands in a row without an answer")

    def _signed(self, command: Command) -> str | None:
        """Return the command in its signed form, for a station that understands it, if we have a key."""
        if not self.link.quirks.get("takes_signed") or not CONTENTS[self.link.version].has_signed:
            return None
        return signed.sign_call(command.uid, command.action, command.payload)

    def _unwrap(self, answer: frames.CallResult) -> signed.Opened:
        """Take a signed answer apart (blocking)."""
        station = self.link.station
        command = Command.objects.filter(uid=answer.message_id, station=station).first()
        action = command.action if command else ""
        return signed.open_answer(self.link.version, station, answer, action=action)

    def _store(self, answer: Answer, refused: str = "") -> Command | None:
        """Write an answer to its command's row (blocking); None when no command of this station awaits it.

        `refused` says what is wrong with its signature: then nothing in it counts.
        """
        station_id = self.link.station_id
        if isinstance(answer, frames.CallError):
            return commands.failed(
                answer.message_id,
                station_id=station_id,
                code=answer.code,
                description=answer.description,
                details=answer.details,
            )
        command = Command.objects.filter(uid=answer.message_id, station_id=station_id).first()
        if command is None:
            return None
        if refused:
            return commands.answered(answer.message_id, station_id=station_id, result={}, fault=refused)
        result: Any = answer.payload
        fault = codec.response_fault(self.link.version, command.action, result)
        return commands.answered(
            answer.message_id, station_id=station_id, result=result, fault=fault.description if fault else ""
        )


async def _set(event: asyncio.Event, *, within_s: float | None) -> None:
    """Wait for an event, at most so long."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), within_s)
