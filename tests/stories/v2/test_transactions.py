"""TransactionEvent over a real socket (E01 to E15, J02; case T6): in order, doubled, reordered, late, with gaps."""

import zlib
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from cpo.lib.database import parameters
from stations.models import ChargingSession, ChargingStation, Connector, MeterSample, TransactionEvent
from stations.services.transactions import LOCK_SPACE
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.station import EVSE, TOKEN, event, station, visit

pytestmark = pytest.mark.usefixtures("ada")
VERSIONS = ("2.0.1", "2.1")


async def only_session() -> ChargingSession:
    return await rows(ChargingSession.objects.get)


async def tell(server: Server, events: list[dict[str, Any]], version: str = "2.0.1") -> list[Any]:
    async with station(server, version) as socket:
        answers = [await socket.call("TransactionEvent", told) for told in events]
    assert [answer[0] for answer in answers] == [3] * len(events), answers
    return [answer[2] for answer in answers]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_visit_is_stored_to_the_last_watt_hour(server: Server, version: str) -> None:
    answers = await tell(server, visit(), version)

    session = await only_session()
    assert answers[0]["idTokenInfo"]["status"] == "Accepted"
    assert (session.status, session.energy_wh) == ("ended", Decimal(3000))
    assert (session.stop_reason, session.flags) == ("EVDisconnected", [])
    assert await rows(MeterSample.objects.count) == 4


async def test_a_running_transaction_shows_energy_and_state(server: Server) -> None:
    await tell(server, visit()[:3])

    session = await only_session()
    connector = await rows(lambda: Connector.objects.get(evse__number=1))
    assert (session.energy_wh, connector.status) == (Decimal(1500), "Charging")


@pytest.mark.parametrize("order", [(3, 0, 1, 2), (1, 2, 3, 0), (0, 2, 1, 3)])
async def test_t6_any_order_gives_the_same_session(server: Server, order: tuple[int, ...]) -> None:
    events = visit()

    await tell(server, [events[index] for index in order])

    session = await only_session()
    assert (session.energy_wh, session.id_token, session.status) == (Decimal(3000), "BO-1", "ended")
    assert session.flags == []


async def test_t6_doubled_events_count_once(server: Server) -> None:
    events = visit()

    await tell(server, [events[0], events[0], events[1], events[1], *events[1:], *events])

    assert (await only_session()).energy_wh == 3000
    assert await rows(TransactionEvent.objects.count) == 4


async def test_t6_a_sequence_with_a_gap_is_flagged_and_asked_about(server: Server) -> None:
    events = visit()
    async with station(server) as socket:
        for told in (events[0], events[3]):
            await socket.call("TransactionEvent", told)
        asked = await socket.read()
        assert asked[2:] == ["GetTransactionStatus", {"transactionId": "tx-1"}]

    assert (await only_session()).flags == ["events_missing"]


async def test_events_from_offline_time_arrive_after_the_reconnect(server: Server) -> None:
    events = [told | {"offline": True} for told in visit()]
    await tell(server, events[:1])

    await tell(server, events[1:])

    assert (await only_session()).energy_wh == 3000


async def test_a_token_that_nobody_knows_is_refused_but_its_energy_kept(server: Server) -> None:
    events = visit()
    events[0]["idToken"] = TOKEN | {"idToken": "STRANGER"}

    answers = await tell(server, events)

    session = await only_session()
    assert answers[0]["idTokenInfo"]["status"] in ("Invalid", "Unknown")
    assert (session.energy_wh, session.flags) == (Decimal(3000), ["unauthorised"])


async def test_e03_the_token_comes_before_the_evse(server: Server) -> None:
    authorized = event("Started", 0, triggerReason="Authorized", idToken=TOKEN)
    plugged = event("Updated", 1, triggerReason="CablePluggedIn", evse={"id": 2, "connectorId": 1})

    await tell(server, [authorized, plugged])

    session = await rows(lambda: ChargingSession.objects.select_related("evse").get())
    assert (session.evse.number, session.flags) == (2, [])


async def test_a_second_connector_of_an_evse_is_made_when_it_speaks(server: Server) -> None:
    status = {
        "timestamp": "2026-11-20T09:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 2,
    }  # fmt: skip
    async with station(server) as socket:
        assert (await socket.call("StatusNotification", status))[0] == 3

    found = await eventually(lambda: Connector.objects.filter(evse__number=1, number=2).first())
    assert found is not None
    assert found.status == "Available"


async def test_occupied_says_nothing_new_while_the_transaction_says_more(server: Server) -> None:
    occupied = {
        "timestamp": "2026-11-20T09:01:30Z", "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1,
    }  # fmt: skip
    async with station(server) as socket:
        for told in visit()[:2]:
            await socket.call("TransactionEvent", told)
        await socket.call("StatusNotification", occupied)
        await socket.call("TransactionEvent", event("Updated", 2, info={"chargingState": "SuspendedEV"}))

    found = await rows(lambda: Connector.objects.get(evse__number=1, number=1))
    assert found.status == "SuspendedEV"


async def test_readings_outside_of_a_transaction_are_kept(server: Server) -> None:
    clock_aligned = {"evseId": 0, "meterValue": visit()[1]["meterValue"]}
    async with station(server) as socket:
        assert (await socket.call("MeterValues", clock_aligned))[0] == 3

    assert (await rows(MeterSample.objects.get)).session_id == 0


async def test_c01_authorize_answers_about_a_token(server: Server) -> None:
    async with station(server) as socket:
        answer = await socket.call("Authorize", {"idToken": TOKEN})
        unknown = await socket.call("Authorize", {"idToken": TOKEN | {"idToken": "STRANGER"}})

    assert answer[2]["idTokenInfo"]["status"] == "Accepted"
    assert unknown[2]["idTokenInfo"]["status"] in ("Invalid", "Unknown")


async def test_g02_a_heartbeat_is_answered_with_the_time(server: Server) -> None:
    async with station(server) as socket:
        assert await socket.lives()


async def test_b01_boot_facts_are_kept(server: Server) -> None:
    async with station(server, "2.1"):
        pass

    found = await rows(ChargingStation.objects.get)
    assert (found.vendor, found.model, found.ocpp_version) == ("Volt", "V2", "2.1")


async def test_the_evse_of_an_update_may_differ_and_is_looked_at_closely(server: Server) -> None:
    events = [*visit()[:1], event("Updated", 1, evse=EVSE | {"id": 2}, register_wh=1500)]

    await tell(server, events)

    assert (await only_session()).energy_wh == 500


async def test_an_update_in_order_waits_for_nobody(server: Server) -> None:
    events = visit()
    number = zlib.crc32(f"{(await rows(ChargingStation.objects.get)).pk}:tx-1".encode()) - 2**31
    async with station(server) as socket:
        await socket.call("TransactionEvent", events[0])
        async with await psycopg.AsyncConnection.connect(**parameters("test")) as busy:
            await busy.execute("select pg_advisory_lock(%s, %s)", [LOCK_SPACE, number])
            answer = await socket.call("TransactionEvent", events[1])

    assert answer[2] == {}
    assert (await only_session()).energy_wh == 500
