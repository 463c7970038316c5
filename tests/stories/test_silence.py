"""Connected, and not a word: half-open sockets end, operators hear of silent stations (threat 5, quirk 19)."""

from collections.abc import Iterator

import pytest

from stations.models import ChargingStation, ConnectionEvent, ReviewItem
from stations.services import connections, quirks
from tests.processes import Server
from tests.stories.raw import opened
from tests.stories.servers import QUICK
from tests.stories.story import eventually, rows


@pytest.fixture(scope="module")
def hasty(process_env: dict[str, str]) -> Iterator[Server]:
    """Give a server that takes a station for silent after about a second."""
    settings = {"OCPP_HEARTBEAT_INTERVAL_S": "1", "OCPP_SILENCE_FACTOR": "1", "OCPP_PING_INTERVAL_S": "0"}
    found = Server({**process_env, **QUICK, **settings})
    found.start()
    yield found
    found.close()


async def silent_item() -> ReviewItem:
    return await eventually(ReviewItem.objects.filter(kind="silent_station").first)


async def test_a_half_open_socket_of_a_silent_station_is_ended(hasty: Server, ada: ChargingStation) -> None:
    async with opened(hasty) as socket:
        assert await socket.lives()
        socket.socket.transport.pause_reading()
        await eventually(lambda: not ChargingStation.objects.get(pk=ada.pk).is_online)

    assert (await silent_item()).facts["answers_pings"] is False
    event = await rows(ConnectionEvent.objects.get)
    assert (event.closed_by, event.close_reason) == ("us", "silent: no message and no answer to a ping")


async def test_a_silent_station_that_answers_pings_is_kept_and_shown_once(
    hasty: Server, ada: ChargingStation
) -> None:
    async with opened(hasty) as socket:
        assert await socket.lives()
        item = await silent_item()
        assert item.facts["answers_pings"] is True
        assert await socket.lives()

    assert (await rows(ReviewItem.objects.get)).count == 1


async def test_a_station_that_knows_no_pong_must_dial_again_when_it_is_silent(
    hasty: Server, ada: ChargingStation
) -> None:
    await rows(lambda: quirks.override(ada, flag="ping_interval_s", value=0, by="Ada"))
    async with opened(hasty) as socket:
        assert await socket.lives()
        assert await socket.closed_with() == 1001


async def test_the_item_is_resolved_when_the_station_speaks_again(
    hasty: Server, ada: ChargingStation
) -> None:
    async with opened(hasty) as socket:
        assert await socket.lives()
        item = await silent_item()
        await rows(lambda: ChargingStation.objects.filter(pk=ada.pk).update(last_seen_at=item.last_at))
        assert await rows(connections.resolve_silence) == 0
        later = item.last_at.replace(year=item.last_at.year + 1)
        await rows(lambda: ChargingStation.objects.filter(pk=ada.pk).update(last_seen_at=later))
        assert await rows(connections.resolve_silence) == 1

    assert (await rows(ReviewItem.objects.get)).resolution == "it speaks again"
