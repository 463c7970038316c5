"""Payments that let a driver charge once: a card at a terminal, a web page, a kiosk (OCPP 2.1 C18, C20, C23 to C25).

A station of 2.1 shows the provider's reference as a token of type DirectPayment. Older versions have no such type:
there the token is one that we make up (`paid_token` knows it).
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.db import transaction

from cpo.lib import clock, events
from stations.events import EnergyServicesChanged
from stations.models import ChargingSession, ChargingStation, DirectPayment, Evse, Variable
from stations.ports import Decision
from stations.services import authorization, limits, requests, review
from stations.services.errors import UnknownAction

TYPE = authorization.DIRECT_PAYMENT
PREFIX = "PAY"  # of tokens that we make up: 20 characters, which the oldest version can say
# What is kept of a card: nothing of it identifies a person or can be paid with.
DETAILS = (
    "PspRef", "SessionRef", "MerchantRef", "PaymentBrand", "ReadingMethod", "PaymentRecognition", "CardBin",
    "CardLast4Digits",
)  # fmt: skip
_NUMBER = re.compile(r"\d[\d \-]{10,}\d")  # so many digits are a card number, wherever they stand
LONGEST = {"CardBin": 6, "CardLast4Digits": 4}


def is_spoken(station: ChargingStation) -> bool:
    """Tell whether the station's version knows tokens of type DirectPayment."""
    try:
        requests.write(station, "web_payment_started", {"evse": None, "timeout_s": 1})
    except UnknownAction:
        return False
    return True


@transaction.atomic(savepoint=False)
def expect(
    station: ChargingStation,
    id_token: str,
    *,
    reference: str,
    details: dict[str, str] | None = None,
    authorized_amount: Decimal | None = None,
    max_energy_wh: Decimal | None = None,
    max_time_s: int | None = None,
    max_cost: Decimal | None = None,
) -> DirectPayment:
    """Let this token charge once at the station, up to what was paid for (C24.FR.02, C25.FR.24).

    Wh, seconds, money with taxes; `reference` is what our books call the payment.
    """
    facts = {
        "reference": reference,
        "details": details or {},
        "authorized_amount": authorized_amount,
        "max_energy_wh": max_energy_wh,
        "max_time_s": max_time_s,
        "max_cost": max_cost,
        "is_ours": True,
    }
    row, _ = DirectPayment.objects.update_or_create(
        station=station,
        id_token=id_token,
        defaults=facts | {"is_over": False},
        create_defaults=facts | {"first_at": clock.now()},
    )
    return row


def end(station_id: int, id_token: str) -> None:
    """Let the token charge no more: it was paid, or the payment was cancelled."""
    DirectPayment.objects.filter(station=station_id, id_token=id_token).update(is_over=True)


def paid_token(uid: str, *, station: ChargingStation) -> Decision | None:
    """Decide about a token that we made up for somebody who paid; None for any other (an authorizer of settings)."""
    if not uid.upper().startswith(PREFIX):
        return None
    row = DirectPayment.objects.filter(station=station, id_token=uid.upper(), is_ours=True).first()
    if row is None:
        return None
    if row.is_over:
        return Decision(status="Invalid")
    return Decision(status="Accepted", auth_method="COMMAND", authorization_reference=row.reference)


@transaction.atomic(savepoint=False)
def presented(
    session: ChargingSession, id_token: str, *, details: dict[str, str] | None = None
) -> DirectPayment:
    """Take a payment that was shown at a session: link both, and set what was paid for as its limits.

    A payment is good for one session; a second one that shows it becomes a review item.
    """
    row, _ = DirectPayment.objects.select_for_update().get_or_create(
        station_id=session.station_id,
        id_token=id_token[:255],
        defaults={"details": details or {}, "first_at": clock.now()},
    )
    if row.session_id not in (None, session.pk):
        _raise_second(session, row)
        return row
    is_new = row.session_id is None
    row.session, row.details = session, row.details | (details or {})
    row.save(update_fields=["session", "details"])
    reference = (row.reference or row.details.get("PspRef") or row.id_token)[:36]
    if session.authorization_reference != reference:
        session.authorization_reference = reference
        session.save(update_fields=["authorization_reference"])
    if is_new:
        _limit(session, row)
        events.publish(EnergyServicesChanged(session.station_id))
    return row


def authorized(session: ChargingSession, amount: Decimal) -> None:
    """Note the amount up to which the terminal lets a session go (C18), or goes on (C23.FR.02)."""
    DirectPayment.objects.filter(session=session, is_ours=False).update(authorized_amount=amount)


def masked(told: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return what may be kept of additionalInfo about a payment."""
    found: dict[str, str] = {}
    for one in told:
        name, value = str(one.get("type") or ""), str(one.get("additionalIdToken") or "").replace("\0", "")
        if name in DETAILS and not (name in LONGEST and len(value) > LONGEST[name]):
            found[name] = _NUMBER.sub("****", value)[:100]
    return found


def settles_with_us(station: ChargingStation) -> bool:
    """Tell whether the station leaves the settlement to us (C21.FR.05, PaymentCtrlr.SettlementByCSMS)."""
    rows = Variable.objects.filter(
        station=station, component__iexact="PaymentCtrlr", name__iexact="SettlementByCSMS"
    )
    return rows.filter(attribute="Actual", value__iexact="true").exists()


def free_evse(station: ChargingStation, evse: Evse) -> bool:
    """Tell whether nobody charges at an EVSE that could be paid for."""
    busy = ChargingSession.objects.active().filter(evse=evse).exclude(id_token="").exists()
    return not busy and not evse.is_removed and evse.station_id == station.pk


def _limit(session: ChargingSession, row: DirectPayment) -> None:
    values = row.max_energy_wh, row.max_time_s, row.max_cost
    if session.status == ChargingSession.Status.ENDED or not any(values):
        return
    limits.put(
        session,
        max_energy_wh=row.max_energy_wh,
        max_time_s=row.max_time_s,
        max_cost=row.max_cost,
        by=f"payment {row.reference or row.id_token}",
    )


def _raise_second(session: ChargingSession, row: DirectPayment) -> None:
    review.raise_item(
        "billing_failed",
        key=f"second session of payment:{session.pk}",
        summary=f"A payment that was used already was shown again: {row.reference or row.id_token}"[:255],
        station=session.station,
        session=session,
        facts={"payment": row.reference or row.id_token, "first_session": row.session_id},
    )
