"""The pure balancer: never above a fuse, fair, deterministic (properties over any site)."""

import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stations.load_balancing import (
    PAUSED,
    Consumer,
    Draw,
    Fuse,
    Moment,
    Rule,
    Why,
    Wish,
    replay,
    share,
    staged,
)

EACH = (1, 2, 3)
ROTATIONS = st.sampled_from([(1,), (2,), (3,), (1, 2), (1, 2, 3), (2, 3, 1)])


def amps(low: int, high: int) -> st.SearchStrategy[Decimal]:
    return st.integers(low * 10, high * 10).map(lambda value: Decimal(value) / 10)


def amps_of(*args: Any, **options: Any) -> dict[int, Decimal]:
    return {key: each.amps for key, each in share(*args, **options).items()}


def all_phases(value: Decimal | int) -> dict[int, Decimal]:
    return dict.fromkeys(EACH, Decimal(value))


@st.composite
def sites(draw: st.DrawFn) -> tuple[list[Fuse], list[Consumer]]:
    fuses = []
    for key in range(draw(st.integers(1, 5))):
        parent = draw(st.integers(0, key - 1)) if key else None
        limits = {phase: draw(amps(0, 100)) for phase in EACH}
        others = {phase: draw(amps(0, 40)) for phase in EACH}
        fuses.append(Fuse(key, limits, parent, others))
    consumers = [
        Consumer(
            key=n, fuse=draw(st.integers(0, len(fuses) - 1)), phases=draw(ROTATIONS), maximum_a=draw(amps(1, 40)),
            priority=draw(st.integers(0, 3)), drawn_a=draw(st.none() | amps(0, 40)), is_full=draw(st.booleans()),
            turns=draw(st.integers(0, 2)), since=draw(st.integers(0, 5)),
        )
        for n in range(draw(st.integers(0, 8)))
    ]  # fmt: skip
    return fuses, consumers


def below(fuses: list[Fuse], key: int) -> set[int]:
    """Give a fuse and all that hang under it."""
    found = {key}
    for fuse in fuses:  # parents come first
        if fuse.parent in found:
            found.add(fuse.key)
    return found


@settings(deadline=None, max_examples=150)
@given(site=sites(), rule=st.sampled_from(Rule))
def test_the_sum_on_a_phase_is_never_above_any_fuse(
    site: tuple[list[Fuse], list[Consumer]], rule: Rule
) -> None:
    fuses, consumers = site
    given_a = amps_of(fuses, consumers, rule=rule)
    for fuse in fuses:
        under = below(fuses, fuse.key)
        for phase in EACH:
            total = sum(
                (given_a[each.key] for each in consumers if each.fuse in under and phase in each.phases),
                PAUSED,
            )
            assert total <= max(fuse.limit_a[phase] - fuse.other_a[phase], PAUSED)


@settings(deadline=None, max_examples=100)
@given(site=sites(), rule=st.sampled_from(Rule))
def test_each_gets_a_charging_current_or_pauses(site: tuple[list[Fuse], list[Consumer]], rule: Rule) -> None:
    fuses, consumers = site
    given_a = amps_of(fuses, consumers, rule=rule)
    for each in consumers:
        assert given_a[each.key] == PAUSED or each.minimum_a <= given_a[each.key] <= each.maximum_a


@settings(deadline=None, max_examples=50)
@given(site=sites(), rule=st.sampled_from(Rule))
def test_the_order_of_telling_does_not_matter(site: tuple[list[Fuse], list[Consumer]], rule: Rule) -> None:
    fuses, consumers = site
    assert share(fuses, consumers, rule=rule) == share(fuses[::-1], consumers[::-1], rule=rule)


def test_two_vehicles_share_a_fuse_evenly() -> None:
    found = amps_of([Fuse(0, all_phases(32))], [Consumer(1, 0), Consumer(2, 0)])
    assert found == {1: Decimal(16), 2: Decimal(16)}


def test_what_one_does_not_use_goes_to_the_other() -> None:
    modest = Consumer(1, 0, drawn_a=Decimal(7), is_full=True)
    assert amps_of([Fuse(0, all_phases(32))], [modest, Consumer(2, 0)]) == {1: Decimal(9), 2: Decimal(23)}


