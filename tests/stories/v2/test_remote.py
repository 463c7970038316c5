"""RequestStartTransaction, RequestStopTransaction, Reset and UnlockConnector seen to their outcome (block F)."""

from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingSession, ChargingStation, Command, IdToken, RemoteRequest
from stations.services import commands, remote, remote_watch
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import Payload, Station, sent, station
from tests.stories.v2.station import EVSE, TOKEN, event, visit

pytestmark = pytest.mark.usefixtures("ada")
VERSIONS = ("2.0.1", "2.1")
START, STOP = "RequestStartTransaction", "RequestStopTransaction"
ACCEPTED = {"status": "Accepted"}


async def remote_start(**options: Any) -> Command:
    """Ask for a start at EVSE 1 as console and API do."""

    def ask() -> Command:
        row = ChargingStation.objects.get()
        evse = row.evses.get(number=1)
        return commands.wait(remote.start(row, **{"id_token": "BO-1", "evse": evse} | options), timeout_s=5)

    return await rows(ask)


async def remote_stop() -> Command:
    def ask() -> Command:
        session = ChargingSession.objects.select_related("station").get()
        return commands.wait(remote.stop(session, requested_by="ada"), timeout_s=5)

    return await rows(ask)


async def outcome(command: Command, *, is_due: bool = False) -> RemoteRequest:
    """Follow up and return what is known; `is_due`: the time for it is over."""

    def look() -> RemoteRequest:
        if is_due:
            RemoteRequest.objects.exclude(due_at=None).update(due_at=clock.now() - timedelta(seconds=1))
        remote_watch.follow_up()
        return RemoteRequest.objects.select_related("session").get(command=command)

    return await rows(look)


def started(asked: Payload, **fields: Any) -> Payload:
    """Give the Started of a transaction that a remote start brought about."""
    info = {"remoteStartId": asked["remoteStartId"]}
    first = event("Started", 0, register_wh=1000, triggerReason="RemoteStart", evse=EVSE, info=info)
    return first | {"idToken": asked["idToken"]} | fields


async def asked(there: Station, action: str) -> Payload:
    """Return the last request of this kind."""
    return there.requests(action)[-1]


@pytest.mark.parametrize("version", VERSIONS)
async def test_f02_a_remote_start_is_known_by_its_id(server: Server, version: str) -> None:
    async with station(server, version, RequestStartTransaction=ACCEPTED) as there:
        command = await remote_start()
        request = await asked(there, START)
        await there.tell(started(request))

    found = await outcome(command)
    assert (request["evseId"], request["idToken"]) == (1, TOKEN)
    assert (found.state, found.session.transaction_id) == ("succeeded", "tx-1")


async def test_f02_another_session_of_the_same_token_is_not_taken_for_it(server: Server) -> None:
    async with station(server, RequestStartTransaction=ACCEPTED) as there:
        command = await remote_start()
        local = visit()[0] | {"evse": EVSE | {"id": 2}}
        local["transactionInfo"] |= {"transactionId": "local"}
        await there.tell(local, started(await asked(there, START)))

    assert (await outcome(command)).session.transaction_id == "tx-1"


async def test_f01_a_transaction_that_a_cable_began_is_named_by_the_answer(server: Server) -> None:
    answer = ACCEPTED | {"transactionId": "tx-1"}
    async with station(server, RequestStartTransaction=answer) as there:
        plugged = event("Started", 0, register_wh=1000, triggerReason="CablePluggedIn", evse=EVSE)
        await there.tell(plugged)
        command = await remote_start()
        waiting = await outcome(command)
        info = {"remoteStartId": (await asked(there, START))["remoteStartId"]}
        await there.tell(event("Updated", 1, triggerReason="RemoteStart", idToken=TOKEN, info=info))

    found = await outcome(command)
    assert (waiting.state, found.state, found.transaction_id) == ("accepted", "succeeded", "tx-1")


async def test_f02_a_group_travels_with_the_start(server: Server) -> None:
    await rows(lambda: IdToken.objects.update(group_id="FLEET", type="APP_USER"))
    async with station(server, RequestStartTransaction=ACCEPTED) as there:
        await remote_start()
        request = await asked(there, START)

    assert request["groupIdToken"] == {"idToken": "FLEET", "type": "Central"}
    assert request["idToken"]["type"] == "Central"


@pytest.mark.parametrize(
    ("reaction", "state", "reason"),
    [({"status": "Rejected"}, "refused", ""), ("InternalError", "refused", "error"), (None, "unknown", "")],
)
async def test_a_remote_start_that_is_refused_or_unanswered(
    server: Server, reaction: Any, state: str, reason: str
) -> None:
    async with station(server, RequestStartTransaction=reaction):
        command = await remote_start()
        found = await eventually(lambda: RemoteRequest.objects.filter(command=command).first())

    assert (found.state, found.reason) == (state, reason)


async def test_an_unanswered_remote_start_whose_transaction_comes_all_the_same_succeeds(
    server: Server,
) -> None:
    async with station(server, RequestStartTransaction=None) as there:
        command = await remote_start()
        await there.tell(started(await asked(there, START)))
        await eventually(lambda: RemoteRequest.objects.filter(command=command).exists())

    assert (await outcome(command)).state == "succeeded"


async def test_f02_no_car_within_the_time_fails(server: Server) -> None:
    async with station(server, RequestStartTransaction=ACCEPTED) as there:
        await there.status("Available")
        command = await remote_start()
        found = await outcome(command, is_due=True)

    assert (found.state, found.reason) == ("failed", "no_car")


@pytest.mark.parametrize("version", VERSIONS)
async def test_f03_a_remote_stop_ends_with_its_session(server: Server, version: str) -> None:
    events = visit()
    events[-1]["transactionInfo"] |= {"stoppedReason": "Remote"}
    async with station(server, version, RequestStopTransaction=ACCEPTED) as there:
        await there.tell(*events[:2])
        command = await remote_stop()
        await there.tell(*events[2:])
        request = await asked(there, STOP)

    found = await outcome(command)
    assert (request, found.state) == ({"transactionId": "tx-1"}, "succeeded")
    assert found.session.stop_reason == "Remote"


async def test_f03_a_station_that_does_not_know_the_transaction_refuses(server: Server) -> None:
    async with station(server, RequestStopTransaction={"status": "Rejected"}) as there:
        await there.tell(*visit()[:2])
        command = await remote_stop()

    found = await outcome(command)
    assert (found.state, found.reason) == ("refused", "session_unknown")


@pytest.mark.parametrize("word", ["Accepted", "Scheduled"])
async def test_b11_b12_a_reset_ends_with_the_boot(server: Server, word: str) -> None:
    async with station(server, Reset={"status": word}):
        command = await sent("Reset", {"type": "OnIdle"})
        waiting = await outcome(command)
    async with station(server):
        found = await outcome(command)

    assert (waiting.state, found.state) == ("accepted", "succeeded")


async def test_b11_a_reset_of_one_evse_brings_no_boot(server: Server) -> None:
    async with station(server, Reset=ACCEPTED):
        await sent("Reset", {"type": "Immediate", "evseId": 1})

    assert not await rows(RemoteRequest.objects.exists)


@pytest.mark.parametrize(
    "word", ["Unlocked", "UnlockFailed", "OngoingAuthorizedTransaction", "UnknownConnector"]
)
async def test_f05_what_became_of_an_unlock_is_kept(server: Server, word: str) -> None:
    async with station(server, UnlockConnector={"status": word}):
        command = await sent("UnlockConnector", {"evseId": 1, "connectorId": 1})

    assert command.result == {"status": word}
