"""TriggerMessage: each message on request, and each answer (OCPP 1.6 section 5.17, errata 3.35 and 3.40)."""

from collections.abc import Callable
from typing import Any

import pytest

from stations.models import ChargingStation, Command, Frame
from stations.ocpp import codec
from stations.services import commands
from stations.services.errors import StationOffline
from tests.charger import Charger, answers, keeps_silent, refuses
from tests.stories.story import eventually, rows

Make = Callable[..., Charger]


async def triggered(
    ada: ChargingStation, message: str, connector: int | None = None, **options: Any
) -> Command:
    """Ask for a message and wait for the answer."""
    payload: dict[str, Any] = {"requestedMessage": message}
    if connector is not None:
        payload["connectorId"] = connector

    def queue() -> Command:
        station = ChargingStation.objects.get(pk=ada.pk)
        command = commands.queue(station, action="TriggerMessage", payload=payload, **options)
        return commands.wait(command, timeout_s=5)

    return await rows(queue)


def received(message: str) -> int:
    """Count the CALLs of this name that are in the journal."""
    return Frame.objects.filter(direction="i", message_type=2, action=message).count()


@pytest.mark.parametrize("message", ["BootNotification", "Heartbeat", "MeterValues", "StatusNotification"])
async def test_an_accepted_message_follows_the_answer(
    charger: Make, ada: ChargingStation, message: str
) -> None:
    async with charger(connectors=1) as station:
        await station.connect()
        await station.call("Authorize", {"idTag": "BO-1"})
        command = await triggered(ada, message)
        await eventually(lambda: received(message) >= 1)

    assert (command.status, command.result) == ("answered", {"status": "Accepted"})


async def test_without_a_connector_every_status_is_told(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.connect()
        await station.heartbeat()
        await triggered(ada, "StatusNotification")
        await eventually(lambda: received("StatusNotification") == 3)

    assert [call["connectorId"] for call in station.calls("StatusNotification")] == [0, 1, 2]


@pytest.mark.parametrize("connector", [0, 2])
async def test_with_a_connector_only_its_status_is_told(
    charger: Make, ada: ChargingStation, connector: int
) -> None:
    async with charger() as station:
        await station.connect()
        await station.heartbeat()
        await triggered(ada, "StatusNotification", connector)
        await eventually(lambda: received("StatusNotification") == 1)

    assert [call["connectorId"] for call in station.calls("StatusNotification")] == [connector]


async def test_triggered_readings_carry_their_context(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.connect()
        await station.heartbeat()
        await triggered(ada, "MeterValues", 1)
        await eventually(lambda: received("MeterValues") == 1)

    (reading,) = station.calls("MeterValues")
    assert {value["context"] for value in reading["meterValue"][0]["sampledValue"]} == {"Trigger"}


@pytest.mark.parametrize("word", ["Rejected", "NotImplemented"])
async def test_a_refusal_is_an_answer_and_nothing_follows(
    charger: Make, ada: ChargingStation, word: str
) -> None:
    async with charger() as station:
        station.reactions["TriggerMessage"] = answers({"status": word})
        await station.connect()
        await station.heartbeat()
        command = await triggered(ada, "DiagnosticsStatusNotification")

    assert (command.status, command.result) == ("answered", {"status": word})
    assert station.calls("DiagnosticsStatusNotification") == []


async def test_a_station_without_the_profile_answers_with_a_callerror(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["TriggerMessage"] = refuses("NotImplemented")
        await station.connect()
        await station.heartbeat()
        command = await triggered(ada, "Heartbeat")

    assert (command.status, command.error_code) == ("failed", "NotImplemented")


async def test_an_unanswered_trigger_times_out_and_a_late_answer_is_kept(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["TriggerMessage"] = keeps_silent()
        await station.connect()
        await station.heartbeat()
        command = await triggered(ada, "Heartbeat")
        await station.send_raw(codec.encode_result(command.uid, {"status": "Accepted"}))
        await eventually(lambda: Command.objects.filter(pk=command.pk, answered_late=True).exists())

    assert command.status == "timed_out"


async def test_a_station_that_is_away_is_asked_when_it_is_back(charger: Make, ada: ChargingStation) -> None:
    with pytest.raises(StationOffline):
        await triggered(ada, "Heartbeat")

    def queue() -> Command:
        payload = {"requestedMessage": "Heartbeat"}
        return commands.queue(ada, action="TriggerMessage", payload=payload, queue_offline=True)

    waiting = await rows(queue)
    async with charger() as station:
        await station.connect()
        await eventually(lambda: Command.objects.get(pk=waiting.pk).status == "answered")


async def test_the_same_trigger_twice_brings_the_message_twice(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.connect()
        await station.call("Authorize", {"idTag": "BO-1"})
        for _ in range(2):
            await triggered(ada, "Heartbeat")
        await eventually(lambda: received("Heartbeat") == 2)
