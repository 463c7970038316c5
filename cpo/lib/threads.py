"""Worker threads for code that blocks on the database, from an event loop: one hop, bounded, connections kept.

Each thread keeps its Django connection between calls. A connection that failed is closed, so that the next call gets a
fresh one; calls that failed because the database was away are tried again until `patience_s` is over.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection

P = ParamSpec("P")
T = TypeVar("T")
RETRY_S = 0.05  # seconds before the first repetition; doubles up to a second


class Unavailable(Exception):
    """The database did not take the work within the patience that was given."""


class Workers:
    """A bounded pool of threads with database connections. Use from one event loop."""

    def __init__(self, size: int, *, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=size, thread_name_prefix=name)
        self.pending = 0  # calls that run or wait for a thread

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the function in a thread and return what it returns."""
        return await self._call(lambda: guarded(function, *args, **kwargs))

    async def patiently(
        self, patience_s: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run the function, again and again while the database is away; raise `Unavailable` when patience is over."""
        return await self._call(lambda: retried(patience_s, function, *args, **kwargs))

    async def _call(self, work: Callable[[], T]) -> T:
        self.pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self.pending -= 1

    def close(self) -> None:
        """Let running calls end and stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def guarded(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the function; when the database failed, drop this thread's connection before the error goes on."""
    try:
        return function(*args, **kwargs)
    except (OperationalError, InterfaceError):
        connection.close()
        raise


def retried(patience_s: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the function until the database takes it, at most `patience_s` seconds."""
    deadline = time.monotonic() + patience_s
    pause_s = RETRY_S
    while True:
        try:
            return guarded(function, *args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() + pause_s >= deadline:
                raise Unavailable(type(error).__name__) from error
        threading.Event().wait(pause_s)
        pause_s = min(pause_s * 2, 1.0)
