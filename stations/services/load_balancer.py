"""The load balancer of sites: fuses and vehicles in, limits of EVSEs out, for 1.6 and 2.x chargers alike.

The sweep is the guarantee. Each share ends by itself after its lease; then, and when a station is away, what holds is
the safe limit: a default on each outlet, all of them together under every fuse (`site_limits`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.db import transaction

from cpo.lib import clock, events
from stations.events import SitePowerChanged
from stations.load_balancing import (
    PAUSED,
    PHASES,
    Consumer,
    Draw,
    Fuse,
    Rule,
    Share,
    Wiring,
    Wish,
    share,
    staged,
)
from stations.models import ChargingSession, Location, PowerNode, PowerOutlet
from stations.services import site_building, site_caps, site_limits, site_measurements
from stations.services.errors import StationsError
from stations.services.site_caps import Others
from stations.services.site_measurements import Measured

log = structlog.get_logger(__name__)
SOURCE, SAFE = site_limits.SOURCE, site_limits.SAFE
FULL_AFTER = timedelta(minutes=2)  # of drawing less than the share
SLACK_A = Decimal("1.5")  # below the share, and it is not made use of; less than share.HEADROOM_A
IGNORED_AFTER = timedelta(minutes=1)  # of drawing more than the limit
OVER_A, OVER_PART = Decimal(2), Decimal("0.1")  # above the limit, and it is not kept: A, or part of it
TURN_S = 900  # of charging, and those who wait come first
RENEW_PART = 0.4  # of a lease that is left: it is renewed
RECKON_EVERY = timedelta(hours=1)  # safe limits are computed again
SAVED = [
    "given_a", "until", "drawn_a", "why", "below_since", "above_since", "session_id", "used", "served_s",
]  # fmt: skip


@dataclass(slots=True)
class Vehicle:
    """An outlet with its running session while shares are found."""

    outlet: PowerOutlet
    session: ChargingSession
    wiring: Wiring
    maximum_a: Decimal
    capped_by: str
    held_a: Decimal


@dataclass(slots=True)
class Site:
    """The rows of one site while it is balanced."""

    location: Location
    nodes: list[PowerNode]
    outlets: list[PowerOutlet]
    now: datetime
    running: dict[int, ChargingSession] = field(default_factory=dict)  # by EVSE
    measured: dict[int, Measured] = field(default_factory=dict)  # by session
    told: dict[int, site_limits.Told] = field(default_factory=dict)  # by outlet
    wirings: dict[int, Wiring] = field(default_factory=dict)  # by outlet

    @property
    def root(self) -> PowerNode:
        return next(node for node in self.nodes if node.parent_id is None)


def sweep() -> int:
    """Balance every site; return how many limits were changed."""
    count = 0
    roots = PowerNode.objects.filter(parent=None).select_related("location")
    for root in roots.order_by("id"):
        try:
            count += balance(root.location)
        except (StationsError, ValueError) as error:
            log.warning("a site is not balanced", location=root.location_id, error=str(error))
    return count


def balance(location: Location) -> int:
    """Share the power of a site now and tell what changed; return how many limits were sent.

    A site that is paused keeps its safe limits. A limit rises only once those that fall for it are confirmed.
    """
    now = clock.now()
    with transaction.atomic():
        site = read(location, now)
        if site is None:
            return 0
        due = _plan(site) if site.root.is_active else _rest(site)
        PowerOutlet.objects.bulk_update(site.outlets, SAVED)
        PowerNode.objects.filter(pk__in=[node.pk for node in site.nodes]).update(balanced_at=now)
    count = keep_safe(site)
    until = now + site_limits.lease()
    for vehicle in due:
        amps = vehicle.outlet.given_a
        assert amps is not None
        if site_limits.tell(vehicle.outlet, vehicle.session, vehicle.wiring, amps=amps, until=until):
            PowerOutlet.objects.filter(pk=vehicle.outlet.pk).update(until=until)
            count += 1
    events.publish(SitePowerChanged(location.pk))
    return count


def keep_safe(site: Site, *, requested_by: str = SOURCE) -> int:
    """See to it that each outlet has its safe limit; reckon them anew once an hour, or when the tree changed.

    Return how many were sent.
    """
    root = site.root
    lacking = any(outlet.safe_a is None for outlet in site.outlets)
    again = lacking or root.safe_at is None or site.now - root.safe_at > RECKON_EVERY
    if again:
        _reckon_safe(site)
    count = 0
    for outlet in site.outlets:
        rows = site.told[outlet.pk]
        wiring = _grid_wiring(outlet, root.voltage_v)
        was_refused = rows.safe is not None and rows.safe.state == "refused"
        if site_limits.safe_lies(outlet, rows, wiring) and not (again and was_refused):
            continue
        assert outlet.safe_a is not None
        count += site_limits.tell_safe(outlet, wiring, amps=outlet.safe_a, requested_by=requested_by)
    return count


def install_safe(location: Location, *, requested_by: str = SOURCE) -> dict[int, Decimal]:
    """Reckon the safe limits anew and lay them where they differ; return A by the id of the EVSE.

    All at once they stay under every fuse, without a balancer. Stations that are away get theirs when they are back.
    """
    with transaction.atomic():
        site = read(location, clock.now())
    if site is None:
        return {}
    site.root.safe_at = None
    keep_safe(site, requested_by=requested_by)
    return {each.evse_id: each.safe_a for each in site.outlets if each.safe_a is not None}


def read(location: Location, now: datetime) -> Site | None:
    """Read and lock the rows of a site; None without a grid connection."""
    nodes = list(PowerNode.objects.select_for_update().filter(location=location).order_by("id"))
    if not any(node.parent_id is None for node in nodes):
        return None
    outlets = list(
        PowerOutlet.objects.select_for_update(of=["self"])
        .filter(node__location=location, evse__is_removed=False)
        .select_related("evse__station__location")
        .prefetch_related("evse__connectors")
        .order_by("id")
    )
    site = Site(location, nodes, outlets, now)
    active = ChargingSession.objects.active().filter(evse__in=[each.evse_id for each in outlets])
    site.running = {session.evse_id: session for session in active.order_by("started_at", "id")}
    site.measured = site_measurements.latest(site.running.values(), now=now)
    site.told = site_limits.told(outlets, site.running)
    for each in outlets:
        site.wirings[each.pk] = _grid_wiring(each, site.root.voltage_v)
    return site


def safe_shares(
    nodes: Iterable[PowerNode], outlets: Iterable[PowerOutlet], *, now: datetime, is_stored: bool = True
) -> dict[int, Share]:
    """Return what each outlet may draw when all draw at once and nobody balances, by the outlets' ids.

    Of a tree that is not stored yet nothing was metered.
    """
    nodes = list(nodes)
    building = site_building.drawn_at_most(nodes, now=now if is_stored else None)
    fuses = [Fuse(n.pk, site_building.limits(n), n.parent_id, building[n.pk]) for n in nodes]
    everybody = []
    for each in outlets:
        wanted = each.safe_wanted_a
        everybody.append(
            Consumer(
                key=each.pk,
                fuse=each.node_id,
                phases=tuple(int(phase) for phase in each.rotation),
                maximum_a=each.maximum_a if wanted is None else wanted,
                minimum_a=each.minimum_a if wanted is None else wanted,
                priority=1 if wanted else 0,
                since=each.pk,
            )
        )
    return share(fuses, everybody)


# --- inside


def _reckon_safe(site: Site) -> None:
    shares = safe_shares(site.nodes, site.outlets, now=site.now)
    for each in site.outlets:
        each.safe_a = shares[each.pk].amps
    PowerOutlet.objects.bulk_update(site.outlets, ["safe_a"])
    site.root.safe_at = site.now
    PowerNode.objects.filter(pk=site.root.pk).update(safe_at=site.now)


def _plan(site: Site) -> list[Vehicle]:
    """Find each share and write it onto its outlet; return whom it must be told."""
    others = site_caps.of({each.evse.station for each in site.outlets}, site.running.values())
    draws: list[Draw] = []
    vehicles: dict[int, Vehicle] = {}
    for outlet in site.outlets:
        session = site.running.get(outlet.evse_id)
        _begin(site, outlet, session)
        if not outlet.evse.station.is_online:
            draws += _of_absent(site, outlet)
        elif session is not None:
            vehicle = _vehicle(site, outlet, session, others)
            fixed = _fixed(site, vehicle, others)
            draws += fixed
            if not fixed:
                vehicles[outlet.pk] = vehicle
    fuses = _fuses(site, others, vehicles)
    homes = {fuse.key for fuse in fuses}
    consumers = [_consumer(each, homes, others) for each in vehicles.values()]
    shares = share(fuses, consumers, draws, rule=Rule(site.root.rule))
    wishes = [
        Wish(c.key, c.fuse, c.phases, shares[c.key].amps, vehicles[c.key].held_a, c.minimum_a)
        for c in consumers
    ]
    allowed = staged(fuses, wishes, draws)
    return [vehicle for key, vehicle in vehicles.items() if _keep(site, vehicle, shares[key], allowed[key])]


def _rest(site: Site) -> list[Vehicle]:
    """Only measure: the site is paused."""
    for outlet in site.outlets:
        _begin(site, outlet, site.running.get(outlet.evse_id))
        outlet.given_a, outlet.until, outlet.why = None, None, {"why": "site_paused"}
    return []


def _begin(site: Site, outlet: PowerOutlet, session: ChargingSession | None) -> None:
    """Note what is measured; who came new begins anew."""
    if outlet.session_id != (session.pk if session else None):
        outlet.session_id, outlet.used, outlet.served_s = session.pk if session else None, "", 0
        outlet.below_since = outlet.above_since = outlet.given_a = outlet.until = None
    measured = site.measured.get(session.pk, Measured()) if session else Measured()
    site.wirings[outlet.pk] = site_measurements.wiring_of(
        outlet, nominal_v=site.root.voltage_v, measured=measured, used=outlet.used
    )
    outlet.drawn_a = site_measurements.drawn_by(site.wirings[outlet.pk], measured) if session else None
    if session is None:
        outlet.why = {"why": "free"}


def _of_absent(site: Site, outlet: PowerOutlet) -> list[Draw]:
    """Keep back what a station may draw that cannot be told: somebody may charge there without us."""
    if outlet.evse.station.last_seen_at is None:
        outlet.why = {"why": "never_seen"}
        return []
    wiring = _grid_wiring(outlet, site.root.voltage_v)
    rows = site.told[outlet.pk]
    held = site_limits.held_a(outlet, rows, site.wirings[outlet.pk], now=site.now)
    if outlet.until is not None and site.now >= outlet.until and rows.has_safe:
        held = outlet.safe_a or PAUSED
    held = max(held, outlet.drawn_a or PAUSED)
    outlet.why = {"why": "away", "amps": str(held)}
    return [Draw(outlet.node_id, wiring.phases, held)]


def _vehicle(site: Site, outlet: PowerOutlet, session: ChargingSession, others: Others) -> Vehicle:
    measured = site.measured.get(session.pk, Measured())
    needs = others.needs.get(session.pk)
    outlet.used = site_measurements.used_by(site.wirings[outlet.pk], measured, needs, outlet.used)
    wiring = site_measurements.wiring_of(
        outlet, nominal_v=site.root.voltage_v, measured=measured, used=outlet.used
    )
    site.wirings[outlet.pk] = wiring
    outlet.drawn_a = site_measurements.drawn_by(wiring, measured)
    cap = others.cap_a(outlet, session, wiring, now=site.now)
    is_capped = cap is not None and cap < outlet.maximum_a
    held = site_limits.held_a(outlet, site.told[outlet.pk], wiring, now=site.now)
    return Vehicle(
        outlet, session, wiring, cap if is_capped and cap is not None else outlet.maximum_a,
        "others" if is_capped else "", held,
    )  # fmt: skip


def _fixed(site: Site, vehicle: Vehicle, others: Others) -> list[Draw]:
    """Give what a vehicle draws that follows no share of ours: priority charging, limits not taken or not kept."""
    outlet, wiring = vehicle.outlet, vehicle.wiring
    if site.told[outlet.pk].is_uncontrolled:
        outlet.why = {"why": "uncontrolled", "amps": str(vehicle.maximum_a)}
        outlet.given_a, outlet.until = vehicle.maximum_a, None
        return [Draw(outlet.node_id, wiring.phases, vehicle.maximum_a)]
    if vehicle.session.pk in others.prioritised:  # its profile overrules ours (K21.FR.03)
        outlet.why = {"why": "priority", "amps": str(vehicle.maximum_a)}
        outlet.given_a, outlet.until = vehicle.maximum_a, None
        return [Draw(outlet.node_id, wiring.phases, vehicle.maximum_a)]
    drawn = outlet.drawn_a
    most = vehicle.held_a + max(OVER_A, vehicle.held_a * OVER_PART)
    if drawn is None or drawn <= most:
        outlet.above_since = None
        return []
    outlet.above_since = outlet.above_since or site.now
    if site.now - outlet.above_since < IGNORED_AFTER:
        return []
    outlet.why = {"why": "ignores", "amps": str(drawn), "limit": str(vehicle.held_a)}
    _tell_ignored(vehicle, drawn)
    return [Draw(outlet.node_id, wiring.phases, drawn)]


def _tell_ignored(vehicle: Vehicle, drawn: Decimal) -> None:
    station, number = vehicle.outlet.evse.station, vehicle.outlet.evse.number
    site_limits.tell_once(
        f"limit_ignored:{vehicle.session.pk}",
        summary=f"{station.identity}: connector {number} draws {drawn} A, its limit is {vehicle.held_a} A",
        station=station,
        session=vehicle.session,
        facts={"evse": number, "drawn_a": str(drawn), "limit_a": str(vehicle.held_a)},
    )


def _fuses(site: Site, others: Others, vehicles: dict[int, Vehicle]) -> list[Fuse]:
    """Return the fuses with what the building draws, and one for each station that others limit as a whole."""
    building = site_building.drawn_now(site.nodes, flowing(site.nodes, site.outlets), now=site.now)
    fuses = [Fuse(n.pk, site_building.limits(n), n.parent_id, building[n.pk]) for n in site.nodes]
    homes: dict[int, list[Vehicle]] = {}
    for each in vehicles.values():
        homes.setdefault(each.outlet.evse.station_id, []).append(each)
    for station_id, here in homes.items():
        nodes = {each.outlet.node_id for each in here}
        if len(here) < 2 or len(nodes) > 1:
            continue  # its own limit holds for one vehicle already
        limit = others.station_a(here[0].outlet.evse.station, here[0].wiring, now=site.now)
        if limit is not None:
            fuses.append(Fuse(-station_id, dict.fromkeys(PHASES, limit), nodes.pop()))
    return fuses


def _consumer(vehicle: Vehicle, homes: set[int], others: Others) -> Consumer:
    outlet, drawn = vehicle.outlet, vehicle.outlet.drawn_a
    if outlet.given_a is None or outlet.given_a > 0:  # who is paused shows nothing
        makes_use = drawn is None or outlet.given_a is None or drawn > outlet.given_a - SLACK_A
        outlet.below_since = None if makes_use else outlet.below_since or clock.now()
    waits = outlet.below_since is not None and clock.now() - outlet.below_since >= FULL_AFTER
    of_station = -outlet.evse.station_id
    return Consumer(
        key=outlet.pk,
        fuse=of_station if of_station in homes else outlet.node_id,
        phases=vehicle.wiring.phases,
        maximum_a=vehicle.maximum_a,
        minimum_a=outlet.minimum_a,
        priority=outlet.priority,
        drawn_a=drawn,
        is_full=waits,
        turns=outlet.served_s // TURN_S,
        since=vehicle.session.pk,
    )


def _keep(site: Site, vehicle: Vehicle, found: Share, allowed: Decimal) -> bool:
    """Write a share onto its outlet; True when it must be told."""
    outlet, before = vehicle.outlet, vehicle.outlet.given_a
    outlet.why = {
        "why": found.why.value, "fuse": found.fuse, "phase": found.phase, "share": str(found.amps),
        "capped_by": vehicle.capped_by if found.why.value in ("all", "below_minimum") else "",
        "waits": allowed < found.amps,
    }  # fmt: skip
    if before is None and allowed < found.amps and allowed <= vehicle.held_a:
        return False  # the safe limit holds until there is room
    if before and outlet.drawn_a and outlet.drawn_a >= 1:
        outlet.served_s += _since(site)
    outlet.given_a = allowed
    lease = site_limits.lease()
    runs_out = outlet.until is None or outlet.until - site.now < lease * RENEW_PART
    row = site.told[outlet.pk].share
    return allowed != before or runs_out or row is None


def _since(site: Site) -> int:
    before = site.root.balanced_at
    return 0 if before is None else min(max(int((site.now - before).total_seconds()), 0), TURN_S)


def _grid_wiring(outlet: PowerOutlet, nominal_v: Decimal) -> Wiring:
    """Return the wiring with all phases of the outlet: what any vehicle could use."""
    return site_measurements.wiring_of(outlet, nominal_v=nominal_v)


def flowing(nodes: Iterable[PowerNode], outlets: Iterable[PowerOutlet]) -> dict[int, dict[int, Decimal]]:
    """Return what flows to vehicles through each fuse on each phase, as measured last."""
    parents = {node.pk: node.parent_id for node in nodes}
    sums = {key: dict.fromkeys(PHASES, PAUSED) for key in parents}
    for each in outlets:
        add(sums, parents, each.node_id, phases_of(each), each.drawn_a or PAUSED)
    return sums


def add(
    sums: dict[int, dict[int, Decimal]],
    parents: dict[int, int | None],
    node_id: int,
    phases: Iterable[int],
    amps: Decimal,
) -> None:
    """Add a current to all fuses on its way to the grid."""
    at: int | None = node_id
    seen: set[int] = set()
    while at is not None and at not in seen:
        seen.add(at)
        for phase in phases:
            sums[at][phase] += amps
        at = parents.get(at)


def phases_of(outlet: PowerOutlet) -> tuple[int, ...]:
    """Return the phases of the grid from which the vehicle at an outlet draws, all while that is not known."""
    own = [int(phase) for phase in outlet.used if int(phase) <= len(outlet.rotation)]
    return tuple(int(outlet.rotation[n - 1]) for n in own) or tuple(int(phase) for phase in outlet.rotation)
