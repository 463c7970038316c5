"""Smart charging: install profiles on stations, clear them, limit what runs (OCPP 1.6 sections 3.13, 5.5, 5.16; 2.1 K).

A row of `InstalledProfile` is the wish; commands carry it to the station and their outcomes move its state. What a
station refuses is tried in another way (`profile_fitting.ladder`). Keeping wishes alive is `profile_upkeep`'s.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q

from cpo.lib import clock, events
from stations.charging_profiles import (
    ChargingProfile,
    Criteria,
    InvalidProfile,
    Purpose,
    RateUnit,
    check_start,
    from_v2,
    to_v2,
)
from stations.charging_profiles.installed import NOT_OURS
from stations.events import ChargingProfilesChanged
from stations.models import ChargingSession, ChargingStation, Command, Evse, InstalledProfile, ProfileTemplate
from stations.services import (
    capabilities,
    profile_fitting,
    profile_room,
    profile_rows,
    profile_shapes,
    requests,
)
from stations.services.capabilities import Capabilities
from stations.services.errors import NotOpen, StationsError, UnsuitedProfile
from stations.services.profile_fitting import Fitted

State = InstalledProfile.State


# --- what operators, the API, load balancers and partners ask for


@transaction.atomic(savepoint=False)
def install(
    station: ChargingStation,
    *,
    profile: ChargingProfile,
    each_transaction: bool = False,
    source: str = profile_rows.OPERATOR,
    template: ProfileTemplate | None = None,
    parent: InstalledProfile | None = None,
    may_fall_back: bool = True,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
    keep_offline: bool = False,
) -> InstalledProfile:
    """Wish a profile onto `profile.evse` of a station and send it; its id is given here.

    The same source's profile for the same purpose, level and place is changed, not doubled. A TxProfile belongs to
    the transaction that runs on the EVSE, or with `each_transaction` to each one to come (EVSE 0: of any EVSE). A
    station that is offline raises `StationOffline`, unless the command may wait (`queue_offline`) or the wish may
    (`keep_offline`: it is sent once the station is back). Raise `UnsuitedProfile` for what breaks a rule of the
    specification or a limit of the station, before anything is sent.
    """
    station = profile_rows.locked(station)
    is_of_one = profile.purpose is Purpose.TX and not each_transaction
    session = profile_rows.transaction_of(station, profile) if is_of_one else None
    if session is not None:
        profile = replace(profile, transaction_id=profile.transaction_id or session.transaction_id)
    row = profile_rows.own(station, profile, session, source) or InstalledProfile(
        station=station,
        evse_number=profile.evse,
        session=session,
        source=source,
        profile_id=profile_rows.next_id(station),
        created_at=clock.now(),
    )
    if row.pk is not None:
        profile_rows.take_back(row, by=requested_by)
    row.station, row.template, row.parent = station, template, parent
    row.wish = to_v2(replace(profile, id=row.profile_id))
    row.profile = row.profile or row.wish
    row.purpose, row.stack_level, row.valid_to = profile.purpose, profile.stack_level, profile.valid_to
    row.may_fall_back, row.requested_by = may_fall_back, requested_by[:100]
    row.is_wanted, row.answers, row.tries, row.next_try_at, row.detail = True, [], 0, None, ""
    row.last_updated = clock.now()
    row.save()
    if keep_offline and not station.is_online:
        _fitted(row)  # what can never be sent is refused now
        return profile_rows.move(row, State.WANTED)
    return send(row, requested_by=requested_by, user=user, queue_offline=queue_offline)


def install_template(
    station: ChargingStation,
    *,
    template: ProfileTemplate,
    evse_number: int = 0,
    stack_level: int | None = None,
    each_transaction: bool = False,
    **options: Any,
) -> InstalledProfile:
    """Install a profile of the library on a station; the options and errors are those of `install`."""
    profile = profile_shapes.of_template(
        template,
        evse=evse_number,
        now=clock.now(),
        zone=profile_shapes.zone_of(station),
        stack_level=stack_level,
    )
    return install(station, profile=profile, template=template, each_transaction=each_transaction, **options)


@transaction.atomic(savepoint=False)
def set_limit(
    target: ChargingStation | Evse | ChargingSession,
    *,
    amps: Decimal | None = None,
    watts: Decimal | None = None,
    until: datetime | None = None,
    source: str = "limit",
    **options: Any,
) -> list[InstalledProfile]:
    """Let a station, an EVSE or a session draw no more than this: A on each phase, or W on all phases together.

    For whoever manages power (`source` names him; each has one limit at a place, which he changes or lifts). A
    station's is its maximum; an EVSE's is the default of its transactions and the profile of the running one; a
    session's is its profile. The same limit again sends nothing. It ends by itself at `until`. A station that is
    offline gets it when it is back. Return the rows; what a station cannot follow literally stands in their
    `adaptations`. Raise `UnsuitedProfile`, and `NotOpen` for a session that is over.
    """
    limit, unit = _quantity(amps, watts)
    station = target if isinstance(target, ChargingStation) else target.station
    level = capabilities.of(station).max_stack_level or 0
    rows = []
    for purpose, evse_number in _places(target):
        place = profile_shapes.place_of(station, evse_number)
        wish = profile_shapes.of_limit(
            limit,
            unit,
            purpose=purpose,
            evse=evse_number,
            stack_level=level,
            now=clock.now(),
            phases=place.phases if place.phases < 3 else None,
            valid_to=until,
        )
        rows.append(
            _same(station, wish, source)
            or install(station, profile=wish, source=source, keep_offline=True, **options)
        )
    return rows


@transaction.atomic(savepoint=False)
def lift_limit(
    target: ChargingStation | Evse | ChargingSession, *, source: str = "limit", **options: Any
) -> list[InstalledProfile]:
    """Take back the limits that this source set at a place; return them."""
    station = target if isinstance(target, ChargingStation) else target.station
    rows = InstalledProfile.objects.filter(
        station=station, source=source, is_wanted=True, state__in=InstalledProfile.LIVE
    )
    if isinstance(target, ChargingSession):
        rows = rows.filter(session=target)
    elif isinstance(target, Evse):
        rows = rows.filter(evse_number=target.number)
    found = list(rows)
    for row in found:
        clear(row, keep_offline=True, **options)
    return found


def install_limit(
    station: ChargingStation,
    *,
    purpose: Purpose,
    evse_number: int = 0,
    amps: Decimal | None = None,
    watts: Decimal | None = None,
    until: datetime | None = None,
    stack_level: int | None = None,
    **options: Any,
) -> InstalledProfile:
    """Install one plain limit for a purpose, by default on the highest level that the station has.

    The options and errors are those of `install`.
    """
    limit, unit = _quantity(amps, watts)
    place = profile_shapes.place_of(station, evse_number)
    highest = capabilities.of(station).max_stack_level or 0
    wish = profile_shapes.of_limit(
        limit,
        unit,
        purpose=purpose,
        evse=evse_number,
        stack_level=highest if stack_level is None else stack_level,
        now=clock.now(),
        phases=place.phases if place.phases < 3 else None,
        valid_to=until,
    )
    return install(station, profile=wish, **options)


def limit_session(
    session: ChargingSession,
    *,
    amps: Decimal | None = None,
    watts: Decimal | None = None,
    until: datetime | None = None,
    **options: Any,
) -> InstalledProfile:
    """Limit a running session now with a TxProfile (1.6 section 5.16.3). Raise `NotOpen` when it is over."""
    if session.status != ChargingSession.Status.ACTIVE:
        raise NotOpen("the session has already ended")
    return install_limit(
        session.station,
        purpose=Purpose.TX,
        evse_number=session.evse.number,
        amps=amps,
        watts=watts,
        until=until,
        **options,
    )


def station_maximum(
    station: ChargingStation,
    *,
    amps: Decimal | None = None,
    watts: Decimal | None = None,
    until: datetime | None = None,
    **options: Any,
) -> InstalledProfile:
    """Limit what a station draws for all its connectors together (1.6 section 3.13.1, ChargePointMaxProfile)."""
    return install_limit(station, purpose=Purpose.STATION_MAX, amps=amps, watts=watts, until=until, **options)


def default_limit(
    station: ChargingStation,
    *,
    evse_number: int = 0,
    amps: Decimal | None = None,
    watts: Decimal | None = None,
    until: datetime | None = None,
    **options: Any,
) -> InstalledProfile:
    """Limit every transaction on an EVSE, or with 0 on each (1.6 section 3.13.1, TxDefaultProfile)."""
    return install_limit(
        station,
        purpose=Purpose.TX_DEFAULT,
        evse_number=evse_number,
        amps=amps,
        watts=watts,
        until=until,
        **options,
    )


def start_profile(station: ChargingStation, *, profile: ChargingProfile) -> ChargingProfile:
    """Fit a profile that goes out with a remote start (1.6 section 5.16.2).

    It must be a TxProfile without a transaction. Raise `UnsuitedProfile`.
    """
    wish = replace(profile, id=profile.id or profile_rows.next_id(station))
    can, place = capabilities.of(station), profile_shapes.place_of(station, profile.evse)
    rungs = [
        rung for rung in profile_fitting.ladder(wish, can, has_session=True) if rung.purpose is wish.purpose
    ]
    if not rungs:
        raise UnsuitedProfile("chargingProfilePurpose", f"the station takes no {wish.purpose}")
    fitted = profile_fitting.fit(wish, rungs[0], can=can, place=place, now=clock.now())
    try:
        check_start(replace(fitted.profile, evse=max(fitted.profile.evse, 1)))
    except InvalidProfile as error:
        raise UnsuitedProfile(error.path, error.message) from error
    return fitted.profile


@transaction.atomic(savepoint=False)
def clear(
    row: InstalledProfile,
    *,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
    keep_offline: bool = False,
    priority: int = 0,
) -> Command | None:
    """Take a profile back (1.6 section 5.5); None: it lies nowhere, so nothing is sent.

    Raise `StationOffline`, unless the command or the wish to clear may wait for the station.
    """
    row = InstalledProfile.objects.select_for_update(of=["self"]).select_related("station").get(pk=row.pk)
    if row.purpose in NOT_OURS:
        raise UnsuitedProfile(
            "chargingProfilePurpose", "others have set it, it is not ours to clear (K10.FR.06)"
        )
    for part in row.parts.filter(state__in=InstalledProfile.LIVE):
        clear(part, requested_by=requested_by, keep_offline=True)
    profile_rows.take_back(row, by=requested_by)
    row.is_wanted, row.tries, row.next_try_at, row.detail = False, 0, None, ""
    row.save(update_fields=["is_wanted", "tries", "next_try_at", "detail"])
    if not row.is_live:
        return None
    if row.on_station is None and row.state not in (State.SENT, State.UNKNOWN):
        profile_rows.move(row, State.CLEARED)
        return None
    if keep_offline and not row.station.is_online:
        profile_rows.move(row, row.state)
        return None
    command = _queue(
        row.station,
        "clear_charging_profile",
        {"criteria": Criteria(id=row.profile_id)},
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
        priority=priority,
        subject=profile_rows.subject(row),
    )
    row.command = command.uid
    row.save(update_fields=["command"])
    profile_rows.move(row, row.state)
    return command


@transaction.atomic(savepoint=False)
def clear_matching(
    station: ChargingStation,
    *,
    criteria: Criteria,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
) -> Command:
    """Clear what matches all that is given, or everything, also what others have put there (1.6 errata 3.25)."""
    station = profile_rows.locked(station)
    command = _queue(
        station,
        "clear_charging_profile",
        {"criteria": criteria},
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
    )
    for row in profile_rows.matching(station.pk, criteria):
        profile_rows.take_back(row, by=requested_by)
        row.is_wanted = False
        row.save(update_fields=["is_wanted"])
        if row.on_station is None and row.state not in (State.SENT, State.UNKNOWN):
            profile_rows.move(row, State.CLEARED)
    events.publish(ChargingProfilesChanged(station.pk))
    return command


# --- sending


def send(
    row: InstalledProfile,
    *,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
    priority: int = 0,
) -> InstalledProfile:
    """Send a wished profile on the best rung that the station has not refused; one for each transaction is given out.

    Call it with the row locked. Raise `UnsuitedProfile` and what `commands.queue` raises.
    """
    fitted = _fitted(row)
    row.purpose = fitted.rung.purpose
    row.profile, row.adaptations = to_v2(fitted.profile), list(fitted.adaptations)
    row.utc_offset_s, row.sent_at = fitted.utc_offset_s, clock.now()
    if fitted.rung.is_standing:
        row.save(update_fields=["purpose", "profile", "adaptations", "utc_offset_s", "sent_at"])
        profile_rows.move(row, State.STANDING)
        for session in profile_rows.running_for(row):
            give(row, session)
        return row
    profile_room.make(row, fitted.profile, requested_by=requested_by, queue_offline=queue_offline)
    command = _queue(
        row.station,
        "set_charging_profile",
        {"profile": fitted.profile},
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
        priority=priority,
        subject=profile_rows.subject(row),
    )
    row.command = command.uid
    row.save(update_fields=["purpose", "profile", "adaptations", "utc_offset_s", "sent_at", "command"])
    return profile_rows.move(row, State.SENT if row.station.is_online else State.WANTED)


def give(row: InstalledProfile, session: ChargingSession) -> InstalledProfile | None:
    """Give a transaction its own copy of a profile that stands for each; None when it has one or cannot get it."""
    if row.parts.filter(session=session).exists():
        return None
    wish = replace(
        from_v2(row.profile, evse=session.evse.number),
        purpose=Purpose.TX,
        transaction_id=session.transaction_id,
    )
    try:
        with transaction.atomic():
            return install(
                row.station,
                profile=wish,
                parent=row,
                source=f"{row.source}:{row.pk}"[:32],
                may_fall_back=False,
                requested_by=row.requested_by,
                keep_offline=True,
            )
    except StationsError as error:
        profile_rows.trouble(row, f"a transaction could not be given it: {error}")
        return None


# --- inside


def _fitted(row: InstalledProfile) -> Fitted:
    """Fit the wish to the station and check it; raise `UnsuitedProfile`."""
    wish = from_v2(row.wish, evse=row.evse_number)
    can, place = capabilities.of(row.station), profile_shapes.place_of(row.station, row.evse_number)
    rungs = profile_fitting.ladder(wish, can, has_session=row.session_id is not None)
    refused = {answer["rung"] for answer in row.answers if answer["answer"] != "Accepted"}
    rung = profile_fitting.next_rung(rungs, refused=refused, may_fall_back=row.may_fall_back)
    if rung is None:
        raise UnsuitedProfile(
            "chargingProfilePurpose", f"the station takes no {wish.purpose} in any way that we know"
        )
    fitted = profile_fitting.fit(wish, rung, can=can, place=place, now=clock.now())
    _check(row, fitted, can)
    return fitted


def _check(row: InstalledProfile, fitted: Fitted, can: Capabilities) -> None:
    profile = fitted.profile
    if (
        profile.evse
        and not Evse.objects.filter(station=row.station, number=profile.evse, is_removed=False).exists()
    ):
        raise UnsuitedProfile("evseId", f"the station has no EVSE {profile.evse}")
    same_place = Q(purpose=profile.purpose, stack_level=profile.stack_level, evse_number=profile.evse)
    others = InstalledProfile.objects.filter(station=row.station, state__in=profile_rows.ON_STATION).exclude(
        pk=row.pk
    )
    session = row.session
    is_open = session is not None and session.status == ChargingSession.Status.ACTIVE
    profile_fitting.check(
        profile,
        can,
        transaction=session.transaction_id if session is not None and is_open else None,
        others=others.exclude(same_place).count(),
        is_standing=fitted.rung.is_standing,
    )


def _queue(station: ChargingStation, request: str, facts: dict[str, Any], **options: Any) -> Command:
    try:
        return requests.queue(station, request, facts=facts, **options)
    except InvalidProfile as error:
        raise UnsuitedProfile(error.path, error.message) from error


def _quantity(amps: Decimal | None, watts: Decimal | None) -> tuple[Decimal, RateUnit]:
    if (amps is None) is (watts is None):
        raise UnsuitedProfile("limit", "give A or W, one of them")
    limit = amps if amps is not None else watts
    assert limit is not None
    if limit < 0:
        raise UnsuitedProfile("limit", "is negative")
    return limit, RateUnit.A if amps is not None else RateUnit.W


def _places(target: ChargingStation | Evse | ChargingSession) -> list[tuple[Purpose, int]]:
    if isinstance(target, ChargingStation):
        return [(Purpose.STATION_MAX, 0)]
    if isinstance(target, ChargingSession):
        if target.status != ChargingSession.Status.ACTIVE:
            raise NotOpen("the session has already ended")
        return [(Purpose.TX, target.evse.number)]
    running = profile_rows.running(target.station_id, target.number)
    return [(Purpose.TX_DEFAULT, target.number), *([(Purpose.TX, target.number)] if running else [])]


def _same(station: ChargingStation, wish: ChargingProfile, source: str) -> InstalledProfile | None:
    """Find this source's very limit, wished and not refused: nothing needs to be sent."""
    session = profile_rows.running(station.pk, wish.evse) if wish.purpose is Purpose.TX else None
    row = profile_rows.own(station, wish, session, source)
    if row is None or not row.is_wanted or row.state == State.UNKNOWN:
        return None
    old = from_v2(row.wish, evse=row.evse_number)
    is_same = old.valid_to == wish.valid_to and old.schedules[0].periods == wish.schedules[0].periods
    return row if is_same and old.schedules[0].rate_unit is wish.schedules[0].rate_unit else None
