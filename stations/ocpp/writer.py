"""The per-process writer: facts of all sockets, committed together (group commit).

Messages wait a few milliseconds for company (OCPP_WRITER_LINGER_MS), then one thread stores them in one transaction.
While it does, the next batch collects. Whoever handed in facts awaits the commit of his own.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import structlog
from django.conf import settings

from cpo.lib import database
from cpo.lib.threads import Unavailable
from stations.services import ingest
from stations.services.ingest import Facts

log = structlog.get_logger(__name__)

AWAY = (psycopg.OperationalError, psycopg.InterfaceError)  # the database, not the facts: try again
UNSTORABLE = (
    psycopg.Error,
    ValueError,
    TypeError,
    OverflowError,
)  # any other error is about these very facts


class Unstorable(Exception):
    """These facts break the database's rules: they fail alone, and would fail again."""


Waiting = tuple[Facts, "asyncio.Future[None]"]


class Writer:
    """Collects facts on the event loop and stores them in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._waiting: list[Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False
        self._conn: psycopg.Connection | None = None
        self._closing = False
        self._linger_s = settings.OCPP_WRITER_LINGER_MS / 1000

    def add(self, facts: Facts) -> "asyncio.Future[None]":
        """Take facts; the returned future is done when they are committed.

        It raises `Unavailable` when the database did not take them within OCPP_STORE_TIMEOUT_S, and `Unstorable` when
        these very facts cannot be stored.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((facts, future))
        if self._timer is None and not self._busy:
            self._timer = self._loop.call_later(self._linger_s, self._flush)
        return future

    async def close(self) -> None:
        """Store what waits, then let the connection go."""
        while self._waiting or self._busy:
            if not self._busy:
                self._flush()
            await asyncio.sleep(0.005)
        self._closing = True
        self._thread.shutdown(wait=False)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._busy or not self._waiting:
            return
        size = settings.OCPP_WRITER_BATCH
        batch, self._waiting = self._waiting[:size], self._waiting[size:]
        self._busy = True
        done = self._thread.submit(self._store, [facts for facts, _ in batch])
        done.add_done_callback(lambda ended: self._loop.call_soon_threadsafe(self._settle, batch, ended))

    def _settle(self, batch: list[Waiting], ended: "Future[list[Exception | None]]") -> None:
        self._busy = False
        error = ended.exception()
        outcomes: Sequence[BaseException | None] = [error] * len(batch) if error else ended.result()
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue  # its socket's task was cancelled
            if outcome is None:
                future.set_result(None)
            else:
                future.set_exception(outcome)
        if self._waiting:
            # Whoever came while the last batch was written has waited already; a short breath collects the rest.
            self._timer = self._loop.call_later(min(self._linger_s, 0.001), self._flush)

    # --- in the writer's thread ------------------------------------------------------------------------------------

    def _store(self, batch: list[Facts]) -> list[Exception | None]:
        deadline = time.monotonic() + settings.OCPP_STORE_TIMEOUT_S
        pause_s = 0.05
        while True:
            try:
                return self._store_or_bisect(batch)
            except AWAY as error:
                self._drop_connection()
                if time.monotonic() + pause_s >= deadline or self._closing:
                    log.error("facts not stored", messages=len(batch), error=type(error).__name__)
                    return [Unavailable(type(error).__name__)] * len(batch)
            threading.Event().wait(pause_s)
            pause_s = min(pause_s * 2, 1.0)

    def _store_or_bisect(self, batch: list[Facts]) -> list[Exception | None]:
        connection = self._connection()
        try:
            ingest.store(connection, batch)
        except AWAY:
            raise
        except UNSTORABLE as error:
            self._drop_connection()  # after a failed pipeline the next batch would fail as well
            if len(batch) == 1:
                log.error("facts cannot be stored", error=type(error).__name__, detail=str(error)[:200])
                return [Unstorable(type(error).__name__)]
            middle = len(batch) // 2
            return self._store_or_bisect(batch[:middle]) + self._store_or_bisect(batch[middle:])
        ingest.announce(batch)
        return [None] * len(batch)

    def _connection(self) -> psycopg.Connection:
        if self._conn is None or self._conn.closed:
            self._conn = psycopg.connect(**database.parameters("opencpo writer"), prepare_threshold=0)
            # A handful of constant statements over arrays: planning them anew for each batch is wasted.
            self._conn.execute("set plan_cache_mode = force_generic_plan")
        return self._conn

    def _drop_connection(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None
