"""Stripe: Checkout Sessions with manual capture, over its plain HTTP API (no SDK: one client, one guard).

A payment's reference is its Checkout Session (`cs_…`); one that a kiosk or a terminal authorised is a PaymentIntent
(`pi_…`). Amounts go over the wire in the currency's smallest unit.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings

from billing.psp import Notice, Opened, Order, ProviderRefused, ProviderUnavailable, Standing, signatures
from billing.psp.gateway import read_notice
from billing.psp.http import ask
from billing.services import amounts

VERSION = "2024-06-20"  # of its API: answers keep their shape
INTENT = {
    "requires_capture": "authorised",
    "succeeded": "captured",
    "canceled": "cancelled",
    "processing": "open",
    "requires_payment_method": "open",
    "requires_confirmation": "open",
    "requires_action": "open",
}


class Stripe:
    """PAYMENT_PROVIDER_URL is https://api.stripe.com, PAYMENT_PROVIDER_KEY the secret key."""

    name = "stripe"

    def open(self, order: Order) -> Opened:
        """Make a Checkout Session that authorises without capturing."""
        told = _post(
            "/v1/checkout/sessions",
            order.uid,
            {
                "mode": "payment",
                "client_reference_id": order.uid,
                "payment_intent_data[capture_method]": "manual",
                "line_items[0][quantity]": "1",
                "line_items[0][price_data][currency]": order.currency.lower(),
                "line_items[0][price_data][unit_amount]": _units(order.amount, order.currency),
                "line_items[0][price_data][product_data][name]": order.description,
                "success_url": order.return_url,
                "cancel_url": order.return_url,
            },
        )
        if not told.get("id") or not str(told.get("url") or "").startswith("https://"):
            raise ProviderUnavailable("it made a Checkout Session without an id or a page")
        return Opened(str(told["id"])[:255], str(told["url"])[:2000])

    def look(self, reference: str) -> Standing:
        """Read the PaymentIntent, by way of the Checkout Session where there is one."""
        session, intent = self._read(reference)
        if intent is None:
            return Standing("cancelled" if session.get("status") == "expired" else "open")
        currency = str(intent.get("currency") or "").upper()
        status = INTENT.get(str(intent.get("status")), "open")
        charge = intent.get("latest_charge") if isinstance(intent.get("latest_charge"), dict) else {}
        return Standing(
            status=status,
            currency=currency,
            authorised=_money(
                intent.get("amount") if status != "open" else 0,
                currency,
            ),
            captured=_money(intent.get("amount_received"), currency),
            refunded=_money((charge or {}).get("amount_refunded"), currency),
            details=_card(charge or {}),
        )

    def capture(self, reference: str, *, amount: Decimal, currency: str, key: str) -> Decimal:
        """Capture once under the key; Stripe releases the rest."""
        units = {"amount_to_capture": _units(amount, currency)}
        told = _post(f"/v1/payment_intents/{self._intent(reference)}/capture", key, units)
        return _money(told.get("amount_received"), currency)

    def cancel(self, reference: str, *, key: str) -> None:
        """Cancel the PaymentIntent, or let the page of one that nobody began expire."""
        session, intent = self._read(reference)
        if intent is not None:
            _post(f"/v1/payment_intents/{quote(str(intent['id']), safe='')}/cancel", key, {})
        elif session.get("status") == "open":
            _post(f"/v1/checkout/sessions/{quote(reference, safe='')}/expire", key, {})

    def refund(self, reference: str, *, amount: Decimal, currency: str, key: str) -> None:
        """Give back once under the key."""
        _post(
            "/v1/refunds",
            key,
            {"payment_intent": self._intent(reference), "amount": _units(amount, currency)},
        )

    def notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Read an event about a Checkout Session or a PaymentIntent, signed in Stripe-Signature."""
        signatures.check(headers.get("Stripe-Signature", ""), body, secret=settings.PAYMENT_WEBHOOK_SECRET)
        return read_notice(body, lambda told: told["data"]["object"]["id"])

    def _read(self, reference: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
        name = quote(reference, safe="")
        if reference.startswith("pi_"):
            return {}, _get(f"/v1/payment_intents/{name}?expand[]=latest_charge")
        session = _get(f"/v1/checkout/sessions/{name}?expand[]=payment_intent.latest_charge")
        intent = session.get("payment_intent")
        return session, intent if isinstance(intent, dict) else None

    def _intent(self, reference: str) -> str:
        _, intent = self._read(reference)
        if intent is None:
            raise ProviderRefused("nothing was authorised")
        return quote(str(intent["id"]), safe="")


def _get(path: str) -> dict[str, Any]:
    return ask("GET", path, headers=_headers())


def _post(path: str, key: str, members: dict[str, str]) -> dict[str, Any]:
    headers = _headers() | {"content-type": "application/x-www-form-urlencoded", "idempotency-key": key}
    return ask("POST", path, body=urlencode(members).encode(), headers=headers)


def _headers() -> dict[str, str]:
    return {"authorization": f"Bearer {settings.PAYMENT_PROVIDER_KEY}", "stripe-version": VERSION}


def _units(amount: Decimal, currency: str) -> str:
    return str(int(amount.scaleb(amounts.digits(currency))))


def _money(units: Any, currency: str) -> Decimal:
    if not isinstance(units, int) or units < 0:
        return Decimal(0)
    return Decimal(units).scaleb(-amounts.digits(currency))


def _card(charge: dict[str, Any]) -> dict[str, str]:
    details = charge.get("payment_method_details")
    card = details.get("card") if isinstance(details, dict) else None
    if not isinstance(card, dict):
        return {}
    found = {"PaymentBrand": card.get("brand"), "CardLast4Digits": card.get("last4")}
    return {name: str(value)[:20] for name, value in found.items() if value}
