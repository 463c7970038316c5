"""A wished profile becomes one that a station takes: rungs of a ladder, units, smallest currents, checks.

Quirk 25 of the field notes and 1.6 chapter 9.4. A rung is a purpose and a unit; each refusal leads to the next one.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from stations.charging_profiles import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    Kind,
    Purpose,
    RateUnit,
    convert,
    faults,
)
from stations.services import profile_shapes
from stations.services.capabilities import Capabilities
from stations.services.errors import UnsuitedProfile
from stations.services.profile_shapes import Place

STEP = Decimal("0.1")  # of a limit on the wire of 1.6 (section 7.14)
OTHER = {RateUnit.A: RateUnit.W, RateUnit.W: RateUnit.A}
# What stands for a purpose that a station refuses: a standing one is given to each transaction as its TxProfile.
INSTEAD: dict[Purpose, tuple[Purpose, ...]] = {
    Purpose.STATION_MAX: (Purpose.STATION_MAX, Purpose.TX_DEFAULT, Purpose.TX),
    Purpose.TX_DEFAULT: (Purpose.TX_DEFAULT, Purpose.TX),
    Purpose.TX: (Purpose.TX, Purpose.TX_DEFAULT),
}
ADAPTATIONS = {
    "absolute": "as an absolute schedule",
    "watts": "converted to W",
    "amperes": "converted to A",
    "shared": "shared evenly among the connectors",
    "default_instead": "as the default of transactions",
    "per_transaction": "given to each transaction",
    "raised": "raised to the smallest current, because it cannot pause by a limit",
    "paused": "below the smallest current: paused",
    "site_clock": "laid into UTC by the site's clock",
}


class Rung(NamedTuple):
    """One way to say the same. `is_standing`: not sent itself, but given to each transaction."""

    purpose: Purpose
    unit: RateUnit
    is_standing: bool = False

    def __str__(self) -> str:
        return f"{'each transaction' if self.is_standing else self.purpose.value} {self.unit.value}"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A profile for the wire, what was changed in words, and the offset of the site's clock laid into it."""

    profile: ChargingProfile
    rung: Rung
    adaptations: tuple[str, ...] = ()
    utc_offset_s: int | None = None


def ladder(wish: ChargingProfile, can: Capabilities, *, has_session: bool) -> list[Rung]:
    """Return the rungs for a wish, best first; none when the station takes nothing of the kind."""
    unit = wish.schedules[0].rate_unit
    units = [unit, OTHER[unit]] if not can.units else [unit if unit in can.units else OTHER[unit]]
    purposes: Iterable[Purpose] = INSTEAD.get(wish.purpose, (wish.purpose,))
    if can.transactions_only:
        purposes = [purpose for purpose in purposes if purpose is Purpose.TX]
    if can.defaults_only:
        purposes = [purpose for purpose in purposes if purpose is Purpose.TX_DEFAULT]
    if not can.has_maximum:
        purposes = [purpose for purpose in purposes if purpose is not Purpose.STATION_MAX]
    return [
        Rung(purpose, each, is_standing=purpose is Purpose.TX and not has_session)
        for purpose in purposes
        for each in units
    ]


def next_rung(rungs: Iterable[Rung], *, refused: Collection[str], may_fall_back: bool) -> Rung | None:
    """Return the first rung that the station did not refuse; only the first one of all without fall-backs."""
    for rung in rungs:
        if str(rung) not in refused:
            return rung
        if not may_fall_back:
            return None
    return None


def fit(wish: ChargingProfile, rung: Rung, *, can: Capabilities, place: Place, now: datetime) -> Fitted:
    """Say a wish on a rung in a way that the station takes."""
    notes: list[str] = []
    profile = replace(wish, purpose=rung.purpose)
    if rung.purpose is not Purpose.TX:
        profile = replace(profile, transaction_id=None)
    if wish.purpose is Purpose.STATION_MAX and rung.purpose is not Purpose.STATION_MAX and place.outlets > 1:
        profile = _each_limit(profile, lambda value: value / place.outlets)
        notes.append("shared")
    if wish.purpose is not rung.purpose:
        notes.append("per_transaction" if rung.purpose is Purpose.TX else "default_instead")
    if profile.purpose is Purpose.STATION_MAX and profile.kind is Kind.RELATIVE:
        profile = _absolute(profile, now)
        notes.append("absolute")
    if profile.schedules[0].rate_unit is not rung.unit:
        profile = _in_unit(profile, rung.unit, place)
        notes.append("watts" if rung.unit is RateUnit.W else "amperes")
    if not place.is_dc and (rung.purpose is not Purpose.STATION_MAX or place.outlets == 1):
        profile, note = _not_below_minimum(profile, can, place)
        notes += note
    offset = None
    if not can.local_time:
        profile, offset = profile_shapes.at_site(profile, place.zone, now)
        notes += ["site_clock"] if offset is not None else []
    return Fitted(profile, rung, tuple(notes), offset)


