"""Watts, amperes and phases, and what a vehicle can be told.

The current per phase is what limits physically: a power counts on all phases of its period at the set voltage of
the area (K01.FR.50, errata 2025-09), a current on each phase (K01.FR.51; OCPP 1.6 section 7.12).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal
from functools import reduce

from stations.charging_profiles.profile import RateUnit

STEP = Decimal(
    "0.001"
)  # W or A: quotients are rounded to it, towards zero, so that nothing ever exceeds its limit
MINIMUM_A = Decimal(6)  # IEC 61851-1: the pilot signal cannot offer a vehicle less than 6 A
_EXACT = Context(prec=100, rounding=ROUND_DOWN)  # products of two readable numbers fit


def convert(
    value: Decimal,
    *,
    unit: RateUnit,
    into: RateUnit,
    phases: int,
    into_phases: int,
    voltage_v: Decimal,
) -> Decimal:
    """Express a limit that counts on `phases` in another unit and for `into_phases`, at the same current per phase.

    Products are exact; quotients are rounded towards zero to STEP, so W to A and back loses less than
    STEP * voltage * phases.
    """
    if unit is RateUnit.A:
        return value if into is RateUnit.A else _EXACT.multiply(value, voltage_v * into_phases)
    if into is RateUnit.W and phases == into_phases:
        return value
    if into is RateUnit.W:
        return _quotient(_EXACT.multiply(value, Decimal(into_phases)), Decimal(phases))
    return _quotient(value, voltage_v * phases)


def _quotient(value: Decimal, by: Decimal) -> Decimal:
    return _EXACT.divide(value, by).quantize(STEP, context=_EXACT)


def total(values: Iterable[Decimal]) -> Decimal:
    return reduce(_EXACT.add, values, Decimal(0))


def plain(value: Decimal) -> Decimal:
    """Return the one spelling of a number: 16 for 16.0 and for 1.6E+1."""
    whole = value.normalize(_EXACT)
    if not whole:
        return Decimal(0)
    return whole.quantize(Decimal(1), context=_EXACT) if whole == whole.to_integral_value() else whole


@dataclass(frozen=True, slots=True)
class VehicleLimit:
    """What to offer a vehicle: A on each of `phases`, None without a limit.

    `reason` is 'unlimited', 'within_limit', 'one_phase' (on fewer phases the vehicle still charges), 'zero' (the
    limit itself forbids charging) or 'below_minimum' (the vehicle pauses, because it cannot be told so little).
    """

    current_a: Decimal | None
    phases: int
    reason: str


def vehicle_limit(
    limit: Decimal | None,
    *,
    unit: RateUnit,
    phases: int = 3,
    voltage_v: Decimal | int = 230,
    minimum_a: Decimal = MINIMUM_A,
    can_switch_phases: bool = False,
) -> VehicleLimit:
    """Turn a limit in W or A into a current that a vehicle on AC can follow, 0 for a pause.

    A power too small for all phases may still do on one (2.x variable Phases3to1); a current is per phase and
    gains nothing by it.
    """
    unit = RateUnit(unit)
    if limit is None:
        return VehicleLimit(None, phases, "unlimited")
    if limit <= 0:
        return VehicleLimit(Decimal(0), phases, "zero")
    offers = [(phases, "within_limit")]
    if can_switch_phases and unit is RateUnit.W and phases > 1:
        offers.append((1, "one_phase"))
    for count, reason in offers:
        current_a = convert(
            limit, unit=unit, into=RateUnit.A, phases=count, into_phases=count, voltage_v=Decimal(voltage_v)
        )
        if current_a >= minimum_a:
            return VehicleLimit(plain(current_a), count, reason)
    return VehicleLimit(Decimal(0), phases, "below_minimum")
