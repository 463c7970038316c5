"""A real Celery worker on real Redis: killed in the middle, it loses nothing and bills nothing twice."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from billing.models import Cdr
from billing.services import jobs
from billing.tasks import bill_sessions, sweep_unbilled
from cpo.lib import clock
from stations.models import ChargingSession
from tests import factories
from tests.processes import worker

pytestmark = pytest.mark.django_db(transaction=True)


def ended(number: int) -> list[int]:
    station = factories.station()
    factories.tariff(at=station.location)
    long_ago = clock.now() - timedelta(hours=1)
    return [factories.session(station, ended=True, last_updated=long_ago).pk for _ in range(number)]


def wait(true: Callable[[], bool], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def test_a_worker_bills_what_a_nudge_brings(celery_worker_process):
    ids = ended(3)

    bill_sessions.delay(ids)

    wait(lambda: Cdr.objects.count() == 3)


def test_a_killed_worker_loses_nothing_and_bills_nothing_twice(process_env):
    ids = ended(200)
    process = worker(process_env).start()
    for chunk in jobs.chunks(ids):
        for start in range(0, len(chunk), 5):
            bill_sessions.delay(chunk[start : start + 5])

    wait(lambda: Cdr.objects.count() > 20)
    process.kill()
    left = ChargingSession.objects.unbilled().count()
    process.start()
    sweep_unbilled()

    wait(lambda: not ChargingSession.objects.unbilled().exists())
    process.close()
    assert left > 0
    assert Cdr.objects.filter(session__in=ids).count() == len(ids) == Cdr.objects.count()
