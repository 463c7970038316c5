"""Passwords of stations, changed over OCPP so that a lost answer locks nobody out (1.6 security white paper A01).

`change` sends a new secret; until the station has used it, or said that it will not, the old one is accepted too. The
station's own words (`answered`) and its next connection (`used`) end the change, a sweep (`resume`) sends it again.
"""

import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q

from cpo.lib import clock, events, keyring
from stations.events import StationChanged
from stations.models import ChargingStation, Command, PasswordChange, ReviewItem
from stations.services import commands, provisioning, quirks, requests, review, sealed
from stations.services.errors import ChangeUnderWay, InvalidPassword

Status = PasswordChange.Status
Profile = ChargingStation.SecurityProfile

SUBJECT = "password:"  # of the commands: what follows is the id of the change
HEX_LENGTH, PLAIN_LENGTH = (
    20,
    32,
)  # characters of a generated secret; 40 hexadecimal digits are the most (A00.FR.205)
TRIES = 3  # times that a secret is sent whose answer got lost
AGAIN_AFTER = timedelta(minutes=1)
ROTATION = "rotation"  # who asked, where the calendar did


@transaction.atomic(savepoint=False)
def change(
    station: ChargingStation,
    *,
    secret: str | None = None,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = True,
) -> PasswordChange:
    """Send the station a new password, `secret` as it shall be written to it or one made now.

    An offline station gets it when it is back. Raise `ChangeUnderWay`, `InvalidPassword` (16 to 40 printable
    characters) and what `commands.queue` raises.
    """
    form = str(quirks.flags(station).get("password_form", "hex"))
    secret = secret if secret is not None else _new_secret(form)
    if not provisioning.is_password(secret):
        raise InvalidPassword("16 to 40 printable characters without spaces")
    change = PasswordChange(
        station=station, form=form, secret=keyring.encrypt(secret), requested_by=requested_by[:100],
        created_at=clock.now(),
    )  # fmt: skip
    try:
        with transaction.atomic():
            change.save()
    except IntegrityError as error:
        raise ChangeUnderWay("a new password is already on its way to this station") from error
    _send(change, station, secret, requested_by=requested_by, user=user, queue_offline=queue_offline)
    events.publish(StationChanged(station.pk))
    return change


def _new_secret(form: str) -> str:
    """Return a secret as it is written: random characters, or the hexadecimal of such (A00.FR.205)."""
    length = HEX_LENGTH if form == "hex" else PLAIN_LENGTH
    text = "".join(secrets.choice(provisioning.ALPHABET) for _ in range(length))
    return text.encode().hex() if form == "hex" else text


def _send(
    change: PasswordChange, station: ChargingStation, secret: str, *, requested_by: str, user: Any = None,
    queue_offline: bool = True,
) -> Command:  # fmt: skip
    """Accept the new secret from now on, beside the old one, and queue it; nothing readable lies in the row."""
    salt, digest = provisioning.salted(secret)
    ChargingStation.objects.filter(pk=station.pk).update(next_secret_salt=salt, next_secret_hash=digest)
    change.tries += 1
    change.status = Status.QUEUED
    change.save(update_fields=["tries", "status"])
    return requests.queue(
        station,
        "change_password",
        facts={"secret": sealed.seal(secret)},
        requested_by=requested_by or ROTATION,
        user=user,
        queue_offline=queue_offline,
        priority=0 if user or requested_by else commands.AUTOMATIC,
        subject=f"{SUBJECT}{change.pk}",
    )


@transaction.atomic(savepoint=False)
def answered(change_id: int, *, status: str) -> None:
    """Take the station's word: accepted (A01.FR.03), at the next boot, or not at all (A01.FR.04).

    `status` is that of ChangeConfiguration or of SetVariables, which are the same words.
    """
    change = _open(change_id)
    if change is None:
        return
    if status == "Accepted":
        _take_over(change)
    elif status == "RebootRequired":
        _keep(change, Status.REBOOT, "the station takes it at its next boot")
    else:
        _forget(change, f"the station answered {status}")


@transaction.atomic(savepoint=False)
def unanswered(change_id: int, *, reason: str, was_sent: bool) -> None:
    """Keep both passwords when nobody knows whether the new one arrived; forget it when it was never sent."""
    change = _open(change_id)
    if change is None:
        return
    if was_sent:
        _keep(change, Status.UNKNOWN, reason)
    else:
        _forget(change, reason)


