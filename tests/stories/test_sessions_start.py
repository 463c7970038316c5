"""StartTransaction (OCPP 1.6 section 4.8): offline, repeated, reordered, on a busy connector, by a stopped clock.

Field notes, quirks 1, 2, 10, 15 and 18; cases T1, T7, T9, T10 and T12 of the security notes.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stations.models import ChargingSession, ChargingStation, IdToken, ReviewItem
from stations.services import zombies
from tests.processes import Server
from tests.stories.raw import RawSocket, opened, verdicts
from tests.stories.story import eventually, rows
from tests.stories.visit import at, begun, done, session_of, start, stop, values

EPOCH = "1970-01-01T00:00:00Z"


@pytest.fixture
async def socket(server: Server, ada: ChargingStation) -> AsyncIterator[RawSocket]:
    """Give the socket of Ada's station."""
    async with opened(server) as found:
        yield found


async def count() -> int:
    return await rows(ChargingSession.objects.count)


async def test_case_t1_a_start_said_three_times_over_two_sockets_is_one_session(
    server: Server, ada: ChargingStation
) -> None:
    async with opened(server) as socket:
        ids = [await begun(socket), await begun(socket)]
    async with opened(server) as again:
        ids.append(await begun(again))

    assert (len(set(ids)), await count()) == (1, 1)


async def test_a_start_said_again_after_its_stop_gets_the_same_answer_and_reopens_nothing(
    socket: RawSocket,
) -> None:
    one = await begun(socket)
    await done(socket, "StopTransaction", stop(one))

    assert await begun(socket) == one
    assert ((await session_of(one)).status, await count()) == ("ended", 1)


async def test_a_start_for_an_unknown_token_said_again_is_one_session_and_one_item(socket: RawSocket) -> None:
    answers = [await done(socket, "StartTransaction", start(idTag="NOBODY")) for _ in range(2)]

    assert answers[0] == answers[1]
    assert answers[0]["idTagInfo"]["status"] == "Invalid"
    assert await rows(ReviewItem.objects.filter(kind="unauthorised_energy").count) == 1


async def test_a_clock_that_stands_still_tells_two_visits_apart_once_the_first_is_over(
    socket: RawSocket,
) -> None:
    first = await begun(socket, timestamp=EPOCH)
    assert await begun(socket, timestamp=EPOCH) == first
    await done(socket, "StopTransaction", stop(first, timestamp=EPOCH, meterStop=1000))

    second = await begun(socket, timestamp=EPOCH)
    assert await begun(socket, timestamp=EPOCH) == second
    await done(socket, "StopTransaction", stop(second, timestamp=EPOCH, meterStop=1000))
    third = await begun(socket, timestamp=EPOCH)

    assert len({first, second, third}) == await count() == 3
    assert await verdicts() == ["timestamp_implausible"] * 7


async def test_a_clock_set_to_its_firmwares_birthday_is_not_believed_either(socket: RawSocket) -> None:
    born = "2016-01-01T00:00:00Z"
    first = await begun(socket, timestamp=born)
    await done(socket, "StopTransaction", stop(first, timestamp=born, meterStop=1000))

    assert await begun(socket, timestamp=born) != first


async def test_case_t7_a_start_on_a_busy_connector_begins_and_the_older_session_ends_before_it(
    socket: RawSocket, settings: Any
) -> None:
    settings.OCPP_ZOMBIE_NEXT_START_S = 0.01
    old = await begun(socket)
    await done(socket, "MeterValues", values(10, "1500", transactionId=old))
    new = await begun(socket, timestamp=at(20), meterStart=1600, idTag="NOBODY")
    await done(socket, "MeterValues", values(25, "2000", transactionId=new))

    assert await eventually(lambda: zombies.sweep().closed) == 1
    closed = await session_of(old)
    assert (closed.status, closed.energy_wh, f"{closed.ended_at:%Y-%m-%dT%H:%M:%SZ}") == (
        "ended",
        500,
        at(10),
    )
    assert (await session_of(new)).status == "active"


