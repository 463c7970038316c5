"""Ad hoc payment from the card to the capture, over real sockets and real pages (OCPP 2.1 C18 to C25)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from billing.models import Cdr, Payment
from billing.services import payments, settlements
from cpo.lib import clock, keyring
from cpo.simulator.psp import PaymentService
from roaming.models import Push
from stations import one_time_passwords
from stations.models import (
    ChargingStation,
    Command,
    DirectPayment,
    Evse,
    Frame,
    ReviewItem,
    SessionLimit,
    Settlement,
    Variable,
    WebPaymentCode,
)
from stations.services import web_payment_codes
from tests import factories, payment_service
from tests.processes import Server
from tests.stories.raw import RawSocket, opened
from tests.stories.story import eventually, rows
from tests.stories.v2.device import asked, reply
from tests.stories.v2.payments import (
    CARD,
    Page,
    billed,
    browse,
    cancelled_visit,
    direct,
    paid_visit,
    until,
    worked,
)
from tests.stories.v2.station import EVSE, at, event, readings, station

State = Payment.State
VALIDITY_S, LENGTH = 60, 8


@pytest.fixture(scope="module")
def service() -> Iterator[PaymentService]:
    with payment_service.running() as found:
        yield found


@pytest.fixture(scope="module")
def server(process_env: dict[str, str], service: PaymentService) -> Iterator[Server]:
    env = {
        "OCPP_VERSIONS": "1.6,2.0.1,2.1", "OCPP_SETTLE_S": "0", "OCPP_BOOT_WAIT_S": "3", "OCPP_CALL_TIMEOUT_S": "2",
        "OCPP_READ_CONFIGURATION_AFTER_BOOT": "0", "OCPP_AUTOMATIC_PER_MINUTE": "60000", "OCPP_MESSAGES_PER_S": "500",
    }  # fmt: skip
    found = Server({**process_env, **env, **payment_service.environment(service)})
    found.start()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def priced(ada: ChargingStation, service: PaymentService, settings: Any) -> None:
    service.fault, service.requests = (lambda _method, _path: ""), []
    payment_service.use(settings, service)
    settings.PAYMENT_TIMEOUT_S = 5
    factories.tariff(at=ada.location)
    limits = {"component": "TxCtrlr", "name": "SupportedLimits", "value": "maxCost,maxEnergy,maxTime"}
    Variable.objects.create(station=ada, **limits)


def settlement(status: str = "Settled", amount: float = 3.63, **more: Any) -> dict[str, Any]:
    return {
        "pspRef": "psp-1", "status": status, "settlementAmount": amount, "settlementTime": at(9),
        "transactionId": "tx-1",
    } | more  # fmt: skip


async def tell(socket: RawSocket, events: list[Any]) -> list[Any]:
    return [(await socket.call("TransactionEvent", one))[2] for one in events]


async def reviews() -> list[ReviewItem]:
    return await rows(lambda: list(ReviewItem.objects.filter(kind="billing_failed", resolved_at=None)))


async def begun() -> Payment:
    return await until(lambda found: found.state not in (State.OPENED, State.AUTHORISED))


# --- at a terminal


async def test_c18_a_card_at_the_terminal_pays_up_to_the_amount_it_was_authorised_for(server: Server) -> None:
    async with station(server, "2.1") as socket:
        answer = await socket.call("Authorize", {"idToken": direct("psp-1", additionalInfo=CARD)})
        assert answer[2]["idTokenInfo"]["status"] == "Accepted"
        answers = await tell(socket, paid_visit("psp-1", transactionLimit={"maxCost": 40}))

    row = await rows(lambda: DirectPayment.objects.select_related("session").get())
    assert answers[0]["idTokenInfo"]["status"] == "Accepted"
    assert (row.authorized_amount, row.session.authorization_reference) == (Decimal(40), "psp-1")
    assert row.details == {"CardLast4Digits": "4242", "PaymentBrand": "VISA"}
    assert answers[-1]["totalCost"] == Decimal("3.63")
    frames = await rows(lambda: " ".join(Frame.objects.values_list("text", flat=True)))
    assert "deadbeef" not in frames


async def test_c19_a_cancellation_before_the_transaction_is_kept_and_worries_nobody(server: Server) -> None:
    async with station(server, "2.1") as socket:
        told = settlement("Canceled", 0)
        del told["transactionId"]
        assert (await socket.call("NotifySettlement", told))[2] == {}

    await rows(settlements.compare)
    assert await reviews() == []
    assert (await rows(Settlement.objects.get)).is_compared


async def test_c20_fr_03_a_cancelled_transaction_is_answered_with_a_total_of_0(server: Server) -> None:
    async with station(server, "2.1") as socket:
        answers = await tell(socket, cancelled_visit("psp-1"))
        await socket.call("NotifySettlement", settlement("Canceled", 0))

    await billed()
    await rows(settlements.compare)
    assert answers[-1]["totalCost"] == 0
    assert await reviews() == []


async def test_c21_fr_03_what_was_settled_is_the_bill_and_our_receipt_has_its_company(server: Server) -> None:
    company = {"name": "Volt BV", "address1": "Street 1", "city": "Delft", "country": "NL"}
    async with station(server, "2.1") as socket:
        await tell(socket, paid_visit("psp-1"))
        told = settlement(vatNumber="NL123456789B01", vatCompany=company)
        answers = [
            (await socket.call("NotifySettlement", told))[2] for _ in range(2)
        ]  # the second is a repetition

    await billed()
    await rows(settlements.compare)
    page = await browse(answers[0]["receiptUrl"])
    assert answers[0] == answers[1]
    assert "Volt BV" in page.html
    assert "of which VAT 21 %" in page.html
    assert await reviews() == []
    cdr = await rows(Cdr.objects.get)
    assert (cdr.authorization_reference, cdr.token["type"], cdr.party) == ("psp-1", "AD_HOC_USER", "")
    assert await rows(lambda: Push.objects.filter(module="cdrs").count()) == 0


async def test_c21_a_settlement_that_differs_from_the_bill_is_told_with_both_figures(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await tell(socket, paid_visit("psp-1"))
        await socket.call("NotifySettlement", settlement(amount=3.00))
        await billed()
        await rows(settlements.compare)
        [item] = await reviews()
        assert (item.facts["paid"], item.facts["billed"]) == ("3.00", "3.63")

        await socket.call("NotifySettlement", settlement(amount=3.63, settlementTime=at(20)))
        await rows(settlements.compare)
    assert await reviews() == []


async def test_c21_a_settlement_before_the_end_or_even_before_the_transaction_finds_its_session(
    server: Server,
) -> None:
    async with station(server, "2.1") as socket:
        await socket.call("NotifySettlement", settlement())
        await tell(socket, paid_visit("psp-1"))

    await billed()
    await rows(settlements.compare)
    row = await rows(lambda: Settlement.objects.select_related("session").get())
    assert (row.session.transaction_id, row.is_compared) == ("tx-1", True)
    assert await reviews() == []


async def test_c21_a_settlement_of_a_transaction_that_nobody_knows_is_told_after_a_while(
    server: Server, settings: Any
) -> None:
    async with station(server, "2.1") as socket:
        await socket.call("NotifySettlement", settlement())
    assert await rows(settlements.compare) == 0

    settings.SETTLEMENT_WAIT_S = 0
    assert await rows(settlements.compare) == 1
    [item] = await reviews()
    assert "no such session" in item.summary


async def test_c21_a_session_that_no_terminal_settles_is_told_after_a_while(
    server: Server, settings: Any
) -> None:
    async with station(server, "2.1") as socket:
        await tell(socket, paid_visit("psp-1"))
    await billed()
    settings.SETTLEMENT_WAIT_S = 0

    assert [await rows(settlements.unsettled) for _ in range(2)] == [1, 0]
    assert "no settlement" in (await reviews())[0].summary


async def test_c21_fr_05_what_the_terminal_leaves_to_us_is_captured_by_us(
    server: Server, ada: ChargingStation, service: PaymentService
) -> None:
    await rows(
        lambda: Variable.objects.create(
            station=ada, component="PaymentCtrlr", name="SettlementByCSMS", value="true"
        )
    )
    service.authorise_elsewhere("psp-9", "40.00", "EUR")
    async with station(server, "2.1") as socket:
        await tell(socket, paid_visit("psp-9", transactionLimit={"maxCost": 40}))
    await billed()

    await rows(lambda: settlements.take_over(settlements.left_to_us()))
    payment = await worked()

    assert (payment.source, payment.state) == (Payment.Source.TERMINAL, State.CAPTURED)
    assert service.payments["psp-9"].captured == "3.63"


async def test_c22_a_rejected_and_a_failed_settlement_are_told_and_nobody_is_told_twice(
    server: Server,
) -> None:
    async with station(server, "2.1") as socket:
        await tell(socket, paid_visit("psp-1"))
        for status in ("Rejected", "Failed", "Failed"):
            await socket.call("NotifySettlement", settlement(status, statusInfo="no funds"))
    await billed()

    assert await rows(settlements.compare) == 0
    assert len(await reviews()) == 1


async def test_c23_fr_02_an_increased_authorisation_raises_the_limit(server: Server) -> None:
    events = paid_visit("psp-1", transactionLimit={"maxCost": 20})
    more = event("Updated", 3, triggerReason="LimitSet", info={"transactionLimit": {"maxCost": 30}})
    async with station(server, "2.1") as socket:
        await tell(socket, [*events[:2], more])

    row = await rows(lambda: DirectPayment.objects.select_related("session__limit").get())
    assert row.authorized_amount == 30
    assert row.session.limit.at_station == {"cost": "30"}


async def test_c18_a_payment_shown_after_the_cable_prices_the_session_ad_hoc(
    server: Server, ada: ChargingStation
) -> None:
    dear = factories.element("ENERGY", "1.00")
    await rows(lambda: factories.tariff(dear, uid="ADHOC", type="AD_HOC_PAYMENT", at=ada.location))
    begin = event("Started", 0, register_wh=1000, evse=EVSE, triggerReason="CablePluggedIn")
    async with station(server, "2.1") as socket:
        await tell(socket, [begin])
        await rows(_snapshots)
        shown = event("Updated", 1, idToken=direct("psp-1"), triggerReason="Authorized")
        await tell(socket, [shown, event("Ended", 2, register_wh=13000)])
    await billed()

    cdr = await rows(Cdr.objects.get)
    assert (cdr.tariff["id"], cdr.token["type"]) == ("ADHOC", "AD_HOC_USER")


def _snapshots() -> None:
    from billing.services import snapshots
    from stations.models import ChargingSession

    snapshots.ensure(snapshots.read(ChargingSession.objects.values_list("pk", flat=True)))


# --- at a kiosk


async def test_c24_fr_01_a_kiosk_starts_the_station_with_its_reference_and_limit(
    server: Server, ada: ChargingStation, service: PaymentService
) -> None:
    service.authorise_elsewhere("kiosk-1", "25.00", "EUR")
    async with station(server, "2.1") as socket:
        await rows(
            lambda: payments.take_over(
                source=Payment.Source.KIOSK, station=ada, evse=factories.evse(ada), reference="kiosk-1",
                amount=Decimal(25), currency="EUR", max_energy_wh=Decimal(20_000),
            )
        )  # fmt: skip
        work = asyncio.create_task(begun())
        request = await asked(socket, "RequestStartTransaction")
        await reply(socket, request, {"status": "Accepted"})
        await work
        info = {"remoteStartId": request[3]["remoteStartId"]}
        answers = await tell(socket, paid_visit("kiosk-1", **info))
        await billed()
        payment = await until(lambda found: found.state == State.CAPTURED)

    assert request[3]["idToken"] == {"idToken": "kiosk-1", "type": "DirectPayment"}
    assert answers[0]["transactionLimit"] == {"maxEnergy": 20_000, "maxCost": 25}
    assert (payment.captured_amount, service.payments["kiosk-1"].captured) == (Decimal("3.63"), "3.63")


# --- by a QR code


@dataclass
class Display:
    """What the station shows: the template of its QR codes and what they are made of."""

    template: str
    secret: str

    def url(self, *, step: int = 0, evse: int = 1) -> str:
        number = one_time_passwords.interval(clock.now(), validity_s=VALIDITY_S) + step
        code = one_time_passwords.password(self.secret, number, length=LENGTH)
        filled = {"chargingstationid": "ADA-1", "evse": evse, "totp": code, "version": "v1"}
        return self.template.format(**filled)


@asynccontextmanager
async def shown(
    server: Server, ada: ChargingStation, settings: Any
) -> AsyncIterator[tuple[RawSocket, Display]]:
    """Open a station that has been told what its QR codes are made of."""
    settings.PUBLIC_URL = server.http
    async with station(server, "2.1") as socket:
        await rows(lambda: web_payment_codes.set_up(ChargingStation.objects.get(), requested_by="Ada"))
        request = await asked(socket, "SetVariables")
        data = request[3]["setVariableData"]
        results = [
            {k: one[k] for k in ("component", "variable")} | {"attributeStatus": "Accepted"} for one in data
        ]
        await reply(socket, request, {"setVariableResult": results})
        values = {one["variable"]["name"]: one["attributeValue"] for one in data}
        await eventually(lambda: WebPaymentCode.objects.filter(state="in_force").exists())
        await accept_reads(socket)
        yield socket, Display(values["URLTemplate"], values["SharedSecret"])


async def accept_reads(socket: RawSocket) -> None:
    """Answer the question for what was set."""
    request = await asked(socket, "GetVariables")
    results = [one | {"attributeStatus": "UnknownVariable"} for one in request[3]["getVariableData"]]
    await reply(socket, request, {"getVariableResult": results})


async def pay(page: Page, service: PaymentService, **form: str) -> tuple[Page, str]:
    """Choose on the page, go on to the service and pay there; return the driver's page and the reference."""
    ticket = {"ticket": page.field("ticket")} if 'name="ticket" value=' in page.html else {}
    went = await browse(page.url, {"limit": "full"} | ticket | form)
    assert went.status == 200, went.html
    reference = (await rows(lambda: Payment.objects.latest("pk"))).reference
    assert f"/checkout/{reference}" in went.html
    service.pay(reference)
    return went, reference


