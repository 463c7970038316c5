"""Charging over a real socket (OCPP 1.6 sections 3 to 5; field notes, quirks 1 to 5, 8, 18; cases T1 to T8)."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from stations.models import ChargingSession, ChargingStation, Connector, Frame, MeterSample, ReviewItem
from tests.charger import CallFailed, Charger
from tests.stories.story import eventually, rows

pytestmark = pytest.mark.usefixtures("ada")
START = {"connectorId": 1, "idTag": "BO-1", "meterStart": 1000, "timestamp": "2026-11-20T09:00:00Z"}
Make = Callable[..., Charger]


def meter_values(
    transaction_id: int | None, register_wh: str, minute: int, connector: int = 1
) -> dict[str, Any]:
    sample = {"timestamp": f"2026-11-20T09:{minute:02}:00Z", "sampledValue": [{"value": register_wh}]}
    payload: dict[str, Any] = {"connectorId": connector, "meterValue": [sample]}
    return payload if transaction_id is None else payload | {"transactionId": transaction_id}


def stop(transaction_id: int, meter_stop: int = 3000, minute: int = 30, **fields: Any) -> dict[str, Any]:
    return {
        "transactionId": transaction_id, "meterStop": meter_stop, "timestamp": f"2026-11-20T09:{minute:02}:00Z",
    } | fields  # fmt: skip


async def only_session() -> ChargingSession:
    return await rows(ChargingSession.objects.get)


async def test_a_visit_is_stored_to_the_last_watt_hour(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        visit = await station.charge("BO-1", energy_wh=12_345, duration_s=3600)

    session = await only_session()
    assert (session.status, session.energy_wh) == ("ended", Decimal(12_345))
    assert (session.meter_start_wh, session.meter_stop_wh) == (visit.meter_start_wh, visit.meter_stop_wh)


async def test_boot_facts_and_statuses_are_kept(charger: Make, ada: ChargingStation) -> None:
    async with charger(vendor="Volt", model="Max") as station:
        await station.come_up()

    found = await rows(lambda: ChargingStation.objects.get(pk=ada.pk))
    statuses = await rows(lambda: list(Connector.objects.values_list("status", flat=True)))
    assert (found.vendor, found.model, found.boot_count, statuses) == ("Volt", "Max", 1, ["Available"] * 2)


async def test_a_repeated_start_gets_the_same_answer_and_has_one_effect(charger: Make) -> None:
    async with charger() as station:
        await station.connect()
        first = await station.call("StartTransaction", START)
        again = await station.call("StartTransaction", START)

    assert first == again
    assert await rows(ChargingSession.objects.count) == 1


async def test_a_start_repeated_over_a_new_connection_gets_the_same_answer(charger: Make) -> None:
    async with charger() as station:
        await station.connect()
        first = await station.call("StartTransaction", START, message_id="same")
        await station.kill()
        await station.connect()
        again = await station.call("StartTransaction", START, message_id="same")

    assert first == again


async def test_a_repeated_stop_gets_the_same_answer_and_has_one_effect(charger: Make) -> None:
    async with charger() as station:
        await station.connect()
        started = await station.call("StartTransaction", START)
        first = await station.call("StopTransaction", stop(started["transactionId"], idTag="BO-1"))
        again = await station.call("StopTransaction", stop(started["transactionId"], idTag="BO-1"))

    assert first == again == {"idTagInfo": {"status": "Accepted"}}
    assert await rows(ReviewItem.objects.count) == 0


async def test_a_start_with_an_unknown_token_is_stored_and_answered_invalid(charger: Make) -> None:
    async with charger() as station:
        await station.connect()
        answer = await station.call("StartTransaction", START | {"idTag": "NOBODY"})

    assert answer["idTagInfo"]["status"] == "Invalid"
    assert (await only_session()).transaction_id == str(answer["transactionId"])


async def test_a_stop_for_an_unknown_transaction_is_answered_and_shown(charger: Make) -> None:
    async with charger() as station:
        await station.connect()
        assert await station.call("StopTransaction", stop(424242)) == {}

    item = await rows(ReviewItem.objects.get)
    assert (item.kind, item.facts["transaction_id"]) == ("unmatched_stop", "424242")


@pytest.mark.parametrize("lie", [None, 0, -1, 777])
async def test_readings_with_a_wrong_transaction_id_find_their_session(
    charger: Make, lie: int | None
) -> None:
    async with charger() as station:
        await station.connect()
        await station.call("StartTransaction", START)
        await station.call("MeterValues", meter_values(lie, "1500", 5))

    session = await only_session()
    assert (session.energy_wh, session.register_wh) == (Decimal(500), Decimal(1500))


async def test_readings_of_the_other_connector_stay_out_of_the_session(charger: Make) -> None:
    async with charger() as station:
        await station.connect()
        await station.call("StartTransaction", START)
        await station.call("MeterValues", meter_values(None, "9999", 5, connector=2))

    assert (await only_session()).energy_wh == 0
    assert (await rows(MeterSample.objects.get)).session_id == 0


async def test_readings_after_the_stop_are_kept_and_change_nothing(charger: Make) -> None:
    async with charger() as station:
        await station.connect()
        started = await station.call("StartTransaction", START)
        await station.call("StopTransaction", stop(started["transactionId"]))
        await station.call("MeterValues", meter_values(started["transactionId"], "3500", 31))

    session = await only_session()
    assert session.energy_wh == Decimal(2000)
    assert (await rows(MeterSample.objects.get)).session_id == session.pk


async def test_repeated_readings_are_stored_once(charger: Make) -> None:
    async with charger() as station:
        await station.connect()
        started = await station.call("StartTransaction", START)
        for _ in range(3):
            await station.call("MeterValues", meter_values(started["transactionId"], "1500", 5))

    assert await rows(MeterSample.objects.count) == 1


async def test_readings_continue_after_a_reconnect_without_a_boot(charger: Make) -> None:
    async with charger() as station:
        await station.connect()
        started = await station.call("StartTransaction", START)
        await station.call("MeterValues", meter_values(started["transactionId"], "1500", 5))
        await station.kill()
        await station.connect()
        await station.call("MeterValues", meter_values(started["transactionId"], "2600", 10))

    assert (await only_session()).energy_wh == Decimal(1600)


async def test_a_register_that_restarts_in_mid_session_loses_no_energy(charger: Make) -> None:
    async with charger() as station:
        await station.connect()
        started = await station.call("StartTransaction", START)
        for minute, register_wh in ((5, "1500"), (10, "0"), (15, "700")):
            await station.call("MeterValues", meter_values(started["transactionId"], register_wh, minute))
        await station.call("StopTransaction", stop(started["transactionId"], meter_stop=800))

    session = await only_session()
    assert (session.energy_wh, session.needs_review) == (Decimal(1300), True)


async def test_transaction_data_of_the_stop_is_stored_with_the_session(charger: Make) -> None:
    data = [{"timestamp": "2026-11-20T09:15:00Z", "sampledValue": [{"value": "2.5", "unit": "kWh"}]}]
    async with charger() as station:
        await station.connect()
        started = await station.call("StartTransaction", START)
        await station.call("StopTransaction", stop(started["transactionId"], transactionData=data))

    assert (await rows(MeterSample.objects.get)).value == Decimal(2500)


async def test_what_a_charger_queued_offline_arrives_with_its_own_times(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        await station.kill()
        visit = asyncio.create_task(station.charge("BO-1", energy_wh=5000, duration_s=1800, authorize=False))
        await asyncio.sleep(0.3)
        await station.come_up()
        await visit
        session = await eventually(lambda: ChargingSession.objects.filter(status="ended").first())
    assert (session.energy_wh, (session.ended_at - session.started_at).total_seconds()) == (
        Decimal(5000),
        1800,
    )


async def test_every_frame_is_in_the_journal_as_it_was_on_the_wire(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        sent = [(frame.direction, frame.text) for frame in station.frames]

    found = await rows(lambda: list(Frame.objects.order_by("id").values_list("direction", "text")))
    assert [({"i": "out", "o": "in"}[direction], text) for direction, text in found] == sent


async def test_an_unknown_action_is_answered_not_implemented_and_journalled(charger: Make) -> None:
    async with charger() as station:
        await station.connect()
        with pytest.raises(CallFailed, match="NotImplemented"):
            await station.call("MakeCoffee", {})

    assert "NotImplemented" in (await rows(lambda: Frame.objects.get(direction="i"))).verdict


async def test_a_vendors_data_transfer_is_answered_unknown_vendor(charger: Make) -> None:
    async with charger() as station:
        await station.connect()
        answer = await station.call("DataTransfer", {"vendorId": "Volt", "data": "x"})

    assert answer == {"status": "UnknownVendorId"}


async def test_an_unknown_connector_comes_into_being_when_it_is_first_named(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.connect()
        await station.call(
            "StatusNotification", {"connectorId": 7, "errorCode": "NoError", "status": "Charging"}
        )

    made = await rows(lambda: Connector.objects.get(evse__number=7))
    assert made.status == "Charging"
