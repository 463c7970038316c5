"""What a site looks like now: each fuse with what it carries, each outlet with its share and what decided on it."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from cpo.lib import clock
from stations.load_balancing import PAUSED, PHASES
from stations.models import ChargingSession, InstalledProfile, Location, PowerNode, PowerOutlet
from stations.services import load_balancer, site_building, site_limits

Amps = dict[int, Decimal]


@dataclass(slots=True)
class OutletState:
    """An outlet: its running session, what it may draw and draws, whether its safe limit lies there."""

    outlet: PowerOutlet
    session: ChargingSession | None
    safe_state: str  # of `InstalledProfile`; '' when it was never sent
    share_state: str


@dataclass(slots=True)
class FuseState:
    """A fuse: A on each phase that may flow, that the building draws, that vehicles draw and that they were given."""

    node: PowerNode
    depth: int
    limit_a: Amps
    building_a: Amps
    drawn_a: Amps
    given_a: Amps
    is_metered: bool
    outlets: list[OutletState] = field(default_factory=list)

    @property
    def free_a(self) -> Amps:
        """What could still be given; below 0 where too much was."""
        return {p: self.limit_a[p] - self.building_a[p] - self.given_a[p] for p in PHASES}


def read(location: Location, *, now: datetime | None = None) -> list[FuseState]:
    """Return the fuses of a site, each after the one above it; empty without a tree. Four statements."""
    now = now or clock.now()
    nodes = list(PowerNode.objects.filter(location=location).order_by("id"))
    outlets = list(
        PowerOutlet.objects.filter(node__location=location, evse__is_removed=False)
        .select_related("evse__station__location")
        .order_by("evse__station__identity", "evse__number")
    )
    active = ChargingSession.objects.active().filter(evse__in=[each.evse_id for each in outlets])
    running = {each.evse_id: each for each in active.order_by("started_at", "id")}
    told = site_limits.told(outlets, running)
    flowing = load_balancer.flowing(nodes, outlets)
    building = site_building.drawn_now(nodes, flowing, now=now)
    given = _given(nodes, outlets)
    states = {
        node.pk: FuseState(
            node, 0, site_building.limits(node), building[node.pk], flowing[node.pk], given[node.pk],
            site_building.is_fresh(node, now),
        )
        for node in nodes
    }  # fmt: skip
    for each in outlets:
        rows = told[each.pk]
        states[each.node_id].outlets.append(
            OutletState(each, running.get(each.evse_id), _state(rows.safe), _state(rows.share))
        )
    return _in_order(states)


def _given(nodes: list[PowerNode], outlets: list[PowerOutlet]) -> dict[int, Amps]:
    """Add up what outlets may draw: their shares, and what is kept back for those that cannot be told."""
    parents = {node.pk: node.parent_id for node in nodes}
    sums = {key: dict.fromkeys(PHASES, PAUSED) for key in parents}
    for each in outlets:
        kept = Decimal(str(each.why.get("amps", 0))) if each.why else PAUSED
        amps = kept or each.given_a or PAUSED
        load_balancer.add(sums, parents, each.node_id, load_balancer.phases_of(each), amps)
    return sums


def _in_order(states: dict[int, FuseState]) -> list[FuseState]:
    found: list[FuseState] = []

    def visit(parent: int | None, depth: int) -> None:
        for key, state in states.items():
            if state.node.parent_id == parent and depth < 20:
                state.depth = depth
                found.append(state)
                visit(key, depth + 1)

    visit(None, 0)
    return found


def _state(row: InstalledProfile | None) -> str:
    return row.state if row else ""
