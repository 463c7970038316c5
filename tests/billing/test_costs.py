"""What a session costs so far, by the engine that will bill it."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine

from billing.errors import NotBillable
from billing.services import cdrs, costs, snapshots
from stations import ports
from tests import factories
from tests.factories import NOON, element

pytestmark = pytest.mark.django_db


def running(*elements, **fields):
    session = factories.session(
        **{"energy_wh": Decimal(4000), "last_reading_at": NOON + timedelta(minutes=30)} | fields
    )
    factories.tariff(*elements, at=session.station.location)
    return session


def test_a_running_session_costs_what_it_used_so_far():
    cost = costs.running_cost(running(element("ENERGY", "0.25")))

    assert (cost.currency, cost.before_taxes, cost.after_taxes) == ("EUR", Decimal(1), Decimal("1.21"))
    assert cost.lines


def test_time_counts_until_the_last_reading():
    cost = costs.running_cost(running(element("TIME", "2"), element("ENERGY", "0.25")))

    assert cost.before_taxes == 2


def test_time_counts_until_now_when_nothing_was_read_yet():
    session = running(element("TIME", "2"), last_reading_at=None, energy_wh=0)

    with time_machine.travel(NOON + timedelta(minutes=15), tick=False):
        assert costs.running_cost(session).before_taxes == Decimal("0.5")


def test_nobody_can_say_without_a_tariff():
    assert costs.running_cost(factories.session()) is None


def test_stations_ask_through_their_port():
    session = running()

    assert ports.running_cost(session) == costs.running_cost(session)


def test_the_last_running_cost_is_the_cdrs():
    session = running(element("ENERGY", "0.25"))
    cost = costs.running_cost(session)
    session.status, session.ended_at, session.energy_wh = "ended", session.last_reading_at, Decimal(4000)
    session.save()

    assert cdrs.issue(session).total_before_taxes == cost.before_taxes


def test_a_bill_without_tariff_is_refused():
    with pytest.raises(NotBillable, match="no tariff"):
        costs.bill(factories.session(last_reading_at=NOON))


def test_power_is_read_where_the_tariff_asks_for_it():
    session = running(element("ENERGY", "0.50", min_power="10"), element("ENERGY", "0.25"))
    factories.samples(session, (0, "22000"), (10, "7000"), measurand="Power.Active.Import", unit="W")
    factories.samples(session, (10, "3000"), (30, "5000"))

    bill = costs.bill(session)

    assert bill.total_cost.before_taxes == Decimal("1.5")  # 2 kWh above 10 kW, 2 kWh below


def test_phases_are_added_up():
    session = running(element("ENERGY", "0.50", max_current="30"), element("ENERGY", "0.25"))
    for phase in ("L1", "L2", "L3"):
        factories.samples(session, (0, "16"), (15, "8"), measurand="Current.Import", unit="A", phase=phase)

    periods = costs.bill(session).charging_periods

    assert [p.max_current for p in periods] == [48, 24]


def test_many_running_sessions_cost_as_many_queries_as_one(django_assert_max_num_queries):
    sessions = snapshots.read([running().pk for _ in range(5)] + [factories.session().pk])
    costs.running_costs(sessions)

    with django_assert_max_num_queries(7):
        found = costs.running_costs(sessions)

    assert len(found) == 5


def test_the_running_cost_reads_only_this_sessions_rows(django_assert_max_num_queries):
    session = running()
    costs.running_cost(session)

    with django_assert_max_num_queries(7):
        costs.running_cost(session)
