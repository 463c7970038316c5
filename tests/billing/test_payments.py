"""Payments step by step against a payment service over real HTTP, whatever goes wrong in between."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, strategies
from hypothesis import settings as hypothesis_settings

from billing.models import Cdr, Payment, PaymentNotice, Refund
from billing.psp import BadSignature, NoProvider
from billing.services import cdrs, notices, payments, receipts, refunds
from cpo.lib import clock
from cpo.simulator.psp import PaymentService
from stations.models import ChargingSession, ChargingStation, Command, DirectPayment, ReviewItem
from tests import factories, payment_service

pytestmark = pytest.mark.django_db
State = Payment.State


@pytest.fixture(scope="module")
def running() -> Iterator[PaymentService]:
    with payment_service.running() as service:
        yield service


@pytest.fixture
def service(running: PaymentService, settings: Any) -> PaymentService:
    running.fault, running.requests = (lambda _method, _path: ""), []
    payment_service.use(settings, running)
    return running


@pytest.fixture
def ada() -> ChargingStation:
    station = factories.station("ADA-1", is_online=True, ocpp_version="1.6")
    factories.tariff(at=station.location)
    return station


def advance(payment: Payment) -> Payment:
    """Let the sweep work on it now, whenever it would."""
    payments.advance(payments.wake_these([payment.pk]))
    payment.refresh_from_db()
    return payment


def charged(payment: Payment, energy_wh: str = "12000", **fields: Any) -> ChargingSession:
    """Let the driver charge: the session and its CDR."""
    session = factories.session(
        payment.station, ended=True, id_token=payment.id_token, authorization_reference=payment.uid,
        energy_wh=Decimal(energy_wh), meter_stop_wh=Decimal(1000) + Decimal(energy_wh), **fields,
    )  # fmt: skip
    cdrs.bill([session.pk])
    return session


def started(service: PaymentService, ada: ChargingStation, amount: str = "50.00") -> Payment:
    return advance(payment_service.paid(service, ada, amount))


def items(payment: Payment) -> list[ReviewItem]:
    return list(ReviewItem.objects.filter(key__startswith=f"payment:{payment.uid}", resolved_at=None))


def test_an_authorised_payment_starts_with_a_token_that_only_this_station_accepts(
    service: PaymentService, ada: ChargingStation
) -> None:
    payment = started(service, ada)

    command = Command.objects.get()
    assert payment.state == State.STARTING
    assert (command.action, command.payload["idTag"]) == ("RemoteStartTransaction", payment.id_token)
    assert len(payment.id_token) == 20
    assert DirectPayment.objects.get().max_cost == 50


def test_the_total_of_the_cdr_is_captured_and_no_cent_else(
    service: PaymentService, ada: ChargingStation
) -> None:
    payment = started(service, ada)

    session = charged(payment)
    advance(payment)

    cdr = Cdr.objects.get(session=session)
    assert (payment.state, payment.captured_amount) == (State.CAPTURED, Decimal("3.63"))
    assert cdr.total_after_taxes == Decimal("3.63")
    assert service.payments[payment.reference].captured == "3.63"
    assert (cdr.token["type"], cdr.party, cdr.authorization_reference) == ("AD_HOC_USER", "", payment.uid)
    assert items(payment) == []


def test_an_ad_hoc_session_is_priced_by_the_ad_hoc_tariff(
    service: PaymentService, ada: ChargingStation
) -> None:
    dear = factories.element("ENERGY", "1.00")
    factories.tariff(dear, uid="ADHOC", type="AD_HOC_PAYMENT", at=ada.location)

    session = charged(started(service, ada))

    assert Cdr.objects.get(session=session).tariff["id"] == "ADHOC"


def test_nothing_is_captured_where_nothing_was_charged(service: PaymentService, ada: ChargingStation) -> None:
    payment = started(service, ada)

    charged(payment, "0")
    advance(payment)

    assert (payment.state, payment.reason) == (State.CANCELLED, "nothing_to_pay")
    assert service.payments[payment.reference].status == "cancelled"


def test_more_than_was_authorised_is_never_captured_and_the_rest_is_told(
    service: PaymentService, ada: ChargingStation
) -> None:
    payment = started(service, ada, "2.00")

    charged(payment)
    advance(payment)

    assert payment.captured_amount == 2
    assert items(payment)[0].facts["to_pay"] == "3.63"


@pytest.mark.parametrize("fault", ["500", "garbage", "drop", "hang", "after"])
def test_a_capture_whose_answer_is_lost_is_asked_again_under_the_same_key(
    service: PaymentService, ada: ChargingStation, fault: str
) -> None:
    payment = started(service, ada)
    charged(payment)
    service.fault = lambda _method, path: fault if path.endswith("/capture") else ""
    advance(payment)
    assert (payment.state, payment.tries) == (State.CAPTURING, 1)

    service.fault = lambda _method, _path: ""
    advance(payment)

    keys = [key for _, path, key in service.requests if path.endswith("/capture")]
    assert payment.state == State.CAPTURED
    assert set(keys) == {f"{payment.uid}-capture"}
    assert service.payments[payment.reference].captured == "3.63"


def test_a_capture_that_was_done_before_we_died_is_not_done_again(
    service: PaymentService, ada: ChargingStation
) -> None:
    payment = started(service, ada)
    charged(payment)
    advance(payment)
    Payment.objects.filter(pk=payment.pk).update(  # as kill -9 between the answer and the commit leaves it
        state=State.CAPTURING, captured_amount=0, settled_at=None, next_try_at=clock.now()
    )
    service.answers.clear()  # and the provider has forgotten the key

    advance(payment)

    assert (payment.state, payment.captured_amount) == (State.CAPTURED, Decimal("3.63"))


def test_a_capture_that_is_declined_is_work_for_somebody(
    service: PaymentService, ada: ChargingStation
) -> None:
    payment = started(service, ada)
    charged(payment)
    service.fault = lambda _method, path: "declined" if path.endswith("/capture") else ""

    advance(payment)

    [item] = items(payment)
    assert (payment.state, payment.captured_amount) == (State.FAILED, 0)
    assert (item.kind, item.facts["to_pay"]) == ("billing_failed", "3.63")


def test_a_provider_that_stays_away_is_told_and_the_item_goes_when_it_is_back(
    service: PaymentService, ada: ChargingStation
) -> None:
    payment = started(service, ada)
    charged(payment)
    service.fault = lambda _method, _path: "500"
    for _ in range(payments.WORRY_AFTER):
        advance(payment)
    assert len(items(payment)) == 1

    service.fault = lambda _method, _path: ""
    advance(payment)

    assert (payment.state, items(payment)) == (State.CAPTURED, [])


def test_a_station_that_is_away_costs_nobody_anything(service: PaymentService, ada: ChargingStation) -> None:
    ChargingStation.objects.update(is_online=False)

    payment = started(service, ada)

    assert (payment.state, payment.reason) == (State.CANCELLED, "station_offline")
    assert service.payments[payment.reference].status == "cancelled"


def test_a_command_that_was_never_sent_releases_the_money(
    service: PaymentService, ada: ChargingStation
) -> None:
    payment = started(service, ada)
    Command.objects.update(status=Command.Status.EXPIRED)

    advance(payment)

    assert (payment.state, payment.reason) == (State.CANCELLED, "never_sent")
    assert DirectPayment.objects.get().is_over


def test_who_never_pays_is_let_go(service: PaymentService, ada: ChargingStation, settings: Any) -> None:
    payment = payment_service.paid(service, ada)
    service.payments[payment.reference].status = "open"
    advance(payment)
    assert payment.state == State.OPENED

    Payment.objects.update(created_at=clock.now() - timedelta(seconds=settings.PAYMENT_OPEN_S + 1))
    advance(payment)

    assert (payment.state, payment.reason) == (State.CANCELLED, "too_late")


def test_an_amount_in_another_currency_or_too_little_is_released(
    service: PaymentService, ada: ChargingStation
) -> None:
    one, two = payment_service.paid(service, ada), payment_service.paid(service, ada)
    service.payments[one.reference].currency = "USD"
    service.payments[two.reference].authorised = "1.00"

    assert (advance(one).reason, advance(two).reason) == ("wrong_currency", "too_little")
    assert not Command.objects.exists()


def test_two_workers_capture_once(service: PaymentService, ada: ChargingStation) -> None:
    payment = started(service, ada)
    charged(payment)
    before = Payment.objects.get(pk=payment.pk)
    advance(payment)

    before.state, before.capture_amount = State.CAPTURING, Decimal("3.63")
    payments._capturing(before)

    assert service.payments[payment.reference].captured == "3.63"
    assert Payment.objects.get(pk=payment.pk).captured_amount == Decimal("3.63")


def test_a_corrected_session_leaves_a_difference_that_a_refund_settles(
    service: PaymentService, ada: ChargingStation
) -> None:
    payment = started(service, ada)
    session = charged(payment)
    advance(payment)
    flags = ["corrected_by:Ada"]
    ChargingSession.objects.filter(pk=session.pk).update(energy_wh=Decimal(1000), flags=flags, billed_at=None)
    cdrs.bill([session.pk])
    payments.compare(payments.uncompared())
    [item] = items(payment)
    assert item.facts["to_pay"] == "0.30"

    refund = refunds.ask(Payment.objects.get(), Decimal("3.33"), reason="corrected", by="user:ada")
    refunds.work([refund.pk])

    payment.refresh_from_db()
    assert (payment.refunded_amount, items(payment)) == (Decimal("3.33"), [])
    assert service.payments[payment.reference].refunded == "3.33"


def test_no_more_than_was_taken_is_given_back(service: PaymentService, ada: ChargingStation) -> None:
    payment = started(service, ada)
    charged(payment)
    advance(payment)
    refunds.ask(payment, Decimal("3.00"), reason="", by="user:ada")

    for amount in ("0.64", "0", "-1", "0.001"):
        with pytest.raises(refunds.NotRefundable):
            refunds.ask(payment, Decimal(amount), reason="", by="user:ada")


def test_a_refund_whose_answer_is_lost_is_done_once(service: PaymentService, ada: ChargingStation) -> None:
    payment = started(service, ada)
    charged(payment)
    advance(payment)
    refund = refunds.ask(payment, Decimal("1.00"), reason="", by="user:ada")
    service.fault = lambda _method, path: "after" if path.endswith("/refunds") else ""
    assert refunds.work(refunds.waiting()) == 0

    service.fault = lambda _method, _path: ""
    assert refunds.work(refunds.waiting()) == 1

    refund.refresh_from_db()
    assert (refund.state, service.payments[payment.reference].refunded) == (Refund.State.DONE, "1.00")


def test_a_signed_notice_wakes_its_payment_once(service: PaymentService, ada: ChargingStation) -> None:
    payment = payment_service.paid(service, ada)
    body = json.dumps({"id": "ev-1", "type": "payment.authorised", "payment": payment.reference}).encode()
    headers = {"X-Signature": service.signature(body)}

    assert notices.take("gateway", headers, body) == [payment.pk]
    assert notices.take("gateway", headers, body) == []
    assert PaymentNotice.objects.get().payment == payment


def test_a_notice_that_is_not_signed_or_too_old_or_of_another_service_is_refused(
    service: PaymentService, ada: ChargingStation
) -> None:
    body = b'{"id": "ev-1", "type": "x", "payment": "pay-1"}'
    old = int(clock.now().timestamp()) - 3600
    for header in (
        "",
        "t=1",
        "v1=00",
        f"t={old // 3600},v1=zz",
        service.signature(body, old),
        service.signature(b""),
    ):
        with pytest.raises(BadSignature):
            notices.take("gateway", {"X-Signature": header}, body)
    with pytest.raises(NoProvider):
        notices.take("stripe", {}, body)

    assert not PaymentNotice.objects.exists()


def test_the_receipt_has_the_vat_of_the_cdr(service: PaymentService, ada: ChargingStation) -> None:
    payment = started(service, ada)
    charged(payment)

    receipt = receipts.of_payment(advance(payment))

    assert receipt is not None
    assert [(vat.percent, vat.amount) for vat in receipt.vat] == [("21", Decimal("0.63"))]
    assert (receipt.total, receipt.paid) == (Decimal("3.63"), Decimal("3.63"))
    assert "VAT 21 %: 0.63 EUR" in receipts.text(receipt)


def test_the_receipt_is_mailed_once_and_the_address_is_forgotten(
    service: PaymentService, ada: ChargingStation, settings: Any, mailoutbox: list[Any]
) -> None:
    settings.EMAIL_URL, settings.DEFAULT_FROM_EMAIL = "locmem://", "ada@example.org"
    payment = started(service, ada)
    Payment.objects.update(email="bo@example.org")
    charged(payment)
    advance(payment)

    for payment_id in receipts.to_mail() * 2:
        receipts.mail(payment_id)

    assert [mail.to for mail in mailoutbox] == [["bo@example.org"]]
    assert Payment.objects.get().email == ""


FAULTS = ["", "", "500", "drop", "garbage", "after"]


@hypothesis_settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    energy_wh=strategies.integers(0, 300_000),
    authorised=strategies.integers(1, 60),
    faults=strategies.lists(strategies.sampled_from(FAULTS), max_size=12),
)
def test_what_was_captured_is_the_bill_or_somebody_is_told(
    service: PaymentService, ada: ChargingStation, energy_wh: int, authorised: int, faults: list[str]
) -> None:
    ChargingSession.objects.update(status="ended")
    payment = payment_service.paid(service, ada, f"{authorised}.00")
    plan = iter(faults)
    service.fault = lambda _method, _path: next(plan, "")
    _until(lambda: advance(payment).state not in (State.OPENED, State.AUTHORISED))

    session = charged(payment, str(energy_wh))
    _until(lambda: advance(payment).state not in Payment.OPEN)

    cdr = Cdr.objects.get(session=session)
    owed = (cdr.total_after_taxes or cdr.total_before_taxes).quantize(
        Decimal("0.01"), rounding="ROUND_HALF_UP"
    )
    taken = Decimal(service.payments[payment.reference].captured)
    assert taken == payment.captured_amount <= authorised
    assert taken == owed or items(payment)


def _until(is_done: Callable[[], bool]) -> None:
    for _ in range(30):
        if is_done():
            return
    raise AssertionError("it never happened")
