"""How often one address may look and pay: counted in this process for a minute, before any row is read."""

import time
from collections import defaultdict, deque

WINDOW_S = 60
MAX_ADDRESSES = 20_000


class Pace:
    """So many of one kind within the last minute, by address."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], deque[float]] = defaultdict(deque)

    def is_over(self, kind: str, address: str, limit: int) -> bool:
        """Count one more and tell whether it is one too many; what is refused counts too."""
        if len(self._seen) > MAX_ADDRESSES:
            self._seen.clear()
        seen, now = self._seen[kind, address], time.monotonic()
        while seen and seen[0] < now - WINDOW_S:
            seen.popleft()
        if len(seen) <= limit:
            seen.append(now)
        return len(seen) > limit

    def forget(self) -> None:
        """Begin anew (tests)."""
        self._seen.clear()


pace = Pace()
