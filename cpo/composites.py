"""The two composite schedules of an EVSE side by side, as the API and the console show them."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from cpo.lib import clock
from stations.charging_profiles import CompositeSchedule, InvalidProfile, RateUnit, convert
from stations.charging_profiles.units import plain
from stations.models import ChargingStation, CompositeReport
from stations.services import composite_schedules, profile_shapes
from stations.services.composite_schedules import Difference


@dataclass(frozen=True, slots=True)
class Period:
    """What holds from a moment on; no limit: nothing limits."""

    start: datetime
    limit: Decimal | None
    number_phases: int | None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two schedules."""

    start: datetime
    duration_s: int
    unit: str
    periods: list[Period]

    @classmethod
    def of(cls, schedule: CompositeSchedule) -> "Side":
        """Give its periods as moments."""
        periods = [
            Period(
                schedule.start + timedelta(seconds=period.start_period_s), period.limit, period.number_phases
            )
            for period in schedule.periods
        ]
        return cls(schedule.start, schedule.duration_s, schedule.rate_unit.value, periods)


@dataclass(frozen=True, slots=True)
class Composite:
    """Ours and theirs, in one unit."""

    evse: int
    ours: Side | None
    theirs: Side | None
    report: CompositeReport | None
    differences: list[Difference]

    @classmethod
    def read(
        cls,
        station: ChargingStation,
        *,
        evse_number: int,
        duration_s: int = 86_400,
        unit: RateUnit = RateUnit.A,
    ) -> "Composite":
        """Compute ours from now on and read what the station told last; both in `unit`.

        Ours is None where profiles contradict each other.
        """
        report = CompositeReport.objects.filter(station=station, evse_number=evse_number).first()
        told = composite_schedules.told(report)
        theirs = None if told is None else _in_unit(told, unit, station)
        now = clock.now().replace(microsecond=0)
        start = now if theirs is None else min(now, theirs.start)
        if theirs is not None and now - theirs.start > timedelta(seconds=duration_s):
            start = now  # it is too old to stand beside ours
        try:
            ours = composite_schedules.computed(
                station, evse_number=evse_number, start=start, duration_s=duration_s, unit=unit
            )
        except InvalidProfile:
            ours = None
        differences = composite_schedules.differences(ours, theirs) if ours and theirs else []
        return cls(
            evse_number,
            Side.of(ours) if ours else None,
            Side.of(theirs) if theirs else None,
            report,
            differences,
        )


def _in_unit(schedule: CompositeSchedule, unit: RateUnit, station: ChargingStation) -> CompositeSchedule:
    """Express what a station told in our unit, at the set voltage of the site."""
    if schedule.rate_unit is unit:
        return schedule
    place = profile_shapes.place_of(station, schedule.evse)

    def value(limit: Decimal | None, phases: int) -> Decimal | None:
        if limit is None:
            return None
        found = convert(
            limit,
            unit=schedule.rate_unit,
            into=unit,
            phases=phases,
            into_phases=phases,
            voltage_v=place.voltage_v,
        )
        return plain(found)

    periods = tuple(
        replace(period, limit=value(period.limit, 1 if place.is_dc else period.number_phases or place.phases))
        for period in schedule.periods
    )
    return replace(schedule, rate_unit=unit, periods=periods)
