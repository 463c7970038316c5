"""The wire of OCPP 1.6: csChargingProfiles and the answer to GetCompositeSchedule (sections 7.8, 7.13, 7.14, 6.22).

What 1.6 has no word for is refused on the way out rather than dropped: a station that never hears of a setpoint
or of local time would charge otherwise than its operator was shown.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from stations.charging_profiles import fields
from stations.charging_profiles.fields import optional, present, required
from stations.charging_profiles.profile import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    CompositeSchedule,
    InvalidProfile,
    Kind,
    OperationMode,
    Purpose,
    RateUnit,
    Recurrency,
)

PURPOSES = {
    Purpose.STATION_MAX: "ChargePointMaxProfile",
    Purpose.TX_DEFAULT: "TxDefaultProfile",
    Purpose.TX: "TxProfile",
}
ONE_DIGIT = Decimal("0.1")  # section 7.14: at most one digit of fraction

read_purpose = fields.word(Purpose, ChargePointMaxProfile=Purpose.STATION_MAX)


def from_v16(wire: Any, *, evse: int = 0) -> ChargingProfile:
    """Read a profile for a connector; raises InvalidProfile where a member is missing or cannot be read."""
    wire = fields.an_object(wire)
    return ChargingProfile(
        id=required(wire, "chargingProfileId", fields.integer),
        stack_level=required(wire, "stackLevel", fields.integer),
        purpose=required(wire, "chargingProfilePurpose", read_purpose),
        kind=required(wire, "chargingProfileKind", fields.word(Kind)),
        schedules=required(wire, "chargingSchedule", fields.items(read_schedule)),
        evse=evse,
        recurrency=optional(wire, "recurrencyKind", fields.word(Recurrency)),
        valid_from=optional(wire, "validFrom", fields.moment),
        valid_to=optional(wire, "validTo", fields.moment),
        transaction_id=optional(wire, "transactionId", fields.text),
    )


def read_schedule(wire: Any) -> ChargingSchedule:
    wire = fields.an_object(wire)
    return ChargingSchedule(
        rate_unit=required(wire, "chargingRateUnit", fields.word(RateUnit)),
        periods=required(wire, "chargingSchedulePeriod", fields.items(_read_period)),
        start_schedule=optional(wire, "startSchedule", fields.moment),
        duration_s=optional(wire, "duration", fields.integer),
        min_charging_rate=optional(wire, "minChargingRate", fields.number),
    )


def _read_period(wire: Any) -> ChargingSchedulePeriod:
    wire = fields.an_object(wire)
    return ChargingSchedulePeriod(
        start_period_s=required(wire, "startPeriod", fields.integer),
        limit=required(wire, "limit", fields.number),
        number_phases=optional(wire, "numberPhases", fields.integer),
    )


def composite_from_v16(wire: Any) -> CompositeSchedule:
    """Read an accepted GetCompositeSchedule.conf, the counterpart of what `composite` computes."""
    wire = fields.an_object(wire)
    schedule = required(wire, "chargingSchedule", read_schedule)
    start = optional(wire, "scheduleStart", fields.moment) or schedule.start_schedule
    if start is None:
        raise InvalidProfile("scheduleStart", "is required")
    return CompositeSchedule(
        evse=optional(wire, "connectorId", fields.integer) or 0,
        start=start,
        duration_s=schedule.duration_s or 0,
        rate_unit=schedule.rate_unit,
        periods=schedule.periods,
    )


def to_v16(profile: ChargingProfile) -> dict[str, Any]:
    """Write a profile for OCPP 1.6, limits rounded down to a tenth; raises InvalidProfile for what 1.6 cannot say."""
    if profile.purpose not in PURPOSES:
        raise InvalidProfile("chargingProfilePurpose", f"OCPP 1.6 has no {profile.purpose}")
    if profile.kind is Kind.DYNAMIC:
        raise InvalidProfile("chargingProfileKind", "OCPP 1.6 has no Dynamic")
    if len(profile.schedules) != 1:
        raise InvalidProfile("chargingSchedule", "OCPP 1.6 has exactly one")
    return present(
        chargingProfileId=profile.id,
        transactionId=_transaction_id(profile.transaction_id),
        stackLevel=profile.stack_level,
        chargingProfilePurpose=PURPOSES[profile.purpose],
        chargingProfileKind=profile.kind.value,
        recurrencyKind=profile.recurrency and profile.recurrency.value,
        validFrom=fields.written(profile.valid_from),
        validTo=fields.written(profile.valid_to),
        chargingSchedule=_schedule(profile.schedules[0]),
    )


def _transaction_id(transaction_id: str | None) -> int | None:
    if transaction_id is None:
        return None
    try:
        return fields.integer(transaction_id)
    except InvalidProfile:
        raise InvalidProfile("transactionId", "is a whole number in OCPP 1.6") from None


def _schedule(schedule: ChargingSchedule) -> dict[str, Any]:
    unspeakable = {
        "useLocalTime": schedule.use_local_time,
        "randomizedDelay": schedule.randomized_delay_s,
        "limitAtSoC": schedule.limit_at_soc,
    }
    for name, value in unspeakable.items():
        if value:
            raise InvalidProfile(f"chargingSchedule[0].{name}", "OCPP 1.6 has no word for it")
    periods = enumerate(schedule.periods)
    return present(
        duration=schedule.duration_s,
        startSchedule=fields.written(schedule.start_schedule),
        chargingRateUnit=schedule.rate_unit.value,
        chargingSchedulePeriod=[
            _period(period, f"chargingSchedule[0].chargingSchedulePeriod[{i}]") for i, period in periods
        ],
        minChargingRate=_tenths(schedule.min_charging_rate, ROUND_CEILING),
    )


def _period(period: ChargingSchedulePeriod, path: str) -> dict[str, Any]:
    plain = ChargingSchedulePeriod(
        period.start_period_s,
        period.limit,
        number_phases=period.number_phases,
        operation_mode=period.operation_mode,
    )
    if period.limit is None or period != plain or period.mode is not OperationMode.CHARGING_ONLY:
        raise InvalidProfile(path, "OCPP 1.6 has a limit and a number of phases, nothing else")
    return present(
        startPeriod=period.start_period_s,
        limit=_tenths(period.limit, ROUND_FLOOR),
        numberPhases=period.number_phases,
    )


def _tenths(value: Decimal | None, rounding: str) -> Decimal | None:
    return None if value is None else value.quantize(ONE_DIGIT, rounding=rounding)