def check(
    profile: ChargingProfile,
    can: Capabilities,
    *,
    transaction: str | None,
    others: int,
    is_standing: bool = False,
) -> None:
    """Raise `UnsuitedProfile` for what the specification forbids or the station cannot hold (1.6 chapter 9.4).

    `others` counts the profiles that lie there already and are not replaced by this one.
    """
    if profile.purpose is Purpose.TX and transaction is None and not is_standing:
        raise UnsuitedProfile("evseId", f"no transaction is running on EVSE {profile.evse}: K01.FR.09")
    if not is_standing:
        for fault in faults(profile, transaction=transaction):
            raise UnsuitedProfile(
                fault.path, f"{fault.message} ({fault.rule})" if fault.rule else fault.message
            )
    if can.max_stack_level is not None and profile.stack_level > can.max_stack_level:
        raise UnsuitedProfile(
            "stackLevel", f"{profile.stack_level} is more than the station's highest, {can.max_stack_level}"
        )
    if can.max_profiles is not None and others >= can.max_profiles:
        raise UnsuitedProfile("id", f"the station holds {can.max_profiles} profiles at most: clear one first")
    for index, schedule in enumerate(profile.schedules):
        if can.max_periods is not None and len(schedule.periods) > can.max_periods:
            path = f"chargingSchedule[{index}].chargingSchedulePeriod"
            raise UnsuitedProfile(
                path, f"{len(schedule.periods)} periods are more than the station takes, {can.max_periods}"
            )
        if can.units and schedule.rate_unit not in can.units:
            raise UnsuitedProfile(
                f"chargingSchedule[{index}].chargingRateUnit",
                f"the station does not take {schedule.rate_unit}",
            )


def _absolute(profile: ChargingProfile, now: datetime) -> ChargingProfile:
    start = now - profile_shapes.BACKDATED
    schedules = tuple(replace(schedule, start_schedule=start) for schedule in profile.schedules)
    return replace(profile, kind=Kind.ABSOLUTE, schedules=schedules)


def _in_unit(profile: ChargingProfile, unit: RateUnit, place: Place) -> ChargingProfile:
    """Convert at the same current per phase; the phases are then named, for a power means nothing without them."""

    def converted(schedule: ChargingSchedule) -> ChargingSchedule:
        def value(amount: Decimal | None, phases: int) -> Decimal | None:
            if amount is None:
                return None
            return convert(
                amount, unit=schedule.rate_unit, into=unit, phases=phases, into_phases=phases,
                voltage_v=place.voltage_v,
            )  # fmt: skip

        periods = tuple(
            replace(
                period, limit=value(period.limit, _phases(period, place)), number_phases=_named(period, place)
            )
            for period in schedule.periods
        )
        rate = value(schedule.min_charging_rate, _phases(schedule.periods[0], place))
        return replace(schedule, rate_unit=unit, periods=periods, min_charging_rate=rate)

    return replace(profile, schedules=tuple(converted(schedule) for schedule in profile.schedules))


def _phases(period: ChargingSchedulePeriod, place: Place) -> int:
    if place.is_dc:
        return 1
    return period.number_phases or place.phases


def _named(period: ChargingSchedulePeriod, place: Place) -> int | None:
    return period.number_phases if place.is_dc else _phases(period, place)


def _not_below_minimum(
    profile: ChargingProfile, can: Capabilities, place: Place
) -> tuple[ChargingProfile, list[str]]:
    """Keep limits off what the station misreads: 0 where it does not pause, too little where a smallest is known."""
    notes: list[str] = []

    def value(period: ChargingSchedulePeriod, unit: RateUnit) -> Decimal | None:
        limit = period.limit
        if limit is None or (can.can_pause and can.minimum_a is None):
            return limit
        lowest = can.lowest_a
        if unit is RateUnit.W:
            lowest *= place.voltage_v * _phases(period, place)
        if limit >= lowest or (limit == 0 and can.can_pause):
            return limit
        notes.append("paused" if can.can_pause else "raised")
        return Decimal(0) if can.can_pause else lowest

    schedules = tuple(
        replace(
            schedule,
            periods=tuple(
                replace(period, limit=value(period, schedule.rate_unit)) for period in schedule.periods
            ),
        )
        for schedule in profile.schedules
    )
    return replace(profile, schedules=schedules), list(dict.fromkeys(notes))


def _each_limit(profile: ChargingProfile, change) -> ChargingProfile:  # type: ignore[no-untyped-def]
    def changed(period: ChargingSchedulePeriod) -> ChargingSchedulePeriod:
        if period.limit is None:
            return period
        return replace(period, limit=change(period.limit).quantize(STEP, rounding=ROUND_DOWN))

    schedules = tuple(
        replace(schedule, periods=tuple(changed(period) for period in schedule.periods))
        for schedule in profile.schedules
    )
    return replace(profile, schedules=schedules)
