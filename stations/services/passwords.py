"""Passwords of stations, changed over OCPP (2.1 A01, white paper A01): asked for, by the calendar, sent again.

What becomes of a change says `password_changes`.
"""

import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from cpo.lib import clock, keyring
from stations.models import ChargingStation, Command, PasswordChange
from stations.services import commands, password_changes, provisioning, quirks, requests, sealed
from stations.services.errors import ChangeUnderWay

Status = PasswordChange.Status
Profile = ChargingStation.SecurityProfile

HEX_LENGTH, PLAIN_LENGTH = (
    20,
    32,
)  # characters of a generated secret; 40 hexadecimal digits are the most (A00.FR.205)
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

    An offline station gets it when it is back. Raise `ChangeUnderWay`, `InvalidPassword` and what `commands.queue`
    raises.
    """
    form = str(quirks.flags(station).get("password_form") or password_changes.written(station).form)
    secret = secret if secret is not None else _new_secret(form)
    change = password_changes.begin(station, secret=secret, form=form, requested_by=requested_by)
    _send(change, station, secret, requested_by=requested_by, user=user, queue_offline=queue_offline)
    return change


def _new_secret(form: str) -> str:
    """Return a secret as it is written: random characters, or the hexadecimal of such (A00.FR.205)."""
    length = HEX_LENGTH if form == "hex" else PLAIN_LENGTH
    text = "".join(secrets.choice(provisioning.ALPHABET) for _ in range(length))
    return text.encode().hex() if form == "hex" else text


def _send(
    change: PasswordChange,
    station: ChargingStation,
    secret: str,
    *,
    requested_by: str,
    user: Any = None,
    queue_offline: bool = True,
) -> Command:
    """Queue it; nothing readable lies in the row."""
    return requests.queue(
        station,
        "change_password",
        facts={"secret": sealed.seal(secret)},
        requested_by=requested_by or ROTATION,
        user=user,
        queue_offline=queue_offline,
        priority=0 if user or requested_by else commands.AUTOMATIC,
        subject=f"{password_changes.SUBJECT}{change.pk}",
    )


def resume() -> int:
    """Send secrets again whose answer got lost, as soon as the station is there; return how many (sweep).

    It is the same secret: a station that has it already loses nothing. After three times an operator is told.
    """
    horizon = clock.now() - AGAIN_AFTER
    lost = PasswordChange.objects.filter(
        status=Status.UNKNOWN, station__is_online=True, tries__lt=password_changes.TRIES
    )
    count = 0
    for change_id in lost.filter(created_at__lt=horizon).values_list("pk", flat=True)[:100]:
        count += _again(change_id)
    return count


@transaction.atomic
def _again(change_id: int) -> int:
    change = password_changes.find_open(change_id)
    if change is None or change.status != Status.UNKNOWN:
        return 0
    secret = keyring.decrypt(change.secret)
    password_changes.accept(change, secret)
    _send(change, change.station, secret, requested_by=change.requested_by)
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
