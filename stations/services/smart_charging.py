"""Smart charging: install profiles on stations, clear them, limit what runs (OCPP 1.6 sections 3.13, 5.5, 5.16; 2.1 K).

A row of `InstalledProfile` is the wish; commands carry it to the station and their outcomes move its state. What a
station refuses is tried in another way (`profile_fitting.ladder`). Keeping wishes alive is `profile_upkeep`'s.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max, Q

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
from stations.events import ChargingProfilesChanged
from stations.models import ChargingSession, ChargingStation, Command, Evse, InstalledProfile, ProfileTemplate
from stations.services import (
    capabilities,
    commands,
    composite_schedules,
    profile_fitting,
    profile_shapes,
    requests,
    review,
)
from stations.services.capabilities import Capabilities
from stations.services.errors import NotOpen, StationsError, UnsuitedProfile
from stations.services.profile_fitting import Fitted

State = InstalledProfile.State
OPERATOR, BY_HAND = "operator", "command"  # who manages a profile; by hand: sent as a plain command
ON_STATION = (State.SENT, State.INSTALLED, State.UNKNOWN)  # it lies there, or may
TRIES = 5  # without an answer, until a human is told
AGAIN_AFTER = timedelta(minutes=1)  # doubled with each try
FIRST_ID = 1


# --- what operators, the API, load balancers and partners ask for


@transaction.atomic(savepoint=False)
def install(
    station: ChargingStation,
    *,
    profile: ChargingProfile,
    each_transaction: bool = False,
    source: str = OPERATOR,
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
    station = _locked(station)
    session = _session(station, profile) if profile.purpose is Purpose.TX and not each_transaction else None
    if session is not None:
        profile = replace(profile, transaction_id=profile.transaction_id or session.transaction_id)
    row = _own(station, profile, session, source) or InstalledProfile(
        station=station,
        evse_number=profile.evse,
        session=session,
        source=source,
        profile_id=_next_id(station),
        created_at=clock.now(),
    )
    if row.pk is not None:
        take_back(row, by=requested_by)
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
        return move(row, State.WANTED)
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
    wish = replace(profile, id=profile.id or _next_id(station))
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
    for part in row.parts.filter(state__in=InstalledProfile.LIVE):
        clear(part, requested_by=requested_by, keep_offline=True)
    take_back(row, by=requested_by)
    row.is_wanted, row.tries, row.next_try_at, row.detail = False, 0, None, ""
    row.save(update_fields=["is_wanted", "tries", "next_try_at", "detail"])
    if not row.is_live:
        return None
    if row.on_station is None and row.state not in (State.SENT, State.UNKNOWN):
        move(row, State.CLEARED)
        return None
    if keep_offline and not row.station.is_online:
        move(row, row.state)
        return None
    command = _queue(
        row.station,
        "clear_charging_profile",
        {"criteria": Criteria(id=row.profile_id)},
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
        priority=priority,
        subject=subject(row),
    )
    row.command = command.uid
    row.save(update_fields=["command"])
    move(row, row.state)
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
    station = _locked(station)
    command = _queue(
        station,
        "clear_charging_profile",
        {"criteria": criteria},
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
    )
    for row in _matching(station.pk, criteria):
        take_back(row, by=requested_by)
        row.is_wanted = False
        row.save(update_fields=["is_wanted"])
        if row.on_station is None and row.state not in (State.SENT, State.UNKNOWN):
            move(row, State.CLEARED)
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
        move(row, State.STANDING)
        for session in running_for(row):
            give(row, session)
        return row
    command = _queue(
        row.station,
        "set_charging_profile",
        {"profile": fitted.profile},
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
        priority=priority,
        subject=subject(row),
    )
    row.command = command.uid
    row.save(update_fields=["purpose", "profile", "adaptations", "utc_offset_s", "sent_at", "command"])
    return move(row, State.SENT if row.station.is_online else State.WANTED)


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
        _trouble(row, f"a transaction could not be given it: {error}")
        return None


def subject(row: InstalledProfile) -> str:
    """Name a row for its commands."""
    return f"charging_profile:{row.pk}"


# --- what stations answer


@transaction.atomic(savepoint=False)
def answered(command: Command, *, profile: ChargingProfile | None, outcome: str) -> None:
    """Take the outcome of SetChargingProfile: `profile` as it was sent, `outcome` the station's word.

    'NotImplemented' is a station without smart charging, 'Failed' another error, '' no answer (the command's status
    says why). One that was sent by hand is kept as such.
    """
    row = _row_of(command)
    if row is None:
        if outcome == "Accepted" and profile is not None:
            _keep_by_hand(command.station, profile)
        return
    is_current = row.command == command.uid
    if outcome == "Accepted" and profile is not None:
        _accepted(row, profile, is_current=is_current)
    elif is_current and outcome == "":
        _unanswered(row, command)
    elif is_current:
        _refused(row, outcome)


@transaction.atomic(savepoint=False)
def clear_answered(command: Command, *, criteria: Criteria, outcome: str) -> None:
    """Take the outcome of ClearChargingProfile: gone are those that match and were there when it was asked."""
    row = _row_of(command)
    if outcome in ("Accepted", "Unknown"):
        for each in _matching(command.station_id, criteria):
            if each.sent_at is None or each.sent_at <= command.created_at:
                each.is_wanted, each.on_station = False, None
                each.detail = "the station did not know it" if outcome == "Unknown" else ""
                each.save(update_fields=["is_wanted", "on_station", "detail"])
                move(each, State.CLEARED)
    elif row is not None and row.is_live and not row.is_wanted and row.command == command.uid:
        said = {"": "no answer to the request to clear it"}.get(
            outcome, f"clearing it was answered {outcome}"
        )
        row.detail = said
        row.tries = TRIES if outcome == "NotImplemented" else row.tries + 1
        row.next_try_at = clock.now() + AGAIN_AFTER * 2 ** min(row.tries, 10)
        row.save(update_fields=["detail", "tries", "next_try_at"])
        if row.tries >= TRIES:
            _raise(row)
        move(row, row.state)


def _accepted(row: InstalledProfile, profile: ChargingProfile, *, is_current: bool) -> None:
    row.on_station, row.installed_at = to_v2(profile), clock.now()
    row.epoch, row.boot_count = row.station.epoch, row.station.boot_count
    row.is_verified, row.tries, row.next_try_at, row.detail = None, 0, None, ""
    if is_current:
        row.answers = [*row.answers, _answer(row, "Accepted")]
        _learn(row)
    row.save(
        update_fields=[
            "on_station", "installed_at", "epoch", "boot_count", "is_verified", "tries", "next_try_at", "detail",
            "answers",
        ]
    )  # fmt: skip
    _set_aside(row, profile)
    if is_current:
        move(row, State.INSTALLED)
        if row.is_wanted and row.source == OPERATOR:
            composite_schedules.verify(row)
    if not row.is_wanted:  # taken back meanwhile
        clear(row, requested_by=row.requested_by, keep_offline=True)


def _refused(row: InstalledProfile, outcome: str) -> None:
    """Try the next rung; without one it is refused, and what lay there before still does."""
    row.answers = [*row.answers, _answer(row, outcome)]
    row.detail = f"the station answered {outcome} to {_rung(row)}"
    row.save(update_fields=["answers", "detail"])
    if outcome == "NotImplemented":
        capabilities.learn(row.station, "no_smart_charging", reason="SetChargingProfile is not implemented")
    elif not row.is_wanted:
        move(row, State.INSTALLED if row.on_station else State.CLEARED)
        return
    elif row.session is not None and row.session.status != ChargingSession.Status.ACTIVE:
        move(row, State.ENDED)
        return
    else:
        try:
            with transaction.atomic():
                send(row, requested_by=row.requested_by, queue_offline=True)
            return
        except StationsError as error:
            row.refresh_from_db()
            row.detail = f"{row.detail}; {error}"[:255]
            row.save(update_fields=["detail"])
    if row.on_station is not None and row.on_station != row.profile:  # what lay there before still does
        row.wish = row.profile = row.on_station
        row.purpose, row.adaptations = row.on_station["chargingProfilePurpose"], []
        row.save(update_fields=["wish", "profile", "purpose", "adaptations"])
        move(row, State.INSTALLED)
        return
    row.on_station = None
    row.save(update_fields=["on_station"])
    move(row, State.REFUSED)
    if row.parent is not None:
        _next_for_parent(row.parent, row)
    elif row.installed_at is not None or row.source != OPERATOR:  # nobody waits for this answer
        _raise(row)


def _next_for_parent(parent: InstalledProfile, part: InstalledProfile) -> None:
    """Let what stands for each transaction try its next rung when no transaction could take it so far."""
    if parent.state != State.STANDING or parent.parts.filter(installed_at__isnull=False).exists():
        _raise(part)
        return
    rung = {"rung": _rung(parent), "answer": part.answers[-1]["answer"], "at": clock.now().isoformat()}
    parent.answers = [*parent.answers, rung]
    parent.save(update_fields=["answers"])
    part.session = None  # the transaction may be given the next one
    part.save(update_fields=["session"])
    try:
        with transaction.atomic():
            send(parent, requested_by=parent.requested_by, queue_offline=True)
    except StationsError as error:
        parent.refresh_from_db()
        _trouble(parent, str(error))
        move(parent, State.REFUSED)
        _raise(parent)


def _unanswered(row: InstalledProfile, command: Command) -> None:
    """Keep the wish: nobody knows what the station did, or it was never asked."""
    if command.status == Command.Status.CANCELLED:
        row.is_wanted = False
        row.save(update_fields=["is_wanted"])
        move(row, State.INSTALLED if row.on_station else State.CLEARED)
        return
    is_lost = command.status == Command.Status.TIMED_OUT
    row.tries += is_lost
    row.next_try_at = clock.now() + (AGAIN_AFTER * 2 ** min(row.tries - 1, 10) if is_lost else timedelta())
    row.detail = "the station did not answer" if is_lost else "the station did not connect in time"
    row.save(update_fields=["tries", "next_try_at", "detail"])
    move(row, State.UNKNOWN if is_lost else State.WANTED)
    if row.tries >= TRIES:
        _raise(row)


def _keep_by_hand(station: ChargingStation, profile: ChargingProfile) -> None:
    """Keep what somebody sent as a plain command: known, but nobody's wish."""
    now = clock.now()
    station = _locked(station)
    row = InstalledProfile.objects.filter(
        station=station, profile_id=profile.id, state__in=InstalledProfile.LIVE
    ).first()
    if row is None:
        row = InstalledProfile(station=station, profile_id=profile.id, source=BY_HAND, created_at=now)
        row.is_wanted = False
    session = _running(station.pk, profile.evse) if profile.purpose is Purpose.TX else None
    row.evse_number, row.session, row.purpose = profile.evse, session, profile.purpose
    row.stack_level, row.valid_to = profile.stack_level, profile.valid_to
    row.wish = row.profile = row.on_station = to_v2(profile)
    row.state, row.installed_at, row.last_updated = State.INSTALLED, now, now
    row.epoch, row.boot_count = station.epoch, station.boot_count
    row.save()
    _set_aside(row, profile)
    events.publish(ChargingProfilesChanged(station.pk))


