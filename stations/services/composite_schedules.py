"""Composite schedules: computed by us from what lies on a station, told by the station, and compared (1.6 section 5.7).

What a station tells may be lower than ours, for it knows more limits; where it allows more, a profile is not in force.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from cpo.lib import clock, events
from stations.charging_profiles import (
    ChargingSchedulePeriod,
    CompositeSchedule,
    InvalidProfile,
    Purpose,
    RateUnit,
    composite,
    composite_from_v2,
    from_v2,
)
from stations.charging_profiles.fields import written
from stations.charging_profiles.v2 import NUMBERS
from stations.events import ChargingProfilesChanged
from stations.models import (
    ChargingSession,
    ChargingStation,
    Command,
    CompositeReport,
    Evse,
    InstalledProfile,
    PriorityCharging,
)
from stations.services import capabilities, charging_limits, commands, profile_shapes, requests, review
from stations.services.errors import StationsError

ASK = "GetCompositeSchedule"
DAY_S = 86_400
VERIFIED_S = 6 * 3600  # how far ahead a check looks
TOLERANCE = {RateUnit.A: Decimal("0.1"), RateUnit.W: Decimal(50)}  # stations round
CLOCK_OFF = timedelta(minutes=15)  # a station's start that is further away says nothing about ours

Status = CompositeReport.Status


@dataclass(frozen=True, slots=True)
class Difference:
    """A span in which both say otherwise; limits in the unit of both, None: unlimited. `is_more`: it allows more."""

    begin: datetime
    end: datetime
    ours: Decimal | None
    theirs: Decimal | None
    is_more: bool


def computed(
    station: ChargingStation,
    *,
    evse_number: int,
    start: datetime | None = None,
    duration_s: int = DAY_S,
    unit: RateUnit = RateUnit.A,
) -> CompositeSchedule:
    """Compute what an EVSE may draw, or for 0 the grid connection, from the profiles that lie on the station.

    Raise InvalidProfile where profiles ask for different phases.
    """
    start = start or clock.now()
    rows = InstalledProfile.objects.filter(
        station=station, state__in=InstalledProfile.LIVE, on_station__isnull=False
    )
    profiles = [from_v2(row.on_station, evse=row.evse_number) for row in rows]
    profiles += charging_limits.profiles(station)
    active = ChargingSession.objects.active().filter(station=station).select_related("evse").order_by("id")
    sessions = {session.evse.number: session for session in active}
    here = sessions.get(evse_number)
    place = profile_shapes.place_of(station, evse_number)
    return composite(
        profiles,
        evse=evse_number,
        start=start,
        duration_s=duration_s,
        unit=unit,
        session_start=here.started_at if here else None,
        transaction=here.transaction_id if here else None,
        connected_phases=place.phases,
        voltage_v=place.voltage_v,
        now=start,
        zone=place.zone,
        sessions={number: session.started_at for number, session in sessions.items()},
        priority_charging=here is not None
        and PriorityCharging.objects.filter(session=here, is_active=True).exists(),
    )


@transaction.atomic(savepoint=False)
def ask(
    station: ChargingStation,
    *,
    evse_number: int,
    duration_s: int = DAY_S,
    unit: RateUnit | None = None,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
    priority: int = 0,
    subject: str = "",
) -> Command:
    """Ask the station for its composite schedule; the last answer stands in `CompositeReport`.

    Raise what `commands.queue` raises.
    """
    command = requests.queue(
        station,
        "get_composite_schedule",
        facts={"evse": evse_number, "duration_s": duration_s, "unit": unit},
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
        priority=priority,
        subject=subject,
    )
    asked = {"command": command.uid, "asked_at": command.created_at, "duration_s": duration_s}
    CompositeReport.objects.update_or_create(
        station=station,
        evse_number=evse_number,
        defaults=asked,
        create_defaults={**asked, "status": Status.ASKED},
    )
    return command


@transaction.atomic(savepoint=False)
def answered(
    command: Command,
    *,
    evse_number: int,
    duration_s: int,
    outcome: str,
    schedule: CompositeSchedule | None,
    detail: str = "",
) -> None:
    """Keep what a station told; `outcome` is its word, 'NotImplemented' or 'Failed' for an error, '' for no answer."""
    station = command.station
    if outcome == "NotImplemented":
        capabilities.learn(station, "no_composite_schedule", reason=f"{ASK} is not implemented")
    status = {"Accepted": Status.ACCEPTED, "": Status.UNANSWERED}.get(outcome, Status.REJECTED)
    now = clock.now()
    fresh: dict[str, Any] = {
        "command": command.uid,
        "status": status,
        "detail": detail or _said(command, outcome),
    }
    fresh |= {"asked_at": command.created_at, "duration_s": duration_s}
    if outcome:
        fresh |= {"answered_at": now, "schedule": None if schedule is None else _as_v2(schedule, evse_number)}
    if not CompositeReport.objects.filter(
        station=station, evse_number=evse_number, asked_at__gt=command.created_at
    ).exists():  # a late answer does not overwrite a newer one
        CompositeReport.objects.update_or_create(station=station, evse_number=evse_number, defaults=fresh)
    _compare(command, station, evse_number, outcome, schedule)
    events.publish(ChargingProfilesChanged(station.pk))


def verify(row: InstalledProfile) -> Command | None:
    """Ask whether a profile is in force; None where the station cannot tell or is away."""
    station = row.station
    if not station.is_online or not capabilities.of(station).tells_composite:
        return None
    evse_number = row.evse_number
    if evse_number == 0 and row.purpose == Purpose.TX_DEFAULT:  # the grid connection has no transactions
        first = Evse.objects.filter(station=station, is_removed=False).order_by("number").first()
        evse_number = first.number if first else 1
    try:
        with transaction.atomic():
            return ask(
                station,
                evse_number=evse_number,
                duration_s=VERIFIED_S,
                unit=RateUnit(row.profile["chargingSchedule"][0]["chargingRateUnit"]),
                requested_by="verification",
                priority=commands.AUTOMATIC,
                subject=f"charging_profile:{row.pk}",
            )
    except (StationsError, InvalidProfile):
        return None


def told(report: CompositeReport | None) -> CompositeSchedule | None:
    """Read what a station told; None when it told no schedule."""
    if report is None or report.schedule is None:
        return None
    try:
        return composite_from_v2(report.schedule)
    except InvalidProfile:
        return None


def differences(ours: CompositeSchedule, theirs: CompositeSchedule) -> list[Difference]:
    """Return where two schedules of the same unit differ, within the time that both tell about."""
    begin = max(ours.start, theirs.start)
    end = min(_end(ours), _end(theirs))
    moments = sorted(
        {begin, *(moment for each in (ours, theirs) for moment in _changes(each) if begin < moment < end)}
    )
    found: list[Difference] = []
    tolerance = TOLERANCE[ours.rate_unit]
    for moment, until in zip(moments, [*moments[1:], end], strict=True):
        mine, yours = _limit(ours.at(moment)), _limit(theirs.at(moment))
        if until <= moment or mine == yours:
            continue
        if mine is not None and yours is not None and abs(mine - yours) <= tolerance:
            continue
        is_more = mine is not None and (yours is None or yours > mine)
        if found and (found[-1].end, found[-1].ours, found[-1].theirs) == (moment, mine, yours):
            found[-1] = Difference(found[-1].begin, until, mine, yours, is_more)
        else:
            found.append(Difference(moment, until, mine, yours, is_more))
    return found


def _compare(
    command: Command,
    station: ChargingStation,
    evse_number: int,
    outcome: str,
    schedule: CompositeSchedule | None,
) -> None:
    """Mark the profile that a question was about: verified, or not in force."""
    kind, _, number = command.subject.partition(":")
    if kind != "charging_profile" or not number.isdigit():
        return
    row = (
        InstalledProfile.objects.select_for_update(of=["self"])
        .select_related("station")
        .filter(pk=int(number), state=InstalledProfile.State.INSTALLED)
        .first()
    )
    if row is None:
        return
    row.is_verified, why = None, ""
    if outcome == "Accepted" and schedule is not None:
        why = _what_is_wrong(station, evse_number, schedule)
        row.is_verified = not why
    had_it = row.epoch == row.station.epoch  # else it was asked after the station had been away
    if row.is_verified is False and not had_it:
        row.state, row.next_try_at = InstalledProfile.State.UNKNOWN, clock.now()  # it is sent again
        row.detail = f"after it was away, {why}"
    elif row.is_verified is False:
        row.detail = why
        review.raise_item(
            "charging_profile",
            key=f"charging_profile:{row.pk}:unverified",
            summary=f"{station.identity}: charging profile {row.profile_id} was accepted, but {why}"[:255],
            station=station,
            facts={"profile": row.profile_id, "evse": evse_number},
        )
    row.epoch = row.station.epoch
    row.save(update_fields=["is_verified", "detail", "epoch", "state", "next_try_at"])


def _what_is_wrong(station: ChargingStation, evse_number: int, theirs: CompositeSchedule) -> str:
    """Say in which way a station does not follow its profiles; '' when it does."""
    now = clock.now()
    if abs(theirs.start - now) > CLOCK_OFF:
        theirs = CompositeSchedule(theirs.evse, now, theirs.duration_s, theirs.rate_unit, theirs.periods)
    try:
        ours = computed(
            station,
            evse_number=evse_number,
            start=theirs.start,
            duration_s=theirs.duration_s or VERIFIED_S,
            unit=theirs.rate_unit,
        )
    except InvalidProfile:
        return ""
    if any(difference.is_more for difference in differences(ours, theirs)):
        return "the station's composite schedule allows more"
    return steered_otherwise(ours, theirs)


def steered_otherwise(ours: CompositeSchedule, theirs: CompositeSchedule) -> str:
    """Say where a station's set points or discharge limits are not ours; '' when they are (Q03, V2X.02 to V2X.04).

    Discharging is negative on both sides: a set point with the wrong sign is the first thing that this finds. A
    station may feed back less than it may, never more.
    """
    tolerance = TOLERANCE[ours.rate_unit]
    end = min(_end(ours), _end(theirs))
    moments = sorted({moment for each in (ours, theirs) for moment in _changes(each) if moment < end})
    for moment in moments:
        mine, yours = ours.at(moment), theirs.at(moment)
        if mine is None or yours is None:
            continue
        if mine.setpoint is not None and (
            yours.setpoint is None or abs(mine.setpoint - yours.setpoint) > tolerance
        ):
            return f"its set point is {_shown(yours.setpoint)} instead of {_shown(mine.setpoint)}"
        limit = mine.discharge_limit
        if (
            limit is not None
            and yours.discharge_limit is not None
            and yours.discharge_limit < limit - tolerance
        ):
            return f"it may feed back {_shown(-yours.discharge_limit)} instead of {_shown(-limit)}"
    return ""


def _shown(value: Decimal | None) -> str:
    return "none" if value is None else f"{value.normalize():f}"


def _as_v2(schedule: CompositeSchedule, evse_number: int) -> dict[str, Any]:
    names = {
        "start_period_s": "startPeriod",
        "number_phases": "numberPhases",
        "operation_mode": "operationMode",
    }
    names |= {ours: name for name, ours in NUMBERS.items()}
    periods = [
        {names[name]: value for name, value in asdict(period).items() if name in names and value is not None}
        for period in schedule.periods
    ]
    return {
        "evseId": evse_number,
        "scheduleStart": written(schedule.start),
        "duration": schedule.duration_s,
        "chargingRateUnit": schedule.rate_unit.value,
        "chargingSchedulePeriod": periods,
    }


def _said(command: Command, outcome: str) -> str:
    if outcome in ("Accepted", "Rejected"):
        return ""
    return (command.error_description or command.error_code or "no answer")[:255]


def _end(schedule: CompositeSchedule) -> datetime:
    return schedule.start + timedelta(seconds=schedule.duration_s)


def _changes(schedule: CompositeSchedule) -> list[datetime]:
    return [schedule.start + timedelta(seconds=period.start_period_s) for period in schedule.periods]


def _limit(period: ChargingSchedulePeriod | None) -> Decimal | None:
    return None if period is None else period.limit
