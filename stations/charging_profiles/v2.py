"""The wire of OCPP 2.0.1 and 2.1: ChargingProfileType and CompositeScheduleType (2.17 to 2.20, 2.27)."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from stations.charging_profiles import fields
from stations.charging_profiles.fields import optional, present, required
from stations.charging_profiles.profile import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    CompositeSchedule,
    Curve,
    InvalidProfile,
    Kind,
    OperationMode,
    Purpose,
    RateUnit,
    Recurrency,
)
from stations.charging_profiles.v16 import read_purpose

PHASED = {
    "limit": "limit",
    "dischargeLimit": "discharge_limit",
    "setpoint": "setpoint",
    "setpointReactive": "setpoint_reactive",
}
NUMBERS = {name + wire: ours + wire.lower() for name, ours in PHASED.items() for wire in ("", "_L2", "_L3")}
PLAIN: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    **{name: (ours, fields.number) for name, ours in NUMBERS.items()},
    "numberPhases": ("number_phases", fields.integer),
    "phaseToUse": ("phase_to_use", fields.integer),
    "preconditioningRequest": ("preconditioning_request", fields.flag),
    "evseSleep": ("evse_sleep", fields.flag),
    "v2xBaseline": ("v2x_baseline", fields.number),
    "operationMode": ("operation_mode", fields.word(OperationMode)),
}
CURVES = {
    "v2xFreqWattCurve": ("v2x_freq_watt_curve", "frequency"),
    "v2xSignalWattCurve": ("v2x_signal_watt_curve", "signal"),
}

# What OCPP 2.0.1 knows; everything else came with 2.1.
PROFILE_201 = {
    "id", "stackLevel", "chargingProfilePurpose", "chargingProfileKind", "recurrencyKind", "validFrom", "validTo",
    "transactionId", "chargingSchedule", "customData",
}  # fmt: skip
SCHEDULE_201 = {
    "id", "startSchedule", "duration", "chargingRateUnit", "minChargingRate", "salesTariff",
    "chargingSchedulePeriod", "customData",
}  # fmt: skip
PERIOD_201 = {"startPeriod", "limit", "numberPhases", "phaseToUse"}
PURPOSES_21 = {Purpose.PRIORITY_CHARGING, Purpose.LOCAL_GENERATION}

PROFILE_EXTRAS = ("priceScheduleSignature", "customData")
SCHEDULE_EXTRAS = (
    "powerTolerance", "signatureId", "digestValue", "salesTariff", "absolutePriceSchedule", "priceLevelSchedule",
    "customData",
)  # fmt: skip


def from_v2(wire: Any, *, evse: int = 0) -> ChargingProfile:
    """Read a profile for an EVSE; raises InvalidProfile where a member is missing or cannot be read."""
    wire = fields.an_object(wire)
    return ChargingProfile(
        id=required(wire, "id", fields.integer),
        stack_level=required(wire, "stackLevel", fields.integer),
        purpose=required(wire, "chargingProfilePurpose", read_purpose),
        kind=required(wire, "chargingProfileKind", fields.word(Kind)),
        schedules=required(wire, "chargingSchedule", fields.items(_read_schedule)),
        evse=evse,
        recurrency=optional(wire, "recurrencyKind", fields.word(Recurrency)),
        valid_from=optional(wire, "validFrom", fields.moment),
        valid_to=optional(wire, "validTo", fields.moment),
        transaction_id=optional(wire, "transactionId", fields.text),
        max_offline_duration_s=optional(wire, "maxOfflineDuration", fields.integer),
        invalid_after_offline_duration=optional(wire, "invalidAfterOfflineDuration", fields.flag) or False,
        dyn_update_interval_s=optional(wire, "dynUpdateInterval", fields.integer),
        dyn_update_time=optional(wire, "dynUpdateTime", fields.moment),
        extras=_extras(wire, PROFILE_EXTRAS),
    )


def _read_schedule(wire: Any) -> ChargingSchedule:
    wire = fields.an_object(wire)
    local = optional(wire, "useLocalTime", fields.flag) or False
    return ChargingSchedule(
        rate_unit=required(wire, "chargingRateUnit", fields.word(RateUnit)),
        periods=required(wire, "chargingSchedulePeriod", fields.items(_read_period)),
        id=optional(wire, "id", fields.integer) or 0,
        start_schedule=optional(wire, "startSchedule", fields.wall_clock if local else fields.moment),
        duration_s=optional(wire, "duration", fields.integer),
        min_charging_rate=optional(wire, "minChargingRate", fields.number),
        use_local_time=local,
        randomized_delay_s=optional(wire, "randomizedDelay", fields.integer) or 0,
        limit_at_soc=optional(wire, "limitAtSoC", _limit_at_soc),
        extras=_extras(wire, SCHEDULE_EXTRAS),
    )


def _read_period(wire: Any) -> ChargingSchedulePeriod:
    wire = fields.an_object(wire)
    members: dict[str, Any] = {ours: optional(wire, name, read) for name, (ours, read) in PLAIN.items()}
    curves: dict[str, Any] = {
        ours: optional(wire, name, _curve(x)) or () for name, (ours, x) in CURVES.items()
    }
    start_period_s = required(wire, "startPeriod", fields.integer)
    return ChargingSchedulePeriod(start_period_s, **members, **curves)


def _limit_at_soc(wire: Any) -> tuple[int, Decimal]:
    wire = fields.an_object(wire)
    return required(wire, "soc", fields.integer), required(wire, "limit", fields.number)


def _curve(x: str) -> Callable[[Any], Curve]:
    def read(wire: Any) -> tuple[Decimal, Decimal]:
        wire = fields.an_object(wire)
        return required(wire, x, fields.number), required(wire, "power", fields.number)

    return fields.items(read)


def _extras(wire: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, object]:
    return {name: wire[name] for name in names if wire.get(name) is not None}


def composite_from_v2(wire: Any) -> CompositeSchedule:
    """Read the `schedule` of an accepted GetCompositeScheduleResponse."""
    wire = fields.an_object(wire)
    return CompositeSchedule(
        evse=required(wire, "evseId", fields.integer),
        start=required(wire, "scheduleStart", fields.moment),
        duration_s=required(wire, "duration", fields.integer),
        rate_unit=required(wire, "chargingRateUnit", fields.word(RateUnit)),
        periods=required(wire, "chargingSchedulePeriod", fields.items(_read_period)),
    )


def to_v2(profile: ChargingProfile) -> dict[str, Any]:
    """Write a profile for OCPP 2.1; members at their default are left out."""
    return present(
        id=profile.id,
        stackLevel=profile.stack_level,
        chargingProfilePurpose=profile.purpose.value,
        chargingProfileKind=profile.kind.value,
        recurrencyKind=profile.recurrency and profile.recurrency.value,
        validFrom=fields.written(profile.valid_from),
        validTo=fields.written(profile.valid_to),
        transactionId=profile.transaction_id,
        maxOfflineDuration=profile.max_offline_duration_s,
        invalidAfterOfflineDuration=profile.invalid_after_offline_duration or None,
        dynUpdateInterval=profile.dyn_update_interval_s,
        dynUpdateTime=fields.written(profile.dyn_update_time),
        chargingSchedule=[_schedule(schedule) for schedule in profile.schedules],
        **profile.extras,
    )


def _schedule(schedule: ChargingSchedule) -> dict[str, Any]:
    return present(
        id=schedule.id,
        startSchedule=fields.written(schedule.start_schedule),
        duration=schedule.duration_s,
        chargingRateUnit=schedule.rate_unit.value,
        minChargingRate=schedule.min_charging_rate,
        useLocalTime=schedule.use_local_time or None,
        randomizedDelay=schedule.randomized_delay_s or None,
        limitAtSoC=schedule.limit_at_soc and dict(zip(("soc", "limit"), schedule.limit_at_soc, strict=True)),
        chargingSchedulePeriod=[_period(period) for period in schedule.periods],
        **schedule.extras,
    )


def _period(period: ChargingSchedulePeriod) -> dict[str, Any]:
    members = {name: getattr(period, ours) for name, (ours, _) in PLAIN.items()}
    for name, (ours, x) in CURVES.items():
        members[name] = [{x: at, "power": power} for at, power in getattr(period, ours)] or None
    return present(startPeriod=period.start_period_s, **members)


def to_v201(profile: ChargingProfile) -> dict[str, Any]:
    """Write a profile for OCPP 2.0.1; raises InvalidProfile for what came with 2.1, price schedules included."""
    if profile.purpose in PURPOSES_21 or profile.kind is Kind.DYNAMIC:
        raise InvalidProfile("chargingProfilePurpose", f"OCPP 2.0.1 has no {profile.purpose} {profile.kind}")
    wire = to_v2(profile)
    _only(wire, PROFILE_201, "")
    for i, schedule in enumerate(wire["chargingSchedule"]):
        _only(schedule, SCHEDULE_201, f"chargingSchedule[{i}].")
        for j, period in enumerate(schedule["chargingSchedulePeriod"]):
            where = f"chargingSchedule[{i}].chargingSchedulePeriod[{j}]."
            if period.get("operationMode") == OperationMode.CHARGING_ONLY:
                del period["operationMode"]  # the only one that 2.0.1 has, under no name
            _only(period, PERIOD_201, where)
            if "limit" not in period:
                raise InvalidProfile(f"{where}limit", "is required in OCPP 2.0.1")
    return wire


def _only(wire: Mapping[str, Any], known: set[str], path: str) -> None:
    for name in wire:
        if name not in known:
            raise InvalidProfile(f"{path}{name}", "OCPP 2.0.1 has no word for it")