@transaction.atomic(savepoint=False)
def used(station: ChargingStation) -> None:
    """The station has come in with the new password: the old one is over, whatever was answered."""
    change = PasswordChange.objects.select_for_update().filter(
        station=station, status__in=PasswordChange.OPEN
    ).first()  # fmt: skip
    if change is not None:
        _take_over(change)


def resume() -> int:
    """Send secrets again whose answer got lost, as soon as the station is there; return how many (sweep).

    It is the same secret: a station that has it already loses nothing. After three times an operator is told.
    """
    horizon = clock.now() - AGAIN_AFTER
    lost = PasswordChange.objects.filter(status=Status.UNKNOWN, station__is_online=True, tries__lt=TRIES)
    count = 0
    for change_id in lost.filter(created_at__lt=horizon).values_list("pk", flat=True)[:100]:
        count += _again(change_id)
    return count


@transaction.atomic
def _again(change_id: int) -> int:
    change = _open(change_id)
    if change is None or change.status != Status.UNKNOWN:
        return 0
    _send(change, change.station, keyring.decrypt(change.secret), requested_by=change.requested_by)
    return 1


def rotate_due() -> int:
    """Begin to change the passwords that are older than the setting allows; return how many (sweep).

    Only of stations that are there and that come in with a password; a few at a time, the oldest first.
    """
    if not settings.OCPP_PASSWORD_ROTATION_DAYS:
        return 0
    horizon = clock.now() - timedelta(days=settings.OCPP_PASSWORD_ROTATION_DAYS)
    due = (
        ChargingStation.objects.online()
        .filter(security_profile__in=(Profile.BASIC, Profile.TLS), next_security_profile=None)
        .filter(Q(secret_changed_at__lt=horizon) | Q(secret_changed_at=None, created_at__lt=horizon))
        .exclude(password_changes__created_at__gt=clock.now() - timedelta(days=1))
        .order_by(F("secret_changed_at").asc(nulls_first=True))
    )
    return len(rotate(due[: settings.OCPP_PASSWORD_ROTATIONS_AT_ONCE]))


def rotate(
    stations: Any, *, requested_by: str = "", user: Any = None
) -> list[PasswordChange]:  # fmt: skip
    """Begin to change the passwords of these stations; those with a change under way are passed over."""
    begun = []
    for station in stations:
        try:
            begun.append(change(station, requested_by=requested_by, user=user))
        except ChangeUnderWay:
            continue
    return begun


def _open(change_id: int) -> PasswordChange | None:
    return (
        PasswordChange.objects.select_for_update(of=("self",))
        .select_related("station")
        .filter(pk=change_id, status__in=PasswordChange.OPEN)
        .first()
    )


def _take_over(change: PasswordChange) -> None:
    """Put the new secret in the old one's place."""
    ChargingStation.objects.filter(pk=change.station_id).exclude(next_secret_hash=b"").update(
        secret_salt=F("next_secret_salt"),
        secret_hash=F("next_secret_hash"),
        next_secret_salt=b"",
        next_secret_hash=b"",
        secret_changed_at=clock.now(),
    )
    _close(change, Status.DONE, "")


def _forget(change: PasswordChange, reason: str) -> None:
    ChargingStation.objects.filter(pk=change.station_id).update(next_secret_salt=b"", next_secret_hash=b"")
    _close(change, Status.FAILED, reason)
    _tell_operator(change, reason)


def _keep(change: PasswordChange, status: str, reason: str) -> None:
    change.status, change.reason = status, reason[:255]
    change.save(update_fields=["status", "reason"])
    if status == Status.UNKNOWN and change.tries >= TRIES:
        _tell_operator(change, f"{reason}, {change.tries} times")
    events.publish(StationChanged(change.station_id))


def _close(change: PasswordChange, status: str, reason: str) -> None:
    change.status, change.reason, change.secret = status, reason[:255], ""
    change.finished_at = clock.now()
    change.save(update_fields=["status", "reason", "secret", "finished_at"])
    events.publish(StationChanged(change.station_id))


def _tell_operator(change: PasswordChange, reason: str) -> None:
    review.raise_item(
        ReviewItem.Kind.SECURITY_PROFILE,
        key=f"password:{change.pk}",
        summary=f"{change.station.identity}: the password was not changed, {reason}"[:255],
        station=change.station,
        facts={"change": change.pk, "reason": reason},
    )
