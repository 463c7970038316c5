"""Cost over a real socket (OCPP 2.x block I)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from billing.models import TariffVersion
from billing.services import station_tariffs as tariffs
from cpo.lib import clock
from stations.models import ChargingSession, ChargingStation, Command, ReviewItem, SessionCost, StationTariff
from stations.services import quirks, station_costs, station_tariffs
from tests import factories
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.device import asked, reply
from tests.stories.v2.station import event, station, visit

BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
DETAILS = {
    "totalCost": {"currency": "EUR", "typeOfCost": "NormalCost", "total": {"exclTax": 0.75, "inclTax": 0.91}},
    "totalUsage": {"energy": 3, "chargingTime": 180, "idleTime": 0},
}


@pytest.fixture(autouse=True)
def priced(ada: ChargingStation) -> None:
    """Energy costs 0.25 EUR a kWh and 21 % VAT at Ada's station, which shows its drivers the cost."""
    factories.tariff(at=ada.location)
    quirks.override(ada, flag=station_costs.SHOWS_COST, value=True, by="Ada")


async def do(act: Callable[[ChargingStation], Any]) -> Any:
    return await rows(lambda: act(ChargingStation.objects.get()))


@BOTH
async def test_i03_fr_02_the_answer_to_the_end_holds_the_total_cost(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        *before, ended = visit()
        for one in before:
            assert "totalCost" not in (await socket.call("TransactionEvent", one))[2]
        answer = await socket.call("TransactionEvent", ended)

    assert answer[2]["totalCost"] == Decimal("0.9075")


async def test_a_station_that_shows_no_cost_is_told_none(server: Server) -> None:
    await do(lambda ada: quirks.override(ada, flag=station_costs.SHOWS_COST, value=False, by="Ada"))
    async with station(server) as socket:
        answers = [await socket.call("TransactionEvent", one) for one in visit()]

    assert "totalCost" not in answers[-1][2]


@BOTH
async def test_i02_cost_updated_tells_what_a_running_session_costs(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        for one in visit()[:3]:
            await socket.call("TransactionEvent", one)
        await eventually(lambda: ChargingSession.objects.filter(energy_wh=1500).exists())
        assert await rows(station_costs.sweep) == 1
        request = await asked(socket, "CostUpdated")
        await reply(socket, request, {})

        assert request[3] == {"transactionId": "tx-1", "totalCost": Decimal("0.4538")}
        assert await rows(station_costs.sweep) == 0  # told a moment ago


async def test_i12_fr_01_cost_details_of_the_station_are_kept(server: Server) -> None:
    async with station(server, "2.1") as socket:
        started, *others, ended = visit()
        started["transactionInfo"] |= {"tariffId": "T-1"}
        for one in (started, *others, ended | {"costDetails": DETAILS}):
            await socket.call("TransactionEvent", one)

        cost = await eventually(lambda: SessionCost.objects.filter(is_final=True).first())
    assert (cost.tariff_id, cost.before_taxes, cost.after_taxes) == ("T-1", Decimal("0.75"), Decimal("0.91"))


async def test_i12_a_station_that_could_not_calculate_says_why(server: Server) -> None:
    failed = DETAILS | {"failureToCalculate": True, "failureReason": "clock lost"}
    async with station(server, "2.1") as socket:
        await socket.call("TransactionEvent", visit()[0])
        await socket.call("TransactionEvent", event("Ended", 1, register_wh=1500) | {"costDetails": failed})

        assert (
            await eventually(lambda: SessionCost.objects.filter(is_final=True).first())
        ).failure == "clock lost"


async def lying(state: str, **facts: Any) -> StationTariff:
    return await eventually(lambda: StationTariff.objects.filter(state=state, **facts).first())


async def installed(socket: Any) -> StationTariff:
    """Install Ada's tariff, which the station accepts."""
    await do(tariffs.install)
    await reply(socket, await asked(socket, "SetDefaultTariff"), {"status": "Accepted"})
    return await lying("accepted")


async def test_i07_set_default_tariff_carries_what_we_bill_by(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await do(tariffs.install)
        request = await asked(socket, "SetDefaultTariff")
        await reply(socket, request, {"status": "Accepted"})

        await lying("accepted", evse_number=0, tariff_id="AC/1")
    assert request[3]["evseId"] == 0
    assert request[3]["tariff"]["energy"]["prices"] == [{"priceKwh": Decimal("0.25")}]


@pytest.mark.parametrize(
    "word", ["Rejected", "TooManyElements", "ConditionNotSupported", "DuplicateTariffId"]
)
async def test_i07_fr_02_to_06_a_refused_tariff_keeps_the_stations_word(server: Server, word: str) -> None:
    async with station(server, "2.1") as socket:
        await do(tariffs.install)
        await reply(socket, await asked(socket, "SetDefaultTariff"), {"status": word})

        assert (await lying("refused")).reason == word


async def test_i07_a_tariff_without_an_answer_is_unknown(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await do(tariffs.install)
        await asked(socket, "SetDefaultTariff")

        await lying("unknown")


async def test_i09_get_tariffs_tells_what_lies_there_and_what_does_not(server: Server) -> None:
    other = {"tariffId": "BO", "tariffKind": "DriverTariff", "evseIds": [2], "idTokens": ["BO-1"]}
    async with station(server, "2.1") as socket:
        await installed(socket)
        await do(station_tariffs.read)
        request = await asked(socket, "GetTariffs")
        await reply(socket, request, {"status": "Accepted", "tariffAssignments": [other]})

        await lying("cleared", tariff_id="AC/1")
        await lying("accepted", tariff_id="BO", evse_number=2, kind="DriverTariff")
    assert request[3] == {"evseId": 0}


async def test_i09_fr_03_no_tariff_at_all(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await installed(socket)
        await do(station_tariffs.read)
        await reply(socket, await asked(socket, "GetTariffs"), {"status": "NoTariff"})

        await lying("cleared")


@pytest.mark.parametrize(
    ("result", "state"),
    [
        ({"tariffId": "AC/1", "status": "Accepted"}, "cleared"),
        ({"status": "NoTariff"}, "cleared"),
        ({"tariffId": "AC/1", "status": "Rejected"}, "accepted"),
    ],
)
async def test_i10_clear_tariffs(server: Server, result: dict[str, str], state: str) -> None:
    async with station(server, "2.1") as socket:
        await installed(socket)
        command = await do(lambda ada: station_tariffs.clear(ada, tariff_ids=["AC/1"]))
        request = await asked(socket, "ClearTariffs")
        await reply(socket, request, {"clearTariffsResult": [result]})

        await eventually(lambda: Command.objects.filter(pk=command.pk, status="answered").exists())
        await lying(state)
    assert request[3] == {"tariffIds": ["AC/1"]}


@pytest.mark.parametrize("word", ["Accepted", "TxNotFound", "NoCurrencyChange"])
async def test_i11_change_transaction_tariff(server: Server, word: str) -> None:
    async with station(server, "2.1") as socket:
        await socket.call("TransactionEvent", visit()[0])
        session = await eventually(lambda: ChargingSession.objects.select_related("station").first())
        await rows(lambda: tariffs.change(session, TariffVersion.objects.get()))
        request = await asked(socket, "ChangeTransactionTariff")
        await reply(socket, request, {"status": word})

        cost = await eventually(lambda: SessionCost.objects.exclude(change_answer="").first())
    assert (request[3]["transactionId"], cost.changed_to, cost.change_answer) == ("tx-1", "AC/1", word)


@pytest.mark.parametrize(("told", "items"), [("0.75", 0), ("0.80", 1)])
async def test_i12_what_the_station_calculated_is_compared_with_our_bill(
    server: Server, told: str, items: int
) -> None:
    async with station(server, "2.1") as socket:
        *before, ended = visit()
        cost = DETAILS["totalCost"] | {"total": {"exclTax": float(told)}}
        for one in (*before, ended | {"costDetails": DETAILS | {"totalCost": cost}}):
            await socket.call("TransactionEvent", one)
    await rows(lambda: ChargingSession.objects.update(billed_at=clock.now()))

    assert await rows(tariffs.compare) == items
    assert await rows(ReviewItem.objects.filter(key__startswith="station_cost:").count) == items