def test_who_comes_last_pauses_where_six_amperes_do_not_fit() -> None:
    found = amps_of([Fuse(0, all_phases(13))], [Consumer(n, 0, since=n) for n in (1, 2, 3)])
    assert found == {1: Decimal("6.5"), 2: Decimal("6.5"), 3: PAUSED}


def test_the_highest_priority_is_served_first() -> None:
    found = amps_of(
        [Fuse(0, all_phases(40))], [Consumer(1, 0), Consumer(2, 0, priority=1)], rule=Rule.PRIORITY
    )
    assert found == {1: Decimal(8), 2: Decimal(32)}


def test_single_phase_vehicles_on_rotated_phases_do_not_compete() -> None:
    found = amps_of([Fuse(0, all_phases(20))], [Consumer(n, 0, phases=(n,)) for n in EACH])
    assert set(found.values()) == {Decimal(20)}


def test_what_the_building_draws_is_not_given_away() -> None:
    found = amps_of([Fuse(0, all_phases(32), other_a=all_phases(22))], [Consumer(1, 0)])
    assert found == {1: Decimal(10)}


def test_a_loop_of_fuses_is_refused() -> None:
    with pytest.raises(ValueError, match="grid"):
        share([Fuse(0, all_phases(32), parent=1), Fuse(1, all_phases(32), parent=0)], [])


def test_what_is_left_over_is_open_to_those_who_do_not_use_it() -> None:
    modest = Consumer(1, 0, drawn_a=Decimal(7), is_full=True)
    assert amps_of([Fuse(0, all_phases(100))], [modest, Consumer(2, 0)]) == {1: Decimal(32), 2: Decimal(32)}


def test_who_does_not_charge_gives_its_place_up() -> None:
    asleep = Consumer(1, 0, drawn_a=PAUSED, is_full=True)
    found = share([Fuse(0, all_phases(10))], [asleep, Consumer(2, 0, since=1)])
    assert (found[1].why, found[2].amps) == (Why.NO_ROOM, Decimal(10))


def test_who_was_served_for_a_while_lets_the_others_in() -> None:
    found = amps_of([Fuse(0, all_phases(10))], [Consumer(1, 0, turns=1), Consumer(2, 0, since=1)])
    assert found == {1: PAUSED, 2: Decimal(10)}


def test_what_nobody_can_lower_is_taken_from_all_fuses_above() -> None:
    fuses = [Fuse(0, all_phases(32)), Fuse(1, all_phases(32), parent=0)]
    found = amps_of(fuses, [Consumer(1, 0)], [Draw(1, (1,), Decimal(20))])
    assert found == {1: Decimal(12)}


def test_a_share_names_the_fuse_and_the_phase_that_are_used_up() -> None:
    fuses = [Fuse(0, all_phases(32)), Fuse(1, {1: Decimal(16), 2: Decimal(10), 3: Decimal(16)}, parent=0)]
    found = share(fuses, [Consumer(1, 1)])[1]
    assert (found.why, found.fuse, found.phase) == (Why.FUSE, 1, 2)


