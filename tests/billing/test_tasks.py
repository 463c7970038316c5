"""Billing work finds every ended session, bills it once, and lets nobody hold up the others."""

import queue
from datetime import timedelta

import pytest
import time_machine
from celery import current_app

from billing.models import BillingJob, Cdr
from billing.services import cdrs, jobs
from billing.tasks import bill_sessions, retry_after_tariff_change, sweep_unbilled
from cpo.lib import clock
from stations.models import ChargingSession
from stations.services import sessions
from tests import factories
from tests.factories import NOON, element

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def tasks_run_at_once(monkeypatch):
    monkeypatch.setattr(current_app.conf, "task_always_eager", True)


@pytest.fixture
def station():
    made = factories.station()
    factories.tariff(at=made.location)
    return made


def ended(station, **fields) -> ChargingSession:
    """A session that ended an hour ago as the database sees it."""
    return factories.session(station, ended=True, last_updated=clock.now() - timedelta(hours=1), **fields)


def fail(session: ChargingSession, tries: int = 1) -> BillingJob:
    for _ in range(tries):
        jobs.postpone(session.pk, ValueError("odd"))
    return BillingJob.objects.get(session=session)


def test_the_sweep_bills_what_no_nudge_brought(station):
    made = [ended(station) for _ in range(3)]

    assert sweep_unbilled() == 3

    assert Cdr.objects.filter(session__in=made).count() == 3


def test_the_sweep_leaves_a_session_that_just_ended_to_its_nudge(station):
    factories.session(station, ended=True)

    assert sweep_unbilled() == 0


def test_the_sweep_finds_nothing_to_do_twice(station):
    ended(station)

    assert [sweep_unbilled(), sweep_unbilled()] == [1, 0]


def test_the_sweep_costs_two_queries_whatever_history_holds(station, django_assert_num_queries):
    cdrs.bill([ended(station).pk for _ in range(5)])

    with django_assert_num_queries(2):
        sweep_unbilled()


def test_running_sessions_are_left_alone(station):
    running = factories.session(station)

    bill_sessions([running.pk])

    running.refresh_from_db()
    assert running.billed_at is None


def test_a_poisoned_session_fails_alone(station, settings):
    settings.BILLING_MARGIN_PERCENT = 0
    good, bad = ended(station), ended(factories.station(), energy_wh="9" * 15)
    factories.tariff(
        element("ENERGY", "9" * 12), uid="GOLD", at=bad.station.location
    )  # no column holds that price

    bill_sessions([good.pk, bad.pk])

    assert Cdr.objects.get().session == good
    assert "overflow" in BillingJob.objects.get(session=bad).last_error


def test_a_failed_session_is_tried_again_ever_later(station):
    session = ended(station)

    delays = [(fail(session).next_try_at - clock.now()).total_seconds() for _ in range(12)]

    assert [round(d / 60) for d in delays[:4]] == [1, 2, 4, 8]
    assert round(delays[-1] / 3600) == 6


def test_a_failed_session_is_billed_when_its_time_comes(station):
    session = ended(station)
    fail(session)
    assert sweep_unbilled() == 0

    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        assert sweep_unbilled() == 1

    assert BillingJob.objects.get(session=session).state == "done"


def test_a_job_that_outlived_its_cdr_is_closed(station):
    session = ended(station)
    cdrs.issue(session)
    job = fail(session)

    bill_sessions([session.pk])

    job.refresh_from_db()
    assert job.state == "done"


def test_a_held_session_is_not_swept(station):
    cdrs.bill([ended(station, authorization_status="Blocked").pk])

    with time_machine.travel(clock.now() + timedelta(days=30)):
        assert sweep_unbilled() == 0


def test_a_changed_tariff_is_tried_at_once(station):
    session = ended(station)
    cdrs.snapshots.ensure(cdrs.snapshots.read([session.pk]))
    fail(session)

    retry_after_tariff_change([factories.tariff(element("ENERGY", "0.3")).pk])

    assert Cdr.objects.filter(session=session).exists()


def test_the_same_id_twice_is_billed_once(station):
    session = ended(station)

    bill_sessions([session.pk, session.pk])

    assert Cdr.objects.get().session == session


def test_the_end_of_a_session_nudges_a_worker(station, django_capture_on_commit_callbacks, monkeypatch):
    sent: queue.Queue = queue.Queue()
    monkeypatch.setattr(current_app, "send_task", lambda name, args: sent.put((name, args)))

    with django_capture_on_commit_callbacks(execute=True):
        sessions.close(factories.session(station), reason="Other", by="ada", ended_at=NOON)

    session = ChargingSession.objects.get()
    assert sent.get(timeout=5) == ("billing.tasks.bill_sessions", [[session.pk]])
