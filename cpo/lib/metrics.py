"""Counters of the running system: plain numbers on the hot path, read by Prometheus at `/metrics`.

A process counts into its own memory; `cpo.lib.metrics_share` adds the processes up through Redis. Prefix of all
names: `opencpo_`.
"""

import threading
from bisect import bisect_left
from collections.abc import Iterator

Series = dict[tuple[str, ...], float]
LABEL_SETS_MAX = 1000  # per metric; beyond, what hostile peers make up is counted under "other"
METRICS: list["Metric"] = []


class Metric:
    """A name, a text for people, label names, and a lock for the numbers."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...]) -> None:
        self.name, self.text, self.labels = f"opencpo_{name}", text, labels
        self.renew_lock()
        METRICS.append(self)

    def renew_lock(self) -> None:
        """Forget a lock that another thread held when this process was forked."""
        self._lock = threading.Lock()

    def series(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """Give (label values, number) of this process."""
        raise NotImplementedError


class Counter(Metric):
    """A number that only grows, per set of label values."""

    def __init__(self, name: str, text: str, *labels: str) -> None:
        super().__init__(name, text, labels)
        self._series: Series = {}

    def add(self, *values: str, by: float = 1) -> None:
        """Count `by` more for these label values, given in the order of the labels."""
        with self._lock:
            if values not in self._series and len(self._series) >= LABEL_SETS_MAX:
                values = ("other",) * len(self.labels)
            self._series[values] = self._series.get(values, 0) + by

    def series(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """Give (label values, number) of this process."""
        with self._lock:
            return iter(list(self._series.items()))


class Gauge(Counter):
    """A number that goes up and down; the sum over the processes is shown."""

    def set(self, *values: str, to: float) -> None:
        """Replace the number for these label values."""
        with self._lock:
            self._series[values] = to


class Histogram(Metric):
    """How many observations were at most as long as each bound, in seconds."""

    def __init__(self, name: str, text: str, bounds_s: tuple[float, ...]) -> None:
        super().__init__(name, text, ("le",))
        self.bounds_s = bounds_s
        self._counts = [0] * (len(bounds_s) + 1)
        self._sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Record one duration in seconds."""
        place = bisect_left(self.bounds_s, seconds)
        with self._lock:
            self._counts[place] += 1
            self._sum_s += seconds

    def series(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """Give (("<bound>",), count in that bucket alone) and (("sum",), seconds)."""
        with self._lock:
            counts, total = list(self._counts), self._sum_s
        bounds = [*map(str, self.bounds_s), "+Inf"]
        yield from (((bound,), float(count)) for bound, count in zip(bounds, counts, strict=True))
        yield ("sum",), total


ocpp_messages = Counter("ocpp_messages_total", "OCPP messages", "version", "action", "direction", "verdict")
ocpp_connections = Gauge("ocpp_connections", "open sockets of stations", "version")
ocpp_handshakes = Counter("ocpp_handshakes_total", "attempts of stations to connect", "verdict")
ocpp_takeovers = Counter("ocpp_takeovers_total", "second connections of a station, and who stayed", "verdict")
ocpp_closed = Counter("ocpp_closed_total", "sockets of stations that we closed", "reason")
ocpp_answer_seconds = Histogram(
    "ocpp_answer_seconds",
    "from a CALL of a station read until its answer is written",
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
ocpp_writer_batches = Counter("ocpp_writer_batches_total", "commits of the fast lane", "outcome")
commands = Counter("commands_total", "commands to stations that reached a final status", "action", "status")
sessions_ended = Counter("sessions_ended_total", "charging sessions ended", "reason")
cdrs = Counter("cdrs_total", "charge detail records written", "kind")
ocpi_pushes = Counter("ocpi_push_total", "requests pushed to partners", "module", "outcome")
ocpi_requests = Counter("ocpi_requests_total", "requests from partners", "module", "status")
