"""Reading charging periods, and cutting them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing.tariff import ChargingPeriod, InvalidUsage, ReservationOutcome, Usage
from billing.tariff.periods import split, zone_of
from billing.tariff.restrictions import Cuts

from .make import START, ZONE, energy, period, usage


def one(start="2025-03-10T09:00:00Z", **volumes):
    dimensions = [{"type": name, "volume": volume} for name, volume in volumes.items()]
    return {"start_date_time": start, "dimensions": dimensions}


def cdr(*periods, **more):
    bounds = {"start_date_time": "2025-03-10T09:00:00Z", "end_date_time": "2025-03-10T10:00:00Z"}
    return {**bounds, "charging_periods": list(periods or (one(ENERGY=10, TIME=1),)), **more}


def test_a_period_ends_where_the_next_one_starts():
    read = Usage.from_ocpi(cdr(one(ENERGY=1), one("2025-03-10T09:20:00Z", ENERGY=2)))

    assert [(p.end - p.start).seconds for p in read.periods] == [1200, 2400]


def test_it_reads_all_dimensions_and_adds_repeated_ones():
    document = one(MIN_CURRENT=6, MAX_CURRENT="16", MIN_POWER=1, MAX_POWER=11, CURRENT=10, FLAT=1)
    document["dimensions"] += [{"type": "ENERGY", "volume": 1}, {"type": "ENERGY", "volume": "0.5"}]
    document["dimensions"] += [{"type": "MAX_POWER", "volume": 9}, {"type": "MIN_POWER", "volume": 2}]

    read = Usage.from_ocpi(cdr(document | {"tariff_id": 7})).periods[0]

    assert (read.energy_kwh, read.tariff_id) == (Decimal("1.5"), "7")
    assert (read.min_current, read.max_current, read.min_power, read.max_power) == (6, 16, 1, 11)


def test_a_bare_list_takes_its_bounds_from_the_arguments():
    read = Usage.from_ocpi([one(ENERGY=1)], end_date_time="2025-03-10T10:00:00Z", time_zone=ZONE)

    assert (read.start, read.end) == (START, START + timedelta(hours=1))


def test_bounds_may_be_datetimes_with_or_without_zone():
    read = Usage.from_ocpi([one(ENERGY=1)], START, datetime(2025, 3, 10, 10, 0))  # noqa: DTZ001

    assert read.end == START + timedelta(hours=1)


def test_the_end_has_other_names_in_older_versions():
    older = cdr(stop_date_time="2025-03-10T11:00:00Z", end_date_time=None)

    assert Usage.from_ocpi(older, version="2.1.1").end == START + timedelta(hours=2)
    assert Usage.from_ocpi(older).end == START + timedelta(hours=2)


def test_the_time_zone_comes_from_the_location_of_the_cdr():
    assert Usage.from_ocpi(cdr(location={"time_zone": ZONE})).time_zone == ZONE
    assert Usage.from_ocpi(cdr()).time_zone == "UTC"
    assert zone_of({"cdr_location": {"id": "1"}, "location": {"time_zone": ZONE}}) == ZONE


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (cdr(end_date_time=None), "end_date_time: is required"),
        (cdr() | {"charging_periods": []}, "charging_periods: must not be empty"),
        ({"end_date_time": "2025-03-10T10:00:00Z"}, "charging_periods: is required"),
        (cdr(one(HEAT=1)), "charging_periods[0].dimensions[0].type: 'HEAT' is no CDR dimension"),
        (cdr(one(TIME=-1)), "charging_periods[0].dimensions[0].volume: must not be negative"),
        (
            cdr(one(ENERGY=1), one("2025-03-10T08:00:00Z")),
            "charging_periods[0].start_date_time: lies after the end",
        ),
        (cdr(one("2025-03-10T08:00:00Z")), "charging_periods[0].start_date_time: lies before the end"),
        (
            cdr(one("2025-03-10T10:00:01Z")),
            "charging_periods[0].start_date_time: lies after the end of the period",
        ),
        (cdr(end_date_time="2027-03-10T10:00:00Z"), "end_date_time: must lie within 366 days"),
    ],
)
def test_it_names_the_path_of_a_fault(document, fault):
    with pytest.raises(InvalidUsage) as raised:
        Usage.from_ocpi(document)

    assert str(raised.value).startswith(fault)


def test_periods_must_not_reach_beyond_the_session():
    with pytest.raises(InvalidUsage, match="lies after the end of the session"):
        Usage(START, START, ZONE, (energy("1"),))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "Europe"])
def test_it_knows_no_other_time_zones_than_iana_has(zone):
    with pytest.raises(InvalidUsage, match="time_zone: '.+' is not an IANA time zone"):
        _ = usage(zone=zone).zone


def test_reserved_time_alone_is_an_expired_reservation():
    assert Usage.from_ocpi(cdr(one(RESERVATION_TIME=1))).reservation is ReservationOutcome.EXPIRED
    assert Usage.from_ocpi(cdr(one(RESERVATION_TIME=1, TIME=1))).reservation is ReservationOutcome.USED
    assert Usage.from_ocpi(cdr()).reservation is None


def test_an_expired_reservation_has_no_session():
    reserved = usage(period(reservation_s=3600), reservation=ReservationOutcome.EXPIRED)

    assert reserved.session_start is None
    with pytest.raises(InvalidUsage, match="is charging, yet the reservation was expired"):
        usage(period(time_s=60), reservation=ReservationOutcome.EXPIRED)


def test_energy_is_divided_by_time():
    pieces = split(usage(energy("1.0001", 60, time_s=3600)), lambda _: Cuts(elapsed=(timedelta(minutes=20),)))

    assert [piece.energy_kwh for piece in pieces] == [Decimal("0.3334"), Decimal("0.6667")]
    assert [piece.time_s for piece in pieces] == [1200, 2400]
    assert all(piece.interpolated for piece in pieces)


def test_time_is_divided_where_energy_is_the_border():
    pieces = split(usage(energy("8", 60, time_s=3600)), lambda _: Cuts(energy_kwh=(Decimal(2), Decimal(6))))

    assert [piece.energy_kwh for piece in pieces] == [2, 4, 2]
    assert [piece.time_s for piece in pieces] == [900, 1800, 900]


def test_energy_without_duration_is_cut_all_the_same():
    pieces = split(usage(energy("8", 0)), lambda _: Cuts(energy_kwh=(Decimal(2),)))

    assert [piece.energy_kwh for piece in pieces] == [2, 6]


def test_an_instant_of_energy_is_a_whole_second_inside_the_period():
    start = START + timedelta(milliseconds=900)
    whole = ChargingPeriod(start, start + timedelta(milliseconds=300), Decimal(8))

    pieces = split(usage(whole), lambda _: Cuts(energy_kwh=(Decimal(1), Decimal(7))))

    assert [piece.start for piece in pieces] == [
        start,
        START + timedelta(seconds=1),
        START + timedelta(seconds=1),
    ]


def test_a_session_of_days_is_cut_every_day():
    days = usage(energy("72", 3 * 24 * 60))

    pieces = split(days, lambda _: Cuts(clocks=(datetime(2025, 1, 1, 18, tzinfo=UTC).time(),)))

    assert [piece.start.hour for piece in pieces] == [9, 17, 17, 17]
    assert [piece.energy_kwh for piece in pieces] == [8, 24, 24, 16]


def test_a_jump_of_the_clock_at_the_end_is_no_cut():
    start = datetime(2025, 3, 29, 23, 30, tzinfo=UTC)
    until_the_jump = usage(ChargingPeriod(start, datetime(2025, 3, 30, 1, tzinfo=UTC), Decimal(3)))

    assert split(until_the_jump, lambda _: Cuts(clocks=(start.time(),))) == until_the_jump.periods


def test_a_period_is_written_with_what_it_has():
    written = energy("5.50", tariff_id="T1", max_power=Decimal(11)).to_ocpi()

    assert written["dimensions"] == [
        {"type": "ENERGY", "volume": Decimal("5.5")},
        {"type": "MAX_POWER", "volume": 11},
    ]
    assert written["tariff_id"] == "T1"
    assert "tariff_id" not in energy("1", tariff_id="T1").to_ocpi("2.1.1")


def test_a_period_of_nothing_still_has_a_dimension():
    assert period().to_ocpi()["dimensions"] == [{"type": "ENERGY", "volume": 0}]
