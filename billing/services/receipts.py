"""Receipts of ad hoc payments: what a driver paid, for what, with the VAT in it; as a page and by mail."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction

from billing.models import Cdr, Payment
from billing.services import amounts, payments
from cpo.lib import clock
from stations.models import Operator, Settlement

KINDS = {
    "total_fixed_cost": "Start fee",
    "total_energy_cost": "Energy",
    "total_time_cost": "Charging time",
    "total_parking_cost": "Parking",
    "total_reservation_cost": "Reservation",
}
LEASE = timedelta(minutes=5)  # of a mail that is being sent
AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Line:
    """One part of the bill; amounts in the receipt's currency."""

    what: str
    net: Decimal
    gross: Decimal | None


@dataclass(frozen=True, slots=True)
class Vat:
    """VAT of one rate."""

    percent: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Receipt:
    """What stands on a receipt. `paid` may be less than `total` when less was authorised."""

    number: str
    cdr: Cdr
    operator: Operator
    lines: tuple[Line, ...]
    vat: tuple[Vat, ...]
    net: Decimal
    total: Decimal
    paid: Decimal
    refunded: Decimal
    currency: str
    company: dict[str, Any]
    vat_number: str
    card: str


def of_payment(payment: Payment) -> Receipt | None:
    """Return the receipt of a payment that was captured; None for any other."""
    if payment.state != Payment.State.CAPTURED or payment.cdr is None:
        return None
    return _receipt(
        payment.cdr,
        number=payment.uid,
        paid=payment.captured_amount,
        refunded=payment.refunded_amount,
        card=card(payment.details),
    )


def of_settlement(settlement: Settlement) -> Receipt | None:
    """Return our receipt of what a terminal settled (C21.FR.03), with the company that asked for it (C18)."""
    cdr = payments.standing_cdr(settlement.session) if settlement.session is not None else None
    if settlement.status != Settlement.Status.SETTLED or cdr is None:
        return None
    return _receipt(
        cdr,
        number=settlement.receipt_id or settlement.uid,
        paid=amounts.payable(settlement.amount, cdr.currency),
        company=settlement.company,
        vat_number=settlement.vat_number,
    )


def card(details: dict[str, Any]) -> str:
    """Say with what was paid, as far as it may be said."""
    brand, last = details.get("PaymentBrand", ""), details.get("CardLast4Digits", "")
    return f"{brand} •••• {last}".strip() if last else str(brand)


def to_mail() -> list[int]:
    """Return the payments whose receipt is to be mailed."""
    rows = Payment.objects.filter(state=Payment.State.CAPTURED, mailed_at=None).exclude(email="")
    return list(rows.values_list("pk", flat=True)[:AT_ONCE])


def mail(payment_id: int) -> bool:
    """Mail one receipt, once: the row says so before the mail server is asked. The address goes with it."""
    if not settings.EMAIL_URL:
        return False
    with transaction.atomic():
        payment = Payment.objects.select_for_update(of=("self",)).get(pk=payment_id)
        receipt = of_payment(payment)
        if receipt is None or payment.mailed_at is not None or not payment.email:
            return False
        to, payment.mailed_at, payment.email = payment.email, clock.now(), ""
        payment.save(update_fields=["mailed_at", "email"])
    EmailMessage(subject=f"Receipt {receipt.number}", body=text(receipt), to=[to]).send()
    return True


def text(receipt: Receipt) -> str:
    """Write the receipt as plain text."""
    cdr, currency = receipt.cdr, receipt.currency
    rows = [f"{line.what}: {line.net} {currency}" for line in receipt.lines]
    rows += [f"VAT {vat.percent} %: {vat.amount} {currency}" for vat in receipt.vat]
    return "\n".join(
        [
            receipt.operator.legal_name or receipt.operator.name,
            *([f"VAT id: {receipt.operator.vat_id}"] if receipt.operator.vat_id else []),
            "",
            f"Receipt {receipt.number}",
            f"{cdr.location.get('name') or cdr.station_identity}, {cdr.started_at:%Y-%m-%d %H:%M} UTC",
            f"{cdr.energy_wh.scaleb(-3).normalize():f} kWh",
            "",
            *rows,
            f"Total: {receipt.total} {currency}",
            f"Paid: {receipt.paid} {currency} {receipt.card}".rstrip(),
        ]
    )


def _receipt(cdr: Cdr, *, number: str, paid: Decimal, **more: Any) -> Receipt:
    total = cdr.totals.get("total_cost") or {}
    lines = tuple(_line(word, cdr.totals[name]) for name, word in KINDS.items() if cdr.totals.get(name))
    taxes = total.get("taxes") or []
    return Receipt(
        number=number,
        cdr=cdr,
        operator=cdr.operator,
        lines=lines,
        vat=tuple(Vat(_percent(tax), Decimal(str(tax["amount"]))) for tax in taxes),
        net=cdr.total_before_taxes,
        total=amounts.of_cdr(cdr),
        paid=paid,
        refunded=more.pop("refunded", Decimal(0)),
        currency=cdr.currency,
        company=more.pop("company", {}),
        vat_number=more.pop("vat_number", ""),
        card=more.pop("card", ""),
    )


def _line(word: str, price: dict[str, Any]) -> Line:
    net = Decimal(str(price.get("before_taxes") or 0))
    taxes = price.get("taxes") or []
    gross = net + sum((Decimal(str(tax["amount"])) for tax in taxes), Decimal(0)) if taxes else None
    return Line(word, net, gross)


def _percent(tax: dict[str, Any]) -> str:
    given = tax.get("percentage")
    return f"{Decimal(str(given)).normalize():f}" if given is not None else str(tax.get("name") or "")
