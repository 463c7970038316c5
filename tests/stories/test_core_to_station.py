"""Every request of the Core profile to a station, with every answer (OCPP 1.6 chapter 5).

What configuration keys do besides is told in `test_configuration.py`, what follows a start, a stop and a reset in
`test_remote_control.py`, what becomes of availability in `test_availability.py`.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, Command, Frame
from stations.ocpp import codec
from stations.services import commands
from stations.services.errors import InvalidPayload, StationOffline
from tests.charger import Charger, answers, keeps_silent, refuses
from tests.stories.story import eventually, rows

Make = Callable[..., Charger]
JSON = dict[str, Any]

# section, request, one answer of each sort
CORE: dict[str, tuple[str, JSON, list[JSON]]] = {
    "ChangeAvailability": (
        "5.2",
        {"connectorId": 1, "type": "Inoperative"},
        [{"status": word} for word in ("Accepted", "Rejected", "Scheduled")],
    ),
    "ChangeConfiguration": (
        "5.3",
        {"key": "BlinkRepeat", "value": "3"},
        [{"status": word} for word in ("Accepted", "Rejected", "RebootRequired", "NotSupported")],
    ),
    "ClearCache": ("5.4", {}, [{"status": word} for word in ("Accepted", "Rejected")]),
    "DataTransfer": (
        "5.6",
        {"vendorId": "com.volt", "messageId": "Ping", "data": "x"},
        [
            {"status": "Accepted", "data": "y"},
            {"status": "Rejected"},
            {"status": "UnknownMessageId"},
            {"status": "UnknownVendorId"},
        ],
    ),
    "GetConfiguration": (
        "5.8",
        {"key": ["BlinkRepeat"]},
        [
            {"configurationKey": [{"key": "BlinkRepeat", "readonly": False, "value": "3"}]},
            {"configurationKey": [{"key": "BlinkRepeat", "readonly": True}]},
            {"unknownKey": ["BlinkRepeat"]},
            {},
        ],
    ),
    "RemoteStartTransaction": (
        "5.11",
        {"connectorId": 1, "idTag": "BO-1"},
        [{"status": word} for word in ("Accepted", "Rejected")],
    ),
    "RemoteStopTransaction": (
        "5.12",
        {"transactionId": 4711},
        [{"status": word} for word in ("Accepted", "Rejected")],
    ),
    "Reset": ("5.14", {"type": "Hard"}, [{"status": word} for word in ("Accepted", "Rejected")]),
    "UnlockConnector": (
        "5.18",
        {"connectorId": 1},
        [{"status": word} for word in ("Unlocked", "UnlockFailed", "NotSupported")],
    ),
}
every = pytest.mark.parametrize("action", CORE)


async def sent(ada: ChargingStation, action: str, **options: Any) -> Command:
    """Queue the request as console and API do, and wait for its outcome."""

    def queue() -> Command:
        station = ChargingStation.objects.get(pk=ada.pk)
        command = commands.queue(station, action=action, payload=CORE[action][1], **options)
        return commands.wait(command, timeout_s=5)

    return await rows(queue)


@every
async def test_each_answer_of_the_station_is_kept_word_for_word(
    charger: Make, ada: ChargingStation, action: str
) -> None:
    async with charger() as station:
        await station.connect()
        await station.heartbeat()
        for payload in CORE[action][2]:
            station.reactions[action] = answers(payload)
            command = await sent(ada, action)
            assert (command.status, command.result) == ("answered", payload)

    assert station.calls(action, "in")[0] == CORE[action][1]


@every
async def test_request_and_answer_are_in_the_journal(
    charger: Make, ada: ChargingStation, action: str
) -> None:
    async with charger() as station:
        station.reactions[action] = answers(CORE[action][2][0])
        await station.connect()
        await station.heartbeat()
        command = await sent(ada, action)
        frames = Frame.objects.filter(message_id=command.uid, action=action).order_by("id")
        await eventually(lambda: frames.count() == 2)

    assert await rows(lambda: list(frames.values_list("direction", "message_type"))) == [("o", 2), ("i", 3)]


@every
async def test_a_station_that_does_not_speak_it_answers_with_a_callerror(
    charger: Make, ada: ChargingStation, action: str
) -> None:
    async with charger() as station:
        station.reactions[action] = refuses("NotSupported", "not in this model")
        await station.connect()
        await station.heartbeat()
        command = await sent(ada, action)

    assert (command.status, command.error_code, command.error_description) == (
        "failed", "NotSupported", "not in this model",
    )  # fmt: skip


@every
async def test_an_answer_that_breaks_the_schema_is_kept_and_believed_by_nobody(
    charger: Make, ada: ChargingStation, action: str
) -> None:
    wrong = {"configurationKey": "none"} if action == "GetConfiguration" else {"status": "Perhaps"}
    async with charger() as station:
        station.reactions[action] = answers(wrong)
        await station.connect()
        await station.heartbeat()
        command = await sent(ada, action)

    assert (command.status, command.result) == ("failed", wrong)


@every
async def test_silence_times_out_and_what_comes_late_is_kept_as_late(
    charger: Make, ada: ChargingStation, action: str
) -> None:
    late = CORE[action][2][0]
    async with charger() as station:
        station.reactions[action] = keeps_silent()
        await station.connect()
        await station.heartbeat()
        command = await sent(ada, action)
        await station.send_raw(codec.encode_result(command.uid, late))
        found = await eventually(lambda: Command.objects.filter(pk=command.pk, answered_late=True).first())
        assert "currentTime" in await station.heartbeat()

    assert (command.status, found.status, found.result) == ("timed_out", "timed_out", late)


@every
async def test_a_station_that_is_away_is_asked_when_it_is_back(
    charger: Make, ada: ChargingStation, action: str
) -> None:
    with pytest.raises(StationOffline):
        await sent(ada, action)
    asking = asyncio.create_task(sent(ada, action, queue_offline=True))
    async with charger() as station:
        station.reactions[action] = answers(CORE[action][2][0])
        await station.connect()
        command = await asking

    assert (command.status, len(station.calls(action, "in"))) == ("answered", 1)


@every
async def test_a_request_that_was_never_sent_expires(ada: ChargingStation, action: str) -> None:
    def wait_in_vain() -> Command:
        command = commands.queue(ada, action=action, payload=CORE[action][1], queue_offline=True)
        Command.objects.update(expires_at=clock.now())
        commands.expire()
        return commands.wait(command, timeout_s=0)

    assert (await rows(wait_in_vain)).status == "expired"


@every
async def test_a_request_that_is_taken_back_is_never_sent(
    charger: Make, ada: ChargingStation, action: str
) -> None:
    def take_back() -> Command:
        command = commands.queue(ada, action=action, payload=CORE[action][1], queue_offline=True)
        return commands.cancel(command, by="ada")

    command = await rows(take_back)
    async with charger() as station:
        await station.connect()
        await station.heartbeat()

    assert (command.status, station.calls(action, "in")) == ("cancelled", [])


@pytest.mark.parametrize("action", [action for action in CORE if CORE[action][1]])
async def test_a_request_that_breaks_the_schema_is_never_queued(ada: ChargingStation, action: str) -> None:
    member = next(iter(CORE[action][1]))
    with pytest.raises(InvalidPayload) as refused:
        await rows(lambda: commands.queue(ada, action=action, payload={member: {"a": 1}}, queue_offline=True))

    assert refused.value.path.startswith(member) or refused.value.message
    assert await rows(Command.objects.count) == 0


async def test_the_same_answer_twice_changes_nothing(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.connect()
        await station.heartbeat()
        command = await sent(ada, "ClearCache")
        await station.send_raw(codec.encode_result(command.uid, {"status": "Rejected"}))
        await eventually(lambda: Frame.objects.filter(message_id=command.uid, verdict="unsolicited").exists())

    found = await rows(lambda: Command.objects.get(pk=command.pk))
    assert (found.status, found.result) == ("answered", {"status": "Accepted"})


async def test_an_unlocked_connector_ends_its_session_first(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        visit = asyncio.create_task(station.charge("BO-1"))
        await eventually(
            lambda: ChargingStation.objects.get(pk=ada.pk).sessions.filter(status="active").exists()
        )
        command = await sent(ada, "UnlockConnector")
        await visit

    session = await rows(lambda: ChargingStation.objects.get(pk=ada.pk).sessions.get())
    assert (command.result, session.stop_reason) == ({"status": "Unlocked"}, "UnlockCommand")
