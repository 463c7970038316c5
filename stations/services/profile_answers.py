"""What stations answer about charging profiles, and what follows: the next rung, what was learned (1.6 5.5, 5.16)."""

from datetime import timedelta

from django.db import transaction

from cpo.lib import clock, events
from stations.charging_profiles import ChargingProfile, Criteria, Purpose, to_v2
from stations.events import ChargingProfilesChanged
from stations.models import ChargingSession, ChargingStation, Command, InstalledProfile
from stations.services import capabilities, composite_schedules, profile_room, profile_rows, smart_charging
from stations.services.errors import StationsError

State = InstalledProfile.State


@transaction.atomic(savepoint=False)
def answered(command: Command, *, profile: ChargingProfile | None, outcome: str) -> None:
    """Take the outcome of SetChargingProfile: `profile` as it was sent, `outcome` the station's word.

    'NotImplemented' is a station without smart charging, 'Failed' another error, '' no answer (the command's status
    says why). One that was sent by hand is kept as such.
    """
    row = profile_rows.row_of(command)
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
    row = profile_rows.row_of(command)
    if outcome in ("Accepted", "Unknown"):
        for each in profile_rows.matching(command.station_id, criteria):
            if each.state == State.DISPLACED and each.is_wanted:
                continue  # cleared to make room: it comes back
            if each.sent_at is None or each.sent_at <= command.created_at:
                each.is_wanted, each.on_station = False, None
                each.detail = "the station did not know it" if outcome == "Unknown" else ""
                each.save(update_fields=["is_wanted", "on_station", "detail"])
                profile_rows.move(each, State.CLEARED)
    elif row is not None and row.is_live and not row.is_wanted and row.command == command.uid:
        said = {"": "no answer to the request to clear it"}.get(
            outcome, f"clearing it was answered {outcome}"
        )
        row.detail = said
        row.tries = profile_rows.TRIES if outcome == "NotImplemented" else row.tries + 1
        row.next_try_at = clock.now() + profile_rows.AGAIN_AFTER * 2 ** min(row.tries, 10)
        row.save(update_fields=["detail", "tries", "next_try_at"])
        if row.tries >= profile_rows.TRIES:
            profile_rows.raise_item(row)
        profile_rows.move(row, row.state)


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
        profile_rows.move(row, State.INSTALLED)
        if row.is_wanted and row.source == profile_rows.OPERATOR:
            composite_schedules.verify(row)
    if not row.is_wanted:  # taken back meanwhile
        smart_charging.clear(row, requested_by=row.requested_by, keep_offline=True)


def _refused(row: InstalledProfile, outcome: str) -> None:
    """Try the next rung; without one it is refused, and what lay there before still does."""
    row.answers = [*row.answers, _answer(row, outcome)]
    row.detail = f"the station answered {outcome} to {profile_rows.rung(row)}"
    row.save(update_fields=["answers", "detail"])
    if outcome == "NotImplemented":
        capabilities.learn(row.station, "no_smart_charging", reason="SetChargingProfile is not implemented")
    elif not row.is_wanted:
        profile_rows.move(row, State.INSTALLED if row.on_station else State.CLEARED)
        return
    elif row.session is not None and row.session.status != ChargingSession.Status.ACTIVE:
        profile_rows.move(row, State.ENDED)
        return
    else:
        try:
            with transaction.atomic():
                smart_charging.send(row, requested_by=row.requested_by, queue_offline=True)
            return
        except StationsError as error:
            row.refresh_from_db()
            row.detail = f"{row.detail}; {error}"[:255]
            row.save(update_fields=["detail"])
    if row.on_station is not None and row.on_station != row.profile:  # what lay there before still does
        row.wish = row.profile = row.on_station
        row.purpose, row.adaptations = row.on_station["chargingProfilePurpose"], []
        row.save(update_fields=["wish", "profile", "purpose", "adaptations"])
        profile_rows.move(row, State.INSTALLED)
        return
    row.on_station = None
    row.save(update_fields=["on_station"])
    profile_rows.move(row, State.REFUSED)
    if row.parent is not None:
        _next_for_parent(row.parent, row)
    elif row.installed_at is not None or row.source != profile_rows.OPERATOR:  # nobody waits for this answer
        profile_rows.raise_item(row)


