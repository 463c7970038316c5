"""The load balancer of sites: fuses and vehicles in, limits of EVSEs out, for 1.6 and 2.x chargers alike.

The sweep is the guarantee. Each limit ends by itself after a while (`LEASE`); then, and when a station is away, what
holds is the safe limit: a default on each outlet, all of them together under every fuse.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any

import structlog
from django.db import transaction

from cpo.lib import clock
from stations.load_balancing import PAUSED, Consumer, Fuse, Moment, Replayed, Rule, replay, share
from stations.models import ChargingSession, Location, MeterSample, PowerNode, PowerOutlet, ReadingKind
from stations.services import profile_rows, smart_charging
from stations.services.errors import InvalidPayload, StationsError

log = structlog.get_logger(__name__)
SOURCE = "load balancer"
SAFE = profile_rows.SAFE
LEASE = timedelta(minutes=15)  # of a limit: a balancer that is away gives nothing any more
RENEW = timedelta(minutes=5)  # before its end
STALE = timedelta(minutes=5)  # a building's reading that is older counts as its fuse's all
FULL_AFTER = timedelta(minutes=2)  # of drawing less than the share
SLACK_A = Decimal("1.5")  # below the share, and it is not made use of
PHASES = (1, 2, 3)
VOLTAGE_V = Decimal(230)
TENTH = Decimal("0.1")


@transaction.atomic(savepoint=False)
def metered(node: PowerNode, *, amps: Mapping[int, Decimal], at: datetime | None = None) -> PowerNode:
    """Keep what the building draws at a fuse, without vehicles, in A on each phase; raise `InvalidPayload`.

    A reading that is older than the last one is left out.
    """
    if set(amps) != set(PHASES) or any(not 0 <= value < 100_000 for value in amps.values()):
        raise InvalidPayload("amps", "give A on each of the three phases, 0 or more")
    at = at or clock.now()
    row = PowerNode.objects.select_for_update().get(pk=node.pk)
    if row.metered_at is None or at >= row.metered_at:
        row.meter_l1_a, row.meter_l2_a, row.meter_l3_a = (amps[phase] for phase in PHASES)
        row.metered_at = at
        row.save(update_fields=["meter_l1_a", "meter_l2_a", "meter_l3_a", "metered_at"])
    return row


def sweep() -> int:
    """Balance every active site; return how many limits were changed."""
    count = 0
    roots = PowerNode.objects.filter(parent=None, is_active=True).select_related("location")
    for root in roots.order_by("id"):
        try:
            count += balance(root.location)
        except (StationsError, ValueError) as error:
            log.warning("a site is not balanced", location=root.location_id, error=str(error))
    return count


def balance(location: Location) -> int:
    """Share the power of a site now and set what changed; return how many limits were set.

    Limits that fall are set before those that rise.
    """
    now = clock.now()
    with transaction.atomic():
        nodes = list(PowerNode.objects.select_for_update().filter(location=location).order_by("id"))
        if not any(node.parent_id is None and node.is_active for node in nodes):
            return 0
        outlets = list(
            PowerOutlet.objects.select_for_update(of=["self"])
            .filter(node__location=location)
            .select_related("evse__station__location")
            .order_by("id")
        )
        running = _running(outlets)
        away = {each.pk for each in outlets if not each.evse.station.is_online}
        there = [each for each in outlets if each.evse_id in running and each.pk not in away]
        rule = next(node.rule for node in nodes if node.parent_id is None)
        consumers = [_consumer(each, running[each.evse_id], now) for each in there]
        shares = share(_reserved(nodes, outlets, running, now), consumers, rule=Rule(rule))
        due = _keep(outlets, shares, away, now)
        PowerNode.objects.filter(pk__in=[node.pk for node in nodes]).update(balanced_at=now)
    return sum(_limit(outlet) for outlet in due)


@transaction.atomic(savepoint=False)
def install_safe(location: Location, *, requested_by: str = SOURCE) -> dict[int, Decimal]:
    """Give each outlet the default that needs no balancer: all at once stay under every fuse.

    The fuses' full reserve for the building is what it drew last. Return A by the id of the EVSE. Stations that are
    away get theirs when they are back.
    """
    now = clock.now()
    nodes = list(PowerNode.objects.filter(location=location).order_by("id"))
    outlets = list(
        PowerOutlet.objects.select_for_update(of=["self"])
        .filter(node__location=location)
        .select_related("evse__station__location")
    )
    everybody = [
        Consumer(
            each.pk, each.node_id, _phases(each), each.maximum_a, each.minimum_a, each.priority, since=each.pk
        )
        for each in outlets
    ]
    shares = share(_fuses(nodes, now), everybody)
    for each in outlets:
        each.safe_a = shares[each.pk]
        each.save(update_fields=["safe_a"])
        smart_charging.default_limit(
            each.evse.station, evse_number=each.evse.number, amps=each.safe_a, stack_level=0, source=SAFE,
            requested_by=requested_by, keep_offline=True,
        )  # fmt: skip
    return {each.evse_id: shares[each.pk] for each in outlets}


def simulate(location: Location, *, day: datetime, step_s: int = 300) -> list[Replayed]:
    """Replay the day that begins at `day` with the fuses and the rule of today, from stored readings of power.

    Keys are those of the outlets. Nothing is sent.
    """
    nodes = list(PowerNode.objects.filter(location=location).order_by("id"))
    outlets = list(PowerOutlet.objects.filter(node__location=location).order_by("id"))
    of_evse = {each.evse_id: each for each in outlets}
    kinds = ReadingKind.objects.filter(measurand="Power.Active.Import", phase="", unit="W").values_list("id")
    samples = MeterSample.objects.filter(
        evse_id__in=of_evse, sampled_at__gte=day, sampled_at__lt=day + timedelta(days=1), kind_id__in=kinds
    ).values_list("evse_id", "sampled_at", "value")
    drawn: dict[int, dict[int, Decimal]] = {}
    for evse_id, at, watts in samples:
        outlet = of_evse[evse_id]
        slot = int((at - day).total_seconds()) // step_s * step_s
        amps = min(_amps(watts, outlet), outlet.maximum_a)
        held = drawn.setdefault(slot, {})
        held[outlet.pk] = max(held.get(outlet.pk, PAUSED), amps)
    consumers = [
        Consumer(
            each.pk, each.node_id, _phases(each), each.maximum_a, each.minimum_a, each.priority, since=each.pk
        )
        for each in outlets
    ]
    moments = [Moment(slot, held, {}) for slot, held in sorted(drawn.items())]
    rule = next((Rule(node.rule) for node in nodes if node.parent_id is None), Rule.FAIR)
    return replay(
        [Fuse(node.pk, _limits(node), node.parent_id) for node in nodes], consumers, moments, rule=rule
    )


def _running(outlets: Iterable[PowerOutlet]) -> dict[int, ChargingSession]:
    evses = [each.evse_id for each in outlets]
    active = ChargingSession.objects.active().filter(evse_id__in=evses).order_by("started_at", "id")
    return {session.evse_id: session for session in active}


def _reserved(
    nodes: list[PowerNode], outlets: list[PowerOutlet], running: Mapping[int, Any], now: datetime
) -> list[Fuse]:
    """Keep back what an outlet draws that cannot be told: its station is away, so its safe limit holds."""
    fuses = {fuse.key: fuse for fuse in _fuses(nodes, now)}
    for each in outlets:
        if each.evse_id in running and not each.evse.station.is_online:
            fuse = fuses[each.node_id]
            amps = max(each.safe_a if each.safe_a is not None else each.maximum_a, each.given_a or PAUSED)
            other = {p: fuse.other_a.get(p, PAUSED) + (amps if p in _phases(each) else 0) for p in PHASES}
            fuses[each.node_id] = Fuse(fuse.key, fuse.limit_a, fuse.parent, other)
    return list(fuses.values())


def _fuses(nodes: Iterable[PowerNode], now: datetime) -> list[Fuse]:
    return [Fuse(node.pk, _limits(node), node.parent_id, _building(node, now)) for node in nodes]


def _limits(node: PowerNode) -> dict[int, Decimal]:
    return dict(zip(PHASES, (node.limit_l1_a, node.limit_l2_a, node.limit_l3_a), strict=True))


def _building(node: PowerNode, now: datetime) -> dict[int, Decimal]:
    """Return what the building draws; a meter that fell silent could hide anything, so nothing is left to share."""
    if node.metered_at is None:
        return {}
    if now - node.metered_at > STALE:
        return _limits(node)
    values = (node.meter_l1_a, node.meter_l2_a, node.meter_l3_a)
    return {phase: value or PAUSED for phase, value in zip(PHASES, values, strict=True)}


def _consumer(outlet: PowerOutlet, session: ChargingSession, now: datetime) -> Consumer:
    drawn = None if session.power_w is None else _amps(session.power_w, outlet)
    uses_all = drawn is None or outlet.given_a is None or drawn > outlet.given_a - SLACK_A
    if uses_all or outlet.below_since is None:
        outlet.below_since = None if uses_all else now
    is_full = outlet.below_since is not None and now - outlet.below_since >= FULL_AFTER
    return Consumer(
        key=outlet.pk,
        fuse=outlet.node_id,
        phases=_phases(outlet),
        maximum_a=outlet.maximum_a,
        minimum_a=outlet.minimum_a,
        priority=outlet.priority,
        drawn_a=drawn,
        is_full=is_full,
        since=session.pk,
    )


def _amps(watts: Decimal, outlet: PowerOutlet) -> Decimal:
    """Return the current on each phase of an outlet at a power."""
    return (watts / (VOLTAGE_V * len(_phases(outlet)))).quantize(TENTH, rounding=ROUND_UP)


def _phases(outlet: PowerOutlet) -> tuple[int, ...]:
    return tuple(int(phase) for phase in outlet.rotation)


def _keep(
    outlets: list[PowerOutlet], shares: Mapping[int, Decimal], away: set[int], now: datetime
) -> list[PowerOutlet]:
    """Write each share; return the outlets whose limit must be told, those that fall first."""
    due = []
    for each in outlets:
        if each.pk in away:
            continue  # it cannot be told: what it had stays reserved
        before, given = each.given_a, shares.get(each.pk)
        is_new = given != before
        runs_out = given is not None and (each.until is None or each.until - now < RENEW)
        each.given_a = given
        if given is None:
            each.until, each.below_since = None, None
        elif is_new or runs_out:
            each.until = now + LEASE
            due.append((is_new and before is not None and given > before, each))
        each.save(update_fields=["given_a", "below_since", "until"])
    return [each for _, each in sorted(due, key=lambda pair: (pair[0], pair[1].pk))]


def _limit(outlet: PowerOutlet) -> bool:
    try:
        smart_charging.set_limit(
            outlet.evse, amps=outlet.given_a, until=outlet.until, source=SOURCE, requested_by=SOURCE
        )
    except StationsError as error:
        log.warning("no limit for an outlet", outlet=outlet.pk, error=str(error))
        PowerOutlet.objects.filter(pk=outlet.pk).update(until=None)  # told again by the next sweep
        return False
    return True
