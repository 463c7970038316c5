"""Stripe's HTTP API as its reference tells it: forms in, JSON out, smallest units (a small server stands in for it)."""

import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from billing.psp import BadSignature, Order, ProviderRefused, ProviderUnavailable, signatures
from billing.psp.stripe import Stripe
from cpo.lib import clock

INTENT = {
    "id": "pi_1", "object": "payment_intent", "status": "requires_capture", "currency": "eur", "amount": 5000,
    "amount_received": 0,
    "latest_charge": {
        "amount_refunded": 0, "payment_method_details": {"card": {"brand": "visa", "last4": "4242"}}
    },
}  # fmt: skip
ORDER = Order("uid-1", Decimal("50.00"), "EUR", "Charging at Ada, 1", "https://ada.example/pay/s/x")


class Service:
    """What it answers by path, and what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, str, dict[str, str], dict[str, str]]] = []


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Service, str]]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, length = urlsplit(self.path).path, int(self.headers.get("Content-Length") or 0)
            form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
            service.asked.append((self.command, self.path, form, dict(self.headers)))
            status, answer = service.answers.get(path, (404, {"error": {"message": "no such thing"}}))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield service, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def service(running: tuple[Service, str], settings: Any) -> Service:
    found, settings.PAYMENT_PROVIDER_URL = running
    settings.PAYMENT_PROVIDER_KEY, settings.PAYMENT_WEBHOOK_SECRET = "sk_test", "whsec"
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    found.answers, found.asked = {}, []
    return found


def knows(service: Service, **intent: Any) -> None:
    """Let it know a Checkout Session whose card was authorised."""
    service.answers["/v1/checkout/sessions/cs_1"] = (
        200, {"id": "cs_1", "status": "complete", "payment_intent": INTENT | intent}
    )  # fmt: skip


def test_a_page_authorises_without_capturing(service: Service) -> None:
    service.answers["/v1/checkout/sessions"] = (200, {"id": "cs_1", "url": "https://checkout.stripe.com/c/1"})

    opened = Stripe().open(ORDER)

    [(_, _, form, headers)] = service.asked
    assert (opened.reference, opened.checkout_url) == ("cs_1", "https://checkout.stripe.com/c/1")
    assert form["payment_intent_data[capture_method]"] == "manual"
    assert form["line_items[0][price_data][unit_amount]"] == "5000"
    assert (headers["idempotency-key"], headers["authorization"]) == ("uid-1", "Bearer sk_test")


@pytest.mark.parametrize(
    ("intent", "status"),
    [({}, "authorised"), ({"status": "succeeded"}, "captured"), ({"status": "canceled"}, "cancelled"),
     ({"status": "requires_action"}, "open")],
)  # fmt: skip
def test_a_payment_stands_as_its_intent_does(service: Service, intent: dict[str, Any], status: str) -> None:
    knows(service, **intent)

    standing = Stripe().look("cs_1")

    assert standing.status == status
    assert standing.details == {"PaymentBrand": "visa", "CardLast4Digits": "4242"}
    assert standing.authorised == (0 if status == "open" else 50)


@pytest.mark.parametrize(("status", "word"), [("open", "open"), ("expired", "cancelled")])
def test_a_page_on_which_nobody_paid_is_open_or_expired(service: Service, status: str, word: str) -> None:
    service.answers["/v1/checkout/sessions/cs_1"] = (
        200,
        {"id": "cs_1", "status": status, "payment_intent": None},
    )

    assert Stripe().look("cs_1").status == word


@pytest.mark.parametrize("reference", ["cs_1", "pi_1"])
def test_a_capture_is_in_the_smallest_unit_and_under_its_key(service: Service, reference: str) -> None:
    knows(service)
    service.answers["/v1/payment_intents/pi_1"] = (200, INTENT)
    service.answers["/v1/payment_intents/pi_1/capture"] = (200, INTENT | {"amount_received": 363})

    taken = Stripe().capture(reference, amount=Decimal("3.63"), currency="EUR", key="k-capture")

    _, _, form, headers = service.asked[-1]
    assert (taken, form, headers["idempotency-key"]) == (
        Decimal("3.63"),
        {"amount_to_capture": "363"},
        "k-capture",
    )


def test_a_currency_without_decimals_has_none(service: Service) -> None:
    knows(service, currency="jpy", amount=5000)

    assert Stripe().look("cs_1").authorised == 5000


def test_a_decline_is_a_no_and_a_fault_is_not(service: Service) -> None:
    knows(service)
    decline = {"error": {"code": "card_declined", "decline_code": "insufficient_funds"}}
    for status, kind in ((402, ProviderRefused), (500, ProviderUnavailable), (429, ProviderUnavailable)):
        service.answers["/v1/payment_intents/pi_1/capture"] = (status, decline)
        with pytest.raises(kind):
            Stripe().capture("cs_1", amount=Decimal("3.63"), currency="EUR", key="k")


def test_who_never_paid_has_his_page_expired_and_who_did_has_it_cancelled(service: Service) -> None:
    service.answers["/v1/checkout/sessions/cs_2"] = (
        200,
        {"id": "cs_2", "status": "open", "payment_intent": None},
    )
    service.answers["/v1/checkout/sessions/cs_2/expire"] = (200, {"id": "cs_2"})
    service.answers["/v1/payment_intents/pi_1/cancel"] = (200, INTENT)
    knows(service)

    Stripe().cancel("cs_2", key="a")
    Stripe().cancel("cs_1", key="b")

    posts = [path for method, path, *_ in service.asked if method == "POST"]
    assert posts == ["/v1/checkout/sessions/cs_2/expire", "/v1/payment_intents/pi_1/cancel"]


def test_a_refund_names_the_intent(service: Service) -> None:
    knows(service)
    service.answers["/v1/refunds"] = (200, {"id": "re_1"})

    Stripe().refund("cs_1", amount=Decimal("1.00"), currency="EUR", key="r")

    assert service.asked[-1][2] == {"payment_intent": "pi_1", "amount": "100"}


def test_a_signed_event_names_its_session(service: Service) -> None:
    body = json.dumps(
        {"id": "evt_1", "type": "checkout.session.completed", "data": {"object": {"id": "cs_1"}}}
    ).encode()
    header = signatures.sign(body, secret="whsec", at=int(clock.now().timestamp()))

    notice = Stripe().notice({"Stripe-Signature": header}, body)

    assert (notice.event_id, notice.reference) == ("evt_1", "cs_1")
    for wrong in ("", header.replace("v1=", "v0="), signatures.sign(body, secret="other", at=1)):
        with pytest.raises(BadSignature):
            Stripe().notice({"Stripe-Signature": wrong}, body)
