"""Ad hoc payment over a real socket (OCPP 2.1 C20 to C25)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from stations.models import ChargingStation, Command, ReviewItem, Settlement
from stations.services import payments
from stations.services.errors import InvalidPayload
from tests import factories
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.device import asked, reply
from tests.stories.v2.station import at, station, visit

pytestmark = pytest.mark.usefixtures("ada")
COMPANY = {"name": "Volt BV", "address1": "Street 1", "city": "Delft", "country": "NL"}


async def do(act: Callable[[ChargingStation], Any]) -> Any:
    return await rows(lambda: act(ChargingStation.objects.get()))


def told(status: str = "Settled", minute: float = 9, **more: Any) -> dict[str, Any]:
    return {
        "pspRef": "psp-1", "status": status, "settlementAmount": 12.34, "settlementTime": at(minute),
        "transactionId": "tx-1",
    } | more  # fmt: skip


async def settled() -> Settlement:
    return await eventually(lambda: Settlement.objects.select_related("session").first())


async def test_c21_fr_02_notify_settlement_is_stored_with_its_session(server: Server) -> None:
    async with station(server, "2.1") as socket:
        for one in visit():
            await socket.call("TransactionEvent", one)
        bought = {"vatNumber": "NL123456789B01", "vatCompany": COMPANY}
        answer = await socket.call(
            "NotifySettlement", told(receiptId="R1", receiptUrl="https://psp/R1", **bought)
        )

        row = await settled()
    assert (row.amount, row.status, row.company) == (Decimal("12.34"), "Settled", COMPANY)
    assert row.session is not None
    assert row.session.transaction_id == "tx-1"
    assert answer[2] == {"receiptUrl": "https://psp/R1", "receiptId": "R1"}


async def test_a_settlement_of_an_unknown_transaction_is_kept(server: Server) -> None:
    async with station(server, "2.1") as socket:
        answer = await socket.call("NotifySettlement", told())

    row = await settled()
    assert answer[2]["receiptUrl"] == f"{server.http}/pay/r/{row.uid}"  # C21.FR.03
    assert row.session is None


async def test_c22_a_rejected_settlement_is_looked_at_until_a_later_try_succeeds(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await socket.call("NotifySettlement", told("Rejected", 9, statusInfo="no funds"))
        item = await eventually(
            lambda: ReviewItem.objects.filter(kind="billing_failed", resolved_at=None).first()
        )
        await socket.call("NotifySettlement", told("Settled", 20))

        await eventually(lambda: ReviewItem.objects.get(pk=item.pk).resolved_at)
    assert (await settled()).status == "Settled"


async def test_a_late_older_word_changes_nothing_and_a_repeated_one_neither(server: Server) -> None:
    async with station(server, "2.1") as socket:
        for status, minute in (("Settled", 20), ("Rejected", 9), ("Settled", 20)):
            await socket.call("NotifySettlement", told(status, minute))

    assert (await settled()).status == "Settled"
    assert await rows(Settlement.objects.count) == 1
    assert await rows(ReviewItem.objects.count) == 0


@pytest.mark.parametrize(
    ("number", "word"),
    [("NL123456789B01", "Accepted"), ("DE123456789", "Accepted"), ("DE12", "Rejected"), ("??", "Rejected")],
)
async def test_c20_vat_number_validation_looks_at_the_form_for_its_country(
    server: Server, number: str, word: str
) -> None:
    async with station(server, "2.1") as socket:
        answer = await socket.call("VatNumberValidation", {"vatNumber": number, "evseId": 1})

    assert answer[2] == {"vatNumber": number, "evseId": 1, "status": word}


async def test_c25_fr_21_notify_web_payment_started(server: Server) -> None:
    async with station(server, "2.1") as socket:
        command = await do(lambda ada: payments.web_payment_started(ada, factories.evse(ada), timeout_s=120))
        request = await asked(socket, "NotifyWebPaymentStarted")
        await reply(socket, request, {})

        await eventually(lambda: Command.objects.filter(pk=command.pk, status="answered").exists())
    assert request[3] == {"evseId": 1, "timeout": 120}


async def test_a_web_payment_locks_no_evse_for_ever(server: Server) -> None:
    async with station(server, "2.1"):
        with pytest.raises(InvalidPayload):
            await do(lambda ada: payments.web_payment_started(ada, None, timeout_s=10**6))
