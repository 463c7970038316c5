"""Commands over a real socket: sent, answered, refused, unanswered, late (OCPP 1.6 section 5; F14, F20 to F22)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from stations.models import ChargingStation, Command, Frame
from stations.services import commands
from tests.charger import Charger, answers, keeps_silent, refuses, rejects, sends_garbage
from tests.stories.story import eventually, rows

Make = Callable[..., Charger]
PAYLOADS: dict[str, dict[str, Any]] = {
    "ChangeAvailability": {"connectorId": 1, "type": "Operative"},
    "ChangeConfiguration": {"key": "MeterValueSampleInterval", "value": "30"},
    "ClearCache": {},
    "DataTransfer": {"vendorId": "Volt"},
    "GetConfiguration": {},
    "RemoteStartTransaction": {"idTag": "BO-1", "connectorId": 1},
    "RemoteStopTransaction": {"transactionId": 424242},
    "Reset": {"type": "Soft"},
    "TriggerMessage": {"requestedMessage": "Heartbeat"},
    "UnlockConnector": {"connectorId": 1},
}


async def sent(ada: ChargingStation, action: str = "ClearCache", **options: Any) -> Command:
    """Queue a command as the API does and wait for its outcome."""

    def queue() -> Command:
        station = ChargingStation.objects.get(pk=ada.pk)
        command = commands.queue(station, action=action, payload=PAYLOADS[action], **options)
        return commands.wait(command, timeout_s=5)

    return await rows(queue)


@pytest.mark.parametrize("action", PAYLOADS)
async def test_every_core_command_reaches_the_charger_and_its_answer_comes_back(
    charger: Make, ada: ChargingStation, action: str
) -> None:
    async with charger() as station:
        await station.come_up()
        command = await sent(ada, action)
        journalled = Frame.objects.filter(message_id=command.uid, action=action)
        assert await eventually(lambda: journalled.count() == 2)

    assert (command.status, command.error_code) == ("answered", "")


async def test_a_rejection_is_an_answer(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["ClearCache"] = rejects()
        await station.come_up()
        command = await sent(ada)

    assert (command.status, command.result) == ("answered", {"status": "Rejected"})


async def test_a_callerror_is_kept_with_its_code(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["ClearCache"] = refuses("NotSupported", "no cache here")
        await station.come_up()
        command = await sent(ada)

    assert (command.status, command.error_code, command.error_description) == (
        "failed", "NotSupported", "no cache here",
    )  # fmt: skip


async def test_an_answer_that_breaks_the_schema_fails_the_command_and_keeps_the_socket(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["ClearCache"] = answers({"status": "Perhaps"})
        await station.come_up()
        command = await sent(ada)
        await station.heartbeat()

    assert (command.status, command.result) == ("failed", {"status": "Perhaps"})


async def test_silence_times_out_and_the_next_command_goes_through(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["ClearCache"] = keeps_silent()
        await station.come_up()
        silent = await sent(ada)
        answered = await sent(ada, "TriggerMessage")

    assert (silent.status, answered.status) == ("timed_out", "answered")


async def test_a_late_answer_is_recorded_as_late(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["ClearCache"] = keeps_silent()
        await station.come_up()
        silent = await sent(ada)
        await station.send_raw(f'[3,"{silent.uid}",{{"status":"Accepted"}}]')
        late = await eventually(lambda: Command.objects.filter(pk=silent.pk, answered_late=True).first())

    assert (late.status, late.result) == ("timed_out", {"status": "Accepted"})


async def test_an_answer_to_nothing_is_journalled_and_changes_nothing(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        await station.send_raw('[3,"never-asked",{"status":"Accepted"}]')
        await eventually(lambda: Frame.objects.filter(verdict="unsolicited").exists())
        assert (await sent(ada)).status == "answered"


async def test_garbage_for_an_answer_does_not_end_the_socket(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["ClearCache"] = sends_garbage()
        await station.come_up()
        command = await sent(ada)
        await station.heartbeat()

    assert command.status == "failed"


async def test_only_one_call_is_open_at_a_time(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        await asyncio.gather(*(sent(ada, "TriggerMessage") for _ in range(5)))
        calls = [frame.message[:2] for frame in station.frames if frame.message[0] in (2, 3)]

    ours = {command.uid for command in await rows(lambda: list(Command.objects.all()))}
    order = [kind for kind, message_id in calls if message_id in ours]
    assert order == [2, 3] * 5


async def test_a_charger_is_answered_while_a_command_is_open(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["ClearCache"] = keeps_silent()
        await station.come_up()
        silent = asyncio.create_task(sent(ada))
        await asyncio.sleep(0.2)
        assert "currentTime" in await station.heartbeat()
        await silent


async def test_a_command_for_a_station_that_is_away_waits_for_it(charger: Make, ada: ChargingStation) -> None:
    queued = await rows(lambda: commands.queue(ada, action="ClearCache", payload={}, queue_offline=True))
    async with charger() as station:
        await station.come_up()
        done = await eventually(lambda: Command.objects.filter(pk=queued.pk, status="answered").first())

    assert done.result == {"status": "Accepted"}


async def test_a_command_that_was_open_when_the_connection_ended_is_not_repeated(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["Reset"] = keeps_silent()
        await station.come_up()
        waiting = asyncio.create_task(sent(ada, "Reset"))
        await eventually(lambda: Command.objects.filter(status="sent").exists())
        await station.kill()
        assert (await waiting).status == "timed_out"
        await station.come_up()
        await station.heartbeat()

    assert len(station.calls("Reset", "in")) == 1


async def test_a_secret_in_a_command_is_blank_in_the_journal(charger: Make, ada: ChargingStation) -> None:
    payload = {"key": "AuthorizationKey", "value": "very-secret-value-123"}
    async with charger() as station:
        await station.come_up()
        await rows(
            lambda: commands.wait(
                commands.queue(
                    ChargingStation.objects.get(pk=ada.pk), action="ChangeConfiguration", payload=payload
                ),
                timeout_s=5,
            )
        )

    texts = await rows(lambda: " ".join(Frame.objects.values_list("text", flat=True)))
    assert "AuthorizationKey" in texts
    assert "very-secret-value-123" not in texts
