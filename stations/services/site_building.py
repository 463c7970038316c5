"""What a building draws at the fuses of a site: told through the API, assumed while its meter is silent."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from cpo.lib import clock, events
from stations.events import SitePowerChanged
from stations.load_balancing import PAUSED, PHASES
from stations.models import MeterReading, PowerNode
from stations.services.errors import InvalidPayload

Amps = dict[int, Decimal]
KEPT_EVERY = timedelta(minutes=1)
HIGHEST_OF = timedelta(days=7)  # what safe limits leave to a building of which nothing is assumed
MOST_A = 100_000
AHEAD = timedelta(minutes=5)  # that a meter's clock may be


@transaction.atomic(savepoint=False)
def metered(node: PowerNode, *, amps: Mapping[int, Decimal], at: datetime | None = None) -> PowerNode:
    """Keep what flows at a fuse in A on each phase, as `node.meter` says with or without vehicles.

    A reading older than the last one is left out. Raise `InvalidPayload`.
    """
    now = clock.now()
    if set(amps) != set(PHASES) or any(not 0 <= value < MOST_A for value in amps.values()):
        raise InvalidPayload("amps", "give A on each of the three phases, 0 or more")
    if at is not None and at > now + AHEAD:
        raise InvalidPayload("at", "lies in the future")
    at = at or now
    row = PowerNode.objects.select_for_update().get(pk=node.pk)
    if row.metered_at is not None and at < row.metered_at:
        return row
    row.meter_l1_a, row.meter_l2_a, row.meter_l3_a = (amps[phase] for phase in PHASES)
    row.metered_at = at
    row.save(update_fields=["meter_l1_a", "meter_l2_a", "meter_l3_a", "metered_at"])
    if not row.readings.filter(at__gt=at - KEPT_EVERY).exists():
        MeterReading.objects.create(
            node=row, at=at, l1_a=row.meter_l1_a, l2_a=row.meter_l2_a, l3_a=row.meter_l3_a
        )
    events.publish(SitePowerChanged(row.location_id))
    return row


def forget(now: datetime) -> int:
    """Delete readings that no replay needs any more."""
    gone, _ = MeterReading.objects.filter(at__lt=now - timedelta(days=settings.SITE_METER_DAYS)).delete()
    return gone


def limits(node: PowerNode) -> Amps:
    """Return what may flow at a fuse."""
    return dict(zip(PHASES, (node.limit_l1_a, node.limit_l2_a, node.limit_l3_a), strict=True))


def is_fresh(node: PowerNode, now: datetime) -> bool:
    """Tell whether the meter's last reading still counts."""
    stale = timedelta(seconds=settings.SITE_METER_STALE_S)
    return node.metered_at is not None and now - node.metered_at <= stale


def drawn_now(
    nodes: Iterable[PowerNode], vehicles: Mapping[int, Mapping[int, Decimal]], *, now: datetime
) -> dict[int, Amps]:
    """Return what the building counts with at each fuse; `vehicles` is what flows to vehicles through each.

    A fuse that no meter tells about carries what is counted with at those below it, and what is assumed of it at
    least. A meter that fell silent could hide anything: without an assumption nothing is left to share.
    """
    own: dict[int, Amps | None] = {}
    least: dict[int, Amps] = {}
    for node in nodes:
        assumed = dict.fromkeys(PHASES, node.assumed_a or PAUSED)
        least[node.pk] = assumed
        if is_fresh(node, now):
            own[node.pk] = _metered(node, vehicles.get(node.pk, {}))
        elif node.metered_at is not None and node.assumed_a is None:
            own[node.pk] = limits(node)
        else:
            own[node.pk] = None
    return _added_up(nodes, own, least)


def drawn_at_most(nodes: Iterable[PowerNode], *, now: datetime | None) -> dict[int, Amps]:
    """Return what safe limits leave to the building: what is assumed, else the most that was metered lately.

    Without `now` nothing was metered.
    """
    nodes = list(nodes)
    highest = {} if now is None else _highest(nodes, now - HIGHEST_OF)
    own: dict[int, Amps | None] = {}
    for node in nodes:
        own[node.pk] = None
        if node.assumed_a is not None:
            own[node.pk] = dict.fromkeys(PHASES, node.assumed_a)
        elif node.metered_at is not None and node.meter == PowerNode.Meter.BUILDING:
            own[node.pk] = highest.get(node.pk) or _metered(node, {})
        elif node.metered_at is not None:
            own[node.pk] = dict.fromkeys(PHASES, PAUSED)  # vehicles are in its figures: nothing can be told
    return _added_up(nodes, own, {})


def added_up(nodes: Iterable[PowerNode], known: Mapping[int, Amps]) -> dict[int, Amps]:
    """Return what the building draws at each fuse, from what is known at some of them and assumed of the others."""
    nodes = list(nodes)
    own: dict[int, Amps | None] = {node.pk: known.get(node.pk) for node in nodes}
    return _added_up(nodes, own, {node.pk: dict.fromkeys(PHASES, node.assumed_a or PAUSED) for node in nodes})


def _highest(nodes: Iterable[PowerNode], since: datetime) -> dict[int, Amps]:
    rows = MeterReading.objects.filter(node__in=nodes, at__gt=since).values("node")
    found = rows.annotate(l1=Max("l1_a"), l2=Max("l2_a"), l3=Max("l3_a"))
    return {row["node"]: {1: row["l1"], 2: row["l2"], 3: row["l3"]} for row in found}


def _metered(node: PowerNode, vehicles: Mapping[int, Decimal]) -> Amps:
    values = (node.meter_l1_a, node.meter_l2_a, node.meter_l3_a)
    told = {phase: value or PAUSED for phase, value in zip(PHASES, values, strict=True)}
    if node.meter == PowerNode.Meter.TOTAL:
        return {phase: max(value - vehicles.get(phase, PAUSED), PAUSED) for phase, value in told.items()}
    return told


def _added_up(
    nodes: Iterable[PowerNode], own: Mapping[int, Amps | None], least: Mapping[int, Amps]
) -> dict[int, Amps]:
    below: dict[int, list[int]] = {}
    for node in nodes:
        if node.parent_id is not None:
            below.setdefault(node.parent_id, []).append(node.pk)
    found: dict[int, Amps] = {}

    def visit(key: int) -> Amps:
        if key not in found:
            found[key] = dict.fromkeys(PHASES, PAUSED)  # also what ends a loop
            known = own[key]
            if known is None:
                sums = [visit(child) for child in below.get(key, [])]
                floor = least.get(key, {})
                known = {
                    phase: max(sum((each[phase] for each in sums), PAUSED), floor.get(phase, PAUSED))
                    for phase in PHASES
                }
            found[key] = known
        return found[key]

    for node in nodes:
        visit(node.pk)
    return found