async def test_c25_a_driver_scans_pays_charges_and_gets_a_receipt(
    server: Server, ada: ChargingStation, service: PaymentService, settings: Any
) -> None:
    async with shown(server, ada, settings) as (socket, display):
        page = await browse(display.url() + "?maxenergy=20000")
        assert "0.3025 EUR" in page.html
        assert 'value="20' in page.html
        went, reference = await pay(page, service, limit="cost", cost="30")
        notified = await asked(socket, "NotifyWebPaymentStarted")
        await reply(socket, notified, {})
        assert notified[3] == {"evseId": 1, "timeout": 120}

        work = asyncio.create_task(begun())
        request = await asked(socket, "RequestStartTransaction")
        await reply(socket, request, {"status": "Accepted"})
        await work
        assert "Your card is accepted" in (await browse(went.url)).html
        events = paid_visit(reference, remoteStartId=request[3]["remoteStartId"])
        answers = await tell(socket, events[:2])
        await until(lambda found: found.state == State.CHARGING)
        assert "Cost so far" in (await browse(went.url)).html
        await stop_from_the_page(socket, went)
        answers += await tell(socket, events[2:])
        await billed()
        payment = await until(lambda found: found.state == State.CAPTURED)

    receipt = await browse(went.url.partition("?")[0] + "/receipt")
    assert request[3]["evseId"] == 1
    assert request[3]["idToken"] == {"idToken": reference, "type": "DirectPayment"}
    assert answers[0]["transactionLimit"] == {"maxCost": 30}
    assert answers[-1]["totalCost"] == Decimal("3.63")
    assert (payment.source, payment.captured_amount) == (Payment.Source.DYNAMIC, Decimal("3.63"))
    assert service.payments[reference].captured == "3.63"
    assert "€3.63" in receipt.html


