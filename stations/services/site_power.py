"""The power tree of a site: built, checked, paused, taken down."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet

from cpo.lib import clock, events
from stations.events import SitePowerChanged
from stations.load_balancing import Why
from stations.load_balancing.wiring import count_of, rotation_of
from stations.models import Evse, Location, PowerNode, PowerOutlet, Variable
from stations.services import load_balancer, site_limits, site_measurements
from stations.services.errors import InvalidSite

Limits = tuple[Decimal, Decimal, Decimal]
ROTATION = ("ConnectorPhaseRotation", "PhaseRotation")  # of 1.6, of 2.x
LEAST_A = Decimal(6)  # IEC 61851-1
MOST_A = Decimal(10_000)
AC_ROTATIONS = frozenset(
    {"1", "2", "3", "12", "13", "21", "23", "31", "32", "123", "132", "213", "231", "312", "321"}
)


@dataclass(frozen=True, slots=True)
class FusePlan:
    """A fuse as somebody wants it; `parent` is the name of the one above, '' for the grid connection."""

    name: str
    limits_a: Limits
    parent: str = ""
    assumed_a: Decimal | None = None
    meter: str = PowerNode.Meter.BUILDING


@dataclass(frozen=True, slots=True)
class OutletPlan:
    """An EVSE as it shall hang on the fuse of this name."""

    evse: Evse
    fuse: str
    rotation: str = "123"
    priority: int = 0
    minimum_a: Decimal = LEAST_A
    maximum_a: Decimal = Decimal(32)
    safe_wanted_a: Decimal | None = None
    efficiency_percent: Decimal = Decimal(94)
    power_factor: Decimal = Decimal("0.98")

    @property
    def evse_key(self) -> int:
        return int(self.evse.pk)


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole power tree."""

    fuses: list[FusePlan]
    outlets: list[OutletPlan]
    rule: str = PowerNode.Rule.FAIR
    voltage_v: Decimal = Decimal(230)


def plan_of(location: Location) -> Plan:
    """Return the tree as it is, to be changed and saved; one without fuses where there is none."""
    nodes = list(PowerNode.objects.filter(location=location).select_related("parent").order_by("id"))
    outlets = PowerOutlet.objects.filter(node__location=location).select_related("node", "evse__station")
    root = next((node for node in nodes if node.parent_id is None), None)
    return Plan(
        fuses=[
            FusePlan(
                node.name,
                (node.limit_l1_a, node.limit_l2_a, node.limit_l3_a),
                node.parent.name if node.parent else "",
                node.assumed_a,
                node.meter,
            )
            for node in nodes
        ],
        outlets=[
            OutletPlan(
                each.evse, each.node.name, each.rotation, each.priority, each.minimum_a, each.maximum_a,
                each.safe_wanted_a, each.efficiency_percent, each.power_factor,
            )
            for each in outlets
        ],
        rule=root.rule if root else PowerNode.Rule.FAIR,
        voltage_v=root.voltage_v if root else Decimal(230),
    )  # fmt: skip


def suggested(evses: Iterable[Evse], *, nominal_v: Decimal = Decimal(230)) -> dict[int, OutletPlan]:
    """Return how EVSEs would hang on a fuse by what is known of them: connectors, the rotation that stations tell.

    Their connectors should be prefetched: one statement more.
    """
    evses = list(evses)
    told: dict[int, list[Variable]] = {}
    rows = Variable.objects.filter(
        station__in={evse.station_id for evse in evses}, name__in=ROTATION, attribute="Actual"
    )
    for row in rows.order_by("-evse_number"):
        told.setdefault(row.station_id, []).append(row)
    return {evse.pk: _suggested(evse, told.get(evse.station_id, []), nominal_v) for evse in evses}


