"""What goes to a station and when: after its boot, not too much, and not for ever into silence (quirks 8, 9 and 19).

OCPP 1.6 sections 4.2 (BootNotification) and 5.17 (TriggerMessage).
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from stations.models import ChargingStation, Command, ConnectionEvent, StationQuirk
from stations.services import commands, quirks
from tests.processes import Server
from tests.stories.raw import RawSocket, opened, verdicts
from tests.stories.servers import QUICK, serving
from tests.stories.story import eventually, rows

BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
SETTLE_S = float(QUICK["OCPP_SETTLE_S"])


@pytest.fixture(scope="module")
def quick(process_env: dict[str, str]) -> Iterator[Server]:
    """Give a server that waits a second for a boot, lets a station settle for 0.3 s, and sends 300 a minute."""
    found = Server({**process_env, **QUICK, "OCPP_AUTOMATIC_PER_MINUTE": "300"})
    found.start()
    yield found
    found.close()


@pytest.fixture
def newcomer(ada: ChargingStation) -> ChargingStation:
    """Give Ada's station without the quirk that other stories need."""
    quirks.forget(ada, flag="no_boot_on_reconnect")
    return ada


async def queue(station: ChargingStation, action: str = "ClearCache", **options: Any) -> Command:
    """Queue a command whether the station is there or not."""
    return await rows(
        lambda: commands.queue(station, action=action, payload={}, queue_offline=True, **options)
    )


async def accept(socket: RawSocket) -> str:
    """Read the next command, accept it and return its action."""
    command = await socket.read()
    await socket.send(f'[3,"{command[1]}",{{"status":"Accepted"}}]')
    return str(command[2])


async def chatting(socket: RawSocket) -> int | None:
    """Send Heartbeats and answer nothing until the server closes the socket; return its code."""
    try:
        while True:
            await socket.send('[2,"h","Heartbeat",{}]')
            await socket.read()
    except ConnectionClosed:
        return socket.socket.close_code


async def quiet_for(socket: RawSocket, seconds: float) -> bool:
    """Whether nothing came for so long."""
    try:
        async with asyncio.timeout(seconds):
            await socket.socket.recv()
    except TimeoutError:
        return True
    return False


async def test_quirk_09_the_first_command_waits_until_the_boot_has_settled(
    quick: Server, newcomer: ChargingStation
) -> None:
    await queue(newcomer)
    async with opened(quick) as socket:
        await socket.call("BootNotification", BOOT)
        booted_at = time.monotonic()

        assert await accept(socket) == "ClearCache"
        assert time.monotonic() - booted_at >= SETTLE_S - 0.05


async def test_quirk_09_a_second_boot_on_the_same_socket_is_waited_for_too(
    quick: Server, newcomer: ChargingStation
) -> None:
    async with opened(quick) as socket:
        await socket.call("BootNotification", BOOT)
        await asyncio.sleep(SETTLE_S + 0.1)
        await socket.call("BootNotification", BOOT)
        await queue(newcomer)

        assert await quiet_for(socket, SETTLE_S - 0.15)
        assert await accept(socket) == "ClearCache"


async def test_quirk_08_a_repeated_boot_is_no_reboot(quick: Server, newcomer: ChargingStation) -> None:
    async with opened(quick) as socket:
        for _ in range(3):
            assert (await socket.call("BootNotification", BOOT))[2]["status"] == "Accepted"

    assert (await rows(lambda: ChargingStation.objects.get(pk=newcomer.pk))).boot_count == 1
    assert await verdicts() == ["", "boot_without_reboot", "boot_without_reboot"]


async def test_quirk_08_a_missing_boot_is_asked_for_once_and_the_station_served_meanwhile(
    quick: Server, newcomer: ChargingStation
) -> None:
    await rows(
        lambda: ChargingStation.objects.filter(pk=newcomer.pk).update(last_boot_at=newcomer.created_at)
    )
    async with opened(quick) as socket:
        assert await socket.lives()

        asked = await socket.read()
        await socket.send(f'[3,"{asked[1]}",{{"status":"Accepted"}}]')

        assert asked[2:] == ["TriggerMessage", {"requestedMessage": "BootNotification"}]
        assert await quiet_for(socket, 1.2)
        seen = await eventually(StationQuirk.objects.filter(flag="no_boot_on_reconnect").first)
    assert (seen.source, seen.count, seen.value) == ("detected", 1, True)