def _set_aside(row: InstalledProfile, profile: ChargingProfile) -> None:
    """Mark what this one has replaced on the station (1.6 section 3.13.2); what is only set aside comes back later."""
    others = InstalledProfile.objects.filter(
        station=row.station,
        purpose=profile.purpose,
        stack_level=profile.stack_level,
        evse_number=profile.evse,
        on_station__isnull=False,
    ).exclude(pk=row.pk)
    for other in others:
        comes_back = other.is_wanted and other.source != row.source and _passes(row) and not _passes(other)
        other.on_station, other.detail = None, f"replaced by profile {row.profile_id}"
        other.is_wanted = comes_back
        other.save(update_fields=["on_station", "detail", "is_wanted"])
        move(other, State.DISPLACED if comes_back else State.CLEARED)


def _passes(row: InstalledProfile) -> bool:
    """Tell whether a profile ends by itself, or is somebody's who lifts it again."""
    return row.valid_to is not None or row.session_id is not None or row.source not in (OPERATOR, BY_HAND)


def _learn(row: InstalledProfile) -> None:
    """Keep for the next time what only worked in another way."""
    refused = [answer["rung"] for answer in row.answers if answer["answer"] != "Accepted"]
    accepted = _rung(row)
    purpose, _, unit = accepted.rpartition(" ")
    other = {"A": "W", "W": "A"}[unit]
    reason = f"{accepted} was accepted after {', '.join(refused)}"
    if f"{purpose} {other}" in refused:
        capabilities.learn(row.station, "watts_only" if unit == "W" else "amps_only", reason=reason)
    if purpose != Purpose.STATION_MAX and any(word.startswith(Purpose.STATION_MAX) for word in refused):
        capabilities.learn(row.station, "no_max_profile", reason=reason)


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
    others = InstalledProfile.objects.filter(station=row.station, state__in=ON_STATION).exclude(pk=row.pk)
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
    running = _running(target.station_id, target.number)
    return [(Purpose.TX_DEFAULT, target.number), *([(Purpose.TX, target.number)] if running else [])]


