"""Who transfers too slowly is cut off: a dripping peer must not hold a file, a thread or a socket for hours."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from django.conf import settings

T = TypeVar("T")


class TooSlow(Exception):
    """Too few bytes in the last window, or too long in all."""


class Pace:
    """Watches one transfer: FILES_MIN_RATE bytes per second over each window, FILES_TRANSFER_S in all."""

    def __init__(self, *, windows: int = 1) -> None:
        self._window_s = settings.FILES_STALL_S * windows
        self._least = settings.FILES_MIN_RATE * self._window_s
        now = time.monotonic()
        self._end = now + settings.FILES_TRANSFER_S
        self._window_end = now + self._window_s
        self._moved = 0

    async def wait(self, step: Awaitable[T]) -> T:
        """Await one step of the transfer; raise `TooSlow` when its window ends before it does."""
        try:
            async with asyncio.timeout(max(0.0, min(self._end, self._window_end) - time.monotonic())):
                return await step
        except TimeoutError:
            raise TooSlow from None

    def moved(self, count: int) -> None:
        """Count bytes; raise `TooSlow` when a window ends with too few of them."""
        self._moved += count
        now = time.monotonic()
        if now > self._end:
            raise TooSlow
        if self._moved >= self._least:  # enough for this window: the next one begins
            self._moved = 0
            self._window_end = now + self._window_s
        elif now > self._window_end:
            raise TooSlow
