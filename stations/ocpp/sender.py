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
from stations.ocpp import codec, frames
from stations.ocpp.link import Link
from stations.ocpp.pipeline import CALL, CALL_ERROR, CALL_RESULT, Pipeline
from stations.services import commands

log = structlog.get_logger(__name__)

Answer = frames.CallResult | frames.CallError


class Sender:
    """Sends one station's queued commands over its socket."""

    def __init__(self, link: Link, pipeline: Pipeline, send_text: Callable[[str], Awaitable[None]]) -> None:
        self.link = link
        self._pipeline = pipeline
        self._send_text = send_text
        self._wake = asyncio.Event()
        self._ready = asyncio.Event()
        self._open: tuple[str, asyncio.Future[None]] | None = None
        self._task = asyncio.get_running_loop().create_task(self._run())

    def wake(self) -> None:
        """Look at the queue."""
        self._wake.set()

    def ready(self) -> None:
        """The station has said something and was answered: it may be spoken to."""
        self._ready.set()

    def close(self) -> None:
        """Send nothing more."""
        self._task.cancel()

    async def take_answer(self, answer: Answer, *, text: str) -> None:
        """Match a station's answer with the open CALL; others are recorded as late, or as answers to nothing."""
        now = clock.now()
        is_error = isinstance(answer, frames.CallError)
        mine = self._open is not None and self._open[0] == answer.message_id
        # Stored here, in the order of the socket, and not by the task that waits: it may end with the connection.
        command = await self._pipeline.workers.patiently(settings.OCPP_STORE_TIMEOUT_S, self._store, answer)
        verdict = "" if mine else "late" if command else "unsolicited"
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
        with contextlib.suppress(
            TimeoutError
        ):  # a station that stays silent after a reconnect is spoken to too
            await asyncio.wait_for(self._ready.wait(), settings.OCPP_SETTLE_S)
        while True:
            self._wake.clear()
            try:
                while await self._send_next():
                    pass
            except DatabaseError:
                log.warning("commands wait for the database", station=self.link.station.identity)
            await self._wake.wait()

    async def _send_next(self) -> bool:
        """Send the oldest waiting command and see it to its end; False when none waits."""
        link = self.link
        command = await self._pipeline.workers.run(commands.claim, link.station_id, epoch=link.epoch)
        if command is None:
            return False
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open = (command.uid, future)
        text = codec.encode_call(command.uid, command.action, command.payload)
        try:
            await self._send_text(text)
            await self._pipeline.record(
                link, direction="o", message_type=CALL, message_id=command.uid, action=command.action,
                text=text, at=clock.now(),
            )  # fmt: skip
            await asyncio.wait_for(future, settings.OCPP_CALL_TIMEOUT_S)
        except TimeoutError:
            await self._pipeline.workers.run(
                commands.timed_out,
                command.uid,
                station_id=link.station_id,
                reason=f"no answer within {settings.OCPP_CALL_TIMEOUT_S} s",
            )
            metrics.commands.add(command.action, Command.Status.TIMED_OUT)
        finally:
            self._open = None
        return True

    def _store(self, answer: Answer) -> Command | None:
        """Write an answer to its command's row (blocking); None when no command of this station awaits it."""
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
        result: Any = answer.payload
        fault = codec.response_fault(self.link.version, command.action, result)
        return commands.answered(
            answer.message_id, station_id=station_id, result=result, fault=fault.description if fault else ""
        )
