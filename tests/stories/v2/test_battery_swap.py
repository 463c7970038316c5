"""Battery swaps over a real socket (OCPP 2.1 block S)."""

from collections.abc import Callable
from typing import Any

import pytest

from stations.models import BatterySwap, ChargingSession, ChargingStation, ReviewItem
from stations.services import battery_swap
from stations.services.errors import InvalidPayload
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.device import asked, reply
from tests.stories.v2.station import EVSE, TOKEN, at, event, station

pytestmark = pytest.mark.usefixtures("ada")
EMPTY, FULL = ("E-1", "E-2"), ("F-1", "F-2")


async def do(act: Callable[[ChargingStation], Any]) -> Any:
    return await rows(lambda: act(ChargingStation.objects.get()))


async def swap_is(state: str) -> BatterySwap:
    return await eventually(lambda: BatterySwap.objects.filter(state=state).order_by("-id").first())


def said(type: str, *serials: str, number: int = 1, token: str = "BO-1") -> dict[str, Any]:
    batteries = [
        {"evseId": slot, "serialNumber": serial, "soC": 20, "soH": 97}
        for slot, serial in enumerate(serials, 1)
    ]
    token = TOKEN | {"idToken": token}
    return {"eventType": type, "requestId": number, "idToken": token, "batteryData": batteries}


def wanted(ada: ChargingStation) -> Any:
    return battery_swap.request(ada, id_token="BO-1", id_token_type="ISO14443")


async def test_s01_a_driver_swaps_by_himself(server: Server) -> None:
    async with station(server, "2.1") as socket:
        assert (await socket.call("BatterySwap", said("BatteryIn", *EMPTY)))[2] == {}
        await swap_is("inserted")
        await socket.call("BatterySwap", said("BatteryOut", *FULL))

        done = await swap_is("done")
    assert [one["serial_number"] for one in done.batteries_in] == list(EMPTY)
    assert [one["serial_number"] for one in done.batteries_out] == list(FULL)
    assert done.token_id


async def test_s02_request_battery_swap_is_related_by_its_request_id(server: Server) -> None:
    async with station(server, "2.1") as socket:
        made = await do(wanted)
        request = await asked(socket, "RequestBatterySwap")
        await reply(socket, request, {"status": "Accepted"})
        await swap_is("accepted")
        await socket.call("BatterySwap", said("BatteryIn", *EMPTY, number=made.swap.request_id))

        assert (await swap_is("inserted")).pk == made.swap.pk
    assert request[3] == {"requestId": 1, "idToken": TOKEN}


async def test_s02_fr_04_the_station_has_no_battery(server: Server) -> None:
    info = {"reasonCode": "NoBatteryAvailable"}
    async with station(server, "2.1") as socket:
        await do(wanted)
        request = await asked(socket, "RequestBatterySwap")
        await reply(socket, request, {"status": "Rejected", "statusInfo": info})

        assert (await swap_is("refused")).reason == "NoBatteryAvailable"


async def test_s02_fr_03_no_swap_is_asked_for_a_token_that_may_not(server: Server) -> None:
    async with station(server, "2.1"):
        with pytest.raises(InvalidPayload):
            await do(lambda ada: battery_swap.request(ada, id_token="NOBODY"))

    assert await rows(BatterySwap.objects.count) == 0


async def test_s02_a_swap_without_an_answer_is_unknown_until_batteries_come(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await do(wanted)
        await asked(socket, "RequestBatterySwap")
        await swap_is("unknown")
        await socket.call("BatterySwap", said("BatteryIn", *EMPTY))

        await swap_is("inserted")


async def test_s03_battery_out_timeout_is_looked_at_by_somebody(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await socket.call("BatterySwap", said("BatteryIn", *EMPTY))
        await socket.call("BatterySwap", said("BatteryOutTimeout", *FULL))

        await swap_is("not_taken")
    assert await rows(ReviewItem.objects.filter(kind="station_alert", resolved_at=None).count) == 1


async def test_s03_a_repeated_message_makes_no_second_swap(server: Server) -> None:
    async with station(server, "2.1") as socket:
        for message in [said("BatteryIn", *EMPTY)] * 2 + [said("BatteryOut", *FULL)] * 2:
            await socket.call("BatterySwap", message)
        await socket.call("BatterySwap", said("BatteryIn", *EMPTY))

        await swap_is("done")
    assert await rows(BatterySwap.objects.count) == 1


async def test_s03_a_station_may_use_a_request_id_again(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await socket.call("BatterySwap", said("BatteryIn", *EMPTY))
        await socket.call("BatterySwap", said("BatteryOut", *FULL))
        await socket.call("BatterySwap", said("BatteryIn", "E-3"))

        await swap_is("inserted")
    assert await rows(BatterySwap.objects.count) == 2


async def test_s01_batteries_of_an_unknown_token_are_kept_and_looked_at(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await socket.call("BatterySwap", said("BatteryIn", *EMPTY, token="NOBODY"))

        assert (
            "Invalid" in (await swap_is("inserted")).reason or "Unknown" in (await swap_is("inserted")).reason
        )
    assert await rows(ReviewItem.objects.filter(kind="unauthorised_energy").count) == 1


async def test_s04_batteries_charge_in_their_slots_as_transactions_of_the_swapper(server: Server) -> None:
    """S04: the slot charges for itself, by a token that needs no asking, and its state of charge is told."""
    async with station(server, "2.1") as socket:
        await socket.call("BatterySwap", said("BatteryIn", *EMPTY))
        token = {"idToken": "SWAP-1", "type": "NoAuthorization"}
        began = event(
            "Started", 0, register_wh=1000, evse=EVSE, idToken=token, triggerReason="ChargingStateChanged"
        )
        answer = await socket.call("TransactionEvent", began)
        soc = {"value": 80, "measurand": "SoC"}
        told = event("Updated", 1, meterValue=[{"timestamp": at(1), "sampledValue": [soc]}])
        await socket.call("TransactionEvent", told)
        assert await socket.lives()

    session = await rows(ChargingSession.objects.get)
    assert answer[2]["idTokenInfo"]["status"] == "Accepted"
    assert (session.soc_percent, session.needs_review) == (80, False)
