"""Rows of a session become charging periods: exact energy, cut only where a price can change."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.borders import Borders
from billing.errors import NotBillable
from billing.measured import Measured
from billing.tariff.model import Tariff
from billing.tariff.money import plain
from billing.usage import NO_STATUSES, Facts, of_session
from tests import factories
from tests.factories import NOON, element

ZONE = "Europe/Amsterdam"  # noon UTC is 13:00 there


def at(minutes: float):
    return NOON + timedelta(minutes=minutes)


def facts(energy_wh: str = "10000", minutes: float = 60) -> Facts:
    return Facts(NOON, at(minutes), Decimal(energy_wh), meter_start_wh=Decimal(0))


def measured(*register: tuple[float, str], statuses=(), power=()) -> Measured:
    return Measured(
        register=[(at(m), Decimal(v)) for m, v in register],
        power=[(at(m), Decimal(v)) for m, v in power],
        statuses=[(at(m), status) for m, status in statuses],
    )


def tariff(*elements) -> Tariff:
    return Tariff.from_ocpi(factories.tariff_data(*elements))


def energies(metered) -> list[str]:
    return [plain(period.energy_kwh) for period in metered.usage.periods]


def starts(metered) -> list[float]:
    return [(period.start - NOON) / timedelta(minutes=1) for period in metered.usage.periods]


def test_readings_between_price_changes_are_merged():
    many = measured(*((m, str(m * 100)) for m in range(61)))

    metered = of_session(facts("6000"), many, time_zone=ZONE, tariff=tariff())

    assert energies(metered) == ["6"]
    assert metered.usage.periods[0].time_s == 3600


def test_a_period_begins_when_the_time_of_day_changes_the_price():
    daily = tariff(element("ENERGY", "0.40", start_time="13:30", end_time="20:00"), element("ENERGY", "0.25"))

    metered = of_session(facts(), measured((20, "4000"), (40, "5000")), time_zone=ZONE, tariff=daily)

    assert starts(metered) == [0, 30]
    assert energies(metered) == ["4.5", "5.5"]


def test_a_period_begins_at_the_exact_energy_that_changes_the_price():
    stepped = tariff(element("ENERGY", "0.40", max_kwh="3"), element("ENERGY", "0.25"))

    metered = of_session(facts(), measured((20, "2000"), (40, "6000")), time_zone=ZONE, tariff=stepped)

    assert energies(metered) == ["3", "7"]
    assert starts(metered) == [0, 25]


def test_a_period_begins_when_the_duration_changes_the_price():
    patient = tariff(element("TIME", "1", min_duration=2700))

    metered = of_session(facts(), measured(), time_zone=ZONE, tariff=patient)

    assert [period.time_s for period in metered.usage.periods] == [2700, 900]


def test_a_period_begins_when_the_power_passes_a_limit():
    powerful = tariff(element("ENERGY", "0.50", min_power="16"), element("ENERGY", "0.25"))
    readings = measured(power=[(0, "7000"), (10, "7400"), (20, "22000"), (30, "21000")])

    metered = of_session(facts(), readings, time_zone=ZONE, tariff=powerful)

    assert starts(metered) == [0, 20]
    assert [(p.min_power, p.max_power) for p in metered.usage.periods] == [
        (Decimal("7.000"), Decimal("7.400")),
        (Decimal("21.000"), Decimal("22.000")),
    ]


def test_without_power_readings_the_register_tells_the_power():
    powerful = tariff(element("ENERGY", "0.50", min_power="16"), element("ENERGY", "0.25"))

    metered = of_session(facts("11000"), measured((30, "10000")), time_zone=ZONE, tariff=powerful)

    assert starts(metered) == [0, 30]
    assert [p.max_power for p in metered.usage.periods] == [Decimal(20), Decimal(2)]


def test_a_vehicle_that_requests_no_power_parks():
    full = measured(statuses=[(-1, "Preparing"), (0, "Charging"), (40, "SuspendedEV")])

    metered = of_session(facts(), full, time_zone=ZONE, tariff=tariff())

    assert [(p.time_s, p.parking_s) for p in metered.usage.periods] == [(2400, 0), (0, 1200)]
    assert metered.notes == ()


def test_a_station_that_gives_no_power_does_not_make_the_driver_park():
    throttled = measured(statuses=[(0, "Charging"), (10, "SuspendedEVSE"), (20, "Charging")])

    metered = of_session(facts(), throttled, time_zone=ZONE, tariff=tariff())

    assert [(p.time_s, p.parking_s) for p in metered.usage.periods] == [(3600, 0)]


def test_charging_that_resumes_ends_the_parking():
    resumed = measured(statuses=[(10, "SuspendedEV"), (15, "Faulted"), (20, "Charging")])

    metered = of_session(facts(), resumed, time_zone=ZONE, tariff=tariff())

    assert [(p.time_s, p.parking_s) for p in metered.usage.periods] == [(600, 0), (0, 600), (2400, 0)]


@pytest.mark.parametrize(("minute", "parked_s"), [(45, 900), (59.5, 0)])
def test_finishing_is_parking_unless_it_is_the_stop_itself(minute, parked_s):
    done = measured(statuses=[(0, "Charging"), (minute, "Finishing")])

    metered = of_session(facts(), done, time_zone=ZONE, tariff=tariff())

    assert sum(p.parking_s for p in metered.usage.periods) == parked_s


def test_a_finishing_of_the_session_before_is_not_this_sessions_parking():
    metered = of_session(facts(), measured(statuses=[(-5, "Finishing")]), time_zone=ZONE, tariff=tariff())

    assert [p.parking_s for p in metered.usage.periods] == [0]


def test_a_vehicle_that_was_full_before_the_start_parks_from_the_start():
    metered = of_session(facts("0"), measured(statuses=[(-1, "SuspendedEV")]), time_zone=ZONE, tariff=None)

    assert [p.parking_s for p in metered.usage.periods] == [3600]


def test_a_session_without_statuses_says_that_all_of_it_counted_as_charging():
    metered = of_session(facts(), measured((30, "5000")), time_zone=ZONE, tariff=tariff())

    assert metered.notes == (NO_STATUSES,)
    assert metered.usage.periods[0].time_s == 3600


def test_seconds_add_up_although_borders_lie_between_seconds():
    odd = Facts(NOON, NOON + timedelta(seconds=100.4), Decimal(0))
    parks = Measured(statuses=[(NOON + timedelta(seconds=33.5), "SuspendedEV")])

    metered = of_session(odd, parks, time_zone=ZONE, tariff=None)

    assert [(p.time_s, p.parking_s) for p in metered.usage.periods] == [(34, 0), (0, 66)]


def test_times_are_cut_to_the_milliseconds_of_ocpi():
    precise = Facts(NOON, NOON + timedelta(microseconds=1_234_567), Decimal(0))

    metered = of_session(precise, Measured(), time_zone=ZONE, tariff=None)

    assert metered.usage.end == NOON + timedelta(milliseconds=1234)


@pytest.mark.parametrize("wrong", [facts(minutes=-1), facts("-1")])
def test_a_session_that_cannot_have_happened_is_not_billable(wrong):
    with pytest.raises(NotBillable):
        of_session(wrong, measured(), time_zone=ZONE, tariff=None)


def test_a_session_of_no_duration_keeps_its_energy():
    metered = of_session(facts(minutes=0), measured((0, "500")), time_zone=ZONE, tariff=tariff())

    assert energies(metered) == ["10"]


def test_a_clock_change_cannot_hide_a_border():
    daily = Tariff.from_ocpi(
        factories.tariff_data(element("ENERGY", "0.40", start_time="03:00", end_time="04:00"))
    )
    night = NOON.replace(day=30, hour=0)  # in Amsterdam the hour from 02:00 to 03:00 does not exist

    instants = Borders.of(daily).instants(night, night + timedelta(hours=6), ZONE)

    assert sorted(i.hour for i in instants) == [1, 2]


def test_elements_for_reservations_cut_nothing():
    reserved = tariff(
        element("TIME", "5", reservation="RESERVATION", min_duration=60), element("ENERGY", "0.25")
    )

    assert Borders.of(reserved) == Borders()
