"""Charging profiles made of what people say: a template of the library, or a plain limit, at a certain site.

Everything here computes; nothing is stored. Times of a site's wall clock stay wall clock until `at_site` lays them
into UTC, because a station of OCPP 1.6 knows no time zone (section 3.14).
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stations.charging_profiles import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    Kind,
    Purpose,
    RateUnit,
    Recurrency,
)
from stations.load_balancing.wiring import to_neutral
from stations.models import ChargingStation, Connector, ProfileTemplate

BACKDATED = timedelta(minutes=1)  # a schedule starts in the past, so that no gap opens (1.6 section 5.16.4)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a profile is to lie: the wires and the clock of the site."""

    phases: int = 3
    voltage_v: Decimal = Decimal(230)
    is_dc: bool = False
    outlets: int = 1  # EVSEs that share what the profile limits
    zone: ZoneInfo = ZoneInfo("UTC")


def place_of(station: ChargingStation, evse_number: int) -> Place:
    """Return the wires at an EVSE, or of the whole station for 0 (two statements at most)."""
    connectors = list(
        Connector.objects.filter(evse__station=station, evse__is_removed=False).select_related("evse")
    )
    here = [c for c in connectors if c.evse.number == evse_number] or connectors
    zone = zone_of(station)
    if not here:
        return Place(zone=zone)
    is_dc = all(connector.power_type == "DC" for connector in here)
    phases = 3 if is_dc else max(_phases(connector.power_type) for connector in here)
    outlets = len({connector.evse.number for connector in connectors}) if evse_number == 0 else 1
    voltage_v = min(to_neutral(Decimal(each.max_voltage_v), each.power_type) for each in here)
    return Place(phases, voltage_v, is_dc, max(outlets, 1), zone)


def zone_of(station: ChargingStation) -> ZoneInfo:
    """Return the time zone of the station's site, UTC without one."""
    try:
        return ZoneInfo(station.location.time_zone if station.location else "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def of_limit(
    limit: Decimal,
    unit: RateUnit,
    *,
    purpose: Purpose,
    evse: int,
    stack_level: int,
    now: datetime,
    phases: int | None = None,
    valid_to: datetime | None = None,
    transaction_id: str | None = None,
) -> ChargingProfile:
    """Make a profile of one plain limit. `phases`: how many a power counts on; None as the standard has it, 3."""
    kind = Kind.ABSOLUTE if purpose is Purpose.STATION_MAX else Kind.RELATIVE
    schedule = ChargingSchedule(
        rate_unit=unit,
        periods=(ChargingSchedulePeriod(0, limit, number_phases=phases),),
        start_schedule=now - BACKDATED if kind is Kind.ABSOLUTE else None,
    )
    return ChargingProfile(
        id=0, stack_level=stack_level, purpose=purpose, kind=kind, schedules=(schedule,), evse=evse,
        valid_to=valid_to, transaction_id=transaction_id,
    )  # fmt: skip


def of_template(
    template: ProfileTemplate, *, evse: int, now: datetime, zone: ZoneInfo, stack_level: int | None = None
) -> ChargingProfile:
    """Make a profile of a template; a recurring one starts with the running day or week."""
    kind = Kind(template.kind)
    is_local = kind is Kind.RECURRING and template.is_local_time
    schedule = ChargingSchedule(
        rate_unit=RateUnit(template.rate_unit),
        periods=tuple(_period(period) for period in template.periods),
        start_schedule=_start(template, now, zone),
        duration_s=template.duration_s,
        min_charging_rate=template.min_charging_rate,
        use_local_time=is_local,
    )
    return ChargingProfile(
        id=0,
        stack_level=template.stack_level if stack_level is None else stack_level,
        purpose=Purpose(template.purpose),
        kind=kind,
        schedules=(schedule,),
        evse=evse,
        recurrency=Recurrency(template.recurrency) if kind is Kind.RECURRING else None,
        valid_from=template.valid_from,
        valid_to=template.valid_to,
    )


def at_site(profile: ChargingProfile, zone: ZoneInfo, now: datetime) -> tuple[ChargingProfile, int | None]:
    """Lay wall-clock starts into UTC with the zone's present offset; return that offset in seconds, None without.

    When the clocks change, the profile must be laid again.
    """
    if not any(schedule.use_local_time for schedule in profile.schedules):
        return profile, None
    offset = now.astimezone(zone).utcoffset() or timedelta()
    schedules = tuple(
        replace(
            schedule,
            use_local_time=False,
            start_schedule=schedule.start_schedule and schedule.start_schedule - offset,
        )
        if schedule.use_local_time
        else schedule
        for schedule in profile.schedules
    )
    return replace(profile, schedules=schedules), int(offset.total_seconds())


def _start(template: ProfileTemplate, now: datetime, zone: ZoneInfo) -> datetime | None:
    match template.kind:
        case Kind.RELATIVE:
            return None
        case Kind.ABSOLUTE:
            return template.start_at or now - BACKDATED
    clock = now.astimezone(zone if template.is_local_time else UTC).replace(tzinfo=UTC)
    midnight = clock.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=midnight.weekday() if template.recurrency == Recurrency.WEEKLY else 0)


def _period(period: dict[str, Any]) -> ChargingSchedulePeriod:
    return ChargingSchedulePeriod(
        start_period_s=int(period["start_s"]),
        limit=Decimal(str(period["limit"])),
        number_phases=period.get("number_phases"),
    )


def _phases(power_type: str) -> int:
    return {"AC_1_PHASE": 1, "AC_2_PHASE": 2, "AC_2_PHASE_SPLIT": 2}.get(power_type, 3)
