"""Rows of charging profiles: found, locked, moved from state to state. Nothing is sent from here."""

from dataclasses import replace
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max

from cpo.lib import clock, events
from stations.charging_profiles import ChargingProfile, Criteria, Purpose, RateUnit, to_v2
from stations.events import ChargingProfilesChanged
from stations.models import ChargingSession, ChargingStation, Command, InstalledProfile
from stations.services import commands, profile_fitting, review
from stations.services.errors import NotOpen, UnsuitedProfile

State = InstalledProfile.State
OPERATOR, BY_HAND = "operator", "command"  # who manages a profile; by hand: sent as a plain command
BALANCER = "load balancer"  # of a site: its limits of running sessions
SAFE = "load balancer: safe"  # what holds without the balancer, and comes back after its limits
FOUND = "station:"  # before the source that the station names: it lay there, and nobody here put it there
ON_STATION = (State.SENT, State.INSTALLED, State.UNKNOWN)  # it lies there, or may
TRIES = 5  # without an answer, until a human is told
AGAIN_AFTER = timedelta(minutes=1)  # doubled with each try
FIRST_ID = 1


def subject(row: InstalledProfile) -> str:
    """Name a row for its commands."""
    return f"charging_profile:{row.pk}"


def row_of(command: Command) -> InstalledProfile | None:
    kind, _, number = command.subject.partition(":")
    if kind != "charging_profile" or not number.isdigit():
        return None
    rows = InstalledProfile.objects.select_for_update(of=["self"])
    return rows.select_related("station__location", "session", "parent").filter(pk=int(number)).first()


def own(
    station: ChargingStation, profile: ChargingProfile, session: ChargingSession | None, source: str
) -> InstalledProfile | None:
    """Find the profile of the same source for the same purpose, level and place."""
    rows = InstalledProfile.objects.select_for_update(of=["self"]).filter(
        station=station,
        source=source,
        evse_number=profile.evse,
        stack_level=profile.stack_level,
        session=session,
        wish__chargingProfilePurpose=profile.purpose.value,
        state__in=InstalledProfile.LIVE,
    )
    return rows.order_by("-id").first()


def matching(station_id: int, criteria: Criteria) -> list[InstalledProfile]:
    rows = InstalledProfile.objects.select_for_update(of=["self"]).filter(
        station_id=station_id, state__in=InstalledProfile.LIVE
    )
    wanted = {
        "profile_id": criteria.id,
        "evse_number": criteria.evse,
        "purpose": criteria.purpose,
        "stack_level": criteria.stack_level,
    }
    return list(rows.filter(**{name: value for name, value in wanted.items() if value is not None}))


def transaction_of(station: ChargingStation, profile: ChargingProfile) -> ChargingSession:
    found = running(station.pk, profile.evse)
    if found is None:
        where = f"on EVSE {profile.evse}" if profile.evse else "on the whole station: name an EVSE"
        raise UnsuitedProfile("evseId", f"no transaction is running {where} (K01.FR.09)")
    return found


def running(station_id: int, evse_number: int) -> ChargingSession | None:
    active = ChargingSession.objects.active().filter(station_id=station_id, evse__number=evse_number)
    return active.select_related("evse").order_by("-started_at").first()


def running_for(row: InstalledProfile) -> list[ChargingSession]:
    """Return the transactions that run where a profile holds."""
    active = ChargingSession.objects.active().filter(station=row.station).select_related("evse")
    if row.evse_number:
        active = active.filter(evse__number=row.evse_number)
    return list(active.order_by("id"))


def locked(station: ChargingStation) -> ChargingStation:
    """Lock the station's row: ids are given out, and replaced, one after the other."""
    return (
        ChargingStation.objects.select_for_update(of=["self"], no_key=True)
        .select_related("location")
        .get(pk=station.pk)
    )


def next_id(station: ChargingStation) -> int:
    """Give an id that no profile of the station has: ours count on, whatever others took."""
    rows = InstalledProfile.objects.filter(station=station)
    highest = rows.exclude(source__startswith=FOUND).aggregate(highest=Max("profile_id"))["highest"]
    found = max((highest or 0) + 1, FIRST_ID)
    taken = set(
        rows.filter(source__startswith=FOUND, profile_id__gte=found).values_list("profile_id", flat=True)
    )
    while found in taken:
        found += 1
    return found


def take_back(row: InstalledProfile, *, by: str) -> None:
    """Cancel commands about a row that were not sent yet: a newer wish stands."""
    waiting = list(Command.objects.filter(subject=subject(row), status=Command.Status.QUEUED))
    if not waiting:
        return
    row.command = ""  # their outcome is not about the newer wish
    row.save(update_fields=["command"])
    for command in waiting:
        try:
            with transaction.atomic():
                commands.cancel(command, by=by or "a newer wish")
        except NotOpen:
            return  # its sender was faster
    if row.state == State.SENT:
        row.state = State.INSTALLED if row.on_station else State.UNKNOWN if row.tries else State.WANTED
        row.save(update_fields=["state"])


def rung(row: InstalledProfile) -> str:
    unit = RateUnit(row.profile["chargingSchedule"][0]["chargingRateUnit"])
    return str(profile_fitting.Rung(Purpose(row.purpose), unit, row.state == State.STANDING))


def move(row: InstalledProfile, state: str) -> InstalledProfile:
    """Write the state, and tell whoever shows the station."""
    row.state, row.last_updated = state, clock.now()
    if not row.is_live:
        row.ended_at = row.last_updated
        row.is_wanted = False
    row.save(update_fields=["state", "last_updated", "ended_at", "is_wanted"])
    events.publish(ChargingProfilesChanged(row.station_id))
    return row


def trouble(row: InstalledProfile, detail: str) -> None:
    row.detail = detail[:255]
    row.save(update_fields=["detail"])


def as_stored(profile: ChargingProfile) -> dict[str, Any]:
    """Write a profile as rows keep it: in the words of 2.1."""
    return to_v2(profile)


def on_wire(profile: ChargingProfile) -> ChargingProfile:
    """Cut the limits of a profile to the tenth that stations are sent, for a comparison."""

    def cut(value: Decimal | None) -> Decimal | None:
        return None if value is None else value.quantize(Decimal("0.1"), rounding=ROUND_DOWN)

    return replace(
        profile,
        schedules=tuple(
            replace(
                schedule,
                periods=tuple(
                    replace(
                        period,
                        limit=cut(period.limit),
                        setpoint=cut(period.setpoint),
                        discharge_limit=cut(period.discharge_limit),
                    )
                    for period in schedule.periods
                ),
            )
            for schedule in profile.schedules
        ),
    )


def raise_item(row: InstalledProfile) -> None:
    review.raise_item(
        "charging_profile",
        key=f"charging_profile:{row.pk}:{row.state}",
        summary=f"{row.station.identity}: charging profile {row.profile_id} is not in force: {row.detail}",
        station=row.station,
        session=row.session,
        facts={
            "profile": row.profile_id,
            "purpose": row.purpose,
            "evse": row.evse_number,
            "state": row.state,
        },
    )
