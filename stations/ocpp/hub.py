"""What one process holds for all its sockets: the writer, the workers, the wake-up listener, who is connected.

Made at the first socket of an event loop. Each process has a name (`owner`) and an advisory lock of that name, so that
others can tell that it died. It listens to `opencpo_wake`; every few seconds it also looks by itself, so that a lost
wake-up costs seconds, not commands.
"""

import asyncio
import gc
import os
import secrets
import socket
from typing import TYPE_CHECKING

import psycopg
import structlog
from django.conf import settings
from django.db import Error as DatabaseError

from cpo.lib import database, metrics
from cpo.lib.threads import Workers
from stations.ocpp.pipeline import Pipeline
from stations.ocpp.writer import Writer
from stations.services import commands, connections, wake

if TYPE_CHECKING:
    from stations.ocpp.consumer import OcppConsumer

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 5.0  # seconds between looks at the queue without a wake-up
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
        self.tasks = [loop.create_task(self._listen()), loop.create_task(self._look())]
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
        consumer = self.sockets.get(int(station_id))
        if consumer is None:
            return
        if kind == "command":
            consumer.sender.wake()
        elif kind == "changed":
            consumer.link.stale = True
        elif kind == "epoch" and int(rest[0]) > consumer.link.epoch:
            consumer.displace()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if not self.sockets:
                continue
            try:
                waiting = await self.workers.run(commands.stations_with_queue, list(self.sockets))
            except DatabaseError:
                continue
            for station_id in waiting:
                if station_id in self.sockets:
                    self.sockets[station_id].sender.wake()

    def _wake_all(self) -> None:
        for consumer in self.sockets.values():
            consumer.sender.wake()