@settings(deadline=None, max_examples=60)
@given(count=st.integers(2, 12), limit=amps(12, 200))
def test_equal_vehicles_get_equal_shares_or_pause(count: int, limit: Decimal) -> None:
    found = amps_of([Fuse(0, all_phases(limit))], [Consumer(n, 0, since=n) for n in range(count)])
    served = [value for value in found.values() if value]
    assert max(served) - min(served) <= Decimal("0.1")
    assert len(served) == min(count, int(limit // 6))


@settings(deadline=None, max_examples=60)
@given(site=sites())
def test_by_priority_nobody_below_has_more_of_the_same_fuse(
    site: tuple[list[Fuse], list[Consumer]],
) -> None:
    fuses, consumers = site
    alike = [
        Consumer(n, 0, (1,), Decimal(32), priority=each.priority, since=n) for n, each in enumerate(consumers)
    ]
    found = amps_of(fuses, alike, rule=Rule.PRIORITY)
    by_rank = sorted(alike, key=lambda each: (-each.priority, each.since))
    levels = [found[each.key] for each in by_rank]
    assert all(levels[n] >= levels[n + 1] - Decimal("0.1") for n in range(len(levels) - 1))


@settings(deadline=None, max_examples=120)
@given(site=sites(), rule=st.sampled_from(Rule), data=st.data())
def test_while_limits_travel_the_sum_stays_under_each_fuse(
    site: tuple[list[Fuse], list[Consumer]], rule: Rule, data: st.DataObject
) -> None:
    fuses, consumers = site
    held = amps_of(fuses, consumers, rule=rule)  # what lies there, and fits
    changed = [
        Consumer(c.key, c.fuse, c.phases, c.maximum_a, priority=data.draw(st.integers(0, 3)))
        for c in consumers
    ]
    wanted = amps_of(fuses, changed, rule=Rule.PRIORITY)
    told = staged(fuses, [Wish(c.key, c.fuse, c.phases, wanted[c.key], held[c.key]) for c in consumers])
    arrived = {c.key: told[c.key] if data.draw(st.booleans()) else held[c.key] for c in consumers}
    for fuse in fuses:
        under = below(fuses, fuse.key)
        for phase in EACH:
            total = sum((arrived[c.key] for c in consumers if c.fuse in under and phase in c.phases), PAUSED)
            assert total <= max(fuse.limit_a[phase] - fuse.other_a[phase], PAUSED) + Decimal("0.1")


def test_a_rise_waits_for_the_fall_that_makes_room() -> None:
    fuses, a, b = (
        [Fuse(0, all_phases(32))],
        (0, EACH, Decimal(16), Decimal(32)),
        (0, EACH, Decimal(16), PAUSED),
    )
    assert staged(fuses, [Wish(1, *a), Wish(2, *b)]) == {1: Decimal(16), 2: PAUSED}
    assert staged(fuses, [Wish(1, 0, EACH, Decimal(16), Decimal(16)), Wish(2, *b)])[2] == Decimal(16)


def test_a_site_of_two_hundred_connectors_is_shared_in_well_under_a_tenth_of_a_second() -> None:
    fuses = [Fuse(0, all_phases(900))] + [Fuse(n, all_phases(120), parent=0) for n in range(1, 11)]
    rotations = [(1, 2, 3), (2, 3, 1), (1,), (2,), (3,)]
    consumers = [
        Consumer(
            n, 1 + n % 10, rotations[n % 5], Decimal(16 + n) / 2 + 6, drawn_a=Decimal(n % 31), is_full=n % 3 == 0,
            priority=n % 4, since=n,
        )
        for n in range(200)
    ]  # fmt: skip
    begin = time.process_time()
    found = share(fuses, consumers, rule=Rule.PRIORITY)
    staged(fuses, [Wish(c.key, c.fuse, c.phases, found[c.key].amps, Decimal(8)) for c in consumers])
    assert time.process_time() - begin < 0.1


# --- a past day


def test_a_vehicle_that_got_less_draws_the_rest_later() -> None:
    both = Moment(0, {1: Decimal(16), 2: Decimal(16)})
    then = Moment(300, {1: Decimal(16), 2: PAUSED})
    found = replay([Fuse(0, all_phases(20))], [Consumer(1, 0), Consumer(2, 0)], [both, then])
    assert [step.without_a[0][1] for step in found] == [Decimal(32), Decimal(16)]
    assert [step.with_a[0][1] for step in found] == [Decimal(20), Decimal(18)]  # 2 A of headroom stay unused
    assert (found[0].is_short, found[1].late_as) == (True, {1: Decimal(3000), 2: PAUSED})


def test_a_replayed_building_is_counted_with() -> None:
    moment = Moment(0, {1: Decimal(16)}, {0: all_phases(10)})
    [found] = replay([Fuse(0, all_phases(20))], [Consumer(1, 0)], [moment])
    assert (found.without_a[0][2], found.with_a[0][2], found.given_a) == (26, 20, {1: Decimal(10)})