async def test_quirk_08_a_boot_that_was_asked_for_is_no_reboot(
    quick: Server, newcomer: ChargingStation
) -> None:
    async with opened(quick) as socket:
        assert await accept(socket) == "TriggerMessage"
        await socket.call("BootNotification", BOOT)
        await queue(newcomer)
        assert await accept(socket) == "ClearCache"

    assert (await rows(lambda: ChargingStation.objects.get(pk=newcomer.pk))).boot_count == 0


async def test_quirk_08_a_station_that_never_boots_on_reconnect_is_not_asked(
    quick: Server, ada: ChargingStation
) -> None:
    await queue(ada)
    async with opened(quick) as socket:
        assert await accept(socket) == "ClearCache"
        assert await quiet_for(socket, 1.2)


async def test_a_station_that_must_not_be_asked_is_spoken_to_without(
    quick: Server, newcomer: ChargingStation
) -> None:
    await rows(lambda: quirks.override(newcomer, flag="no_boot_trigger", value=True, by="Ada"))
    await queue(newcomer)
    async with opened(quick) as socket:
        assert await accept(socket) == "ClearCache"


async def test_commands_that_nobody_asked_for_come_slowly_and_let_others_pass(
    quick: Server, ada: ChargingStation
) -> None:
    for _ in range(2):
        await queue(ada, "GetLocalListVersion", priority=commands.AUTOMATIC)
    async with opened(quick) as socket:
        first = await socket.read()
        began = time.monotonic()
        await queue(ada)
        await socket.send(f'[3,"{first[1]}",{{"listVersion":0}}]')
        second, third = await accept(socket), (await socket.read())[2]

    assert (second, third) == ("ClearCache", "GetLocalListVersion")
    assert time.monotonic() - began >= 60 / 300 - 0.05


async def test_quirk_19_a_station_that_speaks_but_does_not_answer_must_dial_again(
    quick: Server, ada: ChargingStation
) -> None:
    await rows(lambda: quirks.override(ada, flag="redial_after_timeouts", value=2, by="Ada"))
    for _ in range(3):
        await queue(ada)
    async with opened(quick) as deaf:
        assert await chatting(deaf) == 1001
    async with opened(quick) as again:
        assert await accept(again) == "ClearCache"

    closed = await rows(lambda: ConnectionEvent.objects.order_by("epoch").first())
    assert (closed.close_code, closed.closed_by) == (1001, "us")
    assert "without an answer" in closed.close_reason


async def test_a_station_that_says_nothing_at_all_is_not_hung_up_on(
    quick: Server, ada: ChargingStation
) -> None:
    await rows(lambda: quirks.override(ada, flag="redial_after_timeouts", value=1, by="Ada"))
    await queue(ada)
    async with opened(quick) as mute:
        await eventually(lambda: Command.objects.filter(status="timed_out").exists())
        assert await mute.lives()


async def test_a_slow_station_is_given_its_time(quick: Server, ada: ChargingStation) -> None:
    await rows(lambda: quirks.override(ada, flag="call_timeout_s", value=5, by="Ada"))
    await queue(ada)
    async with opened(quick) as slow:
        command = await slow.read()
        await asyncio.sleep(1.3)
        await slow.send(f'[3,"{command[1]}",{{"status":"Accepted"}}]')
        await eventually(lambda: Command.objects.get().status == "answered")


async def test_the_configuration_of_a_new_station_is_read_after_an_operators_command(
    process_env: dict[str, str], newcomer: ChargingStation
) -> None:
    settings = {"OCPP_READ_CONFIGURATION_AFTER_BOOT": "1", "OCPP_SETTLE_S": "0.5"}
    async with serving(process_env, **settings) as server, opened(server) as socket:
        await socket.call("BootNotification", BOOT)
        await queue(newcomer)
        assert [await accept(socket), (await socket.read())[2]] == ["ClearCache", "GetConfiguration"]
