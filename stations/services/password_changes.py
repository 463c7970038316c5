"""The life of a new password, from being sent until the station has used it or will not (1.6 white paper A01).

Until then the old one is accepted too: a lost answer must lock nobody out. Whoever sends it is `passwords`.
"""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from cpo.lib import clock, events, keyring
from stations.events import StationChanged
from stations.models import ChargingStation, PasswordChange, ReviewItem
from stations.services import provisioning, review, sealed
from stations.services.errors import ChangeUnderWay, InvalidPassword, InvalidPayload

Status = PasswordChange.Status

SUBJECT = "password:"  # of the commands: what follows is the id of the change
RAW_ACTION, RAW_KEY = "ChangeConfiguration", "authorizationkey"
TRIES = 3  # times that a secret is sent whose answer got lost


def begin(station: ChargingStation, *, secret: str, form: str, requested_by: str = "") -> PasswordChange:
    """Accept a new password from now on, beside the old one; `secret` is as it will be written to the station.

    Raise `InvalidPassword` (16 to 40 printable characters), `ChangeUnderWay`.
    """
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
    accept(change, secret)
    return change


def accept(change: PasswordChange, secret: str) -> None:
    """Let the station in with this password too, and count that it is sent once more."""
    salt, digest = provisioning.salted(secret)
    ChargingStation.objects.filter(pk=change.station_id).update(
        next_secret_salt=salt, next_secret_hash=digest
    )
    change.tries += 1
    change.status = Status.QUEUED
    change.save(update_fields=["tries", "status"])
    events.publish(StationChanged(change.station_id))


def adopted(
    station: ChargingStation, action: str, payload: dict[str, Any], *, requested_by: str
) -> dict[str, Any]:
    """Return the payload of a command as it may be stored: a password that somebody sends by hand becomes a change.

    Any other payload is returned as it is. Raise `InvalidPayload`.
    """
    if action != RAW_ACTION or str(payload.get("key", "")).strip().casefold() != RAW_KEY:
        return payload
    if sealed.is_sealed(payload.get("value")):
        return payload
    secret = str(payload.get("value", ""))
    try:
        begin(station, secret=secret, form="plain", requested_by=requested_by)
    except (ChangeUnderWay, InvalidPassword) as error:
        raise InvalidPayload("value", str(error)) from error
    return payload | {"value": sealed.seal(secret)}


def open_of(station_id: int) -> int | None:
    """Return the id of the change under way at a station, None for none."""
    found = PasswordChange.objects.filter(station_id=station_id, status__in=PasswordChange.OPEN)
    return found.values_list("pk", flat=True).first()


@transaction.atomic(savepoint=False)
def answered(change_id: int, *, status: str) -> None:
    """Take the station's word: accepted (A01.FR.03), at the next boot, or not at all (A01.FR.04).

    `status` is that of ChangeConfiguration or of SetVariables, which are the same words.
    """
    change = find_open(change_id)
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
    change = find_open(change_id)
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


def find_open(change_id: int) -> PasswordChange | None:
    """Return a change that is under way, locked; None when it is over."""
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
