"""The life of a new password, from being sent until the station has used it or will not (2.1 A01, 1.6 white paper A01).

Until then the old one is accepted too: a lost answer must lock nobody out. Whoever sends it is `passwords`.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.module_loading import import_string

from cpo.lib import clock, events, keyring
from stations.events import StationChanged
from stations.models import ChargingStation, PasswordChange
from stations.services import provisioning, sealed
from stations.services import security_change_rows as rows
from stations.services.errors import ChangeUnderWay, InvalidPassword, InvalidPayload

Status = PasswordChange.Status

SUBJECT = "password:"  # of the commands: what follows is the id of the change
TRIES = 3  # times that a secret is sent whose answer got lost


class Written(Protocol):
    """How a version writes a password, and where in its requests one stands."""

    form: str
    found: Callable[[str, dict[str, Any]], list[tuple[str | int, ...]]]


@cache
def _versions() -> Callable[[str], Written]:
    function: Callable[[str], Written] = import_string(settings.COMMAND_PASSWORDS)
    return function


def written(station: ChargingStation) -> Written:
    """Say how the station's version writes a password."""
    return _versions()(station.ocpp_version)


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
    rows.begin(change, otherwise="a new password is already on its way to this station")
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
    station: ChargingStation, action: str, payload: dict[str, Any], *, subject: str, requested_by: str
) -> tuple[dict[str, Any], str]:
    """Return payload and subject of a command as it may be stored: a password sent by hand becomes a change.

    Any other command is returned as it is. Raise `InvalidPayload`.
    """
    places = written(station).found(action, payload)
    secrets = {str(_at(payload, place)) for place in places}
    if not places or all(sealed.is_sealed(secret) for secret in secrets):
        return payload, subject
    where = ".".join(map(str, places[0]))
    if len(secrets) > 1:
        raise InvalidPayload(where, "one password at a time")
    secret = secrets.pop()
    try:
        change = begin(station, secret=secret, form="plain", requested_by=requested_by)
    except (ChangeUnderWay, InvalidPassword) as error:
        raise InvalidPayload(where, str(error)) from error
    for place in places:
        payload = _with(payload, place, sealed.seal(secret))
    return payload, f"{SUBJECT}{change.pk}"


def _at(content: Any, place: tuple[str | int, ...]) -> Any:
    for step in place:
        content = content[step]
    return content


def _with(content: Any, place: tuple[str | int, ...], value: str) -> Any:
    """Return the payload with another value at a place; the one given stays as it is."""
    if not place:
        return value
    step, rest = place[0], place[1:]
    if isinstance(content, list):
        return [_with(item, rest, value) if at == step else item for at, item in enumerate(content)]
    return content | {step: _with(content[step], rest, value)}


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
    change = rows.open_one(PasswordChange, station=station)
    if change is not None:
        _take_over(change)


def find_open(change_id: int) -> PasswordChange | None:
    """Return a change that is under way, locked; None when it is over."""
    return rows.open_one(PasswordChange, pk=change_id)


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
    change.secret = ""
    rows.close(change, status, reason, also=("secret",))


def _tell_operator(change: PasswordChange, reason: str) -> None:
    rows.tell_operator(change, key=SUBJECT, summary=": the password was not changed,", reason=reason)
