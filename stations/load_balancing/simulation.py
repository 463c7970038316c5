"""A past day once more under other fuses or rules: what would have flowed, and what each vehicle would have lacked.

A vehicle that gets less than it drew then draws the rest later, as long as it stays, up to what its outlet gives.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from stations.load_balancing.share import Consumer, Rule, share
from stations.load_balancing.site import PAUSED, PHASES, Fuse, Site

Sums = Mapping[int, Mapping[int, Decimal]]  # fuse -> phase -> A


@dataclass(frozen=True, slots=True)
class Moment:
    """What was measured in a step: seconds since the begin, A per phase that each vehicle drew, and the building's.

    Vehicles that were plugged in and drew nothing have 0 in `drawn_a`.
    """

    at_s: int
    drawn_a: Mapping[int, Decimal]
    other_a: Sums = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Replayed:
    """A step as it was and as it would have been: sums per fuse and phase with the building, shares, draws."""

    at_s: int
    without_a: Sums
    with_a: Sums
    given_a: Mapping[int, Decimal]
    drawn_a: Mapping[int, Decimal]
    late_as: Mapping[int, Decimal]  # A·s per phase that each is behind

    @property
    def is_short(self) -> bool:
        """Tell whether anybody is behind what it drew then."""
        return any(value > 0 for value in self.late_as.values())


def replay(
    fuses: Sequence[Fuse],
    consumers: Iterable[Consumer],
    moments: Iterable[Moment],
    *,
    rule: Rule = Rule.FAIR,
    step_s: int = 300,
) -> list[Replayed]:
    """Share the site in each step among those who were there, as the balancer would have."""
    known = {each.key: each for each in consumers}
    late: dict[int, Decimal] = {}
    found = []
    for moment in moments:
        site = [replace(fuse, other_a=moment.other_a.get(fuse.key, fuse.other_a)) for fuse in fuses]
        here = {key: drawn for key, drawn in sorted(moment.drawn_a.items()) if key in known}
        late = {key: value for key, value in late.items() if key in here or value > 0}
        wanted = {
            key: min(drawn + late.get(key, PAUSED) / step_s, known[key].maximum_a)
            for key, drawn in here.items()
        }
        there = [
            replace(known[key], drawn_a=value, is_full=True) for key, value in wanted.items() if value > 0
        ]
        given = {key: each.amps for key, each in share(site, there, rule=rule).items()}
        drawn = {key: min(wanted[key], given.get(key, PAUSED)) for key in here}
        for key, before in here.items():
            late[key] = max(late.get(key, PAUSED) + (before - drawn[key]) * step_s, PAUSED)
        found.append(
            Replayed(
                moment.at_s, _sums(site, known, here), _sums(site, known, drawn), given, drawn, dict(late)
            )
        )
    return found


def _sums(fuses: Sequence[Fuse], known: Mapping[int, Consumer], drawn: Mapping[int, Decimal]) -> Sums:
    """Add up what flows through each fuse, the building included."""
    ways = Site(fuses).ways
    sums = {fuse.key: {phase: fuse.other_a.get(phase, PAUSED) for phase in PHASES} for fuse in fuses}
    for key, amps in drawn.items():
        for fuse in ways[known[key].fuse]:
            for phase in known[key].phases:
                sums[fuse][phase] += amps
    return sums