async def stop_from_the_page(socket: RawSocket, page: Page) -> None:
    pressed = asyncio.create_task(browse(page.url.partition("?")[0] + "/stop", {}))
    request = await asked(socket, "RequestStopTransaction")
    await reply(socket, request, {"status": "Accepted"})
    assert (await pressed).status == 200


async def test_c25_fr_08_a_code_that_is_wrong_old_or_of_another_station_pays_nothing(
    server: Server, ada: ChargingStation, settings: Any
) -> None:
    async with shown(server, ada, settings) as (_, display):
        bad = [display.url(step=-2), display.url(step=3), display.url().replace("/v1", "/v2")]
        bad += [display.url().replace("ADA-1", "BO-9"), display.url(evse=7), display.url()[:-4] + "x/v1"]
        good = [display.url(), display.url(step=-1), display.url(step=1)]
        pages = [await browse(url) for url in [*bad, *good]]
        forged = await browse(display.url(step=-2), {"limit": "full", "ticket": "forged:ticket"})

    assert [page.status for page in pages] == [403] * 6 + [200] * 3
    assert forged.status == 403
    assert await rows(Payment.objects.count) == 0


async def test_c25_a_code_pays_once_however_often_it_was_photographed(
    server: Server, ada: ChargingStation, service: PaymentService, settings: Any
) -> None:
    async with shown(server, ada, settings) as (_, display):
        url = display.url()
        mine, theirs = await browse(url), await browse(url)
        form = {"limit": "full", "ticket": mine.field("ticket")}
        first, again = await browse(url, form), await browse(url, form)  # a double click
        other = await browse(url, {"limit": "full", "ticket": theirs.field("ticket")})

    assert (first.status, first.url) == (200, again.url)
    assert other.status == 409
    assert await rows(Payment.objects.count) == 1


