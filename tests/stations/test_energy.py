"""The energy that bills: registers as they should be, and as they are (OCPP 1.6 section 7.31, quirks 15 to 17)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stations.readings import EnergyRegister, EnergyResult, Reading, energy_of

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
REGISTER = "Energy.Active.Import.Register"
INTERVAL = "Energy.Active.Import.Interval"


def reading(minute: int, value: object, measurand: str = REGISTER, **words: str) -> Reading:
    words = {"phase": "", "location": "Outlet", "context": "Sample.Periodic", "unit": "Wh"} | words
    at = START + timedelta(minutes=minute)
    return Reading(sampled_at=at, measurand=measurand, value=D(str(value)), **words)


def series(*values: object, **words: str) -> list[Reading]:
    """A reading every ten minutes."""
    return [reading(10 * index, value, **words) for index, value in enumerate(values)]


def energy(readings: list[Reading], start: object = None, stop: object = None) -> tuple[D, set[str]]:
    result = energy_of(
        readings, None if start is None else D(str(start)), None if stop is None else D(str(stop))
    )
    return result.energy_wh, set(result.flags)


# --- as it should be


def test_energy_is_the_stop_less_the_start():
    assert energy([], 1000, "4500.25") == (D("3500.25"), set())


def test_readings_between_change_nothing():
    assert energy(series(1200, 2000, 4000), 1000, 4500) == (3500, set())


def test_a_running_session_counts_up_to_the_last_reading():
    result = energy_of(series(1200, 2000, 4000), D(1000))

    assert result == EnergyResult(D(3000), (), start_wh=D(1000), stop_wh=D(4000))


def test_a_start_at_zero_is_a_start():
    assert energy(series(100, 200), 0, 300) == (300, set())


def test_kilowatt_hours_to_the_last_digit():
    assert energy(series("1000.0001", "1000.0004"), "1000.0000", "1000.0009") == (D("0.0009"), set())


def test_without_readings_and_without_a_stop_nothing_is_known():
    assert energy([], 1000) == (0, {"no_readings"})
    assert energy([]) == (0, {"no_readings"})
    assert energy([], None, 5000) == (0, {"no_readings"})


def test_the_order_of_the_readings_does_not_matter():
    found = series(1200, 2000, 4000)

    assert energy_of(found[::-1] + found, D(1000), D(4500)) == energy_of(found, D(1000), D(4500))


# --- a missing beginning


def test_the_first_reading_stands_for_a_missing_start():
    assert energy(series(1200, 2000), None, 2500) == (1300, {"begin_missing"})


def test_a_reading_at_the_beginning_is_as_good_as_meter_start():
    begin = reading(0, 1000, context="Transaction.Begin")

    assert energy([begin, reading(10, 1500)], None, 1800) == (800, set())


def test_a_negative_start_is_no_start():
    assert energy(series(1200, 2000), -5) == (800, {"begin_missing", "negative_register"})


def test_negative_readings_are_left_out():
    assert energy(series(1200, -1, 2000), 1000) == (1000, {"negative_register"})
    assert energy(series(1200), 1000, -1) == (200, {"negative_register"})


# --- registers that fall


def test_a_register_that_restarts_is_added_up():
    assert energy(series(1500, 3000, 10, 700), 1000) == (2700, {"register_reset"})


def test_a_restarted_register_is_counted_up_to_the_stop():
    assert energy(series(1500, 3000, 0, 700), 1000, 900) == (2900, {"register_reset", "stop_below_start"})
    assert energy(series(1500, 30_000, 0, 700), 1000, 1900) == (30_900, {"register_reset"})


def test_a_register_that_restarts_twice_is_added_up_twice():
    assert energy(series(5000, 10, 2000, 0, 500), 1000) == (4000 + 2000 + 500, {"register_reset"})


def test_a_restarted_register_may_pass_its_old_height():
    assert energy(series(500, 0, 200, 400, 600), 0) == (1100, {"register_reset"})


def test_a_single_zero_is_a_misreading():
    assert energy(series(5_000_100, 0, 5_000_300), 5_000_000) == (300, {"register_dip"})
    assert energy(series(5_000_100, 0), 5_000_000, 5_000_300) == (300, {"register_dip"})


def test_a_register_that_trembles_counts_nothing_twice():
    assert energy(series(1100, 1099, 1101, 1100, 1102), 1000) == (102, set())
    assert energy(series(1200, 1150, 1250, 1180, 1300), 1000) == (300, {"register_dip"})


def test_a_large_fall_to_a_large_value_counts_only_what_follows():
    assert energy(series(5_000_100, 4_000_000, 4_000_500), 5_000_000) == (600, {"register_dip"})


def test_a_register_may_fall_more_often_than_is_kept_in_mind():
    falls = [value for step in range(12) for value in (10_000 - step * 100, 0)]

    result, flags = energy(series(*falls), 9_000)

    assert result >= 1_000
    assert flags >= {"register_reset"}


# --- registers that leap


def test_a_leap_that_comes_back_is_a_misreading():
    assert energy(series(1100, 20_000_000, 1300), 1000) == (300, {"register_spike"})


def test_a_leap_that_stays_is_counted_and_flagged():
    assert energy(series(1100, 10_001_100, 10_001_200), 1000) == (10_000_200, {"implausible_jump"})


def test_a_leap_that_a_large_charger_can_explain_is_none():
    assert energy(series(0, 600_000), 0) == (600_000, set())


# --- registers of another kind


def test_readings_that_count_the_session_agree_with_a_register_of_the_meters_life():
    found = series(10, 300, 800)

    assert energy(found, 5_000_000) == (800, {"session_register"})
    assert energy(found, 5_000_000, 5_000_805) == (805, {"session_register"})
    assert energy(found, 1_000, 1_805) == (805, {"session_register"})


def test_a_stop_may_count_the_session_too():
    assert energy(series(10, 300, 800), 5_000_000, 805) == (805, {"session_register", "stop_below_start"})


def test_a_zero_among_session_readings_does_not_bill_the_meters_life():
    assert energy(series(10, 300, 0), 5_000_000, 5_000_305)[0] == 305
    assert energy(series(10, 300, 0, 400), 5_000_000, 5_000_405)[0] == 405


def test_a_start_of_zero_that_means_missing_does_not_bill_the_meters_life():
    assert energy(series(5_000_000, 5_000_700), 0, 5_000_800) == (800, {"start_mismatch"})


def test_readings_of_the_stations_own_meter_leave_start_and_stop_alone():
    found = series(80_000_000, 80_000_900, location="Inlet")

    assert energy(found, 1000, 1800) == (800, {"start_mismatch", "location_inlet"})


def test_a_stop_of_another_register_is_left_out():
    assert energy(series(100, 800), 0, 5_000_800) == (800, {"stop_mismatch"})
    assert energy(series(100, 800), None, 5_000_800) == (700, {"begin_missing", "stop_mismatch"})


# --- odd stops


def test_a_stop_a_little_below_the_last_reading_counts():
    assert energy(series(1500, 2050), 1000, 2000) == (1000, {"stop_below_register"})
    assert energy(series(1500, 2050), None, 2000) == (500, {"begin_missing", "stop_below_register"})


def test_a_stop_in_whole_wh_is_not_odd_beside_fractions():
    assert energy(series("999.6", "1500.2", "2000.9"), 1000, 2000) == (1000, set())
    assert energy(series("1500.2", "2000.9"), None, 2000) == (D("499.8"), {"begin_missing"})
    assert energy([], "1000.4", 1000) == (0, set())


def test_a_stop_of_zero_that_means_missing_takes_nothing_away():
    assert energy(series(5_000_100, 5_000_800), 5_000_000, 0)[0] == 800


def test_a_stop_below_the_start_is_never_negative_energy():
    assert energy([], 5000, 4000) == (0, {"register_dip", "stop_below_start"})


# --- phases, places, intervals


def phases(*totals: int) -> list[Reading]:
    return [
        reading(10 * index, D(total) / 4 * share, phase=phase)
        for index, total in enumerate(totals)
        for phase, share in (("L1", 1), ("L2", 1), ("L3", 2))
    ]


def test_phases_are_added_where_no_total_is_sent():
    assert energy(phases(1200, 2000)) == (800, {"phase_sum", "begin_missing"})


def test_phases_agree_with_a_total_at_start_and_stop():
    assert energy(phases(1200, 2000), 1000) == (1000, {"phase_sum"})
    assert energy(phases(1200, 2000), 1000, 2300) == (1300, {"phase_sum"})


def test_phases_may_have_nothing_to_do_with_start_and_stop():
    assert energy(phases(0, 800), 5000, 5820) == (820, {"phase_sum", "start_mismatch"})
    assert energy(phases(0, 800), 5000, 3000) == (3000, {"phase_sum", "start_mismatch", "stop_below_start"})
    assert energy(phases(0, 800), 5000) == (800, {"phase_sum", "start_mismatch"})
    assert energy(phases(0, 800), 5000, 9_000_000)[0] == 800


def test_phases_that_restart_are_added_up():
    assert energy(phases(1200, 2000, 0, 400), 1000, 500)[0] == 1500


def test_a_total_beats_phases():
    assert energy(phases(1200, 9000) + series(1200, 2000), 1000) == (1000, set())


def test_the_outlet_beats_the_inlet():
    inlet = series(1100, 7000, location="Inlet")

    assert energy(inlet + series(1200, 2000), 1000) == (1000, set())
    assert energy(inlet, 1000) == (6000, {"location_inlet"})


@pytest.mark.parametrize(
    "words",
    [{"phase": "N"}, {"location": "Upstream"}, {"unit": "A"}, {"measurand": "Energy.Active.Export.Register"},
     {"measurand": "SoC", "unit": "Percent"}, {"phase": "L9"}],
)  # fmt: skip
def test_what_does_not_bill_is_passed_over(words):
    assert energy(series(1200, 2000) + series(5, 90_000, **words), 1000) == (1000, set())


def test_intervals_are_added_where_there_is_no_register():
    found = series(100, 200, 300, measurand=INTERVAL)

    assert energy(found + found[1:]) == (600, {"interval_sum"})
    assert energy(found, 1000) == (600, {"interval_sum"})


def test_start_and_stop_beat_intervals():
    assert energy(series(100, 200, measurand=INTERVAL), 1000, 1350) == (350, set())


def test_periodic_and_clock_aligned_intervals_tell_of_the_same_energy():
    periodic = series(100, 200, measurand=INTERVAL)
    clock = series(150, 150, measurand=INTERVAL, context="Sample.Clock")
    end = [reading(30, 50, INTERVAL, context="Transaction.End")]

    assert energy(periodic + clock + end)[0] == 350
    assert energy(clock + end)[0] == 350
    assert energy(periodic + [reading(5, 90, INTERVAL, context="Trigger")])[0] == 300


def test_intervals_per_phase_are_added():
    found = [reading(0, 100, INTERVAL, phase=phase) for phase in ("L1", "L2", "L3")]

    assert energy(found) == (300, {"interval_sum"})


# --- one by one


def test_a_register_goes_on_after_a_restart_of_ours():
    resumed = EnergyRegister.resume(meter_start_wh=D(1000), register_wh=D(2000), energy_wh=D(1000))

    assert (resumed.energy_wh, resumed.register_wh) == (1000, 2000)
    assert resumed.step(reading(0, 2500)).energy_wh == 1500


def test_phases_go_on_after_a_restart_of_ours():
    register = EnergyRegister.resume(meter_start_wh=D(1000), register_wh=D(2000), energy_wh=D(1000))
    for found in phases(2200, 2600):
        register = register.step(found)

    assert (register.energy_wh, register.register_wh) == (1600, 2600)


def test_intervals_go_on_after_a_restart_of_ours():
    resumed = EnergyRegister.resume(meter_start_wh=None, register_wh=None, energy_wh=D(700))

    assert resumed.energy_wh == 700
    assert resumed.step(reading(0, 50, INTERVAL)).energy_wh == 750


def test_a_resumed_register_counts_up_to_the_stop():
    resumed = EnergyRegister.resume(meter_start_wh=D(1000), register_wh=D(300), energy_wh=D(4300))

    assert resumed.result(D(500)).energy_wh == 4500
    assert resumed.step(reading(0, 400)).result(D(500)).energy_wh == 4500


def test_an_older_reading_changes_nothing_but_is_flagged():
    register = EnergyRegister.begin(D(1000)).step(reading(10, 2000))

    late = register.step(reading(5, 1500)).step(reading(10, 1999))

    assert (late.energy_wh, late.result().flags) == (1000, ("out_of_order",))


def test_an_older_interval_changes_nothing():
    register = EnergyRegister.begin(None).step(reading(10, 50, INTERVAL))

    assert register.step(reading(5, 70, INTERVAL)).energy_wh == 50
    assert register.step(reading(10, 60, INTERVAL)).energy_wh == 60


def test_a_step_leaves_the_register_before_it_alone():
    before = EnergyRegister.begin(D(1000)).step(reading(0, 1500))
    before.step(reading(10, 9000))

    assert before.energy_wh == 500


# --- properties


ANY_READING = st.builds(
    reading,
    st.integers(0, 40),
    st.one_of(
        st.integers(0, 60), st.integers(0, 10_000), st.sampled_from([0, 5_000_000, 5_000_100, 20_000_000])
    ),
    st.sampled_from([REGISTER, REGISTER, REGISTER, INTERVAL, "SoC"]),
    phase=st.sampled_from(["", "", "", "L1", "L2", "L3"]),
    location=st.sampled_from(["Outlet", "Outlet", "Inlet"]),
    context=st.sampled_from(["Sample.Periodic", "Sample.Clock", "Transaction.Begin", "Transaction.End"]),
)
SOMETIMES = st.none() | st.integers(0, 10_000).map(D) | st.just(D(5_000_000))


@given(st.lists(ANY_READING, max_size=12), SOMETIMES, SOMETIMES, st.randoms(use_true_random=False))
@settings(max_examples=400, deadline=None)
def test_energy_is_a_function_of_the_set_of_readings(found, start, stop, dice):
    shuffled = found + dice.choices(found, k=3) if found else []
    dice.shuffle(shuffled)

    assert energy_of(shuffled, start, stop) == energy_of(found, start, stop)


@given(st.lists(ANY_READING, max_size=12), SOMETIMES, SOMETIMES)
@settings(max_examples=400, deadline=None)
def test_one_by_one_in_order_is_the_same_as_all_at_once(found, start, stop):
    register = EnergyRegister.begin(start)
    for each in sorted(found, key=lambda r: (r.sampled_at, r.value, r.context != "Transaction.Begin")):
        register = register.step(each)

    assert register.result(stop) == energy_of(found, start, stop)


@given(st.lists(ANY_READING, max_size=12), SOMETIMES, SOMETIMES)
@settings(max_examples=400, deadline=None)
def test_energy_is_never_negative_and_never_more_than_all_that_was_read(found, start, stop):
    energy_wh = energy_of(found, start, stop).energy_wh

    assert 0 <= energy_wh <= sum(r.value for r in found) + (start or 0) + (stop or 0)


@given(st.lists(st.integers(0, 5_000), max_size=20), st.integers(0, 10**9), st.integers(0, 5_000))
def test_a_register_that_only_rises_is_the_difference(steps, start, rest):
    values = [start]
    for step in steps:
        values.append(values[-1] + step)
    stop = values[-1] + rest

    assert energy(series(*values), start, stop) == (stop - start, set())
    assert energy(series(*values), start) == (values[-1] - start, set())


@given(
    st.integers(200_000, 10**9), st.lists(st.integers(1, 3_000), min_size=1, max_size=8), st.integers(0, 7)
)
def test_a_zero_read_in_passing_bills_nothing(start, steps, position):
    values = [start + sum(steps[: index + 1]) for index in range(len(steps))]
    stop = values[-1] + 10
    values.insert(position % (len(values) + 1), 0)

    assert energy(series(*values), start, stop)[0] == stop - start


@given(st.integers(0, 10**9), st.lists(st.integers(0, 5_000), min_size=1, max_size=8), st.data())
def test_a_restart_adds_what_was_counted_before_and_after(start, steps, data):
    before = [start + sum(steps[: index + 1]) for index in range(len(steps))]
    after = sorted(
        data.draw(st.lists(st.integers(0, min(max(before[-1] // 2 - 1, 0), 50_000)), min_size=1, max_size=8))
    )
    assume(before[-1] > 2 * after[-1] + 10 and before[0] > start)

    assert energy(series(*before, *after), start) == (before[-1] - start + after[-1], {"register_reset"})
