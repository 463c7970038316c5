"""Quirks of a make at work on a socket: known at connect, at the first boot, or by what the station does."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.frames import Opcode

from stations.models import ChargingStation, Command, StationQuirk
from stations.services import commands, quirks
from tests.processes import Server
from tests.stories.raw import opened
from tests.stories.servers import QUICK
from tests.stories.story import eventually, rows

BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}


class Counting(ClientConnection):
    """A client that counts the pings it gets."""

    pings = 0

    def process_event(self, event: Any) -> None:
        self.pings += getattr(event, "opcode", None) is Opcode.PING
        super().process_event(event)


@pytest.fixture(scope="module")
def quick(process_env: dict[str, str]) -> Iterator[Server]:
    """Give a server that pings every 0.2 s."""
    found = Server({**process_env, **QUICK, "OCPP_PING_INTERVAL_S": "0.2"})
    found.start()
    yield found
    found.close()


async def pings_of(server: Server) -> int:
    """Stay connected for 0.7 s and return how often that was asked for a pong."""
    async with opened(server, create_connection=Counting) as socket:
        assert await socket.lives()
        await asyncio.sleep(0.7)
        return int(socket.socket.pings)  # type: ignore[attr-defined]


async def test_a_station_is_pinged_as_the_setting_says(quick: Server, ada: ChargingStation) -> None:
    assert await pings_of(quick) >= 2


async def test_quirk_19_a_make_that_knows_no_pong_is_never_pinged(
    quick: Server, ada: ChargingStation
) -> None:
    await rows(lambda: ChargingStation.objects.filter(pk=ada.pk).update(vendor="EN+"))

    assert await pings_of(quick) == 0


async def test_an_operators_word_changes_the_socket_that_is_open(quick: Server, ada: ChargingStation) -> None:
    async with opened(quick, create_connection=Counting) as socket:
        await rows(lambda: quirks.override(ada, flag="ping_interval_s", value=0, by="Ada"))
        await asyncio.sleep(0.1)
        assert await socket.lives()
        counted = socket.socket.pings  # type: ignore[attr-defined]
        await asyncio.sleep(0.6)
        assert socket.socket.pings == counted  # type: ignore[attr-defined]


async def test_quirk_09_the_first_boot_tells_the_make_and_how_long_it_settles(
    quick: Server, ada: ChargingStation
) -> None:
    await rows(lambda: commands.queue(ada, action="ClearCache", payload={}, queue_offline=True))
    async with opened(quick) as socket:
        await socket.call("BootNotification", BOOT | {"chargePointVendor": "Wall Box Chargers"})
        await asyncio.sleep(1)  # it settles for 20 s, others for 0.3 s

    assert (await rows(Command.objects.get)).status == "queued"


async def test_what_the_tolerances_let_pass_is_counted_per_station(
    quick: Server, ada: ChargingStation
) -> None:
    odd = {"connectorId": 1, "errorCode": "error", "status": "Available"}
    async with opened(quick) as socket:
        for _ in range(3):
            await socket.call("StatusNotification", odd)
        await socket.send("hello")
        await eventually(StationQuirk.objects.filter(flag="refused:not_json").exists)

    counts = await rows(
        lambda: dict(StationQuirk.objects.filter(source="detected").values_list("flag", "count"))
    )
    assert counts == {"enum_spelling:errorCode": 3, "refused:not_json": 1}


async def test_a_message_without_oddities_leaves_no_trace(quick: Server, ada: ChargingStation) -> None:
    async with opened(quick) as socket:
        await socket.call("BootNotification", BOOT)
        assert await socket.lives()
        await asyncio.sleep(0.5)

    assert not await rows(StationQuirk.objects.filter(source="detected").exists)
