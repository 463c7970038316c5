"""Time as a charger sees it: the wall's, or a story's that runs faster."""

import asyncio
import time
from datetime import UTC, datetime, timedelta


class WallClock:
    """The real clock: `sleep` waits as long as it says."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: int) -> None:
        await asyncio.sleep(seconds)


class StoryClock:
    """A clock that an hour of charging passes on in a moment.

    Starts at `start` (default: six hours ago, so that a story never tells of the future). With `pace` None a
    sleep takes no time at all; otherwise `pace` story seconds pass in one real second.
    """

    def __init__(self, start: datetime | None = None, *, pace: int | None = None) -> None:
        self._now = start or datetime.now(UTC).replace(microsecond=0) - timedelta(hours=6)
        self.pace = pace

    def now(self) -> datetime:
        return self._now

    def set(self, moment: datetime) -> None:
        """Put the clock to `moment`, forwards or back: chargers do both."""
        self._now = moment

    async def sleep(self, seconds: int) -> None:
        """Pass `seconds` of the story. Two sleeps at once overlap; a cancelled one counts in part."""
        begun, began_ns = self._now, time.monotonic_ns()
        passed = timedelta(seconds=seconds)
        try:
            await asyncio.sleep(seconds / self.pace if self.pace else 0)
        except asyncio.CancelledError:
            ran = timedelta(microseconds=(time.monotonic_ns() - began_ns) * (self.pace or 0) // 1000)
            passed = min(passed, ran)
            raise
        finally:
            self._now = max(self._now, begun + passed)
