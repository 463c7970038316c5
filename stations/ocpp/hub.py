"""What one process holds for all its sockets: the writer, the workers, the wake-up listener, who is connected.

Made at the first socket of an event loop. Each process has a name (`owner`) and an advisory lock of that name, so that
others can tell that it died. It listens to `opencpo_wake`; every few seconds it also looks by itself, so that a lost
wake-up costs seconds, not commands.
"""

import asyncio
import contextlib
import gc
import os
import secrets
import socket
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import psycopg
import structlog
from django.conf import settings
from django.db import Error as DatabaseError

from cpo.lib import database, metrics
from cpo.lib.threads import Workers
from stations.ocpp import takeover
from stations.ocpp.pipeline import Pipeline
from stations.ocpp.writer import Writer
from stations.services import commands, connections, quirks, wake

if TYPE_CHECKING:
    from stations.ocpp.consumer import OcppConsumer

log = structlog.get_logger(__name__)

LISTEN_AGAIN_S = 1.0  # seconds until a lost listener connects again

_hubs: dict[int, "Hub"] = {}


def current() -> "Hub":
    """Return the hub of the running event loop, made at first use."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(id(loop))
    if hub is None or hub.loop is not loop:
        hub = _hubs[id(loop)] = Hub(loop)
    return hub


class Hub:
    """The process's side of all its stations."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.owner = f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(4)}"
        self.sockets: dict[int, OcppConsumer] = {}
        self.workers = Workers(settings.OCPP_CAREFUL_THREADS, name="careful")
        self.door = Workers(2, name="handshake")  # a reconnect storm must not keep the careful lane waiting
        self.writer = Writer()
        self.pipeline = Pipeline(self.writer, self.workers)
        self._questions: dict[str, asyncio.Future[bool]] = {}  # about sockets of other processes
        self._probes: dict[int, asyncio.Task[bool]] = {}  # one question about a station at a time
        self.tasks = [loop.create_task(self._listen()), loop.create_task(self._look())]
        self._background: set[asyncio.Task[None]] = set()
        # With thousands of sockets a full collection stops the loop for hundreds of milliseconds.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)

    def enter(self, consumer: "OcppConsumer") -> "OcppConsumer | None":
        """Take a socket in; return the one of the same station that it replaces."""
        replaced = self.sockets.get(consumer.link.station_id)
        self.sockets[consumer.link.station_id] = consumer
        metrics.ocpp_connections.set(consumer.link.version, to=len(self.sockets))
        return replaced

    def leave(self, consumer: "OcppConsumer") -> None:
        """Forget a socket, unless a newer one took its place."""
        if self.sockets.get(consumer.link.station_id) is consumer:
            del self.sockets[consumer.link.station_id]
        metrics.ocpp_connections.set(consumer.link.version, to=len(self.sockets))

    @property
    def is_crowded(self) -> bool:
        """Whether as many handshakes wait as may."""
        return self.door.pending >= settings.OCPP_HANDSHAKES_AT_ONCE

    async def is_alive(self, station_id: int, owner: str) -> bool:
        """Ask for a sign of life of the socket that this owner holds; who asks meanwhile gets the same answer."""
        probe = self._probes.get(station_id)
        if probe is None:
            probe = self._probes[station_id] = self.loop.create_task(takeover.ask(self, station_id, owner))
            probe.add_done_callback(lambda _: self._probes.pop(station_id, None))
        return await asyncio.shield(probe)

    def question(self) -> tuple[str, "asyncio.Future[bool]"]:
        """Return a new question's name and the future of its answer."""
        name, answer = secrets.token_hex(8), self.loop.create_future()
        self._questions[name] = answer
        answer.add_done_callback(lambda _: self._questions.pop(name, None))
        return name, answer

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something run beside everything else."""
        task = self.loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (psycopg.Error, OSError) as error:
                log.warning("wake-ups interrupted", error=type(error).__name__)
            await asyncio.sleep(LISTEN_AGAIN_S)

    async def _listen_once(self) -> None:
        async with await psycopg.AsyncConnection.connect(**database.parameters("opencpo wake")) as conn:
            await conn.execute(
                "select pg_advisory_lock(%s, %s)",
                [connections.LOCK_SPACE, connections.lock_number(self.owner)],
            )
            await conn.execute(f"listen {wake.CHANNEL}")
            epochs = {station_id: consumer.link.epoch for station_id, consumer in self.sockets.items()}
            if epochs:
                await self.workers.run(connections.reclaim, self.owner, epochs)
            self._wake_all()
            async for notice in conn.notifies():
                self._take(notice.payload)

    def _take(self, text: str) -> None:
        kind, station_id, *rest = text.split(":")
        if kind == "alive":
            answer = self._questions.get(rest[0])
            if answer is not None and not answer.done():
                answer.set_result(rest[1] == "1")
            return
        consumer = self.sockets.get(int(station_id))
        if consumer is None:
            return
        if kind == "command":
            consumer.sender.wake()
        elif kind == "changed":
            consumer.link.stale = True
        elif kind == "epoch" and int(rest[0]) > consumer.link.epoch:
            consumer.displace()
        elif kind == "probe":
            self.spawn(self._answer(consumer, rest[0]))

    async def _answer(self, consumer: "OcppConsumer", question: str) -> None:
        is_alive = await consumer.is_alive(settings.OCPP_TAKEOVER_PING_S)
        try:
            await self.workers.run(
                connections.answer_probe, consumer.link.station_id, question=question, is_alive=is_alive
            )
        except DatabaseError:
            log.warning("question not answered", station=consumer.link.station.identity)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(settings.OCPP_LOOK_EVERY_S)
            with contextlib.suppress(DatabaseError):
                await self.workers.run(quirks.count, quirks.tally.take())
            if not self.sockets:
                continue
            for consumer in list(self.sockets.values()):
                if consumer.is_newly_silent():
                    self.spawn(consumer.question_silence())
            try:
                await self._look_at_rows()
            except DatabaseError:
                continue

    async def _look_at_rows(self) -> None:
        """Find what a lost wake-up would have told: commands that wait, connections that are not the newest."""
        epochs = {station_id: consumer.link.epoch for station_id, consumer in self.sockets.items()}
        for station_id, epoch in (await self.workers.run(connections.superseded, epochs)).items():
            consumer = self.sockets.get(station_id)
            if consumer is not None and consumer.link.epoch < epoch:
                consumer.displace()
        for station_id in await self.workers.run(commands.stations_with_queue, list(self.sockets)):
            if station_id in self.sockets:
                self.sockets[station_id].sender.wake()

    def _wake_all(self) -> None:
        for consumer in self.sockets.values():
            consumer.sender.wake()
