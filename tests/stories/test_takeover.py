"""Two connections of one station: the newest owns it, unless the older one may be the real one (cases H13 to H16)."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from stations.models import ChargingSession, ChargingStation, ConnectionEvent, HandshakeRejection, ReviewItem
from stations.services import connections
from tests.processes import Server
from tests.stories.raw import RawSocket, opened
from tests.stories.servers import QUICK, serving
from tests.stories.story import PASSWORD, basic, eventually, rows
from tests.stories.visit import start

ELSEWHERE = {"local_addr": ("127.0.0.2", 0)}  # another device: another address


@pytest.fixture(scope="module")
def quick(process_env: dict[str, str]) -> Iterator[Server]:
    """Give a server that waits half a second for a sign of life."""
    found = Server({**process_env, **QUICK})
    found.start()
    yield found
    found.close()


@pytest.fixture(scope="module")
def other(process_env: dict[str, str]) -> Iterator[Server]:
    """Give a second process of the same installation."""
    found = Server({**process_env, **QUICK})
    found.start()
    yield found
    found.close()


async def status_of(server: Server, **options: Any) -> int:
    """Try to connect as Ada's station and return the status of the answer."""
    try:
        async with opened(server, **options):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def half_open(socket: RawSocket) -> None:
    """Let the socket look as after a lost line: nothing is read any more, so no ping is answered."""
    socket.socket.transport.pause_reading()


async def kinds() -> list[str]:
    return await rows(lambda: list(ReviewItem.objects.values_list("kind", flat=True)))


async def test_h13_a_living_connection_is_kept_against_one_from_elsewhere(
    quick: Server, ada: ChargingStation
) -> None:
    async with opened(quick) as real:
        assert await status_of(quick, **ELSEWHERE) == 409
        assert await real.lives()

    assert await kinds() == ["duplicate_connection"]
    assert (await rows(HandshakeRejection.objects.get)).reason == "duplicate_connection"


async def test_h13_the_same_device_dials_again_and_owns_the_station_at_once(
    quick: Server, ada: ChargingStation
) -> None:
    async with opened(quick) as old, opened(quick) as new:
        assert await old.closed_with() == 1001
        assert await new.lives()

    assert await kinds() == []


async def test_h13_who_has_proved_himself_over_tls_takes_over_from_everywhere(
    process_env: dict[str, str], ada: ChargingStation
) -> None:
    await rows(lambda: ChargingStation.objects.filter(pk=ada.pk).update(security_profile=2))
    proxied = basic("ADA-1", PASSWORD) | {"X-Forwarded-Proto": "https"}
    async with serving(process_env, TRUSTED_PROXIES="127.0.0.1") as server:
        for address in ("203.0.113.7", "198.51.100.9"):
            headers = proxied | {"X-Forwarded-For": address}
            socket = await connect(
                f"{server.ws}/ocpp/ADA-1", subprotocols=["ocpp1.6"], additional_headers=headers
            )
        assert await RawSocket(socket, "ADA-1").lives()
        await socket.close()

    addresses = await rows(lambda: set(ConnectionEvent.objects.values_list("remote_address", flat=True)))
    assert addresses == {"203.0.113.7", "198.51.100.9"}


async def test_h14_a_half_open_connection_is_replaced_from_elsewhere_in_a_moment(
    quick: Server, ada: ChargingStation
) -> None:
    async with opened(quick) as gone:
        half_open(gone)
        async with asyncio.timeout(3), opened(quick, **ELSEWHERE) as new:
            assert await new.lives()


async def test_h13_a_living_connection_in_another_process_is_kept_too(
    quick: Server, other: Server, ada: ChargingStation
) -> None:
    async with opened(quick) as real:
        assert await status_of(other, **ELSEWHERE) == 409
        assert await real.lives()


async def test_h14_a_half_open_connection_in_another_process_is_replaced(
    quick: Server, other: Server, ada: ChargingStation
) -> None:
    async with opened(quick) as gone:
        half_open(gone)
        async with asyncio.timeout(4), opened(other, **ELSEWHERE) as new:
            assert await new.lives()


async def test_h15_a_ping_pong_of_two_devices_ends_after_three_takeovers(
    quick: Server, ada: ChargingStation
) -> None:
    async with opened(quick), opened(quick), opened(quick), opened(quick) as last:
        await eventually(lambda: ConnectionEvent.objects.filter(closed_by="takeover").count() == 3)
        statuses = [await status_of(quick) for _ in range(3)]
        assert await last.lives()

    assert statuses == [409] * 3
    assert set(await kinds()) == {"duplicate_connection"}
    assert await rows(lambda: ConnectionEvent.objects.count()) == 4


async def test_h15_damping_locks_no_station_out_whose_old_connection_is_dead(
    quick: Server, ada: ChargingStation
) -> None:
    async with opened(quick), opened(quick), opened(quick), opened(quick) as last:
        await eventually(lambda: ConnectionEvent.objects.filter(closed_by="takeover").count() == 3)
        half_open(last)
        async with opened(quick) as again:
            assert await again.lives()


async def test_h16_a_message_in_flight_at_a_takeover_is_neither_lost_nor_doubled(
    quick: Server, ada: ChargingStation
) -> None:
    async with opened(quick) as old:
        await old.send(f'[2,"s1","StartTransaction",{json.dumps(start())}]')
        async with opened(quick) as new:
            answer = await new.call("StartTransaction", start(), "s1")

    found = await rows(ChargingSession.objects.get)
    assert str(answer[2]["transactionId"]) == found.transaction_id


async def test_a_newer_connection_that_nobody_told_of_is_found_by_looking(
    quick: Server, ada: ChargingStation
) -> None:
    async with opened(quick) as old:
        assert await old.lives()
        await rows(lambda: ChargingStation.objects.filter(pk=ada.pk).update(epoch=7))
        assert await old.closed_with() == 1001

    await eventually(lambda: ConnectionEvent.objects.get().closed_by == "takeover")
    await rows(lambda: connections.closed(ada.pk, epoch=7, code=None, by="peer"))
