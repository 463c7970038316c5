"""NotifySettlement, VatNumberValidation, NotifyWebPaymentStarted, tokens of type DirectPayment (C18 to C25, 2.1)."""

from decimal import Decimal
from typing import Any

from stations import readings
from stations.models import ChargingSession, Evse
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming, Payload
from stations.ocpp.v2 import values
from stations.services import direct_payments, payments, vat_numbers
from stations.services.vat_numbers import Company

MAX_COST = "maxCost"


def notify_settlement(link: Link, incoming: Incoming) -> Payload:
    """Store a settlement and say where its receipt is (C21.FR.02 to C21.FR.04, C22.FR.01)."""
    payload = incoming.payload
    at, flags = readings.parse_timestamp(payload["settlementTime"], received_at=incoming.received_at)
    incoming.flags += flags

    row = payments.settled(
        link.station,
        _text(payload["pspRef"])[:255],
        status=payload["status"],
        amount=Decimal(str(payload["settlementAmount"])),
        at=at,
        transaction_id=_text(payload.get("transactionId"))[:36],
        info=_text(payload.get("statusInfo")),
        receipt_id=_text(payload.get("receiptId")),
        receipt_url=_text(payload.get("receiptUrl")),
        vat_number=_text(payload.get("vatNumber")),
        company={name: _text(value) for name, value in (payload.get("vatCompany") or {}).items()},
    )

    if row.transaction_id and row.session is None:
        incoming.flags.append("unknown_transaction")
    answer = {"receiptUrl": row.receipt_url, "receiptId": row.receipt_id}
    return {name: value for name, value in answer.items() if value}


def vat_number_validation(link: Link, incoming: Incoming) -> Payload:
    """Say whether a VAT number is good, and whose it is if that is known."""
    payload = incoming.payload

    verdict = vat_numbers.check(payload["vatNumber"])

    answer: Payload = {
        "vatNumber": payload["vatNumber"],
        "status": "Accepted" if verdict.is_valid else "Rejected",
    }
    if "evseId" in payload:
        answer["evseId"] = payload["evseId"]
    if verdict.company is not None:
        answer["company"] = _company(verdict.company)
    return answer


def in_transaction(link: Link, incoming: Incoming, session: ChargingSession) -> None:
    """Take what a TransactionEvent tells of a payment: its reference and card (C18), the amount it goes to (C23)."""
    payload = incoming.payload
    token = payload.get("idToken") or {}
    if token.get("type") == direct_payments.TYPE:
        details = direct_payments.masked(token.get("additionalInfo") or ())
        direct_payments.presented(session, values.id_token(token), details=details)
        known = link.sessions.get(session.transaction_id)
        if known is not None:
            known.is_ad_hoc = session.is_ad_hoc
    limit = payload["transactionInfo"].get("transactionLimit") or {}
    if MAX_COST in limit and session.is_ad_hoc:
        direct_payments.authorized(session, Decimal(str(limit[MAX_COST])))


def write_web_payment_started(*, evse: Evse | None, timeout_s: int) -> tuple[str, Payload]:
    """Write NotifyWebPaymentStarted; EVSE 0 is any (C25.FR.21)."""
    return "NotifyWebPaymentStarted", {"evseId": evse.number if evse else 0, "timeout": timeout_s}


def _company(company: Company) -> dict[str, str]:
    told = {
        "name": company.name[:50],
        "address1": company.address[:100],
        "city": company.city[:100],
        "country": company.country[:50],
    }
    return told | ({"postalCode": company.postal_code[:20]} if company.postal_code else {})


def _text(value: Any) -> str:
    return str(value or "").replace("\0", "�")
