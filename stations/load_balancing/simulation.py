"""A past day once more under other fuses or rules: what each vehicle would have got, and what it would have lacked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from stations.load_balancing.share import Consumer, Fuse, Rule, share


@dataclass(frozen=True, slots=True)
class Moment:
    """What was measured: seconds since the begin, A per phase that each consumer drew, and the building's."""

    at_s: int
    drawn_a: Mapping[int, Decimal]
    other_a: Mapping[int, Mapping[int, Decimal]]  # fuse -> phase -> A


@dataclass(frozen=True, slots=True)
class Replayed:
    """What would have been at a moment: the share of each, and the part of what it drew that did not fit."""

    at_s: int
    given_a: Mapping[int, Decimal]
    lacking_a: Mapping[int, Decimal]

    @property
    def is_short(self) -> bool:
        """Tell whether anybody would have drawn less than it did."""
        return any(value > 0 for value in self.lacking_a.values())


def replay(
    fuses: Sequence[Fuse], consumers: Iterable[Consumer], moments: Iterable[Moment], *, rule: Rule = Rule.FAIR
) -> list[Replayed]:
    """Share the site at each moment among those who drew then, as the balancer would have."""
    known = {each.key: each for each in consumers}
    found = []
    for moment in moments:
        site = [replace(fuse, other_a=moment.other_a.get(fuse.key, fuse.other_a)) for fuse in fuses]
        there = [
            replace(known[key], drawn_a=drawn, is_full=True)
            for key, drawn in sorted(moment.drawn_a.items())
            if key in known and drawn > 0
        ]
        given = share(site, there, rule=rule)
        lacking = {
            each.key: max((each.drawn_a or Decimal(0)) - given[each.key], Decimal(0)) for each in there
        }
        found.append(Replayed(moment.at_s, given, lacking))
    return found
