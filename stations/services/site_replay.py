"""A past day of a site once more: as it was, and as today's fuses and rule would have made it. Nothing is sent."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import Q

from cpo.lib import clock
from stations.load_balancing import PAUSED, PHASES, Consumer, Fuse, Moment, Replayed, Rule, Wiring, replay
from stations.models import (
    ChargingSession,
    Location,
    MeterReading,
    PowerNode,
    PowerOutlet,
    ReadingKind,
)
from stations.services import site_building, site_measurements

STEP_S = 300
DAY = timedelta(days=1)
# The mean reading of each kind in each step.
MEANS = """
select session_id, floor(extract(epoch from sampled_at - %s) / %s)::int, kind_id, avg(value)
from stations_metersample
where session_id = any(%s) and sampled_at >= %s and sampled_at < %s and kind_id = any(%s)
group by 1, 2, 3
"""
Slots = dict[int, dict[int, Decimal]]  # seconds since the begin -> outlet -> A per phase


@dataclass(frozen=True, slots=True)
class Day:
    """A replayed day. `lacking_wh` is what each session would have lacked when it was over, by its id."""

    begin: datetime
    nodes: list[PowerNode]
    steps: list[Replayed]
    sessions: dict[int, ChargingSession] = field(default_factory=dict)
    lacking_wh: dict[int, Decimal] = field(default_factory=dict)

    def moment(self, step: Replayed) -> datetime:
        """Return when a step began."""
        return self.begin + timedelta(seconds=step.at_s)

    def is_over(self, *, balanced: bool) -> bool:
        """Tell whether a fuse would have carried more than it may, or did."""
        return any(self.most_over(node, balanced=balanced) > 0 for node in self.nodes)

    def most_over(self, node: PowerNode, *, balanced: bool) -> Decimal:
        """Return by how much a phase of a fuse was above its limit at most, 0 if it never was."""
        limits = site_building.limits(node)
        sums = [(step.with_a if balanced else step.without_a)[node.pk] for step in self.steps]
        return max([PAUSED, *(each[phase] - limits[phase] for each in sums for phase in PHASES)])


def day(location: Location, *, begin: datetime, step_s: int = STEP_S) -> Day:
    """Replay the day that begins then from stored readings of power, current and of the building.

    All currents are means over a step.
    """
    nodes = list(PowerNode.objects.filter(location=location).order_by("id"))
    outlets = list(
        PowerOutlet.objects.filter(node__location=location)
        .select_related("evse__station")
        .prefetch_related("evse__connectors")
        .order_by("id")
    )
    root = next((node for node in nodes if node.parent_id is None), None)
    if root is None:
        return Day(begin, nodes, [])
    sessions = _sessions(outlets, begin)
    visits = _Visits(outlets, sessions, root.voltage_v)
    drawn = visits.drawn(begin, step_s)
    building = _building(nodes, begin, step_s)
    moments = [Moment(slot, drawn[slot], building.get(slot, {})) for slot in sorted(drawn)]
    fuses = [Fuse(node.pk, site_building.limits(node), node.parent_id) for node in nodes]
    steps = replay(fuses, visits.consumers(), moments, rule=Rule(root.rule), step_s=step_s)
    return Day(begin, nodes, steps, sessions, visits.lacking_wh(steps))


def _sessions(outlets: list[PowerOutlet], begin: datetime) -> dict[int, ChargingSession]:
    here = ChargingSession.objects.filter(evse__in=[each.evse_id for each in outlets])
    then = here.filter(started_at__lt=begin + DAY).filter(Q(ended_at=None) | Q(ended_at__gt=begin))
    return {each.pk: each for each in then.select_related("station", "evse").order_by("started_at", "id")}


class _Visits:
    """The sessions of a day, each a consumer of its own: which phases it used, what it drew in each step."""

    def __init__(
        self, outlets: list[PowerOutlet], sessions: dict[int, ChargingSession], nominal_v: Decimal
    ) -> None:
        self.sessions, self.nominal_v = sessions, nominal_v
        self.outlets = {each.evse_id: each for each in outlets}
        self.used: dict[int, str] = {}

    def drawn(self, begin: datetime, step_s: int) -> Slots:
        """Return what each session drew on average in each step, 0 where it was plugged in only."""
        kinds = {kind.pk: kind for kind in ReadingKind.objects.filter(
            measurand__in=["Power.Active.Import", site_measurements.CURRENT], location="Outlet"
        )}  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(MEANS, [begin, step_s, list(self.sessions), begin, begin + DAY, list(kinds)])
            rows = cursor.fetchall()
        read: dict[int, dict[int, site_measurements.Measured]] = {}
        for session_id, step, kind_id, value in rows:
            slot = step * step_s
            kind = kinds[kind_id]
            held = read.setdefault(slot, {}).setdefault(session_id, site_measurements.Measured())
            if kind.measurand == site_measurements.CURRENT and kind.phase in ("", "L1", "L2", "L3"):
                held.currents_a[kind.phase] = max(value, held.currents_a.get(kind.phase, value))
            elif kind.measurand != site_measurements.CURRENT and not kind.phase:
                held.power_w = max(value, held.power_w or value)
        self._find_phases(read)
        length_s = int(min(DAY, clock.now() - begin).total_seconds())
        found: Slots = {slot: {} for slot in range(0, length_s, step_s)}
        for slot, here in found.items():
            moment = begin + timedelta(seconds=slot)
            for pk, session in self.sessions.items():
                end = moment + timedelta(seconds=step_s)
                there = min(session.ended_at or end, end) - max(session.started_at, moment)
                if there > timedelta():
                    part = Decimal(int(there.total_seconds())) / step_s
                    here[pk] = self._amps(pk, read.get(slot, {}).get(pk)) * part
        return {slot: here for slot, here in found.items() if here}

    def consumers(self) -> list[Consumer]:
        """Return the sessions as those who share."""
        found = []
        for pk, session in self.sessions.items():
            outlet = self.outlets[session.evse_id]
            found.append(
                Consumer(
                    pk, outlet.node_id, self._wiring(pk).phases, outlet.maximum_a, outlet.minimum_a,
                    outlet.priority, since=pk,
                )
            )  # fmt: skip
        return found

    def lacking_wh(self, steps: list[Replayed]) -> dict[int, Decimal]:
        """Return what each session lacked at its end."""
        late: dict[int, Decimal] = {}
        for step in steps:
            late |= {pk: value for pk, value in step.late_as.items() if pk in step.drawn_a}
        return {
            pk: (value * self._wiring(pk).watts_per_amp / 3600).quantize(Decimal(1))
            for pk, value in late.items()
            if value >= 3600  # less than an ampere for an hour is rounding
        }

    def _find_phases(self, read: dict[int, dict[int, site_measurements.Measured]]) -> None:
        for _, here in sorted(read.items()):
            for pk, measured in here.items():
                known = self.used.get(pk, "")
                self.used[pk] = max(
                    known, site_measurements.used_by(self._wiring(pk), measured, None, known), key=len
                )

    def _amps(self, pk: int, measured: site_measurements.Measured | None) -> Decimal:
        if measured is None:
            return PAUSED
        amps = site_measurements.drawn_by(self._wiring(pk), measured) or PAUSED
        return min(amps, self.outlets[self.sessions[pk].evse_id].maximum_a)

    def _wiring(self, pk: int) -> Wiring:
        outlet = self.outlets[self.sessions[pk].evse_id]
        return site_measurements.wiring_of(outlet, nominal_v=self.nominal_v, used=self.used.get(pk, ""))


def _building(
    nodes: list[PowerNode], begin: datetime, step_s: int
) -> dict[int, dict[int, dict[int, Decimal]]]:
    """Return what the building drew in each step at each fuse: the highest reading, else what is assumed."""
    rows = MeterReading.objects.filter(node__in=nodes, at__gte=begin, at__lt=begin + DAY)
    read: dict[int, dict[int, dict[int, Decimal]]] = {}
    for row in rows:
        slot = int((row.at - begin).total_seconds()) // step_s * step_s
        held = read.setdefault(slot, {}).setdefault(row.node_id, dict.fromkeys(PHASES, PAUSED))
        for phase, value in zip(PHASES, (row.l1_a, row.l2_a, row.l3_a), strict=True):
            held[phase] = max(held[phase], value)
    found: dict[int, dict[int, dict[int, Decimal]]] = {}
    for slot in range(0, int(DAY.total_seconds()), step_s):
        here = read.get(slot, {})
        building = {
            node.pk: here[node.pk]
            for node in nodes
            if node.pk in here and node.meter == PowerNode.Meter.BUILDING
        }
        found[slot] = site_building.added_up(nodes, building)
    return found
