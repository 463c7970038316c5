"""Whatever a session looks like: its periods add up, price like all of its readings, and price alike when read back."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing.measured import Measured
from billing.services.choice import as_json
from billing.tariff.engine import price
from billing.tariff.model import Tariff
from billing.tariff.periods import ChargingPeriod, Usage
from billing.usage import Facts, of_session, parkings
from tests.factories import NOON, element, tariff_data

ZONE = "Europe/Amsterdam"
LENGTH = 120  # minutes of each session
STATUSES = ["Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Faulted"]
RESTRICTIONS = st.sampled_from(
    [
        {},
        {"start_time": "13:30", "end_time": "14:15"},
        {"day_of_week": ["SATURDAY"]},
        {"min_duration": 1800},
        {"max_duration": 5400},
    ]
)
ELEMENTS = st.builds(
    lambda kind, price, step, limits: element(kind, price, step_size=step, **limits),
    st.sampled_from(["ENERGY", "TIME", "PARKING_TIME", "FLAT"]),
    st.sampled_from(["0.25", "1.337", "3"]),
    st.sampled_from([0, 1, 60, 900]),
    RESTRICTIONS,
)
ENERGY_LIMITS = st.sampled_from([{"max_kwh": "3.3"}, {"min_kwh": "1"}, {"min_kwh": "2", "max_kwh": "5"}])
BY_ENERGY = st.builds(
    lambda price, limits: element("ENERGY", price, **limits), st.sampled_from(["0.1", "7"]), ENERGY_LIMITS
)
TARIFFS = st.lists(ELEMENTS | BY_ENERGY, min_size=1, max_size=5).map(
    lambda e: Tariff.from_ocpi(tariff_data(*e))
)
RISES = st.lists(st.integers(0, 200), min_size=LENGTH, max_size=LENGTH)
CHANGES = st.lists(st.tuples(st.integers(0, LENGTH), st.sampled_from(STATUSES)), max_size=6).map(sorted)


def at(minutes: int):
    return NOON + timedelta(minutes=minutes)


def session(rises: list[int], changes: list[tuple[int, str]]) -> tuple[Facts, Measured]:
    """A reading every minute; statuses change at whole minutes."""
    totals = [sum(rises[:minute]) for minute in range(LENGTH + 1)]
    register = [(at(minute), Decimal(total)) for minute, total in enumerate(totals)]
    facts = Facts(NOON, at(LENGTH), Decimal(totals[-1]), Decimal(0), Decimal(totals[-1]))
    return facts, Measured(register=register, statuses=[(at(minute), status) for minute, status in changes])


def minute_by_minute(facts: Facts, measured: Measured) -> Usage:
    """The same session with a period for every reading."""
    parked = list(parkings(measured.statuses, facts.started_at, facts.ended_at))
    periods = []
    for (start, low), (end, high) in zip(measured.register, measured.register[1:], strict=False):
        rests = any(since <= start and end <= until for since, until in parked)
        energy = (high - low) / 1000
        periods.append(
            ChargingPeriod(start, end, energy, time_s=0 if rests else 60, parking_s=60 if rests else 0)
        )
    return Usage(facts.started_at, facts.ended_at, ZONE, tuple(periods))


@given(RISES, CHANGES, TARIFFS)
def test_few_periods_cost_what_all_readings_cost(rises, changes, tariff):
    facts, measured = session(rises, changes)

    merged = price(of_session(facts, measured, time_zone=ZONE, tariff=tariff).usage, tariff)
    fine = price(minute_by_minute(facts, measured), tariff)

    assert merged.total_cost == fine.total_cost
    assert len(merged.charging_periods) <= len(fine.charging_periods)


@given(RISES, CHANGES, TARIFFS)
def test_periods_add_up_to_the_session(rises, changes, tariff):
    facts, measured = session(rises, changes)

    periods = of_session(facts, measured, time_zone=ZONE, tariff=tariff).usage.periods

    assert sum(period.energy_kwh for period in periods) * 1000 == facts.energy_wh
    assert sum(period.time_s + period.parking_s for period in periods) == LENGTH * 60


@given(RISES, CHANGES, TARIFFS)
def test_periods_read_back_from_a_cdr_cost_the_same(rises, changes, tariff):
    facts, measured = session(rises, changes)
    bill = price(of_session(facts, measured, time_zone=ZONE, tariff=tariff).usage, tariff)

    document = as_json(bill.to_ocpi())
    read = Usage.from_ocpi(document["charging_periods"], facts.started_at, facts.ended_at, ZONE)

    assert as_json(price(read, tariff).to_ocpi()) == document
