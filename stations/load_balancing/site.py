"""The fuses of a site as a tree, and what is left on each phase of each of them (A per phase).

Inside, currents are whole hundredths of an ampere: exact, and fast enough for hundreds of outlets.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_UP, Decimal

PHASES = (1, 2, 3)
PAUSED = Decimal(0)
STEP = Decimal("0.1")  # of a limit on the wire
HUNDREDTHS = 100


@dataclass(frozen=True, slots=True)
class Fuse:
    """A node of the tree: what may flow on each phase, and what else flows there (the building), in A per phase."""

    key: int
    limit_a: Mapping[int, Decimal]
    parent: int | None = None
    other_a: Mapping[int, Decimal] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Draw:
    """What flows, or may flow, whatever is decided: nobody can lower it now. It counts up to the grid."""

    fuse: int
    phases: tuple[int, ...]
    amps: Decimal


class Site:
    """What is left on each phase of each fuse. Raise `ValueError` for a loop or an unknown parent or fuse."""

    def __init__(self, fuses: Iterable[Fuse], draws: Iterable[Draw] = ()) -> None:
        known = list(fuses)
        self.parents = {fuse.key: fuse.parent for fuse in known}
        self.ways = {fuse.key: self._way(fuse.key) for fuse in known}
        self.index = {
            (fuse.key, phase): 3 * n + phase - 1 for n, fuse in enumerate(known) for phase in PHASES
        }
        self.names = {number: place for place, number in self.index.items()}
        self.left = [0] * (3 * len(known))
        for fuse in known:
            for phase in PHASES:
                free = fuse.limit_a.get(phase, PAUSED) - max(fuse.other_a.get(phase, PAUSED), PAUSED)
                self.left[self.index[fuse.key, phase]] = max(down(free), 0)
        for draw in draws:
            self.take(self.places(draw.fuse, draw.phases), up(draw.amps))

    def places(self, fuse: int, phases: Sequence[int]) -> tuple[int, ...]:
        """Return the numbers of all places through which a current flows, up to the grid."""
        if fuse not in self.ways:
            raise ValueError(f"{fuse} is no fuse of the site")
        return tuple(self.index[key, phase] for key in self.ways[fuse] for phase in phases)

    def room(self, places: Sequence[int]) -> int:
        """Return what may flow more; below 0 where there is too much already."""
        return min(self.left[place] for place in places)

    def tightest(self, places: Sequence[int]) -> tuple[int, int]:
        """Return the fuse and the phase with the least room, the one nearest to the outlet of several."""
        return self.names[min(places, key=lambda place: self.left[place])]

    def take(self, places: Sequence[int], amount: int) -> None:
        """Let so much flow through these places."""
        for place in places:
            self.left[place] -= amount

    def _way(self, key: int) -> list[int]:
        way: list[int] = []
        at: int | None = key
        while at is not None:
            if at in way or at not in self.parents:
                raise ValueError(f"fuse {key} does not lead to the grid")
            way.append(at)
            at = self.parents[at]
        return way


def down(amps: Decimal) -> int:
    """Return whole hundredths, rounded down."""
    return int((amps * HUNDREDTHS).to_integral_value(ROUND_DOWN))


def up(amps: Decimal) -> int:
    """Return whole hundredths, rounded up."""
    return int((amps * HUNDREDTHS).to_integral_value(ROUND_UP))


def on_wire(hundredths: int) -> Decimal:
    """Return A as stations are told them: whole tenths, rounded down."""
    return (Decimal(hundredths) / HUNDREDTHS).quantize(STEP, rounding=ROUND_DOWN)
