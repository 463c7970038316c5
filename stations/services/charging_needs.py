"""Schedules for vehicles that say what they need through ISO 15118 (2.x K15 to K20)."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.db import transaction

from cpo.lib import clock, events
from stations.charging_profiles import ChargingSchedule, CompositeSchedule, InvalidProfile, RateUnit
from stations.charging_profiles.needs import Needs, profile_of, read
from stations.events import ChargingProfilesChanged
from stations.models import ChargingNeeds, ChargingSession, ChargingStation, Connector, InstalledProfile
from stations.services import (
    capabilities,
    commands,
    composite_schedules,
    energy_transfers,
    profile_rows,
    profile_shapes,
    smart_charging,
)
from stations.services.errors import InvalidPayload, NotOpen, StationsError, UnsuitedProfile

log = structlog.get_logger(__name__)
Status = ChargingNeeds.Status
SOURCE = "vehicle needs"  # who manages the profiles made here
RENEGOTIATIONS = 3  # by us for one set of needs: a vehicle that never keeps to them is left alone
TOLERANCE = {RateUnit.A: Decimal("0.1"), RateUnit.W: Decimal(50)}
OPEN_FOR = timedelta(hours=1)  # needs that wait for their transaction
AT_ONCE = 100


@transaction.atomic(savepoint=False)
def told(
    station: ChargingStation,
    *,
    evse_number: int,
    wire: dict[str, Any],
    max_tuples: int | None,
    at: datetime,
    knows_no_profile: bool,
) -> str:
    """Take what a vehicle needs and say what becomes of it (K15.FR.03 to FR.05, K18.FR.04).

    Accepted: its TxProfile is on the way. Processing: its transaction is not known yet, the sweep sends it. Nothing
    can be sent: Rejected, or for ISO 15118-20 NoChargingProfile, because Rejected would end the transaction there
    (`knows_no_profile`: the version has the word). A transfer that its driver may not use is Rejected in any case
    (Q01.FR.04, K18.FR.22, K19.FR.15).
    """
    needs, detail = None, ""
    try:
        needs = read(wire)
    except InvalidProfile as error:
        detail = str(error)
    session = profile_rows.running(station.pk, evse_number)
    before = ChargingNeeds.objects.filter(station=station, evse_number=evse_number).first()
    is_same_session = before is not None and session is not None and before.session_id == session.pk
    row, _ = ChargingNeeds.objects.update_or_create(
        station=station,
        evse_number=evse_number,
        defaults={
            "session": session,
            "status": Status.PROCESSING,
            "told": wire,
            "transfer": needs.transfer[:20] if needs else "",
            "is_dynamic": bool(needs and needs.is_dynamic),
            "departure_at": needs.departure_at if needs else None,
            "energy_wh": needs.energy_wh if needs else None,
            "max_tuples": max_tuples,
            "told_at": at,
            "profile": None,
            "detail": detail[:255],
            "renegotiations": 0,
            "schedule": None,
            "schedule_base": None,
            "schedule_is_within": None,
            "max_w": before.max_w if before is not None and is_same_session else None,  # still what we allow
            "begun_wh": session.energy_wh if session else Decimal(0),
        },
    )
    refusal = Status.NO_PROFILE if knows_no_profile and needs and needs.is_iso20 else Status.REJECTED
    if needs is not None and not energy_transfers.may(session, needs.transfer):
        row.status, row.detail = Status.REJECTED, f"{needs.transfer} is not permitted"
    elif needs is None or not capabilities.of(station).is_smart:
        row.status = refusal
        row.detail = row.detail or "the station does not know smart charging"
    elif row.session is not None:
        row.status = Status.ACCEPTED if _send(row, needs) else refusal
    row.save()
    events.publish(ChargingProfilesChanged(station.pk))
    return str(row.status)


@transaction.atomic(savepoint=False)
def schedule_told(
    station: ChargingStation,
    *,
    evse_number: int,
    schedule: ChargingSchedule,
    wire: dict[str, Any],
    base: datetime,
) -> bool:
    """Keep what a vehicle will do and check it against what it may (K15.FR.11, K15.FR.12).

    False: it would take more; our schedule is sent again (K15.FR.13), a few times at the most. In dynamic control
    mode a vehicle promises nothing, so nothing is checked (K17.FR.11).
    """
    row = (
        ChargingNeeds.objects.select_for_update(of=["self"])
        .select_related("station", "profile")
        .filter(station=station, evse_number=evse_number)
        .first()
    )
    is_dynamic = row is not None and row.is_dynamic
    is_within = is_dynamic or _is_within(station, evse_number, schedule, base)
    if row is not None:
        row.schedule, row.schedule_base, row.schedule_is_within = wire, base, is_within
        if not is_within and row.profile is not None and row.renegotiations < RENEGOTIATIONS:
            row.renegotiations += 1
            _again(row.profile)
        row.save()
        events.publish(ChargingProfilesChanged(station.pk))
    return is_within


@transaction.atomic(savepoint=False)
def renegotiate(
    session: ChargingSession,
    *,
    max_w: Decimal | None = None,
    departure_at: datetime | None = None,
    requested_by: str = "",
    user: Any = None,
) -> InstalledProfile:
    """Give a vehicle a new schedule while it charges (K16): at the most `max_w`, by `departure_at` if that is sooner.

    It is made of what the vehicle told and what it has got since, and takes the place of the one before it under the
    same id, so that nothing is unlimited in between. None: no maximum of ours, the departure that the vehicle told.
    Raise `NotOpen` when the session is over, `UnsuitedProfile` where its vehicle told no needs, `InvalidPayload` for
    a maximum that is none, and what `smart_charging.install` raises.
    """
    if session.status != ChargingSession.Status.ACTIVE:
        raise NotOpen("the session has already ended")
    if max_w is not None and max_w <= 0:
        raise InvalidPayload("max_w", "must be more than 0")
    rows = ChargingNeeds.objects.select_for_update(of=["self"]).select_related(
        "station__location", "session__evse"
    )
    row = rows.filter(session=session).first()
    if row is None:
        raise UnsuitedProfile("session", "its vehicle has told no needs")
    needs = read(row.told)
    soonest = min([at for at in (needs.departure_at, departure_at) if at is not None], default=None)
    row.max_w, row.renegotiations = max_w, 0
    row.profile = _install(row, replace(needs, departure_at=soonest), requested_by=requested_by, user=user)
    row.status, row.detail = Status.ACCEPTED, ""
    row.save()
    events.publish(ChargingProfilesChanged(row.station_id))
    return row.profile


def sweep() -> int:
    """Send the schedules that waited for their transaction; return how many."""
    count = 0
    due = ChargingNeeds.objects.filter(status=Status.PROCESSING, told_at__gt=clock.now() - OPEN_FOR)
    for pk in list(due.order_by("id").values_list("pk", flat=True)[:AT_ONCE]):
        with transaction.atomic():
            row = (
                ChargingNeeds.objects.select_for_update(of=["self"], skip_locked=True)
                .select_related("station__location")
                .filter(pk=pk, status=Status.PROCESSING)
                .first()
            )
            if row is None:
                continue
            row.session = profile_rows.running(row.station_id, row.evse_number)
            if row.session is None:
                continue
            row.status = Status.ACCEPTED if _send(row, read(row.told)) else Status.REJECTED
            row.save()
            count += 1
    return count


def _send(row: ChargingNeeds, needs: Needs) -> bool:
    """Install the TxProfile for the needs of the running transaction (K15.FR.07)."""
    try:
        with transaction.atomic():
            row.profile = _install(row, needs, requested_by=SOURCE, keep_offline=True)
    except StationsError as error:
        row.detail = str(error)[:255]
        return False
    return True


def _install(row: ChargingNeeds, needs: Needs, **options: Any) -> InstalledProfile:
    session = row.session
    assert session is not None
    station = row.station
    can, place = capabilities.of(station), profile_shapes.place_of(station, row.evse_number)
    most = [value for value in (row.max_tuples, can.max_periods) if value]
    place_max_w = _place_max_w(session, needs)
    profile = profile_of(
        _left(row, needs),
        evse=row.evse_number,
        stack_level=max((can.max_stack_level or 0) - 1, 0),  # who manages power has the highest
        place_max_w=place_max_w if row.max_w is None else min(row.max_w, place_max_w),
        now=clock.now(),
        transaction_id=session.transaction_id,
        voltage_v=place.voltage_v,
        max_periods=min(most) if most else None,
    )
    return smart_charging.install(station, profile=profile, source=SOURCE, **options)


def _left(row: ChargingNeeds, needs: Needs) -> Needs:
    """Return what the vehicle still needs: it has charged since it told (K16.FR.09)."""
    if needs.energy_wh is None or row.session is None:
        return needs
    return replace(needs, energy_wh=max(needs.energy_wh - (row.session.energy_wh - row.begun_wh), Decimal(0)))


def _place_max_w(session: ChargingSession, needs: Needs) -> Decimal:
    connector = Connector.objects.filter(evse=session.evse, number=session.connector_number).first()
    if connector is None:
        connector = Connector.objects.filter(evse=session.evse).order_by("number").first()
    amps, volts = (connector.max_amperage_a, connector.max_voltage_v) if connector else (32, 230)
    return Decimal(amps) * Decimal(volts) * (1 if needs.is_dc else needs.phases)


def _again(profile: InstalledProfile) -> None:
    try:
        with transaction.atomic():
            smart_charging.send(profile, requested_by=SOURCE, queue_offline=True, priority=commands.AUTOMATIC)
    except StationsError as error:
        log.info("no renegotiation", profile=profile.pk, error=type(error).__name__)


def _is_within(
    station: ChargingStation, evse_number: int, schedule: ChargingSchedule, base: datetime
) -> bool:
    """Compare what a vehicle will take with our composite schedule, where ours says anything."""
    last = schedule.periods[-1].start_period_s if schedule.periods else 0
    duration_s = schedule.duration_s or max(last + 1, composite_schedules.VERIFIED_S)
    try:
        ours = composite_schedules.computed(
            station, evse_number=evse_number, start=base, duration_s=duration_s, unit=schedule.rate_unit
        )
    except InvalidProfile:
        return True
    starts = {period.start_period_s for period in (*ours.periods, *schedule.periods)}
    theirs = CompositeSchedule(evse_number, base, duration_s, schedule.rate_unit, schedule.periods)
    for start in sorted(each for each in starts if each < duration_s):
        moment = base + timedelta(seconds=start)
        allowed, wanted = ours.at(moment), theirs.at(moment)
        if allowed is None or wanted is None or allowed.limit is None or wanted.limit is None:
            continue
        if wanted.limit > allowed.limit + TOLERANCE[schedule.rate_unit]:
            return False
    return True