async def test_c25_the_secret_is_neither_in_the_journal_nor_readable_in_a_row(
    server: Server, ada: ChargingStation, settings: Any
) -> None:
    async with shown(server, ada, settings) as (_, display):
        frames = await rows(lambda: " ".join(Frame.objects.values_list("text", flat=True)))
        code = await rows(WebPaymentCode.objects.get)
        command = await rows(lambda: Command.objects.get(action="SetVariables"))

    assert display.secret not in frames + code.secret + str(command.payload)
    assert keyring.decrypt(code.secret) == display.secret


async def test_c25_a_station_that_refuses_the_secret_keeps_its_sticker(
    server: Server, ada: ChargingStation, settings: Any
) -> None:
    settings.PUBLIC_URL = server.http
    async with station(server, "2.1") as socket:
        await rows(lambda: web_payment_codes.set_up(ChargingStation.objects.get()))
        request = await asked(socket, "SetVariables")
        results = [
            {k: one[k] for k in ("component", "variable")} | {"attributeStatus": "UnknownComponent"}
            for one in request[3]["setVariableData"]
        ]
        await reply(socket, request, {"setVariableResult": results})
        row = await eventually(lambda: WebPaymentCode.objects.filter(state="refused").first())
        page = await browse(await sticker(server))

    assert "SharedSecret: UnknownComponent" in row.reason
    assert page.status == 200


