"""Ad hoc payment: settlements at terminals, web payments that begin (OCPP 2.1 C20 to C25)."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction

from cpo.lib import clock, events
from stations.events import EnergyServicesChanged
from stations.models import ChargingSession, ChargingStation, Command, Evse, Settlement
from stations.models.locations import new_uid
from stations.services import requests, review
from stations.services.errors import InvalidPayload

Status = Settlement.Status
UNPAID = (Status.REJECTED, Status.FAILED)
LONGEST_LOCK_S = 3600


@transaction.atomic(savepoint=False)
def settled(
    station: ChargingStation,
    psp_reference: str,
    *,
    status: str,
    amount: Decimal,
    at: datetime,
    transaction_id: str = "",
    info: str = "",
    receipt_id: str = "",
    receipt_url: str = "",
    vat_number: str = "",
    company: dict[str, Any] | None = None,
) -> Settlement:
    """Store what came of a payment (C20 to C23), with its session; an older word never replaces a newer one.

    `amount` in the terminal's currency. A receipt that the terminal has none of is ours (C21.FR.03). What is not paid
    in the end becomes a review item; it is resolved when a later try settles it.
    """
    found = (
        Settlement.objects.select_for_update().filter(station=station, psp_reference=psp_reference).first()
    )
    if found is not None and found.settled_at > at:
        return found
    row = found or Settlement(uid=new_uid(), station=station, psp_reference=psp_reference)
    row.transaction_id = transaction_id or row.transaction_id
    row.session = session_of(station, row.transaction_id, psp_reference)
    row.status, row.info, row.amount, row.settled_at = status, info[:500], amount, at
    row.receipt_id = receipt_id or row.receipt_id
    row.receipt_url = receipt_url or row.receipt_url
    row.vat_number, row.company = vat_number or row.vat_number, company or row.company
    row.received_at, row.is_compared = clock.now(), False
    if status == Status.SETTLED and not row.receipt_url and settings.OCPP_RECEIPT_URL:
        row.receipt_id = row.receipt_id or row.uid
        row.receipt_url = settings.OCPP_RECEIPT_URL.replace("{id}", row.uid)
    row.save()
    _worry(row)
    events.publish(EnergyServicesChanged(station.pk))
    return row


def web_payment_started(
    station: ChargingStation, evse: Evse | None, *, timeout_s: int, requested_by: str = "", user: Any = None
) -> Command:
    """Tell the station that somebody pays on the web for an EVSE (None: for any), which it may lock (C25.FR.21).

    Raise `InvalidPayload` for a lock of no time, or of more than an hour.
    """
    if not 0 < timeout_s <= LONGEST_LOCK_S:
        raise InvalidPayload("timeout_s", f"must be 1 to {LONGEST_LOCK_S}")
    facts = {"evse": evse, "timeout_s": timeout_s}
    return requests.queue(
        station, "web_payment_started", facts=facts, requested_by=requested_by, user=user, ttl_s=timeout_s
    )


def _worry(row: Settlement) -> None:
    key = f"settlement:{row.uid}"
    if row.status in UNPAID:
        review.raise_item(
            "billing_failed",
            key=key,
            summary=f"{row.station.identity}: {row.amount} not paid, the terminal says {row.status}",
            station=row.station,
            session=row.session,
            facts={"settlement": row.uid, "info": row.info},
        )
        return
    for item in row.station.review_items.filter(key=key, resolved_at=None):
        review.resolve(item, by="station", resolution=f"then {row.status}")


def session_of(
    station: ChargingStation, transaction_id: str, psp_reference: str = ""
) -> ChargingSession | None:
    """Find the session that a settlement is about: by the station's id of it, else by the payment that began it."""
    sessions = ChargingSession.objects.filter(station=station)
    found = sessions.filter(transaction_id=transaction_id).first() if transaction_id else None
    if found is not None or not psp_reference:
        return found
    return sessions.filter(direct_payment__id_token=psp_reference).first()