def _same(station: ChargingStation, wish: ChargingProfile, source: str) -> InstalledProfile | None:
    """Find this source's very limit, wished and not refused: nothing needs to be sent."""
    session = _running(station.pk, wish.evse) if wish.purpose is Purpose.TX else None
    row = _own(station, wish, session, source)
    if row is None or not row.is_wanted or row.state == State.UNKNOWN:
        return None
    old = from_v2(row.wish, evse=row.evse_number)
    is_same = old.valid_to == wish.valid_to and old.schedules[0].periods == wish.schedules[0].periods
    return row if is_same and old.schedules[0].rate_unit is wish.schedules[0].rate_unit else None


def _own(
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


def _session(station: ChargingStation, profile: ChargingProfile) -> ChargingSession:
    running = _running(station.pk, profile.evse)
    if running is None:
        where = f"on EVSE {profile.evse}" if profile.evse else "on the whole station: name an EVSE"
        raise UnsuitedProfile("evseId", f"no transaction is running {where} (K01.FR.09)")
    return running


def _running(station_id: int, evse_number: int) -> ChargingSession | None:
    active = ChargingSession.objects.active().filter(station_id=station_id, evse__number=evse_number)
    return active.select_related("evse").order_by("-started_at").first()


def running_for(row: InstalledProfile) -> list[ChargingSession]:
    """Return the transactions that run where a profile holds."""
    active = ChargingSession.objects.active().filter(station=row.station).select_related("evse")
    if row.evse_number:
        active = active.filter(evse__number=row.evse_number)
    return list(active.order_by("id"))


def _locked(station: ChargingStation) -> ChargingStation:
    """Lock the station's row: ids are given out, and replaced, one after the other."""
    return (
        ChargingStation.objects.select_for_update(of=["self"], no_key=True)
        .select_related("location")
        .get(pk=station.pk)
    )


def _next_id(station: ChargingStation) -> int:
    highest = InstalledProfile.objects.filter(station=station).aggregate(highest=Max("profile_id"))["highest"]
    return max((highest or 0) + 1, FIRST_ID)


def _row_of(command: Command) -> InstalledProfile | None:
    kind, _, number = command.subject.partition(":")
    if kind != "charging_profile" or not number.isdigit():
        return None
    rows = InstalledProfile.objects.select_for_update(of=["self"])
    return rows.select_related("station__location", "session", "parent").filter(pk=int(number)).first()


def _matching(station_id: int, criteria: Criteria) -> list[InstalledProfile]:
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


def _rung(row: InstalledProfile) -> str:
    unit = RateUnit(row.profile["chargingSchedule"][0]["chargingRateUnit"])
    return str(profile_fitting.Rung(Purpose(row.purpose), unit, row.state == State.STANDING))


def _answer(row: InstalledProfile, word: str) -> dict[str, str]:
    return {"rung": _rung(row), "answer": word, "at": clock.now().isoformat()}


def move(row: InstalledProfile, state: str) -> InstalledProfile:
    """Write the state, and tell whoever shows the station."""
    row.state, row.last_updated = state, clock.now()
    if not row.is_live:
        row.ended_at = row.last_updated
        row.is_wanted = False
    row.save(update_fields=["state", "last_updated", "ended_at", "is_wanted"])
    events.publish(ChargingProfilesChanged(row.station_id))
    return row


def _trouble(row: InstalledProfile, detail: str) -> None:
    row.detail = detail[:255]
    row.save(update_fields=["detail"])


def _raise(row: InstalledProfile) -> None:
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