def save(location: Location, plan: Plan, *, requested_by: str = "") -> PowerNode:
    """Make the tree what is planned; safe limits are laid anew. Return its grid connection.

    Fuses are known by their names. Raise `InvalidSite` with everything that cannot be.
    """
    check(location, plan)
    with transaction.atomic():
        gone = _write(location, plan)
    for outlet in gone:
        site_limits.lift(outlet, requested_by=requested_by)
    load_balancer.install_safe(location, requested_by=requested_by or load_balancer.SOURCE)
    events.publish(SitePowerChanged(location.pk))
    return PowerNode.objects.get(location=location, parent=None)


def remove(location: Location, *, requested_by: str = "") -> None:
    """Take a tree down: its limits are taken back from all stations."""
    outlets = list(_outlets(location))
    for outlet in outlets:
        site_limits.lift(outlet, requested_by=requested_by)
    PowerNode.objects.filter(location=location).delete()
    events.publish(SitePowerChanged(location.pk))


def pause(location: Location, *, requested_by: str = "") -> None:
    """Give no shares any more: every outlet falls back to its safe limit, which stays."""
    PowerNode.objects.filter(location=location, parent=None).update(is_active=False)
    for outlet in _outlets(location):
        site_limits.lift(outlet, sources=[site_limits.SOURCE], requested_by=requested_by)
    load_balancer.balance(location)


def resume(location: Location) -> None:
    """Give shares again."""
    PowerNode.objects.filter(location=location, parent=None).update(is_active=True)
    load_balancer.balance(location)


# --- what cannot be


def check(location: Location, plan: Plan) -> None:
    """Raise `InvalidSite` with all faults of a plan, each with the path of what is wrong."""
    faults = [*_tree_faults(plan), *_outlet_faults(location, plan)]
    if not faults:
        faults = _safe_faults(plan)
    if faults:
        raise InvalidSite(faults)


def warnings(location: Location) -> list[str]:
    """Say what may be meant, but deserves a look."""
    plan = plan_of(location)
    limits = {fuse.name: fuse.limits_a for fuse in plan.fuses}
    found = []
    for fuse in plan.fuses:
        above = limits.get(fuse.parent)
        if above and any(mine > theirs for mine, theirs in zip(fuse.limits_a, above, strict=True)):
            found.append(f"{fuse.name} lets more through than {fuse.parent} above it.")
    unable = _outlets(location).filter(safe_a=0).count()
    if unable:
        found.append(
            f"{unable} of the outlets cannot charge while the platform is away: their safe limit is 0 A."
        )
    return found


def _tree_faults(plan: Plan) -> Iterable[tuple[str, str]]:
    names = [fuse.name for fuse in plan.fuses]
    tops = [fuse.name for fuse in plan.fuses if not fuse.parent]
    if not plan.fuses:
        yield "fuses", "A site needs one fuse at least: its grid connection."
    elif len(tops) != 1:
        which = ", ".join(tops) if tops else "none"
        yield (
            "fuses",
            f"Exactly one fuse is the grid connection and hangs below no other; here it is: {which}.",
        )
    parents = {fuse.name: fuse.parent for fuse in plan.fuses}
    for number, fuse in enumerate(plan.fuses):
        path = f"fuses.{number}"
        if not fuse.name.strip():
            yield f"{path}.name", "A fuse needs a name, such as the one on its label."
        elif names.count(fuse.name) > 1:
            yield f"{path}.name", f"Two fuses are named {fuse.name}."
        if fuse.parent and fuse.parent not in parents:
            yield f"{path}.parent", f"There is no fuse named {fuse.parent}."
        elif _is_loop(fuse.name, parents):
            yield f"{path}.parent", f"{fuse.name} hangs below itself."
        if any(not 0 <= value <= MOST_A for value in fuse.limits_a) or not any(fuse.limits_a):
            yield f"{path}.limits_a", f"{fuse.name}: give A for each phase, 0 for a phase that is not there."
        if fuse.assumed_a is not None and not 0 <= fuse.assumed_a <= MOST_A:
            yield f"{path}.assumed_a", f"{fuse.name}: what the building draws is 0 A or more."
    if not Decimal(100) <= plan.voltage_v <= Decimal(400):
        yield "voltage_v", "Give the voltage between a phase and the neutral, such as 230 V."


