"""MeterValues (OCPP 1.6 section 4.7): repeated, reordered, queued offline, with ids and connectors that lie.

Field notes, quirks 4, 6, 15, 16 and 18.
"""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from stations.models import ChargingSession, ChargingStation, MeterSample
from tests.processes import Server
from tests.stories.raw import RawSocket, opened, verdicts
from tests.stories.story import rows
from tests.stories.visit import at, begun, done, session_of, stop, values


@pytest.fixture
async def socket(server: Server, ada: ChargingStation) -> AsyncIterator[RawSocket]:
    """Give the socket of Ada's station."""
    async with opened(server) as found:
        yield found


async def test_readings_said_again_over_another_socket_are_stored_once(
    server: Server, ada: ChargingStation
) -> None:
    async with opened(server) as socket:
        one = await begun(socket)
        await done(socket, "MeterValues", values(5, "1500", transactionId=one))
    async with opened(server) as again:
        await done(again, "MeterValues", values(5, "1500", transactionId=one))

    assert ((await session_of(one)).energy_wh, await rows(MeterSample.objects.count)) == (500, 1)


async def test_readings_in_the_wrong_order_end_in_the_same_energy(socket: RawSocket) -> None:
    one = await begun(socket)
    for minute, register in ((20, "2500"), (5, "1200"), (10, "1500")):
        await done(socket, "MeterValues", values(minute, register, transactionId=one))
    running = await session_of(one)
    await done(socket, "StopTransaction", stop(one))

    ended = await session_of(one)
    assert (running.energy_wh, ended.energy_wh, ended.needs_review) == (1500, 2000, False)


async def test_readings_queued_offline_come_before_their_stop_over_the_next_socket(
    server: Server, ada: ChargingStation
) -> None:
    async with opened(server) as socket:
        one = await begun(socket)
    async with opened(server) as again:
        for minute in range(1, 6):
            await done(again, "MeterValues", values(minute, str(1000 + minute * 100), transactionId=one))
        await done(again, "StopTransaction", stop(one, timestamp=at(6), meterStop=1600))

    found = await session_of(one)
    assert (found.energy_wh, found.flags, await rows(MeterSample.objects.count)) == (600, [], 5)


async def test_readings_after_their_stop_belong_to_the_session_they_were_taken_in(socket: RawSocket) -> None:
    one = await begun(socket)
    await done(socket, "StopTransaction", stop(one))
    two = await begun(socket, timestamp=at(31), meterStart=3000)
    await done(socket, "MeterValues", values(20, "2500", transactionId=one))
    await done(socket, "MeterValues", values(25, "2700"))

    stored = await rows(lambda: set(MeterSample.objects.values_list("session_id", flat=True)))
    assert stored == {(await session_of(one)).pk}
    assert (await session_of(two)).energy_wh == 0


async def test_a_connector_and_an_id_that_nobody_knows_are_looked_up_at_once(socket: RawSocket) -> None:
    await done(socket, "MeterValues", values(5, "1500", connectorId=9, transactionId=4711))

    assert (await rows(MeterSample.objects.get)).session_id == 0
    assert await verdicts() == ["transaction_unknown"]


async def test_several_moments_in_one_message_are_told_apart(socket: RawSocket) -> None:
    one = await begun(socket)
    several = [
        {"timestamp": at(minute), "sampledValue": [{"value": str(1000 + minute * 100)}]}
        for minute in (1, 3, 2)
    ]
    await done(socket, "MeterValues", {"connectorId": 1, "transactionId": one, "meterValue": several})

    assert ((await session_of(one)).energy_wh, await rows(MeterSample.objects.count)) == (300, 3)


async def test_a_reading_far_in_the_past_or_future_moves_no_clock(socket: RawSocket) -> None:
    one = await begun(socket)
    for text, register in (("1970-01-01T00:00:00Z", "1100"), ("2099-01-01T00:00:00Z", "1200")):
        sample = [{"timestamp": text, "sampledValue": [{"value": register}]}]
        await done(socket, "MeterValues", {"connectorId": 1, "transactionId": one, "meterValue": sample})
    await done(socket, "StopTransaction", stop(one, meterStop=1300))

    found = await session_of(one)
    assert (found.energy_wh, found.ended_at.strftime("%Y-%m-%dT%H:%M:%SZ")) == (300, at(30))
    assert await verdicts() == ["", "timestamp_implausible", "timestamp_implausible", ""]


async def test_readings_outside_any_session_are_kept_with_their_connector(
    socket: RawSocket, ada: ChargingStation
) -> None:
    await done(socket, "MeterValues", values(5, {"value": "42", "context": "Sample.Clock"}, connectorId=2))

    kept = await rows(MeterSample.objects.get)
    second = await rows(lambda: ada.evses.get(number=2).pk)
    assert (kept.session_id, kept.evse_id, kept.value) == (0, second, Decimal(42))


async def test_an_empty_message_is_answered_and_flagged(socket: RawSocket) -> None:
    one = await begun(socket)
    await done(socket, "MeterValues", values(5, {"value": ""}, transactionId=one))

    assert await verdicts() == ["", "value_empty"]
    assert await rows(ChargingSession.objects.filter(energy_wh=0).count) == 1
