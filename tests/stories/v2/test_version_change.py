"""A station that comes back with another version: it keeps its sessions and commands, and its page shows the change."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from stations.models import ChargingSession, ChargingStation, Command, Evse
from stations.services import commands
from tests.processes import Server
from tests.stories.raw import RawSocket, opened
from tests.stories.story import eventually, rows
from tests.stories.v2.station import event, station, visit

BOOT_16 = {"chargePointVendor": "Volt", "chargePointModel": "V1"}
SOON = {"queue_offline": True}


async def started(socket: RawSocket) -> int:
    """Boot and start in the words of 1.6; give the transaction's number."""
    await socket.call("BootNotification", BOOT_16)
    start = {
        "connectorId": 1,
        "idTag": "BO-1",
        "meterStart": 1000,
        "timestamp": datetime.now(UTC).isoformat(),
    }
    answer = await socket.call("StartTransaction", start)
    return int(answer[2]["transactionId"])


async def stopped(socket: RawSocket, number: int) -> None:
    stop = {"transactionId": number, "meterStop": 5000, "timestamp": datetime.now(UTC).isoformat()}
    await socket.call("StopTransaction", stop)


async def told(socket: RawSocket, transaction_id: str) -> None:
    """Tell a whole visit in the words of 2.x."""
    for payload in visit():
        payload["transactionInfo"]["transactionId"] = transaction_id
        await socket.call("TransactionEvent", payload)


async def shown(path: str) -> str:
    """Give a page as the administrator sees it."""

    def look() -> str:
        client = Client()
        client.force_login(get_user_model().objects.get_or_create(username="ada", is_superuser=True)[0])
        return client.get(path).content.decode()

    return await rows(look)


async def version() -> str:
    found: ChargingStation = await rows(lambda: ChargingStation.objects.get(identity="ADA-1"))
    return found.ocpp_version


async def test_a_station_goes_from_1_6_to_2_0_1_to_2_1_and_back_with_all_its_sessions(
    server: Server, ada: Any
) -> None:
    spoken = []
    async with opened(server) as socket:
        await stopped(socket, await started(socket))
        spoken.append(await version())
    for newer in ("2.0.1", "2.1"):
        async with station(server, newer) as socket:
            await told(socket, f"tx-{newer}")
            spoken.append(await version())
    async with opened(server) as socket:
        await stopped(socket, await started(socket))
        spoken.append(await version())

    sessions = await rows(lambda: list(ChargingSession.objects.order_by("id")))
    assert spoken == ["1.6", "2.0.1", "2.1", "1.6"]
    assert [(s.status, s.evse_id is not None) for s in sessions] == [("ended", True)] * 4
    assert len({s.evse_id for s in sessions}) == 1
    assert await rows(lambda: Evse.objects.filter(station__identity="ADA-1", is_removed=False).count()) == 2
    history = await shown("/stations/ADA-1/?tab=history")
    assert [f"{former} before" in history for former in ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")] == [True] * 3
    assert "OCPP 1.6" in await shown("/stations/?version=1.6")
    assert "ADA-1" not in await shown("/stations/?version=2.1")


async def test_a_session_of_1_6_goes_on_while_its_station_speaks_2_x_and_ends_when_it_is_back(
    server: Server, ada: Any
) -> None:
    async with opened(server) as socket:
        number = await started(socket)
    async with station(server, "2.1") as socket:
        await socket.call(
            "TransactionEvent", event("Started", 0, register_wh=1, evse={"id": 2, "connectorId": 1})
        )
        running = await rows(
            lambda: list(ChargingSession.objects.active().values_list("evse__number", flat=True))
        )
    async with opened(server) as socket:
        await socket.call("BootNotification", BOOT_16)
        await stopped(socket, number)

    session = await rows(lambda: ChargingSession.objects.get(evse__number=1))
    assert sorted(running) == [1, 2]
    assert (session.status, session.energy_wh) == ("ended", 4000)


async def test_a_command_that_waited_in_words_of_1_6_has_failed_and_says_why(
    server: Server, ada: Any
) -> None:
    def wait() -> None:
        ada.refresh_from_db()
        commands.queue(ada, action="RemoteStartTransaction", payload={"idTag": "BO-1"}, **SOON)
        commands.queue(ada, action="Reset", payload={"type": "Hard"}, **SOON)
        commands.queue(ada, action="ClearCache", payload={}, **SOON)

    async with opened(server) as socket:
        await socket.call("BootNotification", BOOT_16)
    await eventually(lambda: not ChargingStation.objects.get(identity="ADA-1").is_online)
    await rows(wait)
    async with station(server, "2.0.1") as socket:
        sent = await socket.read()
        await socket.send(f'[3, "{sent[1]}", {{"status": "Accepted"}}]')
        await eventually(lambda: Command.objects.get(action="ClearCache").status == "answered")

    failed = await rows(lambda: list(Command.objects.filter(status="failed").order_by("id")))
    assert sent[2] == "ClearCache"
    assert [command.action for command in failed] == ["RemoteStartTransaction", "Reset"]
    assert all("speaks OCPP 2.0.1 now" in command.error_description for command in failed)
    assert "RemoteStartTransaction" in await shown("/stations/ADA-1/?tab=commands")
