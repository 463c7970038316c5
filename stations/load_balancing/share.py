"""Who may draw how much: water filled up evenly, phase by phase, under every fuse (all currents in A per phase).

A consumer on several phases draws the same current on each of them. Nobody gets less than its minimum: below that a
vehicle does not charge at all (IEC 61851-1: 6 A), so those who come last pause. What a consumer does not use goes to
the others. The same site always gives the same answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from enum import StrEnum

from stations.load_balancing.site import PAUSED, PHASES, Draw, Fuse, Site, down, on_wire, up

HEADROOM_A = Decimal(2)  # above what a consumer draws, so that it can show that it wants more
IDLE_A = Decimal(1)  # below it nothing charges


class Rule(StrEnum):
    """How the share above the minimum is given: evenly, or all that is asked to the highest priority first."""

    FAIR = "fair"
    PRIORITY = "priority"


class Why(StrEnum):
    """What decided on a share."""

    ALL = "all"  # it gets what it can take
    FUSE = "fuse"  # a fuse on its way is used up
    GIVES_BACK = "gives_back"  # it draws less, the others make use of the rest
    NO_ROOM = "no_room"  # its minimum does not fit: it pauses
    BELOW_MINIMUM = "below_minimum"  # it may not draw its minimum: it pauses


@dataclass(frozen=True, slots=True)
class Consumer:
    """One vehicle at an outlet: its fuse, the phases of the grid it draws from, its bounds and its habits.

    `drawn_a` is the highest current measured on a phase lately; None: not known, so it may want all. `turns` counts
    the spans of time for which it was served: who had fewer comes first. `since` is the order in which they came.
    """

    key: int
    fuse: int
    phases: tuple[int, ...] = PHASES
    maximum_a: Decimal = Decimal(32)
    minimum_a: Decimal = Decimal(6)
    priority: int = 0
    drawn_a: Decimal | None = None
    is_full: bool = False  # it draws less than it may and has been doing so for a while
    turns: int = 0
    since: int = 0

    @property
    def wanted_a(self) -> Decimal:
        """What it can make use of: what it draws and a little, once it is known to want no more."""
        if not self.is_full or self.drawn_a is None:
            return self.maximum_a
        used = (self.drawn_a + HEADROOM_A).to_integral_value(ROUND_UP)  # whole, so that it seldom changes
        return max(min(used, self.maximum_a), min(self.minimum_a, self.maximum_a))

    @property
    def is_idle(self) -> bool:
        """Tell whether it is known not to charge: its place is given up first."""
        return self.is_full and self.drawn_a is not None and self.drawn_a < IDLE_A


@dataclass(frozen=True, slots=True)
class Share:
    """What a consumer may draw, 0 for a pause, and why it is no more: the fuse and the phase that are used up."""

    amps: Decimal
    why: Why
    fuse: int | None = None
    phase: int | None = None


def share(
    fuses: Iterable[Fuse],
    consumers: Iterable[Consumer],
    draws: Iterable[Draw] = (),
    *,
    rule: Rule = Rule.FAIR,
) -> dict[int, Share]:
    """Return what each consumer may draw on each of its phases.

    The sum on each phase never is above any fuse on the way to the grid; what `draws` take is not given away. Raise
    `ValueError` for a tree with a loop or an unknown parent or fuse.
    """
    site = Site(sorted(fuses, key=lambda fuse: fuse.key), draws)
    order = sorted(consumers, key=lambda c: (c.is_idle, -c.priority, c.turns, c.since, c.key))
    pool = _Pool(site, order)
    for each in order:  # the minimum first: who comes later pauses where it does not fit
        pool.serve(each)
    groups: Sequence[list[Consumer]] = [pool.served]
    if rule is Rule.PRIORITY:
        levels = sorted({each.priority for each in pool.served}, reverse=True)
        groups = [[each for each in pool.served if each.priority == level] for level in levels]
    for group in groups:
        pool.fill(group, {each.key: down(each.wanted_a) for each in group})
    for group in groups:  # what nobody makes use of is left open to all
        pool.fill(group, {each.key: down(each.maximum_a) for each in group})
    return {each.key: pool.result(each) for each in order}


class _Pool:
    """Shares while they are found, in hundredths of an ampere."""

    def __init__(self, site: Site, order: list[Consumer]) -> None:
        self.site = site
        self.places = {each.key: site.places(each.fuse, each.phases) for each in order}
        self.given = dict.fromkeys((each.key for each in order), 0)
        self.served: list[Consumer] = []
        self.tight: dict[int, tuple[int, int]] = {}  # key -> fuse and phase that stopped it

    def serve(self, each: Consumer) -> None:
        """Give the minimum, if it fits."""
        least, places = up(each.minimum_a), self.places[each.key]
        if each.maximum_a < each.minimum_a or each.maximum_a <= 0:
            return
        if self.site.room(places) < least:
            self.tight[each.key] = self.site.tightest(places)
            return
        self.site.take(places, least)
        self.given[each.key] = least
        self.served.append(each)

    def fill(self, group: list[Consumer], upto: Mapping[int, int]) -> None:
        """Raise the lowest together until each has what it wants or a fuse on its way is full."""
        given, left = self.given, self.site.left
        open_ = [each.key for each in group if given[each.key] < upto[each.key]]
        while open_:
            level = min(given[key] for key in open_)
            lowest = [key for key in open_ if given[key] == level]
            users: dict[int, int] = {}
            for key in lowest:
                for place in self.places[key]:
                    users[place] = users.get(place, 0) + 1
            step = min(upto[key] for key in lowest) - level
            above = [given[key] for key in open_ if given[key] > level]
            step = min([step, *(value - level for value in above)])
            step = min(step, min(left[place] // count for place, count in users.items()))
            stuck: set[int] = set()
            if step > 0:
                for place, count in users.items():
                    left[place] -= step * count
                for key in lowest:
                    given[key] += step
            else:  # some place has less than a hundredth for each of its users
                full = {place for place, count in users.items() if left[place] < count}
                stuck = {key for key in lowest if not full.isdisjoint(self.places[key])}
                for key in stuck:
                    self.tight[key] = self.site.tightest(self.places[key])
            open_ = [key for key in open_ if key not in stuck and given[key] < upto[key]]

    def result(self, each: Consumer) -> Share:
        """Say what a consumer gets, and why."""
        amps = on_wire(self.given[each.key])
        fuse, phase = self.tight.get(each.key, (None, None))
        if amps <= PAUSED:
            too_little = each.maximum_a < each.minimum_a or each.maximum_a <= 0
            return Share(amps, Why.BELOW_MINIMUM if too_little else Why.NO_ROOM, fuse, phase)
        if amps >= on_wire(down(each.maximum_a)):
            return Share(amps, Why.ALL)
        if each.is_full and amps >= on_wire(down(each.wanted_a)):
            return Share(amps, Why.GIVES_BACK, fuse, phase)
        return Share(amps, Why.FUSE, fuse, phase)
