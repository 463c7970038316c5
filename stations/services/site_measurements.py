"""What flows at the outlets of a site, from what their sessions measured last (A per phase, V, W)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from stations.load_balancing.wiring import (
    Wiring,
    believed_v,
    count_of,
    to_neutral,
    used_by_power,
    used_phases,
)
from stations.models import ChargingNeeds, ChargingSession, Connector, MeterSample, PowerOutlet, ReadingKind

RECENT = timedelta(minutes=3)  # an older reading says nothing about now
CURRENT, VOLTAGE = "Current.Import", "Voltage"
OF_VEHICLE = {"AC_single_phase": "1", "AC_two_phase": "12"}  # EnergyTransferModeEnumType -> phases it can use


@dataclass(slots=True)
class Measured:
    """The last readings of one session; what is missing was not told lately."""

    currents_a: dict[str, Decimal] = field(default_factory=dict)  # by L1, L2, L3; '' for one of all
    voltage_v: Decimal | None = None
    power_w: Decimal | None = None


def latest(sessions: Iterable[ChargingSession], *, now: datetime) -> dict[int, Measured]:
    """Return what these sessions measured last, by their ids: two statements."""
    fresh = {
        each.pk: each for each in sessions if each.last_reading_at and now - each.last_reading_at < RECENT
    }
    found = {pk: Measured(power_w=each.power_w) for pk, each in fresh.items()}
    if not fresh:
        return found
    kinds = {
        kind.pk: kind
        for kind in ReadingKind.objects.filter(measurand__in=[CURRENT, VOLTAGE], location="Outlet")
    }
    newest = MeterSample.objects.filter(
        session_id__in=fresh, sampled_at__gt=now - RECENT, sampled_at__lte=now + RECENT, kind_id__in=kinds
    ).order_by("session_id", "kind_id", "-sampled_at").distinct("session_id", "kind_id")  # fmt: skip
    for session_id, kind_id, value in newest.values_list("session_id", "kind_id", "value"):
        kind, held = kinds[kind_id], found[session_id]
        phase = kind.phase.removesuffix("-N")
        if kind.measurand == CURRENT and phase in ("", "L1", "L2", "L3"):
            held.currents_a[phase] = max(value, held.currents_a.get(phase, value))
        elif kind.measurand == VOLTAGE and phase in ("", "L1"):
            held.voltage_v = value
    return found


def wiring_of(
    outlet: PowerOutlet, *, nominal_v: Decimal, measured: Measured | None = None, used: str = ""
) -> Wiring:
    """Return how an outlet is wired, with the voltage that was measured where it can be true."""
    connector = connector_of(outlet)
    is_dc = connector is not None and connector.power_type == "DC"
    voltage_v = nominal_v if measured is None or is_dc else believed_v(measured.voltage_v, nominal_v)
    factor = outlet.efficiency_percent / 100 * outlet.power_factor if is_dc else Decimal(1)
    return Wiring(outlet.rotation, voltage_v, is_dc, factor, "" if is_dc else used)


def connector_of(outlet: PowerOutlet) -> Connector | None:
    """Return the connector with the highest power of an outlet; its EVSE's connectors should be prefetched."""
    return max(
        outlet.evse.connectors.all(), key=lambda c: (c.power_type == "DC", c.max_amperage_a), default=None
    )


def used_by(wiring: Wiring, measured: Measured, needs: ChargingNeeds | None, known: str) -> str:
    """Tell which phases of the outlet a vehicle draws from: as measured, as it told, as known before; '' unknown."""
    if wiring.is_dc:
        return ""
    by_phase = {phase: amps for phase, amps in measured.currents_a.items() if phase}
    seen = used_phases(by_phase) if by_phase else ""
    if not seen and "" in measured.currents_a and measured.power_w is not None:
        seen = used_by_power(measured.power_w, measured.currents_a[""], wiring.voltage_v)
    if not seen and needs is not None:
        seen = OF_VEHICLE.get(needs.transfer, "")
    return seen[: len(wiring.rotation)] if seen else known


def drawn_by(wiring: Wiring, measured: Measured) -> Decimal | None:
    """Return the highest current on a phase of the grid; None where nothing tells."""
    if not wiring.is_dc and measured.currents_a:
        return max(measured.currents_a.values()).quantize(Decimal("0.1"))
    if measured.power_w is None:
        return None
    return wiring.amps_of(max(measured.power_w, Decimal(0)))


def rated_a(connector: Connector, *, nominal_v: Decimal, factor: Decimal) -> Decimal:
    """Return what a connector can draw from each of its phases at the most, from what is known of it."""
    if connector.power_type == "DC":
        watts = connector.max_power_w or connector.max_voltage_v * connector.max_amperage_a
        return Wiring("123", nominal_v, True, factor).amps_of(Decimal(watts))
    amps = Decimal(connector.max_amperage_a)
    if connector.max_power_w:
        volts = to_neutral(Decimal(connector.max_voltage_v), connector.power_type)
        phases = count_of(connector.power_type)
        amps = min(amps, (Decimal(connector.max_power_w) / (volts * phases)).quantize(Decimal("0.1")))
    return amps