def _is_loop(name: str, parents: dict[str, str]) -> bool:
    seen: set[str] = set()
    at = name
    while at:
        if at in seen:
            return True
        seen.add(at)
        at = parents.get(at, "")
    return False


def _outlet_faults(location: Location, plan: Plan) -> Iterable[tuple[str, str]]:
    limits = {fuse.name: fuse.limits_a for fuse in plan.fuses}
    seen: set[int] = set()
    for number, outlet in enumerate(plan.outlets):
        path, who = f"outlets.{number}", f"{outlet.evse.station.identity} connector {outlet.evse.number}"
        connector = max(outlet.evse.connectors.all(), key=lambda c: c.max_amperage_a, default=None)
        is_dc = connector is not None and connector.power_type == "DC"
        if outlet.evse.station.location_id != location.pk:
            yield f"{path}.evse", f"{who} stands at another site."
        if outlet.evse_key in seen:
            yield f"{path}.evse", f"{who} hangs on two fuses."
        seen.add(outlet.evse_key)
        if outlet.fuse not in limits:
            yield f"{path}.fuse", f"{who}: there is no fuse named {outlet.fuse}."
        if outlet.rotation not in AC_ROTATIONS:
            yield f"{path}.rotation", f"{who}: phases are written as 123, 231 or 2, each phase once."
        elif connector is not None and len(outlet.rotation) > count_of(connector.power_type):
            yield f"{path}.rotation", f"{who} has one phase only: name the one that it hangs on."
        elif is_dc and len(outlet.rotation) != 3:
            yield f"{path}.rotation", f"{who} draws from all three phases."
        elif outlet.fuse in limits and any(not limits[outlet.fuse][int(p) - 1] for p in outlet.rotation):
            yield f"{path}.rotation", f"{who}: {outlet.fuse} has no such phase."
        if not is_dc and outlet.minimum_a < LEAST_A:
            yield f"{path}.minimum_a", f"{who}: below 6 A no vehicle charges."
        if not 0 < outlet.minimum_a <= outlet.maximum_a <= MOST_A:
            yield f"{path}.maximum_a", f"{who}: the smallest current must not be above the largest."
        safe = outlet.safe_wanted_a
        if safe is not None and safe != 0 and not outlet.minimum_a <= safe <= outlet.maximum_a:
            yield (
                f"{path}.safe_a",
                f"{who}: the safe current is 0, or between the smallest and the largest one.",
            )
        if not 50 <= outlet.efficiency_percent <= 100 or not Decimal("0.5") <= outlet.power_factor <= 1:
            yield (
                f"{path}.efficiency_percent",
                f"{who}: efficiency is 50 to 100 %, the power factor 0.5 to 1.",
            )


def _safe_faults(plan: Plan) -> list[tuple[str, str]]:
    """Say where the safe currents that somebody chose do not fit, all at once."""
    keys = {fuse.name: n for n, fuse in enumerate(plan.fuses, 1)}
    names = {n: name for name, n in keys.items()}
    nodes = [
        PowerNode(
            pk=keys[fuse.name], name=fuse.name, parent_id=keys.get(fuse.parent), limit_l1_a=fuse.limits_a[0],
            limit_l2_a=fuse.limits_a[1], limit_l3_a=fuse.limits_a[2], assumed_a=fuse.assumed_a,
        )
        for fuse in plan.fuses
    ]  # fmt: skip
    chosen = [
        PowerOutlet(
            pk=n, node_id=keys[outlet.fuse], rotation=outlet.rotation, minimum_a=outlet.minimum_a,
            maximum_a=outlet.maximum_a, safe_wanted_a=outlet.safe_wanted_a,
        )
        for n, outlet in enumerate(plan.outlets)
        if outlet.safe_wanted_a
    ]  # fmt: skip
    found = []
    for n, each in load_balancer.safe_shares(nodes, chosen, now=clock.now(), is_stored=False).items():
        if each.why is Why.NO_ROOM and each.fuse is not None:
            outlet = plan.outlets[n]
            who = f"{outlet.evse.station.identity} connector {outlet.evse.number}"
            place = f"L{each.phase} of {names[each.fuse]}"
            found.append(
                (
                    f"outlets.{n}.safe_a",
                    f"{who}: the safe currents together are more than {place} lets through.",
                )
            )
    return found


