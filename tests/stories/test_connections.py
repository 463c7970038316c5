"""One socket per station: takeover, late words of the old one, the end of a connection (cases H13, H16; quirk 19)."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

from stations.models import ChargingSession, ChargingStation, ConnectionEvent, Connector
from stations.services import connections
from tests.charger import Charger
from tests.processes import Server
from tests.stories.story import eventually, rows

Make = Callable[..., Charger]
START = {"connectorId": 1, "idTag": "BO-1", "meterStart": 1000, "timestamp": "2026-11-20T09:00:00Z"}


async def test_the_newest_connection_wins_and_the_old_one_is_closed(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as old, charger() as new:
        await old.connect()
        await new.connect()
        await asyncio.wait_for(old.wire.offline.wait(), 5)
        await new.heartbeat()
        await eventually(lambda: ConnectionEvent.objects.filter(closed_by="takeover").exists())
        assert (await rows(lambda: ChargingStation.objects.get(pk=ada.pk))).is_online


async def test_a_takeover_reaches_the_process_that_holds_the_old_socket(
    charger: Make, ada: ChargingStation, process_env: dict[str, str]
) -> None:
    other = Server(process_env)
    await asyncio.to_thread(other.start)
    try:
        async with charger() as old:
            await old.connect()
            async with Charger(f"{other.ws}/ocpp", "ADA-1", password=old.password) as new:
                await new.connect()
                await asyncio.wait_for(old.wire.offline.wait(), 5)
                await new.heartbeat()
    finally:
        await asyncio.to_thread(other.close)


async def test_a_station_is_offline_when_its_socket_is_gone(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.connect()
        assert (await rows(lambda: ChargingStation.objects.get(pk=ada.pk))).is_online
        await station.kill()
        await eventually(lambda: not ChargingStation.objects.get(pk=ada.pk).is_online)

    assert (await rows(ConnectionEvent.objects.get)).closed_by == "peer"


async def test_frames_that_were_read_before_the_end_are_processed(charger: Make) -> None:
    async with charger() as station:
        await station.connect()
        started = await station.call("StartTransaction", START)
        for minute in range(1, 6):
            sample = {
                "timestamp": f"2026-11-20T09:{minute:02}:00Z",
                "sampledValue": [{"value": str(1000 + minute)}],
            }
            payload = {"connectorId": 1, "transactionId": started["transactionId"], "meterValue": [sample]}
            await station.send_raw(f'[2,"m{minute}","MeterValues",{str(payload).replace(chr(39), chr(34))}]')
        await station.wire.close()

    await eventually(lambda: ChargingSession.objects.get().energy_wh == Decimal(5))


async def test_sockets_survive_the_kill_of_the_server_and_nothing_answered_is_lost(
    charger: Make, ada: ChargingStation, server: Server
) -> None:
    async with charger() as station:
        await station.connect()
        started = await station.call("StartTransaction", START)
        await asyncio.to_thread(server.kill)
        await asyncio.wait_for(station.wire.offline.wait(), 5)
        await asyncio.to_thread(server.start)
        await station.connect()
        again = await station.call("StartTransaction", START)
        await station.call(
            "StopTransaction",
            {
                "transactionId": started["transactionId"],
                "meterStop": 3000,
                "timestamp": "2026-11-20T09:30:00Z",
            },
        )

    assert again == started
    session = await rows(ChargingSession.objects.get)
    assert (session.status, session.energy_wh) == ("ended", Decimal(2000))


async def test_stations_of_a_killed_server_are_told_offline_by_the_sweep(
    charger: Make, ada: ChargingStation, server: Server
) -> None:
    async with charger() as station:
        await station.connect()
        await asyncio.to_thread(server.kill)
        released = await eventually(
            connections.release_orphans
        )  # once PostgreSQL has seen that the process is gone
        await asyncio.to_thread(server.start)

    assert released == 1
    assert not (await rows(lambda: ChargingStation.objects.get(pk=ada.pk))).is_online


async def test_a_living_server_keeps_its_stations_in_the_sweep(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.connect()
        assert await rows(connections.release_orphans) == 0


async def test_an_unchanged_status_is_not_logged_twice(charger: Make) -> None:
    payload = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
    async with charger() as station:
        await station.connect()
        for _ in range(3):
            await station.call("StatusNotification", payload)

    connector = await rows(lambda: Connector.objects.get(evse__number=1))
    assert await rows(lambda: connector.evse.status_changes.count()) == 1
