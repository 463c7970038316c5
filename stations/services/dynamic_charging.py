"""What changes while a session charges: dynamic schedules and priority charging (2.1 K21, K22, K28)."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.db import transaction

from cpo.lib import clock, events
from stations.charging_profiles import ChargingProfile, ChargingSchedulePeriod, Kind, from_v2, to_v2
from stations.charging_profiles.rules import faults
from stations.events import ChargingProfilesChanged
from stations.models import ChargingSession, ChargingStation, Command, InstalledProfile, PriorityCharging
from stations.services import composite_schedules, profile_rows, requests
from stations.services.errors import NotOpen, UnsuitedProfile

Values = dict[str, Decimal]  # fields of a period: limit, discharge_limit, setpoint, and theirs of L2 and L3


@transaction.atomic(savepoint=False)
def update(
    row: InstalledProfile, *, values: Values, requested_by: str = "", user: Any = None, **options: Any
) -> Command:
    """Send new values of a dynamic profile that lies on the station (K28.FR.06): W or A, discharging negative.

    They hold from now on; a station that asks for them gets the same (`values_of`). Raise `UnsuitedProfile` where
    the profile is not dynamic or the values break a rule, `NotOpen` where it does not lie there.
    """
    row = (
        InstalledProfile.objects.select_for_update(of=["self"])
        .select_related("station", "session")
        .get(pk=row.pk)
    )
    if not row.is_live or row.on_station is None:
        raise NotOpen("the profile does not lie on the station")
    if row.source.startswith(profile_rows.FOUND):
        raise NotOpen("the profile is somebody else's (K29)")
    profile = _with_values(from_v2(row.profile, evse=row.evse_number), values)
    transaction_id = row.session.transaction_id if row.session else None
    for fault in faults(profile, transaction=transaction_id):
        raise UnsuitedProfile(fault.path, f"{fault.message} ({fault.rule})")
    row.wish = row.profile = to_v2(profile)
    row.last_updated = clock.now()
    row.save(update_fields=["wish", "profile", "last_updated"])
    return requests.queue(
        row.station,
        "update_dynamic_schedule",
        facts={"profile_id": row.profile_id, "values": values},
        requested_by=requested_by,
        user=user,
        **options,
    )


@transaction.atomic(savepoint=False)
def updated(command: Command, *, profile_id: int, outcome: str) -> None:
    """Take the outcome of UpdateDynamicSchedule: what was accepted lies there now."""
    row = _dynamic(command.station, profile_id)
    if row is None:
        return
    if outcome == "Accepted":
        row.on_station, row.detail = row.profile, ""
    else:
        row.detail = f"new values were answered {outcome or 'with nothing'}"
    row.save(update_fields=["on_station", "detail"])
    if outcome == "Accepted":
        composite_schedules.verify(row)
    events.publish(ChargingProfilesChanged(row.station_id))


@transaction.atomic(savepoint=False)
def values_of(station: ChargingStation, *, profile_id: int) -> ChargingSchedulePeriod | None:
    """Give the values that a dynamic profile has now (K28.FR.07); None where it is not one (K28.FR.12)."""
    row = _dynamic(station, profile_id)
    if row is None:
        return None
    row.on_station = row.profile
    row.save(update_fields=["on_station"])
    return from_v2(row.profile).schedules[0].periods[0]


@transaction.atomic(savepoint=False)
def use_priority(
    session: ChargingSession, *, activate: bool, requested_by: str = "", **options: Any
) -> Command:
    """Ask for priority charging of a session, or for its end (K21). Raise `NotOpen` when the session is over."""
    if session.status != ChargingSession.Status.ACTIVE:
        raise NotOpen("the session has already ended")
    PriorityCharging.objects.update_or_create(
        session=session, defaults={"is_wanted": activate, "answer": "", "changed_at": clock.now()}
    )
    return requests.queue(
        session.station,
        "use_priority_charging",
        facts={"session": session, "activate": activate},
        requested_by=requested_by,
        **options,
    )


@transaction.atomic(savepoint=False)
def priority_answered(station: ChargingStation, *, transaction_id: str, outcome: str) -> None:
    """Keep what the station said: Accepted, Rejected, or NoProfile when it has none to use (K21.FR.01)."""
    PriorityCharging.objects.filter(session__station=station, session__transaction_id=transaction_id).update(
        answer=outcome[:20], changed_at=clock.now()
    )
    events.publish(ChargingProfilesChanged(station.pk))


@transaction.atomic(savepoint=False)
def priority_told(station: ChargingStation, *, transaction_id: str, is_active: bool) -> bool:
    """Keep whether a session has priority now (K21.FR.05, K22.FR.03); False: no such session."""
    session = ChargingSession.objects.filter(station=station, transaction_id=transaction_id).first()
    if session is None:
        return False
    PriorityCharging.objects.update_or_create(
        session=session, defaults={"is_active": is_active, "changed_at": clock.now()}
    )
    events.publish(ChargingProfilesChanged(station.pk))
    return True


def _with_values(profile: ChargingProfile, values: Values) -> ChargingProfile:
    if profile.kind is not Kind.DYNAMIC:
        raise UnsuitedProfile("chargingProfileKind", "is not Dynamic (K28.FR.11)")
    schedule = profile.schedules[0]
    period = replace(schedule.periods[0], **values)  # type: ignore[arg-type]
    return replace(profile, schedules=(replace(schedule, periods=(period,)),))


def _dynamic(station: ChargingStation, profile_id: int) -> InstalledProfile | None:
    row = (
        InstalledProfile.objects.select_for_update(of=["self"])
        .select_related("station")
        .filter(station=station, profile_id=profile_id, state__in=InstalledProfile.LIVE)
        .first()
    )
    if row is None or row.profile.get("chargingProfileKind") != Kind.DYNAMIC.value:
        return None
    return row if not row.source.startswith(profile_rows.FOUND) else None
