"""A session that was corrected has its CDR credited and written anew: once, whatever is killed or runs beside it."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from billing.errors import NotBillable
from billing.events import CdrIssued
from billing.models import Cdr
from billing.services import cdrs, jobs
from billing.tasks import bill_sessions
from cpo.lib import clock
from stations.models import ChargingSession, ReviewItem
from stations.services import corrections, endings, sessions
from tests import factories
from tests.factories import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def station():
    made = factories.station()
    factories.tariff(at=made.location)
    return made


def closed(station, **fields) -> ChargingSession:
    """A session that a rule closed with 3 kWh on its meter."""
    session = factories.session(station, register_wh=Decimal(4000), energy_wh=Decimal(3000), **fields)
    factories.samples(session, (10, "2000"), (30, "4000"))
    return sessions.close(session, reason="no sign", by="rule", ended_at=NOON + timedelta(minutes=30))


def the_stop(session: ChargingSession, meter_stop_wh: int = 6000, *, minute: int = 60) -> sessions.Stop:
    return sessions.Stop(
        transaction_id=session.transaction_id,
        ended_at=NOON + timedelta(minutes=minute),
        meter_stop_wh=Decimal(meter_stop_wh),
        reason="Local",
    )


def standing() -> list[Cdr]:
    return list(Cdr.objects.filter(is_credit=False, credit=None))


def test_an_estimate_is_billed_and_replaced_when_the_real_stop_arrives(station):
    session = closed(station)
    cdrs.bill([session.pk])
    sessions.stop(station, facts=the_stop(session))

    assert cdrs.bill([session.pk]) == 1

    first, back, new = Cdr.objects.order_by("pk")
    assert (first.energy_wh, new.energy_wh) == (3000, 5000)
    assert (back.credit_reference, new.follows, new.session) == (first, back, session)
    assert (first.remark != "", new.remark) == (True, "")
    assert (
        sum(cdr.total_before_taxes for cdr in (first, back, new)) == new.total_before_taxes == Decimal("1.25")
    )


def test_a_stop_that_confirms_the_estimate_costs_no_credit(station):
    session = closed(station)
    cdrs.bill([session.pk])
    sessions.stop(station, facts=the_stop(session, 4000, minute=30))

    assert cdrs.bill([session.pk]) == 0
    assert Cdr.objects.count() == 1


def test_billing_again_and_again_replaces_once(station):
    session = closed(station)
    cdrs.bill([session.pk])
    sessions.stop(station, facts=the_stop(session))

    for _ in range(3):
        bill_sessions([session.pk])

    assert Cdr.objects.count() == 3
    assert [cdr.energy_wh for cdr in standing()] == [5000]


def test_the_sweep_finds_a_correction_whose_nudge_was_lost(station):
    session = closed(station)
    cdrs.bill([session.pk])
    sessions.stop(station, facts=the_stop(session))
    ChargingSession.objects.filter(pk=session.pk).update(last_updated=clock.now() - timedelta(minutes=1))

    assert jobs.due(10) == [session.pk]


def test_a_session_corrected_before_its_first_cdr_is_billed_once(station):
    session = closed(station)
    sessions.stop(station, facts=the_stop(session))

    cdrs.bill([session.pk])

    assert Cdr.objects.get().energy_wh == 5000


def test_a_correction_by_hand_is_billed_so_with_its_reason(station):
    session = closed(station)
    cdrs.bill([session.pk])
    corrections.correct(session, energy_wh=Decimal(2500), reason="the meter was read on site", by="user:ada")
    cdrs.bill([session.pk])

    _, back, new = Cdr.objects.order_by("pk")
    assert (new.energy_wh, new.total_before_taxes) == (2500, Decimal("0.625"))
    assert (back.remark, back.issued_by) == ("corrected: the meter was read on site", "user:ada")


def test_a_second_correction_follows_the_first(station):
    session = closed(station)
    cdrs.bill([session.pk])
    for energy_wh in (2500, 2600):
        corrections.correct(session, energy_wh=Decimal(energy_wh), reason="again", by="user:ada")
        cdrs.bill([session.pk])

    assert [cdr.energy_wh for cdr in standing()] == [2600]
    assert Cdr.objects.count() == 5


def test_a_cdr_that_was_credited_by_hand_is_not_credited_again(station):
    session = closed(station)
    cdrs.bill([session.pk])
    back = cdrs.credit(Cdr.objects.get(), reason="complaint", by="user:ada")
    sessions.stop(station, facts=the_stop(session))

    cdrs.bill([session.pk])

    assert [cdr.follows for cdr in standing()] == [back]
    assert Cdr.objects.count() == 3


def test_a_worker_that_read_the_session_before_the_stop_bills_nothing_stale(station, monkeypatch):
    session = closed(station)
    priced = cdrs.costs.price

    def stop_meanwhile(found):
        monkeypatch.undo()
        answer = priced(found)
        sessions.stop(station, facts=the_stop(session))
        return answer

    monkeypatch.setattr(cdrs.costs, "price", stop_meanwhile)
    assert cdrs.bill([session.pk]) == 0

    session.refresh_from_db()
    assert (Cdr.objects.count(), session.billed_at) == (0, None)
    assert cdrs.bill([session.pk]) == 1
    assert Cdr.objects.get().energy_wh == 5000


def test_an_issue_that_meets_a_change_says_so(station, monkeypatch):
    session = closed(station)
    priced = cdrs.costs.price

    def stop_meanwhile(found):
        monkeypatch.undo()
        answer = priced(found)
        sessions.stop(station, facts=the_stop(session))
        return answer

    monkeypatch.setattr(cdrs.costs, "price", stop_meanwhile)
    with pytest.raises(NotBillable, match="changed"):
        cdrs.issue(session)


def test_partners_hear_of_the_credit_and_of_the_new_cdr(
    station, django_capture_on_commit_callbacks, published
):
    session = closed(station)
    cdrs.bill([session.pk])
    sessions.stop(station, facts=the_stop(session))
    with django_capture_on_commit_callbacks(execute=True):
        cdrs.bill([session.pk])

    _, back, new = Cdr.objects.order_by("pk")
    assert published == [CdrIssued(back.pk, None), CdrIssued(new.pk, session.pk)]


def test_a_correction_that_cannot_be_priced_leaves_the_cdr_and_a_job(station):
    session = closed(station)
    cdrs.bill([session.pk])
    sessions.stop(station, facts=the_stop(session, 900_000))

    assert cdrs.bill([session.pk]) == 0

    assert [cdr.energy_wh for cdr in standing()] == [3000]
    assert session.billing_job.state == "held"


def test_the_database_holds_one_first_cdr_and_one_replacement_of_each_credit(station):
    session = closed(station)
    cdrs.bill([session.pk])
    sessions.stop(station, facts=the_stop(session))
    cdrs.bill([session.pk])
    first, _, new = Cdr.objects.order_by("pk")

    for twin in (first, new):
        twin.pk, twin.uid = None, "twin"
        twin._state.adding = True
        with pytest.raises(IntegrityError), transaction.atomic():
            twin.save()


@pytest.mark.django_db(transaction=True)
def test_workers_and_the_real_stop_at_once_leave_one_cdr_with_the_real_figures():
    station = factories.station()
    factories.tariff(at=station.location)
    session = closed(station)
    together = threading.Barrier(4)

    def work(task):
        together.wait()
        task()
        connection.close()

    def bill():
        for _ in range(5):
            cdrs.bill([session.pk])

    tasks = [bill, bill, bill, lambda: sessions.stop(station, facts=the_stop(session))]
    threads = [threading.Thread(target=work, args=[task]) for task in tasks]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    cdrs.bill([session.pk])

    assert [cdr.energy_wh for cdr in standing()] == [5000]
    assert not ReviewItem.objects.filter(kind="billing_failed").exists()
    assert endings.is_only_estimated(ChargingSession.objects.get()) is False