async def test_case_t7_the_older_sessions_own_stop_still_counts(socket: RawSocket, settings: Any) -> None:
    settings.OCPP_ZOMBIE_NEXT_START_S = 0.01
    old = await begun(socket)
    new = await begun(socket, timestamp=at(20), meterStart=1600)
    assert await eventually(lambda: zombies.sweep().closed) == 1
    await done(socket, "StopTransaction", stop(old, meterStop=1600, timestamp=at(15)))

    closed = await session_of(old)
    assert (closed.energy_wh, closed.flags) == (600, ["closed_by:rule", "corrected"])
    assert (await session_of(new)).status == "active"


async def test_case_t9_a_session_of_forty_days_is_metered_to_the_end(socket: RawSocket) -> None:
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=40)

    def day(number: float) -> str:
        return f"{began + timedelta(days=number):%Y-%m-%dT%H:%M:%SZ}"

    one = await begun(socket, timestamp=day(0))
    for number in (0.5, 15, 39):
        sample = [{"timestamp": day(number), "sampledValue": [{"value": str(1000 + number * 1000)}]}]
        await done(socket, "MeterValues", {"connectorId": 1, "transactionId": one, "meterValue": sample})
    await done(socket, "StopTransaction", stop(one, timestamp=day(39.9), meterStop=41_000))

    found = await session_of(one)
    assert (found.status, found.energy_wh, found.needs_review) == ("ended", 40_000, False)


async def test_case_t10_a_token_blocked_in_mid_session_stops_no_record(socket: RawSocket) -> None:
    one = await begun(socket)
    await rows(lambda: IdToken.objects.update(status="Blocked"))
    await done(socket, "MeterValues", values(10, "1500", transactionId=one))
    answer = await done(socket, "StopTransaction", stop(one, idTag="BO-1"))

    found = await session_of(one)
    assert answer["idTagInfo"]["status"] == "Blocked"
    assert (found.status, found.energy_wh, found.authorization_status) == ("ended", 2000, "Accepted")


async def test_case_t12_an_offline_batch_of_five_hundred_is_stored_in_ten_seconds(socket: RawSocket) -> None:
    async with asyncio.timeout(10):
        for visit in range(125):  # a start, two readings and a stop each
            begins = visit * 0.5 - 100
            one = await begun(socket, timestamp=at(begins), meterStart=visit * 100)
            for step in (1, 2):
                await done(
                    socket,
                    "MeterValues",
                    values(begins + step / 10, str(visit * 100 + step), transactionId=one),
                )
            await done(
                socket, "StopTransaction", stop(one, timestamp=at(begins + 0.4), meterStop=visit * 100 + 50)
            )

    ended = await rows(lambda: list(ChargingSession.objects.filter(status="ended")))
    assert (len(ended), {session.energy_wh for session in ended}) == (125, {50})


async def test_quirk_15_a_start_without_a_register_begins_at_its_first_reading(socket: RawSocket) -> None:
    one = await begun(socket, meterStart="")
    for minute, register in ((5, "7000"), (10, "7600")):
        await done(socket, "MeterValues", values(minute, register, transactionId=one))
    await done(socket, "StopTransaction", stop(one, meterStop=8000))

    found = await session_of(one)
    assert (found.meter_start_wh, found.energy_wh) == (None, 1000)
    assert "begin_missing" in found.flags


async def test_quirk_18_available_before_the_stop_ends_nothing_within_the_grace(socket: RawSocket) -> None:
    one = await begun(socket)
    for word in ("Charging", "Available"):
        await done(socket, "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": word})
    assert (await rows(zombies.sweep)).closed == 0
    await done(socket, "StopTransaction", stop(one))

    found = await session_of(one)
    assert (found.status, found.energy_wh, found.flags) == ("ended", 2000, [])


async def test_quirk_18_available_for_long_without_a_stop_ends_it_and_the_stop_still_counts(
    socket: RawSocket, settings: Any
) -> None:
    settings.OCPP_ZOMBIE_AVAILABLE_S = 0.01
    one = await begun(socket)
    await done(socket, "MeterValues", values(10, "1500", transactionId=one))
    for word in ("Charging", "Available"):
        await done(socket, "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": word})
    assert await eventually(lambda: zombies.sweep().closed) == 1
    estimated = await session_of(one)
    await done(socket, "StopTransaction", stop(one))

    assert (estimated.energy_wh, estimated.flags) == (500, ["energy_estimated", "closed_by:rule"])
    assert (await session_of(one)).energy_wh == 2000
