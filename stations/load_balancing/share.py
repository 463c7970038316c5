"""Who may draw how much: water filled up evenly, phase by phase, under every fuse (all currents in A per phase).

A consumer on several phases draws the same current on each of them. Nobody gets less than its minimum: below that a
vehicle does not charge at all (IEC 61851-1: 6 A), so those with the lowest priority pause. What a consumer does not
use goes to the others. The same site always gives the same answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum

STEP = Decimal("0.1")  # of a limit on the wire
PAUSED = Decimal(0)
HEADROOM_A = Decimal(1)  # above what a consumer draws, so that it can show that it wants more
PHASES = (1, 2, 3)


class Rule(StrEnum):
    """How the share above the minimum is given: evenly, or all that is asked to the highest priority first."""

    FAIR = "fair"
    PRIORITY = "priority"


@dataclass(frozen=True, slots=True)
class Fuse:
    """A node of the tree: what may flow on each phase, and what else flows there (the building), in A per phase."""

    key: int
    limit_a: Mapping[int, Decimal]
    parent: int | None = None
    other_a: Mapping[int, Decimal] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Consumer:
    """One vehicle at an outlet: its fuse, the phases of the grid it draws from, its bounds and its habits.

    `drawn_a` is the highest current measured on a phase lately; None: not known, so it may want all. `since` is the
    order in which they came.
    """

    key: int
    fuse: int
    phases: tuple[int, ...] = PHASES
    maximum_a: Decimal = Decimal(32)
    minimum_a: Decimal = Decimal(6)
    priority: int = 0
    drawn_a: Decimal | None = None
    is_full: bool = False  # it draws less than it may and has been doing so for a while
    since: int = 0

    @property
    def wanted_a(self) -> Decimal:
        """What it can make use of: what it draws and a little, once it is known to want no more."""
        if not self.is_full or self.drawn_a is None:
            return self.maximum_a
        return max(min(self.drawn_a + HEADROOM_A, self.maximum_a), min(self.minimum_a, self.maximum_a))


def share(
    fuses: Iterable[Fuse], consumers: Iterable[Consumer], *, rule: Rule = Rule.FAIR
) -> dict[int, Decimal]:
    """Return what each consumer may draw, in A on each of its phases; 0 is a pause.

    The sum on each phase never is above any fuse on the way to the grid. Raise `ValueError` for a tree with a loop
    or an unknown parent or fuse.
    """
    site = _Site(list(fuses))
    order = sorted(consumers, key=lambda each: (-each.priority, each.since, each.key))
    given = dict.fromkeys((each.key for each in order), PAUSED)
    served = []
    for each in order:  # the minimum first: who comes later pauses where it does not fit
        if each.maximum_a >= each.minimum_a and site.room(each) >= each.minimum_a:
            site.take(each, each.minimum_a)
            given[each.key] = each.minimum_a
            served.append(each)
    groups: Sequence[list[Consumer]] = [served]
    if rule is Rule.PRIORITY:
        groups = [
            [each for each in served if each.priority == level]
            for level in sorted({each.priority for each in served}, reverse=True)
        ]
    for group in groups:
        _fill(site, group, given, {each.key: each.wanted_a for each in group})
    for group in groups:  # what nobody makes use of is left open to all, up to what they can take
        _fill(site, group, given, {each.key: each.maximum_a for each in group if not each.is_full})
    return {key: value.quantize(STEP, rounding=ROUND_DOWN) for key, value in given.items()}


def _fill(
    site: "_Site", group: list[Consumer], given: dict[int, Decimal], upto: Mapping[int, Decimal]
) -> None:
    """Raise the lowest together until each has what it wants or a fuse on its way is full."""
    open_ = [each for each in group if each.key in upto and given[each.key] < upto[each.key]]
    while open_:
        level = min(given[each.key] for each in open_)
        lowest = [each for each in open_ if given[each.key] == level]
        ceilings = [upto[each.key] for each in lowest]
        ceilings += [given[each.key] for each in open_ if given[each.key] > level]
        step = min(min(ceilings) - level, site.common_room(lowest))
        step = step.quantize(STEP / 100, rounding=ROUND_DOWN)
        if step > 0:
            for each in lowest:
                site.take(each, step)
                given[each.key] += step
        stuck = {each.key for each in lowest if step <= 0 and site.room(each) < STEP / 10}
        if step <= 0 and not stuck:
            stuck = {each.key for each in lowest}
        open_ = [each for each in open_ if each.key not in stuck and given[each.key] < upto[each.key]]


class _Site:
    """What is left on each phase of each fuse."""

    def __init__(self, fuses: list[Fuse]) -> None:
        self.parents = {fuse.key: fuse.parent for fuse in fuses}
        self.left = {
            (fuse.key, phase): max(
                fuse.limit_a.get(phase, PAUSED) - max(fuse.other_a.get(phase, PAUSED), PAUSED), PAUSED
            )
            for fuse in fuses
            for phase in PHASES
        }
        self.ways = {fuse.key: self._way(fuse.key) for fuse in fuses}

    def room(self, consumer: Consumer) -> Decimal:
        return min(self.left[place] for place in self._places(consumer))

    def common_room(self, consumers: Sequence[Consumer]) -> Decimal:
        """Return how much more each of these may draw at once."""
        users: dict[tuple[int, int], int] = {}
        for each in consumers:
            for place in self._places(each):
                users[place] = users.get(place, 0) + 1
        return min(self.left[place] / count for place, count in users.items())

    def take(self, consumer: Consumer, amps: Decimal) -> None:
        for place in self._places(consumer):
            self.left[place] -= amps

    def _places(self, consumer: Consumer) -> list[tuple[int, int]]:
        if consumer.fuse not in self.ways:
            raise ValueError(f"consumer {consumer.key} hangs on no fuse of the site")
        return [(fuse, phase) for fuse in self.ways[consumer.fuse] for phase in consumer.phases]

    def _way(self, key: int) -> list[int]:
        way: list[int] = []
        at: int | None = key
        while at is not None:
            if at in way or at not in self.parents:
                raise ValueError(f"fuse {key} does not lead to the grid")
            way.append(at)
            at = self.parents[at]
        return way