# --- inside


def _write(location: Location, plan: Plan) -> list[PowerOutlet]:
    """Write the rows; return the outlets that hang on no fuse any more."""
    Location.objects.select_for_update(no_key=True).get(pk=location.pk)
    now = clock.now()
    known = {node.name: node for node in PowerNode.objects.select_for_update().filter(location=location)}
    before = {each.evse_id: each for each in _outlets(location)}
    was_active = next((node.is_active for node in known.values() if node.parent_id is None), True)
    wanted = {fuse.name for fuse in plan.fuses}
    for fuse in plan.fuses:
        node = known.get(fuse.name) or PowerNode(location=location, name=fuse.name)
        node.limit_l1_a, node.limit_l2_a, node.limit_l3_a = fuse.limits_a
        node.assumed_a, node.meter = fuse.assumed_a, fuse.meter
        node.rule, node.voltage_v, node.is_active = plan.rule, plan.voltage_v, was_active
        node.safe_at, node.last_updated = None, now
        if node.pk is None:
            node.save()
        known[fuse.name] = node
    for fuse in plan.fuses:
        node = known[fuse.name]
        node.parent = known[fuse.parent] if fuse.parent else None
        node.save()
    stay = {outlet.evse_key for outlet in plan.outlets}
    gone = [each for key, each in before.items() if key not in stay]
    for outlet in plan.outlets:
        PowerOutlet.objects.update_or_create(
            evse_id=outlet.evse_key,
            defaults={
                "node": known[outlet.fuse], "rotation": outlet.rotation, "priority": outlet.priority,
                "minimum_a": outlet.minimum_a, "maximum_a": outlet.maximum_a, "used": "",
                "safe_wanted_a": outlet.safe_wanted_a, "efficiency_percent": outlet.efficiency_percent,
                "power_factor": outlet.power_factor,
            },
        )  # fmt: skip
    PowerOutlet.objects.filter(pk__in=[each.pk for each in gone]).delete()
    for name, node in known.items():
        if name not in wanted:
            PowerNode.objects.filter(parent=node).update(parent=None)
            node.delete()
    return gone


def _outlets(location: Location) -> QuerySet[PowerOutlet]:
    return (
        PowerOutlet.objects.filter(node__location=location)
        .select_related("evse__station__location")
        .order_by("id")
    )


def _suggested(evse: Evse, told: list[Variable], nominal_v: Decimal) -> OutletPlan:
    connector = max(evse.connectors.all(), key=lambda c: c.max_amperage_a, default=None)
    base = OutletPlan(evse, "")
    if connector is None:
        return base
    is_dc = connector.power_type == "DC"
    factor = base.efficiency_percent / 100 * base.power_factor
    rated = site_measurements.rated_a(connector, nominal_v=nominal_v, factor=factor)
    mine = (row.value or "" for row in told if row.evse_number in (0, evse.number))
    rotation = next(filter(None, (rotation_of(value, evse.number) for value in mine)), "123")
    return replace(
        base,
        rotation="123" if is_dc else rotation[: count_of(connector.power_type)],
        minimum_a=Decimal(1) if is_dc else LEAST_A,
        maximum_a=rated,
    )
