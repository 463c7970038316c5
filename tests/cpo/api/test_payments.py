"""/payments/: the list, kiosks, refunds, codes of stations."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from billing.models import Payment, Refund
from cpo.models import AuditEvent
from stations.models import ChargingStation, WebPaymentCode
from tests import factories

pytestmark = pytest.mark.django_db
KIOSK = {"station": "ADA-1", "reference": "kiosk-1", "amount": "25.00", "currency": "EUR"}


@pytest.fixture
def ada(settings: Any) -> ChargingStation:
    settings.PAYMENT_PROVIDER = "billing.psp.gateway.Gateway"
    return factories.station("ADA-1", is_online=True, ocpp_version="2.1")


@pytest.fixture
def captured(ada: ChargingStation) -> Payment:
    now = ada.created_at
    return Payment.objects.create(
        source="kiosk", station=ada, provider="gateway", reference="pay-1", currency="EUR", amount=50,
        authorised_amount=50, captured_amount=Decimal("3.63"), state="captured", created_at=now, last_updated=now,
    )  # fmt: skip


def test_a_kiosk_starts_once_for_one_reference(client_of: Callable[..., Any], ada: ChargingStation) -> None:
    operator = client_of("operator")

    answers = [operator("POST", "/api/v1/payments/", KIOSK | {"connector_id": 1}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert Payment.objects.get().state == "opened"  # until the payment service says so
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert AuditEvent.objects.filter(action="payment.start").count() == 2


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"station": "NOBODY"}, 404), ({"station": None}, 404), ({"connector_id": 9}, 400), ({"currency": "euro"}, 400),
        ({"amount": "-1"}, 400), ({"amount": "x"}, 400), ({"reference": ""}, 400),
    ],
)  # fmt: skip
def test_a_kiosk_that_asks_for_what_cannot_be_is_told(
    client_of: Callable[..., Any], ada: ChargingStation, change: dict[str, Any], status: int
) -> None:
    answer = client_of("operator")("POST", "/api/v1/payments/", KIOSK | change)

    assert answer.status_code == status
    assert not Payment.objects.exists()


def test_a_reference_of_another_station_is_a_conflict(
    client_of: Callable[..., Any], captured: Payment
) -> None:
    factories.station("BO-1")

    answer = client_of("operator")(
        "POST", "/api/v1/payments/", KIOSK | {"station": "BO-1", "reference": "pay-1"}
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "payment_taken")


def test_without_a_payment_service_a_kiosk_is_told(
    client_of: Callable[..., Any], ada: ChargingStation, settings: Any
) -> None:
    settings.PAYMENT_PROVIDER = ""

    answer = client_of("operator")("POST", "/api/v1/payments/", KIOSK)

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_provider")


def test_finance_gives_back_what_was_captured_and_no_more(
    client_of: Callable[..., Any], captured: Payment
) -> None:
    finance, path = client_of("finance"), f"/api/v1/payments/{captured.uid}/refunds/"

    good = finance("POST", path, {"amount": "3.00", "reason": "sorry"})
    more = finance("POST", path, {"amount": "1.00"})

    assert (good.status_code, more.status_code) == (202, 409)
    assert more.json()["error"]["code"] == "not_refundable"
    assert Refund.objects.get().asked_by.startswith("token:")
    assert client_of("operator")("POST", path, {"amount": "0.10"}).status_code == 403


def test_a_payment_and_its_refunds_are_shown(client_of: Callable[..., Any], captured: Payment) -> None:
    viewer = client_of("viewer")

    assert viewer.get("/api/v1/payments/?state=captured")["results"][0]["captured_amount"] == "3.6300"
    assert viewer.get(f"/api/v1/payments/{captured.uid}/")["station"] == "ADA-1"
    assert viewer.get(f"/api/v1/payments/{captured.uid}/refunds/") == []


def test_a_station_gets_a_secret_that_nobody_is_told(
    client_of: Callable[..., Any], ada: ChargingStation
) -> None:
    path = "/api/v1/stations/ADA-1/payment-code/"

    answer = client_of("operator")("PUT", path, {"validity_s": 30})

    assert answer.status_code == 202
    assert "secret" not in answer.json()
    assert WebPaymentCode.objects.get().validity_s == 30
    assert client_of("viewer").get(path)["state"] == "asked"


def test_a_1_6_station_has_stickers_only(client_of: Callable[..., Any], ada: ChargingStation) -> None:
    ChargingStation.objects.update(ocpp_version="1.6")
    operator = client_of("operator")

    refused = operator("PUT", "/api/v1/stations/ADA-1/payment-code/", {})
    [sticker] = operator.get("/api/v1/stations/ADA-1/payment-stickers/")

    assert refused.json()["error"]["code"] == "unknown_action"
    assert sticker["url"].endswith(f"/pay/e/{factories.evse(ada).uid}")
