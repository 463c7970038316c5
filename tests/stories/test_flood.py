"""Too much of something: messages of one station, boots and handshakes of all (threats 5 and 6; D4, D5, P8, T12)."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from stations.models import ChargingSession, ChargingStation, ConnectionEvent, ReviewItem
from stations.services import provisioning
from tests import factories
from tests.processes import Server
from tests.stories.raw import RawSocket, opened
from tests.stories.servers import QUICK, serving
from tests.stories.story import PASSWORD, eventually, rows
from tests.stories.visit import start

BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
AVAILABLE = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}


@pytest.fixture(scope="module")
def strict(process_env: dict[str, str]) -> Iterator[Server]:
    """Give a server that reads 50 messages a second and hangs up after half a second of a flood."""
    limits = {"OCPP_MESSAGES_PER_S": "50", "OCPP_MESSAGES_BURST": "20", "OCPP_FLOOD_S": "0.5"}
    found = Server({**process_env, **QUICK, **limits})
    found.start()
    yield found
    found.close()


async def pour(socket: RawSocket, action: str, payload: dict[str, Any], number: int) -> None:
    """Send so many messages without waiting for an answer."""
    for message_id in range(number):
        await socket.send(json.dumps([2, f"f{message_id}", action, payload]))


async def test_p08_a_storm_of_status_notifications_is_closed_and_shown(
    strict: Server, ada: ChargingStation
) -> None:
    async with opened(strict) as socket:
        await pour(socket, "StatusNotification", AVAILABLE, 500)
        assert await socket.closed_with() == 1008

    item = await eventually(ReviewItem.objects.filter(kind="flood").first)
    assert (item.station_id, item.facts["action"]) == (ada.pk, "StatusNotification")
    event = await eventually(ConnectionEvent.objects.exclude(closed_at=None).first)
    assert (event.closed_by, event.close_reason) == ("us", "too many messages")


async def test_d05_the_others_are_answered_during_a_flood(strict: Server, ada: ChargingStation) -> None:
    await rows(lambda: provisioning.set_password(factories.station("EVE-1"), password=PASSWORD))
    async with opened(strict, "EVE-1") as flooding, opened(strict) as calm:
        await pour(flooding, "StatusNotification", AVAILABLE, 500)
        began = time.monotonic()
        assert await calm.lives()
        assert time.monotonic() - began < 1
        assert await flooding.closed_with() == 1008


async def test_t12_a_station_that_waits_for_its_answers_is_slowed_and_never_closed(
    strict: Server, ada: ChargingStation
) -> None:
    async with opened(strict) as socket:
        began = time.monotonic()
        for _ in range(90):
            await socket.call("StatusNotification", AVAILABLE)
        assert time.monotonic() - began > 1.2  # (90 - 20) / 50 = 1.4

    assert await rows(ReviewItem.objects.count) == 0


async def test_transactions_do_not_queue_behind_what_is_slowed(
    process_env: dict[str, str], ada: ChargingStation
) -> None:
    limits = {"OCPP_MESSAGES_PER_S": "2", "OCPP_MESSAGES_BURST": "5"}
    async with serving(process_env, **limits) as slow, opened(slow) as socket:
        for _ in range(5):
            await socket.call("StatusNotification", AVAILABLE)
        began = time.monotonic()
        for minute in range(20):
            await socket.call("StartTransaction", start() | {"timestamp": f"2026-05-01T11:{minute:02}:00Z"})
        assert time.monotonic() - began < 20 / 2 - 3

    assert await rows(ChargingSession.objects.count) == 20


async def test_a_boot_is_pending_while_the_careful_lane_is_full(
    process_env: dict[str, str], ada: ChargingStation
) -> None:
    async with serving(process_env, OCPP_CAREFUL_BACKLOG="-1") as full, opened(full) as socket:
        answer = (await socket.call("BootNotification", BOOT))[2]

        assert (answer["status"], 30 <= answer["interval"] <= 90) == ("Pending", True)
        assert (await socket.call("StartTransaction", start()))[2]["idTagInfo"]["status"] == "Accepted"


async def test_a_handshake_too_many_is_told_to_come_later(
    process_env: dict[str, str], ada: ChargingStation
) -> None:
    async with serving(process_env, OCPP_HANDSHAKES_AT_ONCE="0") as crowded:
        with pytest.raises(InvalidStatus) as refused:
            async with opened(crowded):
                pass

    assert refused.value.response.status_code == 503
    assert 5 <= int(refused.value.response.headers["Retry-After"]) <= 30


async def test_d01_silent_connections_keep_nobody_out(strict: Server, ada: ChargingStation) -> None:
    host, port = strict.ws.removeprefix("ws://").split(":")
    silent = [await asyncio.open_connection(host, int(port)) for _ in range(100)]
    try:
        async with asyncio.timeout(2), opened(strict) as honest:
            assert await honest.lives()
    finally:
        for _, writer in silent:
            writer.close()
