"""The energy curve: whatever the readings say, it starts at nothing, never falls and ends at the session's energy."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.curve import Curve, Levels
from tests.factories import NOON


def at(minutes: float):
    return NOON + timedelta(minutes=minutes)


def curve(
    *register: tuple[float, int], total: int, start: int | None = None, stop: int | None = None
) -> Curve:
    readings = [(at(m), Decimal(v)) for m, v in register]
    begin, end = (None if v is None else Decimal(v) for v in (start, stop))
    return Curve.of(readings, NOON, at(60), Decimal(total), begin, end)


def test_energy_follows_the_register():
    line = curve((20, 1200), (40, 1900), total=1000, start=1000, stop=2000)

    assert [line.at(at(m)) for m in (0, 10, 20, 30, 40, 60)] == [0, 100, 200, 550, 900, 1000]


def test_without_readings_energy_flows_evenly():
    assert curve(total=600).at(at(15)) == 150


def test_a_missing_begin_adds_no_energy_of_the_meters_life():
    line = curve((10, 500_000), (30, 500_400), total=400)

    assert [line.at(at(m)) for m in (10, 20, 30, 60)] == [0, 200, 400, 400]


def test_a_reset_of_the_register_takes_nothing_away():
    line = curve((20, 1300), (30, 0), (40, 100), total=600, start=1000, stop=300)

    assert [line.at(at(m)) for m in (20, 30, 40)] == [300, 300, 400]
    assert line.at(at(60)) == 600


@pytest.mark.parametrize("odd", [999_999, 0])
def test_a_spike_or_a_dip_is_left_out(odd):
    line = curve((10, 1100), (20, odd), (30, 1300), total=600, start=1000, stop=1600)

    assert [line.at(at(m)) for m in (10, 20, 30)] == [100, 200, 300]


def test_readings_beyond_the_total_do_not_exceed_it():
    line = curve((10, 5000), (20, 9000), total=1000, start=0)

    assert max(line.energies) == 1000


def test_readings_from_outside_the_session_do_not_count():
    assert curve((-5, 100), (70, 900), total=600).times == (NOON, at(60))


@given(
    st.lists(st.tuples(st.integers(-10, 70), st.integers(0, 20_000)), max_size=30),
    st.integers(0, 20_000),
    st.none() | st.integers(0, 20_000),
    st.none() | st.integers(0, 20_000),
)
def test_the_curve_rises_from_nothing_to_the_total(register, total, start, stop):
    line = curve(*register, total=total, start=start, stop=stop)

    assert line.energies[0] == 0
    assert line.energies[-1] == total
    assert list(line.energies) == sorted(line.energies)
    assert list(line.times) == sorted(set(line.times))


@given(st.lists(st.tuples(st.integers(1, 59), st.integers(0, 9000)), max_size=20), st.integers(1, 9000))
def test_each_limit_is_crossed_once_and_in_order(register, total):
    limits = [Decimal(n).scaleb(-3) for n in (1, 500, 2500, 9000)]

    cuts = list(curve(*register, total=total).crossings(limits))

    assert [cut.energy_wh for cut in cuts] == [
        limit.scaleb(3) for limit in limits if limit.scaleb(3) <= total
    ]
    assert [cut.at for cut in cuts] == sorted(cut.at for cut in cuts)


def test_a_level_holds_until_the_next_reading():
    levels = Levels.of([(at(10), Decimal(5)), (at(20), Decimal(9)), (at(30), Decimal(7))])

    assert levels.extremes(at(0), at(15)) == (5, 5)
    assert levels.extremes(at(15), at(20)) == (5, 5)
    assert levels.extremes(at(15), at(60)) == (5, 9)
    assert list(levels.flips([Decimal(6), Decimal(8)])) == [at(20), at(30)]


def test_nothing_read_has_no_extremes():
    assert Levels.of([]).extremes(at(0), at(10)) == (None, None)
