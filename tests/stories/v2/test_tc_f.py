"""Part 6, chapter 3: remote control (block F)."""

from typing import Any

import pytest

from stations.models import ChargingSession, Connector, MeterSample, RemoteRequest
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import Payload, Station, sent, station
from tests.stories.v2.station import EVSE, TOKEN, event, readings, visit
from tests.stories.v2.test_remote import ACCEPTED, START, outcome, remote_start, started

pytestmark = pytest.mark.usefixtures("ada")
VERSIONS = ("2.0.1", "2.1")


async def triggered(word: str, **fields: Any) -> Payload:
    """Ask for a message and return what the station was asked."""
    command = await sent("TriggerMessage", {"requestedMessage": word} | fields)
    assert command.result == ACCEPTED
    found: Payload = command.payload
    return found


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_f_01_csms_the_cable_came_first(server: Server, version: str) -> None:
    answer = ACCEPTED | {"transactionId": "tx-1"}
    async with station(server, version, RequestStartTransaction=answer) as there:
        await there.tell(event("Started", 0, register_wh=1000, triggerReason="CablePluggedIn", evse=EVSE))
        command = await remote_start()
        request = there.requests(START)[0]
        info = {"remoteStartId": request["remoteStartId"], "chargingState": "EVConnected"}
        told = await there.tell(
            event("Updated", 1, triggerReason="RemoteStart", idToken=TOKEN, info=info),
            event("Updated", 2, register_wh=1500, triggerReason="ChargingStateChanged"),
        )

    assert (request["idToken"], told[0]["idTokenInfo"]["status"]) == (TOKEN, "Accepted")
    assert (await outcome(command)).state == "succeeded"


async def started_from_afar(server: Server, *, asks: bool) -> None:
    """Start before a cable is there; the station asks for the token or does not. The session is that of the start."""
    async with station(server, RequestStartTransaction=ACCEPTED) as there:
        command = await remote_start()
        request = there.requests(START)[0]
        if asks:
            told = await there.call("Authorize", {"idToken": request["idToken"]})
            assert told["idTokenInfo"]["status"] == "Accepted"
        [answer] = await there.tell(started(request))

    assert (request["idToken"], answer["idTokenInfo"]["status"]) == (TOKEN, "Accepted")
    assert (await outcome(command)).session.transaction_id == "tx-1"


async def test_tc_f_02_csms_the_remote_start_came_first_and_the_station_asks(server: Server) -> None:
    await started_from_afar(server, asks=True)


async def test_tc_f_03_csms_the_remote_start_came_first_and_the_station_does_not_ask(server: Server) -> None:
    await started_from_afar(server, asks=False)


async def test_tc_f_04_csms_no_cable_came(server: Server) -> None:
    timeout = event("Updated", 1, triggerReason="EVConnectTimeout", info={"chargingState": "Idle"})
    ended = event("Ended", 2, triggerReason="EVConnectTimeout", info={"stoppedReason": "Timeout"})
    async with station(server, RequestStartTransaction=ACCEPTED) as there:
        await remote_start()
        answers = await there.tell(started(there.requests(START)[0]), timeout, ended)

    session = await rows(ChargingSession.objects.get)
    assert answers[1] == {}
    assert (session.status, session.energy_wh, session.stop_reason) == ("ended", 0, "Timeout")


async def test_tc_f_06_csms_a_connector_is_unlocked(server: Server) -> None:
    async with station(server, UnlockConnector={"status": "Unlocked"}) as there:
        await sent("UnlockConnector", {"evseId": 1, "connectorId": 1})

    assert there.requests("UnlockConnector") == [{"evseId": 1, "connectorId": 1}]


async def metered(server: Server, *evses: int, **place: Any) -> None:
    """Trigger MeterValues of a place, which come."""
    async with station(server, TriggerMessage=ACCEPTED) as there:
        await triggered("MeterValues", **place)
        for evse in evses:
            await there.call("MeterValues", {"evseId": evse, "meterValue": readings(1000, 0, "Trigger")})

    assert there.requests("TriggerMessage") == [{"requestedMessage": "MeterValues"} | place]
    assert await rows(MeterSample.objects.count) == len(evses)


async def test_tc_f_11_csms_meter_values_of_an_evse_are_triggered(server: Server) -> None:
    await metered(server, 1, evse={"id": 1})


async def test_tc_f_12_csms_meter_values_of_all_evses_are_triggered(server: Server) -> None:
    await metered(server, 1, 2)


