"""The sum of all processes' metrics, kept in Redis: each process adds what is new every few seconds.

Workers have no port of their own, so whoever answers `/metrics` must answer for them. A process that is killed
takes at most `PERIOD_S` of counts with it; with Redis away the page shows the answering process alone.
"""

import atexit
import json
import os
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

import redis
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.backoff import NoBackoff
from redis.retry import Retry

from cpo.lib import metrics

PERIOD_S = 5
STALE_S = 30  # a gauge of a process that is silent for this long no longer counts
COUNTS_KEY, GAUGES_KEY = "opencpo:metrics:counts", "opencpo:metrics:gauges"
Totals = dict[tuple[str, ...], float]


def local() -> Totals:
    """Give this process's numbers by (metric name, label values...)."""
    return {(m.name, *values): number for m in metrics.METRICS for values, number in m.series()}


class Share:
    """The connection of one process to the common numbers."""

    def __init__(self, redis_url: str, told: Totals) -> None:
        once = Retry(NoBackoff(), 0)
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=2, retry=once)
        self._told: Totals = told
        self._lock = threading.Lock()
        self._process = f"{socket.gethostname()}:{os.getpid()}:{time.monotonic_ns()}"

    def flush(self) -> None:
        """Add what this process counted since the last time; raises redis.RedisError."""
        with self._lock:
            gauges = {m.name for m in metrics.METRICS if isinstance(m, metrics.Gauge)}
            now = local()
            pipe = self._redis.pipeline(transaction=True)
            for series, number in now.items():
                if series[0] in gauges:
                    pipe.hset(GAUGES_KEY, json.dumps([self._process, *series]), f"{number} {time.time()}")
                elif number != self._told.get(series, 0):
                    pipe.hincrbyfloat(COUNTS_KEY, json.dumps(series), number - self._told.get(series, 0))
            pipe.execute()
            self._told = now

    def ping(self) -> None:
        """Ask whether Redis answers; raises redis.RedisError."""
        self._redis.ping()

    def totals(self) -> Totals:
        """Give the numbers of all processes together; raises redis.RedisError."""
        found: dict[bytes, bytes] = self._redis.hgetall(COUNTS_KEY)  # type: ignore[assignment]
        totals: Totals = {tuple(json.loads(series)): float(number) for series, number in found.items()}
        gauges: dict[bytes, bytes] = self._redis.hgetall(GAUGES_KEY)  # type: ignore[assignment]
        for field, value in gauges.items():
            number, at = map(float, value.split())
            if time.time() - at > STALE_S:
                self._redis.hdel(GAUGES_KEY, field.decode())
                continue
            series = tuple(json.loads(field)[1:])
            totals[series] = totals.get(series, 0) + number
        return totals

    def run(self) -> None:
        """Flush for ever; a Redis that is away is tried again at the next turn."""
        while True:
            time.sleep(PERIOD_S)
            try:
                self.flush()
            except redis.RedisError:
                continue


_share: Share | None = None


def start(redis_url: str) -> Share:
    """Begin to share this process's numbers, once; a forked child (a Celery worker's) begins by itself."""
    global _share
    if _share is None:
        _share = _begin(redis_url, told={})
        os.register_at_fork(after_in_child=lambda: _after_fork(redis_url))
        atexit.register(_last_flush)
    return _share


def _begin(redis_url: str, told: Totals) -> Share:
    share = Share(redis_url, told)
    threading.Thread(target=share.run, name="metrics", daemon=True).start()
    return share


def _after_fork(redis_url: str) -> None:
    """Start afresh: threads and locks do not survive a fork, and the parent reports what it counted before."""
    global _share
    for metric in metrics.METRICS:
        metric.renew_lock()
    _share = _begin(redis_url, told=local())


def _last_flush() -> None:
    with suppress(redis.RedisError):
        if _share is not None:
            _share.flush()


class Shown(Collector):
    """Totals as Prometheus metrics."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def collect(self) -> Iterable[Metric]:
        """Give one family per metric, in the order of their definition."""
        for metric in metrics.METRICS:
            rows = {series[1:]: number for series, number in self._totals.items() if series[0] == metric.name}
            yield _histogram(metric, rows) if isinstance(metric, metrics.Histogram) else _plain(metric, rows)


def _plain(metric: metrics.Metric, rows: Totals) -> Metric:
    family = GaugeMetricFamily if isinstance(metric, metrics.Gauge) else CounterMetricFamily
    shown = family(metric.name, metric.text, labels=metric.labels)
    for values, number in sorted(rows.items()):
        shown.add_metric(values, number)
    return shown


def _histogram(metric: metrics.Histogram, rows: Totals) -> Metric:
    shown, running, buckets = HistogramMetricFamily(metric.name, metric.text), 0.0, []
    for bound in [*map(str, metric.bounds_s), "+Inf"]:
        running += rows.get((bound,), 0)
        buckets.append((bound, running))
    shown.add_metric([], buckets, rows.get(("sum",), 0))
    return shown
