"""The pure balancer: never above a fuse, fair, deterministic (properties over any site)."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stations.load_balancing import PAUSED, Consumer, Fuse, Moment, Rule, replay, share

EACH = (1, 2, 3)
ROTATIONS = st.sampled_from([(1,), (2,), (3,), (1, 2), (1, 2, 3), (2, 3, 1)])


def amps(low: int, high: int) -> st.SearchStrategy[Decimal]:
    return st.integers(low * 10, high * 10).map(lambda value: Decimal(value) / 10)


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
            since=draw(st.integers(0, 5)),
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
    given_a = share(fuses, consumers, rule=rule)
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
    given_a = share(fuses, consumers, rule=rule)
    for each in consumers:
        assert given_a[each.key] == PAUSED or each.minimum_a <= given_a[each.key] <= each.maximum_a


@settings(deadline=None, max_examples=50)
@given(site=sites(), rule=st.sampled_from(Rule))
def test_the_order_of_telling_does_not_matter(site: tuple[list[Fuse], list[Consumer]], rule: Rule) -> None:
    fuses, consumers = site
    assert share(fuses, consumers, rule=rule) == share(fuses[::-1], consumers[::-1], rule=rule)


def test_two_vehicles_share_a_fuse_evenly() -> None:
    found = share([Fuse(0, all_phases(32))], [Consumer(1, 0), Consumer(2, 0)])
    assert found == {1: Decimal(16), 2: Decimal(16)}


def test_what_one_does_not_use_goes_to_the_other() -> None:
    modest = Consumer(1, 0, drawn_a=Decimal(7), is_full=True)
    assert share([Fuse(0, all_phases(32))], [modest, Consumer(2, 0)]) == {1: Decimal(8), 2: Decimal(24)}


def test_who_comes_last_pauses_where_six_amperes_do_not_fit() -> None:
    found = share([Fuse(0, all_phases(13))], [Consumer(n, 0, since=n) for n in (1, 2, 3)])
    assert found == {1: Decimal("6.5"), 2: Decimal("6.5"), 3: PAUSED}


def test_the_highest_priority_is_served_first() -> None:
    found = share([Fuse(0, all_phases(40))], [Consumer(1, 0), Consumer(2, 0, priority=1)], rule=Rule.PRIORITY)
    assert found == {1: Decimal(8), 2: Decimal(32)}


def test_single_phase_vehicles_on_rotated_phases_do_not_compete() -> None:
    found = share([Fuse(0, all_phases(20))], [Consumer(n, 0, phases=(n,)) for n in EACH])
    assert set(found.values()) == {Decimal(20)}


def test_what_the_building_draws_is_not_given_away() -> None:
    found = share([Fuse(0, all_phases(32), other_a=all_phases(22))], [Consumer(1, 0)])
    assert found == {1: Decimal(10)}


def test_a_loop_of_fuses_is_refused() -> None:
    with pytest.raises(ValueError, match="grid"):
        share([Fuse(0, all_phases(32), parent=1), Fuse(1, all_phases(32), parent=0)], [])


def test_a_replayed_day_says_what_would_have_lacked() -> None:
    drawn = {1: Decimal(16), 2: Decimal(16)}
    [found] = replay([Fuse(0, all_phases(20))], [Consumer(1, 0), Consumer(2, 0)], [Moment(0, drawn, {})])
    assert (found.given_a, found.is_short) == ({1: Decimal(10), 2: Decimal(10)}, True)
