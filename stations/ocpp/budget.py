"""How many messages a station may send: a token bucket per socket, kept as one moment (threat 6, cases D4 and D5)."""


class Budget:
    """So many messages at once after a quiet time, so many a second in the long run. Times in seconds."""

    __slots__ = ("_due", "_slack_s", "_step_s")

    def __init__(self, per_s: float, burst: int) -> None:
        self._step_s = 1 / per_s
        self._slack_s = burst / per_s
        self._due = 0.0  # when everything that was spent will have been earned

    def spend(self, now: float) -> float:
        """Take one message's share and return how long to wait before the message is looked at; at most 0: no wait."""
        due = (self._due if self._due > now else now) + self._step_s
        self._due = due
        return due - now - self._slack_s
