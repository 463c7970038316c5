"""Counters: cheap in the process, summed over processes through Redis."""

from collections.abc import Iterator

import pytest
import redis
from prometheus_client import CollectorRegistry, generate_latest

from cpo.lib import metrics, metrics_share
from cpo.lib.metrics_share import Share, Shown


@pytest.fixture(autouse=True)
def empty(redis_url: str) -> Iterator[None]:
    with redis.Redis.from_url(redis_url) as connection:
        connection.delete(metrics_share.COUNTS_KEY, metrics_share.GAUGES_KEY)
        yield


@pytest.fixture
def counter() -> Iterator[metrics.Counter]:
    yield metrics.Counter("test_total", "a counter of the tests", "colour")
    metrics.METRICS.pop()


@pytest.fixture
def gauge() -> Iterator[metrics.Gauge]:
    yield metrics.Gauge("test_level", "a gauge of the tests")
    metrics.METRICS.pop()


def test_the_counts_of_two_processes_add_up(counter: metrics.Counter, redis_url: str) -> None:
    here, there = Share(redis_url, told={}), Share(redis_url, told={})
    counter.add("red", by=2)
    here.flush()
    there.flush()

    assert here.totals()["opencpo_test_total", "red"] == 4


def test_what_was_told_is_not_told_again(counter: metrics.Counter, redis_url: str) -> None:
    share = Share(redis_url, told={})
    counter.add("red")
    share.flush()
    share.flush()

    assert share.totals()["opencpo_test_total", "red"] == 1


def test_what_the_parent_counted_before_the_fork_is_the_parents(
    counter: metrics.Counter, redis_url: str
) -> None:
    counter.add("red", by=5)
    child = Share(redis_url, told=metrics_share.local())
    counter.add("red")
    child.flush()

    assert child.totals()["opencpo_test_total", "red"] == 1


def test_counts_wait_while_redis_is_away(counter: metrics.Counter, redis_url: str) -> None:
    counter.add("red")
    share = Share("unix:///nowhere.sock", told={})
    with pytest.raises(redis.ConnectionError):
        share.flush()
    share._redis = redis.Redis.from_url(redis_url)
    share.flush()

    assert share.totals()["opencpo_test_total", "red"] == 1


def test_gauges_of_processes_add_up_and_the_silent_are_forgotten(
    gauge: metrics.Gauge, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = Share(redis_url, told={}), Share(redis_url, told={})
    gauge.set(to=7)
    here.flush()
    there.flush()
    assert here.totals()["opencpo_test_level",] == 14

    monkeypatch.setattr(metrics_share, "STALE_S", -1)
    assert ("opencpo_test_level",) not in here.totals()


def test_label_sets_of_hostile_peers_are_bounded(counter: metrics.Counter) -> None:
    for number in range(metrics.LABEL_SETS_MAX + 50):
        counter.add(str(number))

    found = dict(counter.series())
    assert len(found) == metrics.LABEL_SETS_MAX + 1
    assert found["other",] == 50


def test_a_histogram_is_cumulative() -> None:
    histogram = metrics.Histogram("test_seconds", "a histogram of the tests", (0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 20):
        histogram.observe(seconds)
    registry = CollectorRegistry()
    registry.register(Shown(metrics_share.local()))
    page = generate_latest(registry).decode()
    metrics.METRICS.pop()

    buckets = [
        line.split()[-1] for line in page.splitlines() if line.startswith("opencpo_test_seconds_bucket")
    ]
    assert buckets == ["2.0", "3.0", "4.0"]
