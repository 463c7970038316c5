"""Limits of outlets on the way to their stations: the share of a running session, and the safe limit beneath it.

A share is a TxProfile of two periods: the share, and from the end of its lease on the safe limit. So a station whose
platform is away falls back by itself, whatever it makes of `validTo` and of stack levels. What begins without us is
held by the safe limit, a TxDefaultProfile on the highest level (OCPP 1.6 section 3.13, 2.1 K01).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from cpo.lib import clock
from stations.charging_profiles import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    InvalidProfile,
    Kind,
    Purpose,
    RateUnit,
)
from stations.load_balancing import PAUSED, Wiring
from stations.models import ChargingSession, ChargingStation, InstalledProfile, PowerOutlet, ReviewItem
from stations.services import capabilities, profile_rows, profile_shapes, requests, review, smart_charging
from stations.services.errors import StationsError, UnknownAction, UnsuitedProfile

log = structlog.get_logger(__name__)
SOURCE, SAFE = profile_rows.BALANCER, profile_rows.SAFE
State = InstalledProfile.State
ON_THE_WAY = (State.SENT, State.WANTED, State.UNKNOWN)


@dataclass(slots=True)
class Told:
    """The balancer's rows at one outlet: of the running session, and the safe one."""

    share: InstalledProfile | None = None
    safe: InstalledProfile | None = None

    @property
    def has_safe(self) -> bool:
        """Tell whether the safe limit lies on the station."""
        return self.safe is not None and self.safe.on_station is not None

    @property
    def is_uncontrolled(self) -> bool:
        """Tell whether the station takes no limit of ours: its safe one could not be sent, or was refused."""
        return self.share is None and (self.safe is None or self.safe.state == State.REFUSED)


def told(outlets: Iterable[PowerOutlet], running: Mapping[int, ChargingSession]) -> dict[int, Told]:
    """Return the balancer's rows by the ids of outlets: one statement."""
    places = {(each.evse.station_id, each.evse.number): each for each in outlets}
    found = {each.pk: Told() for each in places.values()}
    rows = InstalledProfile.objects.filter(
        station_id__in={station_id for station_id, _ in places}, source__in=[SOURCE, SAFE], parent=None
    ).filter(state__in=[*InstalledProfile.LIVE, State.REFUSED]).order_by("id")  # fmt: skip
    for row in rows:
        outlet = places.get((row.station_id, row.evse_number))
        if outlet is None:
            continue
        if row.source == SAFE:
            found[outlet.pk].safe = row
        elif row.is_live and outlet.evse_id in running and row.session_id == running[outlet.evse_id].pk:
            found[outlet.pk].share = row
    return found


def held_a(outlet: PowerOutlet, rows: Told, wiring: Wiring, *, now: datetime) -> Decimal:
    """Return the highest current by which the station may draw now, whatever of our messages has reached it."""
    safe = outlet.safe_a if rows.has_safe and outlet.safe_a is not None else outlet.maximum_a
    row = rows.share
    if row is None:
        return safe
    is_over = outlet.until is not None and now >= outlet.until
    seen = [_limit_a(row.on_station, wiring, is_over=is_over) if row.on_station else safe]
    if row.state in ON_THE_WAY:
        seen.append(_limit_a(row.profile, wiring, is_over=is_over))
    return min(max(seen), outlet.maximum_a)


def tell(
    outlet: PowerOutlet, session: ChargingSession, wiring: Wiring, *, amps: Decimal, until: datetime
) -> bool:
    """Send a running session its share until then; False where that cannot be, which is tried again."""
    station = outlet.evse.station
    can = capabilities.of(station)
    unit = _unit(wiring, can.units)
    safe = min(outlet.safe_a if outlet.safe_a is not None else PAUSED, amps)
    start = clock.now() - profile_shapes.BACKDATED
    has_two = can.max_periods is None or can.max_periods > 1
    periods = [_period(0, amps, unit, wiring)]
    length_s = int((until - start).total_seconds())
    if has_two:
        periods.append(_period(length_s, safe, unit, wiring))
    profile = ChargingProfile(
        id=0,
        stack_level=can.max_stack_level or 0,
        purpose=Purpose.TX,
        kind=Kind.ABSOLUTE,
        evse=outlet.evse.number,
        schedules=(
            ChargingSchedule(
                rate_unit=unit, periods=tuple(periods), start_schedule=start,
                duration_s=None if has_two else length_s,
            ),
        ),
        valid_to=None if has_two else until,
        max_offline_duration_s=settings.SITE_LIMIT_LEASE_S if _knows_offline(station) else None,
    )  # fmt: skip
    try:
        with transaction.atomic():
            smart_charging.install(
                station, profile=profile, source=SOURCE, requested_by=SOURCE, keep_offline=True
            )
    except StationsError as error:
        log.warning("no limit for an outlet", outlet=outlet.pk, error=str(error))
        return False
    return True


