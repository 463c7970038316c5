"""Dynamic QR codes: what a station makes them of, and whether one that was scanned is good (OCPP 2.1 C25).

The secret goes to the station sealed in a SetVariables and lies here encrypted; nobody can read it out of either.
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from cpo.lib import clock, events, keyring
from stations import one_time_passwords
from stations.events import EnergyServicesChanged
from stations.models import ChargingStation, Command, WebPaymentCode
from stations.services import device_model, direct_payments, sealed
from stations.services.errors import InvalidPayload, StationsError, UnknownAction
from stations.services.variable_keys import VariableKey

COMPONENT = "WebPaymentsCtrlr"
SUBJECT = "web-payment-code"
PLACES = "/pay/{chargingstationid}/{evse}/{totp}/{version}"
VALIDITY_S, LENGTH = 60, 8
NEEDED = frozenset({"URLTemplate", "SharedSecret", "ValidityTime", "Length"})
GOOD = frozenset({"Accepted", "RebootRequired"})
GRACE = timedelta(minutes=5)  # a display may show a code of the older secret for so long
State = WebPaymentCode.State


class CodeRefused(StationsError):
    """The one-time password is wrong, too old, or not that of this station (C25.FR.08)."""


@transaction.atomic(savepoint=False)
def set_up(
    station: ChargingStation,
    *,
    validity_s: int = VALIDITY_S,
    length: int = LENGTH,
    requested_by: str = "",
    user: Any = None,
) -> WebPaymentCode:
    """Give the station a new secret and all that its QR codes are made of; it may wait for the station.

    Raise `UnknownAction` for a station whose version has no such codes, `InvalidPayload` for figures that the
    specification forbids, and what `device_model.change` raises.
    """
    if not direct_payments.is_spoken(station):
        raise UnknownAction("its OCPP version has no codes on the display: use a sticker")
    if not one_time_passwords.LEAST_VALIDITY_S <= validity_s <= one_time_passwords.MOST_VALIDITY_S:
        raise InvalidPayload("validity_s", "must be 6 to 3600 seconds")
    if not one_time_passwords.SHORTEST <= length <= one_time_passwords.LONGEST:
        raise InvalidPayload("length", "must be 6 to 32 characters")
    secret = secrets.token_urlsafe(24)
    template = settings.PUBLIC_URL + PLACES
    row = WebPaymentCode.objects.select_for_update().filter(station=station).first()
    row = row or WebPaymentCode(station=station)
    row.older_secret = row.secret or row.older_secret
    row.secret, row.validity_s, row.length = keyring.encrypt(secret), validity_s, length
    row.url_template, row.state, row.reason = template, State.ASKED, ""
    row.requested_by, row.changed_at = requested_by[:100], clock.now()
    row.save()
    wanted = {
        "URLTemplate": template,
        "TOTPVersion": one_time_passwords.VERSION,
        "ValidityTime": str(validity_s),
        "Length": str(length),
        "SharedSecret": sealed.seal(secret),
        "Enabled": "true",
    }
    changes = [(VariableKey(name, COMPONENT), value) for name, value in wanted.items()]
    device_model.change(
        station, changes, confirmed=True, requested_by=requested_by, user=user, queue_offline=True,
        subject=SUBJECT,
    )  # fmt: skip
    events.publish(EnergyServicesChanged(station.pk))
    return row


@transaction.atomic(savepoint=False)
def answered(command: Command, statuses: Mapping[str, str]) -> None:
    """Take what the station made of it: by name of the variable, its SetVariableStatusEnumType."""
    row = WebPaymentCode.objects.select_for_update().filter(station=command.station).first()
    if row is None or command.created_at < row.changed_at:
        return  # a newer one is on its way
    refused = [f"{name}: {status}" for name, status in statuses.items() if status not in GOOD]
    needed = [text for text in refused if text.partition(":")[0] in NEEDED]
    if needed:
        row.state, row.reason = State.REFUSED, ", ".join(needed)[:255]
    elif "SharedSecret" in statuses and row.state == State.ASKED:
        row.state, row.reason = State.IN_FORCE, ", ".join(refused)[:255]
    row.save(update_fields=["state", "reason"])
    events.publish(EnergyServicesChanged(row.station_id))


def check(station: ChargingStation, password: str, *, version: str) -> str:
    """Return the name of the one-time password that was scanned (C25.FR.07); raise `CodeRefused`.

    It is good in its interval, the one before and the one after. Whoever lets somebody pay keeps its name, so that it
    is used once.
    """
    row = WebPaymentCode.objects.filter(station=station).first()
    if row is None or version != one_time_passwords.VERSION:
        raise CodeRefused("this charger shows no such code")
    now = clock.now()
    for secret in _secrets(row):
        number = one_time_passwords.matching(
            keyring.decrypt(secret), password, at=now, validity_s=row.validity_s, length=row.length
        )
        if number is not None:
            return f"{station.pk}/{number}/{password}"
    raise CodeRefused("the code is too old")


def is_dynamic(station: ChargingStation) -> bool:
    """Tell whether the station shows codes of its own, so that one on a sticker must not be believed."""
    return WebPaymentCode.objects.filter(station=station, state=State.IN_FORCE).exists()


def _secrets(row: WebPaymentCode) -> list[str]:
    is_changing = row.state != State.IN_FORCE or clock.now() < row.changed_at + GRACE
    return [row.secret, *([row.older_secret] if row.older_secret and is_changing else [])]