async def transacted(server: Server, **place: Any) -> None:
    """Trigger a TransactionEvent of a place, which comes."""
    told = event("Updated", 1, triggerReason="Trigger", meterValue=readings(1500, 1, "Trigger"))
    async with station(server, TriggerMessage=ACCEPTED) as there:
        await there.tell(visit()[0])
        await triggered("TransactionEvent", **place)
        assert await there.tell(told | ({"evse": EVSE} if place else {})) == [{}]

    assert there.requests("TriggerMessage") == [{"requestedMessage": "TransactionEvent"} | place]
    assert (await rows(ChargingSession.objects.get)).energy_wh == 500


async def test_tc_f_13_csms_an_event_of_an_evse_is_triggered(server: Server) -> None:
    await transacted(server, evse={"id": 1})


async def test_tc_f_14_csms_events_of_all_evses_are_triggered(server: Server) -> None:
    await transacted(server)


async def idle(server: Server, word: str) -> None:
    """Trigger a notification of what is idle, which comes."""
    async with station(server, TriggerMessage=ACCEPTED) as there:
        await triggered(word)
        answer = await there.answer_to(word, {"status": "Idle"})

    assert (there.requests("TriggerMessage"), answer[0]) == ([{"requestedMessage": word}], 3)


async def test_tc_f_15_csms_the_status_of_logs_is_triggered(server: Server) -> None:
    await idle(server, "LogStatusNotification")


async def test_tc_f_18_csms_the_status_of_firmware_is_triggered(server: Server) -> None:
    await idle(server, "FirmwareStatusNotification")


async def test_tc_f_20_csms_a_heartbeat_is_triggered(server: Server) -> None:
    async with station(server, TriggerMessage=ACCEPTED) as there:
        await triggered("Heartbeat")
        answer = await there.call("Heartbeat", {})

    assert "currentTime" in answer


async def told_again(there: Station, word: str) -> None:
    """Trigger the status of a connector, which comes."""
    await triggered("StatusNotification", evse=EVSE)
    await there.status(word)
    assert await eventually(lambda: Connector.objects.filter(evse__number=1, status=word).exists())
    assert there.requests("TriggerMessage")[0] == {"requestedMessage": "StatusNotification", "evse": EVSE}


async def test_tc_f_23_csms_the_status_of_a_free_connector_is_triggered(server: Server) -> None:
    async with station(server, TriggerMessage=ACCEPTED) as there:
        await told_again(there, "Available")


async def test_tc_f_24_csms_the_status_of_an_occupied_connector_is_triggered(server: Server) -> None:
    async with station(server, TriggerMessage=ACCEPTED) as there:
        await there.status("Occupied")
        await told_again(there, "Occupied")


async def test_tc_f_27_csms_a_station_that_cannot(server: Server) -> None:
    async with station(server, TriggerMessage={"status": "NotImplemented"}):
        command = await sent("TriggerMessage", {"requestedMessage": "SignCombinedCertificate"})

    assert command.result == {"status": "NotImplemented"}


@pytest.mark.parametrize("word", ["SignV2G20Certificate", "CustomTrigger"])
async def test_f06_2_1_knows_more_words(server: Server, word: str) -> None:
    extra = {"customTrigger": "LimitReport"} if word == "CustomTrigger" else {}
    async with station(server, "2.1", TriggerMessage=ACCEPTED) as there:
        await triggered(word, **extra)

    assert there.requests("TriggerMessage") == [{"requestedMessage": word} | extra]


async def test_f02_a_start_for_a_token_that_is_refused_says_so(server: Server) -> None:
    async with station(server, RequestStartTransaction=ACCEPTED) as there:
        command = await remote_start(id_token="STRANGER")  # noqa: S106 - a card's number
        await there.tell(started(there.requests(START)[0]))

    found = await outcome(command)
    assert (found.state, found.reason) == ("failed", "token_refused")


async def test_f02_the_outcome_is_kept_whichever_answer_is_late(server: Server) -> None:
    async def eager(there: Station) -> None:
        there.reactions[START] = lambda request: {"status": "Accepted"}

    async with station(server) as there:
        await eager(there)
        command = await remote_start()
        await there.tell(started(there.requests(START)[0]))
        first = await outcome(command)
        again = await outcome(command)

    assert (first.state, again.state) == ("succeeded", "succeeded")
    assert await rows(RemoteRequest.objects.count) == 1
