"""What a vehicle asks for through ISO 15118, and the schedule that our rules make of it (2.x K15 to K20, 2.1 2.16).

The rules: as much as vehicle and place can take where no departure is told; otherwise evenly until then with a
margin, never less than the vehicle needs to charge at all, and without restraint once the time is over. Powers in W
on all phases together, energies in Wh.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any

from stations.charging_profiles import fields
from stations.charging_profiles.fields import optional
from stations.charging_profiles.profile import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    Kind,
    Purpose,
    RateUnit,
)
from stations.charging_profiles.units import MINIMUM_A, convert

MARGIN = Decimal("1.2")  # more than the even rate: vehicles take less near the end, and leave early
SOONEST = timedelta(minutes=5)  # a departure that is nearer tells nothing
VOLTAGE_V = Decimal(230)
PHASES = {"AC_single_phase": 1, "AC_two_phase": 2}


@dataclass(frozen=True, slots=True)
class Needs:
    """What the vehicle told, read; None for what it did not tell."""

    transfer: str
    is_dc: bool
    phases: int
    energy_wh: Decimal | None = None
    max_w: Decimal | None = None
    min_w: Decimal | None = None
    departure_at: datetime | None = None
    is_dynamic: bool = False
    is_iso20: bool = False


def read(wire: Mapping[str, Any]) -> Needs:
    """Read ChargingNeedsType of 2.0.1 or 2.1; raise InvalidProfile for what is no number."""
    transfer = str(wire.get("requestedEnergyTransfer") or "")
    is_dc = transfer.startswith(("DC", "WPT"))
    phases = PHASES.get(transfer, 3)
    ac, dc, v2x = (wire.get(f"{kind}ChargingParameters") or {} for kind in ("ac", "dc", "v2x"))
    found: dict[str, Decimal | None] = {"energy_wh": None, "max_w": None, "min_w": None}
    if ac:
        found = _of_ac(ac, phases)
    elif dc:
        found = _of_dc(dc)
    elif v2x:
        found = _of_v2x(v2x)
    return Needs(
        transfer=transfer,
        is_dc=is_dc,
        phases=phases,
        departure_at=optional(wire, "departureTime", fields.moment),
        is_dynamic=wire.get("controlMode") == "DynamicControl",
        is_iso20=bool(v2x) or "controlMode" in wire,
        **found,
    )


def profile_of(
    needs: Needs,
    *,
    evse: int,
    stack_level: int,
    place_max_w: Decimal,
    now: datetime,
    transaction_id: str | None,
    voltage_v: Decimal = VOLTAGE_V,
    max_periods: int | None = None,
) -> ChargingProfile:
    """Make the TxProfile for a vehicle; `place_max_w` is what the EVSE can give, `max_periods` how many fit.

    One schedule only, so that nobody has to guess which one the vehicle follows (K15.FR.18).
    """
    most = place_max_w if needs.max_w is None else min(needs.max_w, place_max_w)
    periods = [_even(needs, most, now, voltage_v)]
    if periods[0] < most and needs.departure_at is not None and (max_periods is None or max_periods > 1):
        after = [(0, periods[0]), (int((needs.departure_at - now).total_seconds()), most)]
    else:
        after = [(0, most)]
    unit = RateUnit.W if needs.is_dc else RateUnit.A

    def limit(watts: Decimal) -> Decimal:
        if unit is RateUnit.W:
            return watts
        return convert(
            watts,
            unit=RateUnit.W,
            into=unit,
            phases=needs.phases,
            into_phases=needs.phases,
            voltage_v=voltage_v,
        )

    schedule = ChargingSchedule(
        rate_unit=unit,
        periods=tuple(
            ChargingSchedulePeriod(start, limit(watts), number_phases=None if needs.is_dc else needs.phases)
            for start, watts in after
        ),
        start_schedule=now,
    )
    return ChargingProfile(
        id=0, stack_level=stack_level, purpose=Purpose.TX, kind=Kind.ABSOLUTE, schedules=(schedule,), evse=evse,
        transaction_id=transaction_id,
    )  # fmt: skip


def _even(needs: Needs, most: Decimal, now: datetime, voltage_v: Decimal) -> Decimal:
    if needs.departure_at is None or needs.energy_wh is None or needs.departure_at - now < SOONEST:
        return most
    hours = Decimal(int((needs.departure_at - now).total_seconds())) / 3600
    rate = (needs.energy_wh * MARGIN / hours).quantize(Decimal(1), rounding=ROUND_UP)
    lowest = needs.min_w or Decimal(0)
    if not needs.is_dc:
        lowest = max(lowest, MINIMUM_A * voltage_v * needs.phases)
    return min(max(rate, lowest), most)


def _of_ac(ac: Mapping[str, Any], phases: int) -> dict[str, Decimal | None]:
    voltage = optional(ac, "evMaxVoltage", fields.number) or VOLTAGE_V
    voltage = min(voltage, VOLTAGE_V)  # of a phase: some vehicles tell the one between two
    most, least = (optional(ac, name, fields.number) for name in ("evMaxCurrent", "evMinCurrent"))
    return {
        "energy_wh": optional(ac, "energyAmount", fields.number),
        "max_w": None if most is None else most * voltage * phases,
        "min_w": None if least is None else least * voltage * phases,
    }


def _of_dc(dc: Mapping[str, Any]) -> dict[str, Decimal | None]:
    amps, volts, watts = (
        optional(dc, f"evMax{what}", fields.number) for what in ("Current", "Voltage", "Power")
    )
    product = None if amps is None or volts is None else amps * volts
    energy = optional(dc, "energyAmount", fields.number)
    soc, full, capacity = (
        optional(dc, name, fields.number) for name in ("stateOfCharge", "fullSoC", "evEnergyCapacity")
    )
    if energy is None and soc is not None and capacity is not None:
        energy = max((full or Decimal(100)) - soc, Decimal(0)) * capacity / 100
    known = [value for value in (product, watts) if value is not None]
    return {"energy_wh": energy, "max_w": min(known) if known else None, "min_w": None}


def _of_v2x(v2x: Mapping[str, Any]) -> dict[str, Decimal | None]:
    def on_all_phases(name: str) -> Decimal | None:
        values = [optional(v2x, name + phase, fields.number) for phase in ("", "_L2", "_L3")]
        told = [value for value in values if value is not None]
        return sum(told, Decimal(0)) if told else None

    energy = optional(v2x, "evTargetEnergyRequest", fields.number)
    return {
        "energy_wh": None if energy is None else max(energy, Decimal(0)),
        "max_w": on_all_phases("maxChargePower"),
        "min_w": on_all_phases("minChargePower"),
    }