def tell_safe(outlet: PowerOutlet, wiring: Wiring, *, amps: Decimal, requested_by: str = SOURCE) -> bool:
    """Lay the safe limit on an outlet, or wish it there for when its station is back; False where it cannot lie."""
    station = outlet.evse.station
    can = capabilities.of(station)
    if not can.is_smart:
        return _not_safe(outlet, "the station does not know smart charging")
    unit = _unit(wiring, can.units)
    highest = can.max_stack_level or 0
    schedule = ChargingSchedule(rate_unit=unit, periods=(_period(0, amps, unit, wiring),))
    for level in range(
        highest, max(highest - 3, -1), -1
    ):  # another's default for all EVSEs may be there: K01.FR.53
        profile = ChargingProfile(
            id=0, stack_level=level, purpose=Purpose.TX_DEFAULT, kind=Kind.RELATIVE, schedules=(schedule,),
            evse=outlet.evse.number,
        )  # fmt: skip
        try:
            with transaction.atomic():
                row = smart_charging.install(
                    station, profile=profile, source=SAFE, requested_by=requested_by, keep_offline=True
                )
                _take_back_others(row)
                return True
        except UnsuitedProfile as error:
            if error.path != "stackLevel":
                return _not_safe(outlet, str(error))
        except StationsError as error:
            return _not_safe(outlet, str(error))
    return _not_safe(outlet, "another default for all connectors lies on each of its levels")


def tell_once(key: str, **fields: Any) -> None:
    """Raise an item for an operator, unless it was raised before: sweeps find the same thing again and again."""
    if not ReviewItem.objects.filter(key=key[:100]).exists():
        review.raise_item("charging_profile", key=key, **fields)


def _not_safe(outlet: PowerOutlet, reason: str) -> bool:
    station, number = outlet.evse.station, outlet.evse.number
    tell_once(
        f"safe_limit:{outlet.pk}:{station.firmware_version}",
        summary=f"{station.identity}: connector {number} has no safe limit: {reason}",
        station=station,
        facts={"evse": number, "safe_a": str(outlet.safe_a)},
    )
    return False


def safe_lies(outlet: PowerOutlet, rows: Told, wiring: Wiring) -> bool:
    """Tell whether the safe limit lies there or is on its way; one that was refused waits for the next reckoning."""
    row = rows.safe
    if row is None or outlet.safe_a is None:
        return False
    if row.state == State.REFUSED:
        return True
    if row.state == State.DISPLACED and (rows.share is None or rows.share.purpose != Purpose.TX_DEFAULT):
        return False
    wish = row.wish["chargingSchedule"][0]
    limit = Decimal(str(wish["chargingSchedulePeriod"][0]["limit"]))
    expected = outlet.safe_a if wish["chargingRateUnit"] == RateUnit.A else wiring.watts_of(outlet.safe_a)
    return row.is_wanted and limit == expected


def lift(outlet: PowerOutlet, *, sources: Iterable[str] = (SOURCE, SAFE), **options: Any) -> None:
    """Take the balancer's limits back from an outlet."""
    for source in sources:
        try:
            with transaction.atomic():
                smart_charging.lift_limit(outlet.evse, source=source, **options)
        except StationsError as error:
            log.warning("a limit stays", outlet=outlet.pk, source=source, error=str(error))


def lease() -> timedelta:
    """Return how long a share holds."""
    return timedelta(seconds=settings.SITE_LIMIT_LEASE_S)


def _limit_a(wire: Mapping[str, Any], wiring: Wiring, *, is_over: bool) -> Decimal:
    schedule = wire["chargingSchedule"][0]
    periods = schedule["chargingSchedulePeriod"]
    limit = Decimal(str(periods[-1 if is_over else 0]["limit"]))
    return limit if schedule["chargingRateUnit"] == RateUnit.A else wiring.amps_of(limit)


def _unit(wiring: Wiring, known: frozenset[RateUnit]) -> RateUnit:
    """Direct current is limited in W; else A, where the station takes it (1.6 section 9.4)."""
    if wiring.is_dc or known == frozenset({RateUnit.W}):
        return RateUnit.W
    return RateUnit.A


def _period(start_s: int, amps: Decimal, unit: RateUnit, wiring: Wiring) -> ChargingSchedulePeriod:
    limit = amps if unit is RateUnit.A else wiring.watts_of(amps)
    phases = len(wiring.phases)
    return ChargingSchedulePeriod(
        start_s, limit, number_phases=None if wiring.is_dc or phases == 3 else phases
    )


def _knows_offline(station: ChargingStation) -> bool:
    """Tell whether the station's version has maxOfflineDuration: it came with dynamic schedules (2.1 K01, K28)."""
    try:
        requests.write(station, "update_dynamic_schedule", {"profile_id": 1, "values": {}})
    except UnknownAction:
        return False
    except InvalidProfile:
        return True
    return True


def _take_back_others(row: InstalledProfile) -> None:
    """Clear safe limits that lie on another level of the same outlet."""
    others = InstalledProfile.objects.filter(
        station=row.station, source=SAFE, evse_number=row.evse_number, parent=None, is_wanted=True,
        state__in=InstalledProfile.LIVE,
    ).exclude(pk=row.pk)  # fmt: skip
    for other in others:
        smart_charging.clear(other, requested_by=SOURCE, keep_offline=True)
