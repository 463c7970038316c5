"""Composite schedules, vector by vector, and what holds for all of them (OCPP 2.1 K 3.6, K08; 1.6 section 3.13)."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.charging_profiles import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    CompositeSchedule,
    InvalidProfile,
    Kind,
    Purpose,
    RateUnit,
    Recurrency,
    composite,
    convert,
    from_v2,
    from_v16,
    install,
    vehicle_limit,
)

FOLDER = Path(__file__).parents[1] / "vectors" / "charging_profiles"
READERS = {"1.6": from_v16, "2.1": from_v2}
MOMENTS = ("start", "session_start", "now", "offline_since")
START = datetime(2026, 6, 1, 12, tzinfo=UTC)


def cases():
    for path in sorted(FOLDER.glob("*.json")):
        vector = json.loads(path.read_text(), parse_float=D)
        for case in vector["cases"]:
            yield pytest.param(READERS[vector["wire"]], case, id=f"{path.stem}: {case['name']}")


def asked(ask: dict) -> dict:
    given_moments = {name: datetime.fromisoformat(ask[name]) for name in MOMENTS if name in ask}
    sessions = {int(evse): datetime.fromisoformat(at) for evse, at in ask.get("sessions", {}).items()}
    zone = ZoneInfo(ask["zone"]) if "zone" in ask else UTC
    return ask | given_moments | {"sessions": sessions, "zone": zone, "unit": RateUnit(ask["unit"])}


def expected(start_period_s: int, limit: str | None, phases: int = 3, more: dict | None = None):
    words = ("operation_mode", "phase_to_use")
    values = {name: value if name in words else D(value) for name, value in (more or {}).items()}
    return ChargingSchedulePeriod(start_period_s, limit and D(limit), number_phases=phases, **values)


@pytest.mark.parametrize(("read", "case"), list(cases()))
def test_the_composite_is_what_was_worked_out_by_hand(read, case):
    profiles = [read(wire, evse=wire["evse"]) for wire in case["profiles"]]

    found = composite(profiles, **asked(case["ask"]))
    turned = composite(profiles[::-1], **asked(case["ask"]))

    assert list(found.periods) == [expected(*row) for row in case["periods"]]
    assert turned == found


# --- properties

limits = st.integers(0, 400).map(lambda tenths: D(tenths) / 10)
minutes = st.integers(-600, 600).map(lambda count: START + timedelta(minutes=count))


@st.composite
def schedules(draw) -> ChargingSchedule:
    begins = [0, *sorted(draw(st.sets(st.integers(1, 300), max_size=3)))]
    periods = [
        ChargingSchedulePeriod(60 * at, draw(limits), number_phases=draw(st.sampled_from([None, 1, 3])))
        for at in begins
    ]
    return ChargingSchedule(
        rate_unit=draw(st.sampled_from(RateUnit)),
        periods=tuple(periods),
        start_schedule=draw(minutes),
        duration_s=draw(st.none() | st.integers(1, 30_000)),
        use_local_time=draw(st.booleans()),
    )


@st.composite
def stations(draw) -> list[ChargingProfile]:
    keys = st.tuples(
        st.sampled_from([p for p in Purpose if p is not Purpose.PRIORITY_CHARGING]), st.integers(0, 2)
    )
    found = []
    for id_, (purpose, level) in enumerate(sorted(draw(st.sets(keys, max_size=6)))):
        kind = draw(st.sampled_from(Kind))
        found.append(
            ChargingProfile(
                id=id_,
                stack_level=level,
                purpose=purpose,
                kind=kind,
                schedules=(draw(schedules()),),
                evse=1 if purpose is Purpose.TX else 0,
                recurrency=draw(st.sampled_from(Recurrency)) if kind is Kind.RECURRING else None,
                valid_from=draw(st.none() | minutes),
                valid_to=draw(st.none() | minutes),
            )
        )
    return found


def ask(
    profiles, unit=RateUnit.A, *, start=START, duration_s=36_000, session_start=START
) -> CompositeSchedule:
    return composite(
        profiles,
        evse=1,
        start=start,
        duration_s=duration_s,
        unit=unit,
        session_start=session_start,
        now=START,
    )


@given(stations(), st.integers(0, 35_999))
def test_it_never_exceeds_the_maximum_plus_what_is_generated(profiles, second):
    at = START + timedelta(seconds=second)
    alone = [each for each in profiles if each.purpose in (Purpose.STATION_MAX, Purpose.LOCAL_GENERATION)]

    limit, bound = ask(profiles).at(at).limit, ask(alone).at(at).limit

    assert bound is None or limit <= bound


@given(
    stations(), st.sampled_from([Purpose.STATION_MAX, Purpose.EXTERNAL_CONSTRAINTS]), st.integers(0, 35_999)
)
def test_without_generation_no_purpose_is_exceeded(profiles, purpose, second):
    at = START + timedelta(seconds=second)
    restricting = [each for each in profiles if each.purpose is not Purpose.LOCAL_GENERATION]
    alone = [each for each in profiles if each.purpose is purpose]

    limit, bound = ask(restricting).at(at).limit, ask(alone).at(at).limit

    assert bound is None or limit <= bound


@given(stations().flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_the_order_of_profiles_and_of_their_installation_does_not_matter(both):
    sets = []
    for profiles in both:
        installed: tuple[ChargingProfile, ...] = ()
        for profile in profiles:
            installed, removed = install(installed, profile)
            assert removed == ()
        sets.append(installed)

    assert sets[0] == sets[1]
    assert ask(both[0]) == ask(both[1])


@given(stations(), st.integers(0, 30_000), st.integers(1, 6_000))
def test_the_composite_of_a_cut_window_is_the_cut_composite(profiles, offset_s, duration_s):
    start = START + timedelta(seconds=offset_s)

    part, whole = ask(profiles, start=start, duration_s=duration_s), ask(profiles)

    seconds = {0, duration_s - 1} | {period.start_period_s for period in part.periods}
    for moment in (start + timedelta(seconds=second) for second in seconds):
        assert same(part.at(moment), whole.at(moment))
    inside = [p for p in whole.periods if offset_s < p.start_period_s < offset_s + duration_s]
    assert [p.start_period_s for p in part.periods[1:]] == [p.start_period_s - offset_s for p in inside]


def same(one: ChargingSchedulePeriod, other: ChargingSchedulePeriod) -> bool:
    return (one.limit, one.number_phases) == (other.limit, other.number_phases)


@given(stations())
def test_neighbours_differ(profiles):
    periods = ask(profiles).periods

    assert not any(same(one, next_) for one, next_ in zip(periods, periods[1:], strict=False))


@given(stations(), st.integers(0, 35_999))
def test_watts_and_amperes_tell_the_same(profiles, second):
    at = START + timedelta(seconds=second)
    amperes, watts = ask(profiles, RateUnit.A).at(at), ask(profiles, RateUnit.W).at(at)

    if amperes.limit is None:
        assert watts.limit is None
        return
    assert abs(watts.limit - amperes.limit * 230 * amperes.number_phases) < D("0.002") * 230 * 3


def turned(value: D, unit: RateUnit, into: RateUnit, phases: int) -> D:
    return convert(value, unit=unit, into=into, phases=phases, into_phases=phases, voltage_v=D(230))


@given(limits, st.integers(1, 3))
def test_amperes_to_watts_and_back_are_exact(amperes, phases):
    watts = turned(amperes, RateUnit.A, RateUnit.W, phases)

    assert turned(watts, RateUnit.W, RateUnit.A, phases) == amperes


@given(st.integers(-50_000, 50_000).map(D), st.integers(1, 3))
def test_watts_to_amperes_and_back_lose_less_than_a_thousandth_of_an_ampere(watts, phases):
    back = turned(turned(watts, RateUnit.W, RateUnit.A, phases), RateUnit.A, RateUnit.W, phases)

    assert abs(back) <= abs(watts)
    assert abs(watts - back) < D("0.001") * 230 * phases


# --- what else a composite does


def simple(
    limit: str, *, id_: int = 1, purpose=Purpose.TX_DEFAULT, evse: int = 0, unit=RateUnit.A, **period
) -> ChargingProfile:
    schedule = ChargingSchedule(unit, (ChargingSchedulePeriod(0, D(limit), **period),))
    return ChargingProfile(id_, 0, purpose, Kind.RELATIVE, (schedule,), evse=evse)


def test_different_phases_to_use_make_no_composite():
    station = simple("16", purpose=Purpose.STATION_MAX, number_phases=1, phase_to_use=1)
    default = simple("16", id_=2, number_phases=1, phase_to_use=3)

    with pytest.raises(InvalidProfile) as raised:
        ask([station, default])

    assert (raised.value.rule, raised.value.reason) == ("K01.FR.141", "PhaseConflict")


def test_a_profile_without_schedules_and_a_transactions_profile_on_evse_0_count_for_nothing():
    empty = ChargingProfile(1, 9, Purpose.TX_DEFAULT, Kind.RELATIVE, ())
    misplaced = simple("6", id_=2, purpose=Purpose.TX)

    assert ask([empty, misplaced]).periods == (ChargingSchedulePeriod(0, number_phases=3),)


def test_a_recurring_profile_that_does_not_say_how_runs_once():
    schedule = ChargingSchedule(
        RateUnit.A, (ChargingSchedulePeriod(0, D(6)),), start_schedule=START, duration_s=60
    )
    profile = ChargingProfile(1, 0, Purpose.TX_DEFAULT, Kind.RECURRING, (schedule,))

    assert [each.limit for each in ask([profile], duration_s=100_000).periods] == [D(6), None]


def test_a_number_has_one_spelling():
    found = [ask([simple(spelling)]).periods[0].limit for spelling in ("16.0", "1.6E+1", "16", "0.0", "6.50")]

    assert [str(limit) for limit in found] == ["16", "16", "16", "0", "6.5"]


def test_a_window_of_no_length_has_no_periods():
    assert ask([simple("16")], duration_s=0).periods == ()


def test_a_session_of_the_future_begins_later():
    later = START + timedelta(hours=1)
    found = ask([simple("16", purpose=Purpose.TX, evse=1)], session_start=later)

    assert [(each.start_period_s, each.limit) for each in found.periods] == [(0, None), (3600, D(16))]


def test_a_composite_knows_what_holds_at_a_moment():
    found = ask([simple("16")])

    assert found.at(START).limit == D(16)
    assert found.at(START - timedelta(microseconds=1)) is None
    assert found.at(START + timedelta(seconds=36_000)) is None
    assert CompositeSchedule(1, START, 60, RateUnit.A, ()).at(START) is None


# --- what a vehicle can be told (IEC 61851-1)


@pytest.mark.parametrize(
    ("limit", "unit", "options", "offer"),
    [
        (None, "A", {}, (None, 3, "unlimited")),
        ("0", "A", {}, ("0", 3, "zero")),
        ("-5", "A", {}, ("0", 3, "zero")),
        ("6", "A", {}, ("6", 3, "within_limit")),
        ("5.9", "A", {}, ("0", 3, "below_minimum")),
        ("5.9", "A", {"can_switch_phases": True}, ("0", 3, "below_minimum")),
        ("4140", "W", {}, ("6", 3, "within_limit")),
        ("4139", "W", {}, ("0", 3, "below_minimum")),
        ("2300", "W", {"can_switch_phases": True}, ("10", 1, "one_phase")),
        ("1379", "W", {"can_switch_phases": True}, ("0", 3, "below_minimum")),
        ("1380", "W", {"phases": 1}, ("6", 1, "within_limit")),
        ("1379", "W", {"phases": 1, "can_switch_phases": True}, ("0", 1, "below_minimum")),
        ("2000", "W", {"phases": 1, "voltage_v": 110, "minimum_a": D(8)}, ("18.181", 1, "within_limit")),
    ],
)
def test_a_vehicle_gets_six_amperes_or_nothing(limit, unit, options, offer):
    found = vehicle_limit(limit and D(limit), unit=RateUnit(unit), **options)

    assert (found.current_a, found.phases, found.reason) == (offer[0] and D(offer[0]), *offer[1:])
