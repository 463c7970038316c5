"""Falls before rises: what a station may still draw by its last limit is not given to another one.

A limit that was lowered counts with its old value until the station has confirmed the new one; so even while limits
travel, in whatever order, the sum stays under every fuse.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from stations.load_balancing.site import PAUSED, Draw, Fuse, Site, down, on_wire, up

SMALL_A = Decimal(1)  # a part of a rise that is not worth a message of its own


@dataclass(frozen=True, slots=True)
class Wish:
    """A share that is to be told: `held_a` is the highest limit by which the station may draw now."""

    key: int
    fuse: int
    phases: tuple[int, ...]
    share_a: Decimal
    held_a: Decimal
    minimum_a: Decimal = Decimal(6)


def staged(fuses: Iterable[Fuse], wishes: Iterable[Wish], draws: Iterable[Draw] = ()) -> dict[int, Decimal]:
    """Return what each may be told now: its share where that is no rise, else as much of it as is free already."""
    site = Site(sorted(fuses, key=lambda fuse: fuse.key), draws)
    order = sorted(wishes, key=lambda wish: wish.key)
    places = {wish.key: site.places(wish.fuse, wish.phases) for wish in order}
    for wish in order:
        site.take(places[wish.key], up(wish.held_a))
    found = {}
    for wish in order:
        found[wish.key] = wish.share_a
        if wish.share_a <= wish.held_a:
            continue
        free = on_wire(max(site.room(places[wish.key]), 0))
        told = min(wish.share_a, wish.held_a + free)
        if told < wish.share_a and (told < wish.minimum_a or told - wish.held_a < SMALL_A):
            told = wish.held_a if wish.held_a >= wish.minimum_a else PAUSED
        if told > wish.held_a:
            site.take(places[wish.key], up(told) - down(wish.held_a))
        found[wish.key] = told
    return found