def _next_for_parent(parent: InstalledProfile, part: InstalledProfile) -> None:
    """Let what stands for each transaction try its next rung when no transaction could take it so far."""
    if parent.state != State.STANDING or parent.parts.filter(installed_at__isnull=False).exists():
        profile_rows.raise_item(part)
        return
    rung = {
        "rung": profile_rows.rung(parent),
        "answer": part.answers[-1]["answer"],
        "at": clock.now().isoformat(),
    }
    parent.answers = [*parent.answers, rung]
    parent.save(update_fields=["answers"])
    part.session = None  # the transaction may be given the next one
    part.save(update_fields=["session"])
    try:
        with transaction.atomic():
            smart_charging.send(parent, requested_by=parent.requested_by, queue_offline=True)
    except StationsError as error:
        parent.refresh_from_db()
        profile_rows.trouble(parent, str(error))
        profile_rows.move(parent, State.REFUSED)
        profile_rows.raise_item(parent)


def _unanswered(row: InstalledProfile, command: Command) -> None:
    """Keep the wish: nobody knows what the station did, or it was never asked."""
    if command.status == Command.Status.CANCELLED:
        row.is_wanted = False
        row.save(update_fields=["is_wanted"])
        profile_rows.move(row, State.INSTALLED if row.on_station else State.CLEARED)
        return
    is_lost = command.status == Command.Status.TIMED_OUT
    row.tries += is_lost
    row.next_try_at = clock.now() + (
        profile_rows.AGAIN_AFTER * 2 ** min(row.tries - 1, 10) if is_lost else timedelta()
    )
    row.detail = "the station did not answer" if is_lost else "the station did not connect in time"
    row.save(update_fields=["tries", "next_try_at", "detail"])
    profile_rows.move(row, State.UNKNOWN if is_lost else State.WANTED)
    if row.tries >= profile_rows.TRIES:
        profile_rows.raise_item(row)


def _keep_by_hand(station: ChargingStation, profile: ChargingProfile) -> None:
    """Keep what somebody sent as a plain command: known, but nobody's wish."""
    now = clock.now()
    station = profile_rows.locked(station)
    row = InstalledProfile.objects.filter(
        station=station, profile_id=profile.id, state__in=InstalledProfile.LIVE
    ).first()
    if row is None:
        row = InstalledProfile(
            station=station, profile_id=profile.id, source=profile_rows.BY_HAND, created_at=now
        )
        row.is_wanted = False
    session = profile_rows.running(station.pk, profile.evse) if profile.purpose is Purpose.TX else None
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
        comes_back = profile_room.comes_back(other, row)
        other.on_station, other.detail = None, f"replaced by profile {row.profile_id}"
        other.is_wanted = comes_back
        other.save(update_fields=["on_station", "detail", "is_wanted"])
        profile_rows.move(other, State.DISPLACED if comes_back else State.CLEARED)


def _learn(row: InstalledProfile) -> None:
    """Keep for the next time what only worked in another way."""
    refused = [answer["rung"] for answer in row.answers if answer["answer"] != "Accepted"]
    accepted = profile_rows.rung(row)
    purpose, _, unit = accepted.rpartition(" ")
    other = {"A": "W", "W": "A"}[unit]
    reason = f"{accepted} was accepted after {', '.join(refused)}"
    if f"{purpose} {other}" in refused:
        capabilities.learn(row.station, "watts_only" if unit == "W" else "amps_only", reason=reason)
    if purpose != Purpose.STATION_MAX and any(word.startswith(Purpose.STATION_MAX) for word in refused):
        capabilities.learn(row.station, "no_max_profile", reason=reason)


def _answer(row: InstalledProfile, word: str) -> dict[str, str]:
    return {"rung": profile_rows.rung(row), "answer": word, "at": clock.now().isoformat()}