async def sticker(server: Server) -> str:
    evse = await rows(lambda: Evse.objects.get(station__identity="ADA-1", number=1))
    return f"{server.http}/pay/e/{evse.uid}"


async def test_c25_a_station_with_codes_on_its_display_does_not_believe_a_sticker(
    server: Server, ada: ChargingStation, settings: Any
) -> None:
    async with shown(server, ada, settings):
        page = await browse(await sticker(server))

    assert (page.status, "display" in page.html) == (403, True)


async def test_c25_on_2_0_1_a_sticker_starts_with_a_central_token_and_our_sweep_keeps_the_limit(
    server: Server, service: PaymentService
) -> None:
    async with station(server, "2.0.1") as socket:
        _, reference = await pay(await browse(await sticker(server)), service, limit="energy", energy="5")
        work = asyncio.create_task(begun())
        request = await asked(socket, "RequestStartTransaction")
        await reply(socket, request, {"status": "Accepted"})
        await work
        token = request[3]["idToken"]
        events = paid_visit("", remoteStartId=request[3]["remoteStartId"])
        events[0]["idToken"] = token
        [first] = await tell(socket, events[:1])
        await until(lambda found: found.state == State.CHARGING)
        limit = await rows(SessionLimit.objects.get)
        await tell(socket, events[1:])
        await billed()
        await until(lambda found: found.state == State.CAPTURED)

    assert (token["type"], token["idToken"][:3]) == ("Central", "PAY")
    assert first["idTokenInfo"]["status"] == "Accepted"
    assert limit.max_energy_wh == 5000
    assert service.payments[reference].captured == "3.63"


