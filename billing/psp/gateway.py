"""A payment gateway with a small HTTP API of its own: what the demo and tests run, what an adapter can be written for.

POST /payments, GET /payments/{id}, POST /payments/{id}/capture, …/cancel, …/refunds; JSON with amounts as strings, a
bearer token, the header Idempotency-Key. docs/payments.md has it whole.
"""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from django.conf import settings

from billing.psp import BadSignature, Notice, Opened, Order, ProviderUnavailable, Standing, signatures
from billing.psp.http import ask

STATUSES = {
    "open": "open",
    "authorised": "authorised",
    "captured": "captured",
    "cancelled": "cancelled",
    "refused": "cancelled",
    "expired": "cancelled",
}
CARD = {"brand": "PaymentBrand", "last4": "CardLast4Digits"}


class Gateway:
    """See PAYMENT_PROVIDER_URL, PAYMENT_PROVIDER_KEY and PAYMENT_WEBHOOK_SECRET."""

    name = "gateway"

    def open(self, order: Order) -> Opened:
        """Ask for a payment; the driver pays on the page that the answer names."""
        told = _post(
            "/payments",
            order.uid,
            reference=order.uid,
            amount=f"{order.amount:f}",
            currency=order.currency,
            description=order.description,
            return_url=order.return_url,
            webhook_url=f"{settings.PUBLIC_URL}/pay/notices/{self.name}",
        )
        reference, url = str(told.get("id") or ""), str(told.get("checkout_url") or "")
        if not 0 < len(reference) <= 255 or not url.startswith(("https://", "http://")) or len(url) > 2000:
            raise ProviderUnavailable("it opened a payment without an id or a page")
        return Opened(reference, url)

    def look(self, reference: str) -> Standing:
        """Read the payment."""
        told = ask("GET", f"/payments/{quote(reference, safe='')}", headers=_authorization())
        status = STATUSES.get(str(told.get("status")))
        if status is None:
            raise ProviderUnavailable("it names a status that nobody knows")
        given = told.get("card")
        card: dict[str, Any] = given if isinstance(given, dict) else {}
        return Standing(
            status=status,
            currency=str(told.get("currency") or ""),
            authorised=_amount(told, "authorised"),
            captured=_amount(told, "captured"),
            refunded=_amount(told, "refunded"),
            details={CARD[name]: str(card[name])[:20] for name in CARD if card.get(name)},
        )

    def capture(self, reference: str, *, amount: Decimal, currency: str, key: str) -> Decimal:
        """Capture once under the key."""
        told = _post(f"/payments/{quote(reference, safe='')}/capture", key, amount=f"{amount:f}")
        return _amount(told, "captured")

    def cancel(self, reference: str, *, key: str) -> None:
        """Release the authorisation."""
        _post(f"/payments/{quote(reference, safe='')}/cancel", key)

    def refund(self, reference: str, *, amount: Decimal, currency: str, key: str) -> None:
        """Give back once under the key."""
        _post(f"/payments/{quote(reference, safe='')}/refunds", key, amount=f"{amount:f}")

    def notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Read `{"id": …, "type": …, "payment": …}`, signed in X-Signature."""
        signatures.check(headers.get("X-Signature", ""), body, secret=settings.PAYMENT_WEBHOOK_SECRET)
        return read_notice(body, lambda told: told.get("payment"))


def read_notice(body: bytes, reference: Any) -> Notice:
    """Read the id, the kind and the payment of a notice whose signature is right."""
    try:
        told = json.loads(body)
        event_id, kind, about = str(told["id"]), str(told["type"]), str(reference(told) or "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadSignature("the notice cannot be read") from error
    return Notice(
        event_id.replace("\0", "")[:255], kind.replace("\0", "")[:100], about.replace("\0", "")[:255]
    )


def _post(path: str, key: str, **members: Any) -> dict[str, Any]:
    headers = _authorization() | {"content-type": "application/json", "idempotency-key": key}
    return ask("POST", path, body=json.dumps(members).encode(), headers=headers)


def _authorization() -> dict[str, str]:
    return {"authorization": f"Bearer {settings.PAYMENT_PROVIDER_KEY}"}


def _amount(told: dict[str, Any], name: str) -> Decimal:
    try:
        amount = Decimal(str(told.get(name) or "0"))
    except InvalidOperation as error:
        raise ProviderUnavailable(f"its {name} is no amount") from error
    if not amount.is_finite() or amount < 0:
        raise ProviderUnavailable(f"its {name} is no amount")
    return amount
