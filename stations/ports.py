"""The questions that travel against the flow: may this token charge, what will it cost, and what so far?

`stations` imports no other app; who answers is named in settings, the way Django names its authentication back-ends.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from stations.models import ChargingSession, ChargingStation, IdToken


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to *may this token charge?* `status` is an OCPP 2.1 AuthorizationStatusEnumType."""

    status: str
    token: IdToken | None = None
    expires_at: datetime | None = None
    group_id: str = ""
    auth_method: str = "WHITELIST"  # OCPI AuthMethod
    authorization_reference: str = ""
    party: str = ""  # 'NL*ABC' when a roaming partner's driver charges
    flags: tuple[str, ...] = ()  # how tolerantly the token was matched (stations.token_matching)


@dataclass(frozen=True, slots=True)
class Cost:
    """The answer to *what does it cost so far?* Amounts in `currency`; None: taxes unknown."""

    currency: str
    before_taxes: Decimal
    after_taxes: Decimal | None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DriverTariff:
    """The answer to *what will it cost?* `document` is a TariffType of OCPP 2.1, for a station that calculates."""

    text: str
    language: str = ""
    document: dict[str, Any] | None = None


UNKNOWN_TOKEN = Decision(status="Invalid")


@cache
def _resolve(path: str) -> Callable[..., Any]:
    function: Callable[..., Any] = import_string(path)
    return function


def authorize(uid: str, *, station: ChargingStation) -> Decision:
    """Ask the authorizers of settings in order; the first that knows the token decides, else `Invalid`."""
    for path in settings.AUTHORIZERS:
        decision: Decision | None = _resolve(path)(uid, station=station)
        if decision is not None:
            return decision
    return UNKNOWN_TOKEN


def driver_tariff(station: ChargingStation, token: IdToken | None) -> DriverTariff | None:
    """Return what a session of this token starting now would cost there, or None when nobody can say."""
    if not settings.TARIFF_SOURCE:
        return None
    tariff: DriverTariff | None = _resolve(settings.TARIFF_SOURCE)(station, token)
    return tariff


def running_cost(session: ChargingSession) -> Cost | None:
    """Return what the session costs so far, or None when nobody can say."""
    if not settings.COST_SOURCE:
        return None
    cost: Cost | None = _resolve(settings.COST_SOURCE)(session)
    return cost