async def test_c25_on_1_6_a_sticker_starts_with_a_token_that_nobody_else_can_use(
    server: Server, ada: ChargingStation, service: PaymentService
) -> None:
    async with opened(server) as socket:
        await eventually(lambda: ChargingStation.objects.filter(is_online=True).exists())
        _, reference = await pay(await browse(await sticker(server)), service)
        work = asyncio.create_task(begun())
        request = await asked(socket, "RemoteStartTransaction")
        await reply(socket, request, {"status": "Accepted"})
        await work
        tag = request[3]["idTag"]
        begin = {"connectorId": 1, "idTag": tag, "meterStart": 1000, "timestamp": at(0)}
        started = (await socket.call("StartTransaction", begin))[2]
        end = {"transactionId": started["transactionId"], "meterStop": 13000, "timestamp": at(30)}
        await until(lambda found: found.state == State.CHARGING)
        await socket.call("StopTransaction", end)
        await billed()
        await until(lambda found: found.state == State.CAPTURED)
        later = (await socket.call("Authorize", {"idTag": tag}))[2]

    assert started["idTagInfo"]["status"] == "Accepted"
    assert service.payments[reference].captured == "3.63"
    assert later["idTagInfo"]["status"] == "Invalid"


async def test_c25_no_car_comes_and_the_money_is_released(server: Server, service: PaymentService) -> None:
    async with station(server, "2.1") as socket:
        went, reference = await pay(await browse(await sticker(server)), service)
        await reply(socket, await asked(socket, "NotifyWebPaymentStarted"), {})
        work = asyncio.create_task(begun())
        await accept_start(socket, "Rejected")
        await work
        await until(lambda found: found.state == State.CANCELLED)

    assert service.payments[reference].status == "cancelled"
    assert "Nothing was charged" in (await browse(went.url)).html


async def accept_start(socket: RawSocket, status: str) -> None:
    await reply(socket, await asked(socket, "RequestStartTransaction"), {"status": status})


async def test_c25_who_charges_with_a_payment_that_was_released_is_refused(
    server: Server, service: PaymentService
) -> None:
    async with station(server, "2.1") as socket:
        _, reference = await pay(await browse(await sticker(server)), service)
        await reply(socket, await asked(socket, "NotifyWebPaymentStarted"), {})
        work = asyncio.create_task(begun())
        await accept_start(socket, "Rejected")
        await work
        await until(lambda found: found.state == State.CANCELLED)
        [first, *_] = await tell(socket, paid_visit(reference))

    assert first["idTokenInfo"]["status"] == "Invalid"
    assert service.payments[reference].captured == "0"


async def test_c25_nobody_pays_for_a_charger_that_is_away_or_taken(
    server: Server, service: PaymentService
) -> None:
    url = await sticker(server)
    away = await browse(url)
    async with station(server, "2.1") as socket:
        await tell(socket, paid_visit("psp-1")[:1])
        taken = await browse(url, {"limit": "full"})

    assert (away.status, taken.status) == (409, 409)
    assert await rows(Payment.objects.count) == 0


async def test_c25_a_service_that_does_not_answer_is_said_plainly(
    server: Server, service: PaymentService
) -> None:
    service.fault = lambda _method, _path: "500"
    async with station(server, "2.1"):
        page = await browse(await sticker(server), {"limit": "full"})

    assert (page.status, "does not answer" in page.html) == (409, True)
    assert (await rows(Payment.objects.get)).state == State.CANCELLED


@pytest.mark.parametrize(
    "form",
    [{"limit": "cost"}, {"limit": "cost", "cost": "0"}, {"limit": "cost", "cost": "51"}, {"limit": "x"}, {}],
)
async def test_c25_a_choice_that_cannot_be_is_asked_again(server: Server, form: dict[str, str]) -> None:
    async with station(server, "2.1"):
        page = await browse(await sticker(server), form)

    assert page.status == 422
    assert await rows(Payment.objects.count) == 0


async def test_c18_a_reading_keeps_the_hot_path_of_a_paid_session(server: Server) -> None:
    async with station(server, "2.1") as socket:
        begin, *_ = paid_visit("psp-1")
        await tell(socket, [begin])
        update = event("Updated", 1, info={"transactionId": "tx-1"}) | {"meterValue": readings(2000, 1)}
        assert await tell(socket, [update]) == [{}]

    assert (await rows(lambda: DirectPayment.objects.get())).session_id is not None
