"""StopTransaction (OCPP 1.6 section 4.10): repeated, reordered, for unknown transactions, without a register.

Field notes, quirks 3, 5, 10 and 16; cases T2, T3, T4, T5, T8 and T11 of the security notes.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from stations.models import (
    ChargingSession,
    ChargingStation,
    MeterSample,
    ReviewItem,
    SessionCorrection,
    UnmatchedStop,
)
from stations.services import provisioning, sessions, unmatched
from tests import factories
from tests.processes import Server
from tests.stories.raw import RawSocket, opened
from tests.stories.story import PASSWORD, rows
from tests.stories.visit import at, begun, done, session_of, start, stop, values


@pytest.fixture
async def socket(server: Server, ada: ChargingStation) -> AsyncIterator[RawSocket]:
    """Give the socket of Ada's station."""
    async with opened(server) as found:
        yield found


def closing(minute: int, register: str, **fields: Any) -> dict[str, Any]:
    return values(minute, {"value": register, "context": "Transaction.End"}, **fields)


async def test_case_t2_a_stop_said_three_times_is_one_end(server: Server, ada: ChargingStation) -> None:
    async with opened(server) as socket:
        one = await begun(socket)
        answers = [await done(socket, "StopTransaction", stop(one, idTag="BO-1")) for _ in range(2)]
    async with opened(server) as again:
        answers.append(await done(again, "StopTransaction", stop(one, idTag="BO-1")))

    assert answers == [{"idTagInfo": {"status": "Accepted"}}] * 3
    assert ((await session_of(one)).energy_wh, await rows(ReviewItem.objects.count)) == (2000, 0)


@pytest.mark.parametrize("lie", [-1, 0])
async def test_case_t3_an_offline_visit_said_three_times_is_one_session(socket: RawSocket, lie: int) -> None:
    one = await begun(socket)
    for _ in range(3):
        assert await done(socket, "StopTransaction", stop(lie, idTag="BO-1")) != {}

    found = await session_of(one)
    assert (found.status, found.energy_wh, "matched_stop" in found.flags) == ("ended", 2000, True)
    assert await rows(ReviewItem.objects.count) == 0


@pytest.mark.parametrize("lie", [-1, 0, 777])
async def test_case_t4_a_queue_in_the_wrong_order_makes_one_whole_session(
    socket: RawSocket, lie: int
) -> None:
    await done(socket, "StopTransaction", stop(lie, idTag="BO-1"))
    await done(socket, "MeterValues", values(10, "1500", transactionId=lie))
    one = await begun(socket)

    found = await session_of(one)
    assert (found.status, found.energy_wh, f"{found.ended_at:%Y-%m-%dT%H:%M:%SZ}") == ("ended", 2000, at(30))
    item = await rows(ReviewItem.objects.get)
    assert item.resolved_by == "station"


async def test_case_t4_over_another_socket_the_sweep_finds_the_two(
    server: Server, ada: ChargingStation
) -> None:
    async with opened(server) as socket:
        await done(socket, "StopTransaction", stop(-1, idTag="BO-1"))
    async with opened(server) as again:
        one = await begun(again)
        assert (await session_of(one)).status == "active"
        assert await rows(unmatched.match) == 1

    assert (await session_of(one)).energy_wh == 2000


async def test_case_t3_a_stop_that_fits_nothing_keeps_its_readings_until_it_is_merged(
    socket: RawSocket,
) -> None:
    data = [{"timestamp": at(15), "sampledValue": [{"value": "1.9", "unit": "kWh"}]}]
    one, _ = await begun(socket), await begun(socket, connectorId=2)
    await done(socket, "StopTransaction", stop(555, transactionData=data))
    orphan = await rows(lambda: UnmatchedStop.objects.select_related("item").get())
    assert (orphan.transaction_id, orphan.session_id, orphan.item.kind) == ("555", None, "unmatched_stop")

    session = await session_of(one)
    await rows(lambda: unmatched.merge(orphan, session, by="user:ada"))

    assert ((await session_of(one)).energy_wh, await rows(MeterSample.objects.count)) == (2000, 1)


async def test_case_t8_a_stop_with_impossible_values_is_answered_and_flagged(socket: RawSocket) -> None:
    one, two = await begun(socket), await begun(socket, connectorId=2, meterStart=5000)
    await done(socket, "StopTransaction", stop(one, timestamp=at(-60)))
    await done(socket, "StopTransaction", stop(two, meterStop=10, timestamp="2099-01-01T00:00:00Z"))

    first, second = await session_of(one), await session_of(two)
    assert (first.started_at, "stop_before_start" in first.flags) == (first.ended_at, True)
    assert (second.status, second.needs_review, second.energy_wh >= 0) == ("ended", True, True)


async def test_case_t11_the_number_of_another_stations_transaction_touches_it_not(
    server: Server, socket: RawSocket
) -> None:
    one = await begun(socket)
    other = await rows(lambda: factories.station("EVE-1", location=None))
    await rows(lambda: provisioning.set_password(other, password=PASSWORD))
    async with opened(server, "EVE-1") as theirs:
        await done(theirs, "StopTransaction", stop(one, idTag="BO-1"))

    assert (await session_of(one)).status == "active"
    assert (await rows(UnmatchedStop.objects.get)).station_id == other.pk


async def test_quirk_05_closing_values_give_the_register_that_a_stop_lacked(socket: RawSocket) -> None:
    one = await begun(socket)
    await done(socket, "MeterValues", values(20, "2500", transactionId=one))
    await done(socket, "StopTransaction", stop(one, meterStop=""))
    assert (await session_of(one)).energy_wh == 1500
    for _ in range(2):
        await done(socket, "MeterValues", closing(31, "3000", transactionId=one))

    found = await session_of(one)
    assert (found.status, found.energy_wh, found.meter_stop_wh) == ("ended", 2000, 3000)
    assert (await rows(SessionCorrection.objects.get)).energy_before_wh == 1500


async def test_quirk_05_closing_values_without_an_id_find_the_session_that_just_ended(
    socket: RawSocket,
) -> None:
    one = await begun(socket)
    await done(socket, "StopTransaction", stop(one))
    await done(socket, "MeterValues", closing(31, "3100"))

    assert (await session_of(one)).energy_wh == 2100


async def test_case_t5_closing_values_after_billing_are_attached_and_told(socket: RawSocket) -> None:
    one = await begun(socket)
    await done(socket, "StopTransaction", stop(one))
    await rows(lambda: ChargingSession.objects.update(billed_at="2026-01-01T00:00:00Z"))
    await done(socket, "MeterValues", closing(31, "3100", transactionId=one))

    assert ((await session_of(one)).energy_wh, await rows(MeterSample.objects.count)) == (2000, 1)
    assert (await rows(ReviewItem.objects.get)).facts["register_wh"] == "3100"


async def test_case_t5_other_readings_after_the_stop_are_attached_and_change_nothing(
    socket: RawSocket,
) -> None:
    one = await begun(socket)
    await done(socket, "StopTransaction", stop(one))
    await done(socket, "MeterValues", values(31, "3100", transactionId=one))

    assert (await session_of(one)).energy_wh == 2000
    assert (await rows(MeterSample.objects.get)).session_id == (await session_of(one)).pk
    assert await rows(ReviewItem.objects.count) == 0


async def test_the_real_stop_of_a_session_closed_by_hand_is_taken_once(socket: RawSocket) -> None:
    one = await begun(socket)
    session = await session_of(one)
    await rows(lambda: sessions.close(session, reason="replaced", by="user:ada"))
    for _ in range(3):
        await done(socket, "StopTransaction", stop(one))
    await done(socket, "StopTransaction", stop(one, meterStop=9000))

    found = await session_of(one)
    assert (found.energy_wh, found.flags) == (2000, ["closed_by:user:ada", "corrected"])
    assert await rows(SessionCorrection.objects.count) == 1
    assert (await rows(ReviewItem.objects.get)).kind == "unmatched_stop"


async def test_a_stop_without_a_reason_is_local_and_one_nobody_knows_is_kept(socket: RawSocket) -> None:
    one, two = await begun(socket), await begun(socket, connectorId=2)
    await done(socket, "StopTransaction", stop(one))
    await done(socket, "StopTransaction", stop(two, reason="Boredom"))

    assert [(await session_of(one)).stop_reason, (await session_of(two)).stop_reason] == ["Local", "Boredom"]


async def test_quirk_16_a_register_of_the_session_alone_is_told_from_the_meters_life(
    socket: RawSocket,
) -> None:
    one = await begun(socket, meterStart=500_000)
    for minute, register in ((5, "100"), (10, "900")):
        await done(socket, "MeterValues", values(minute, register, transactionId=one))
    await done(socket, "StopTransaction", stop(one, meterStop=501_000))

    assert (await session_of(one)).energy_wh == 1000


async def test_a_refused_token_that_charged_all_the_same_is_stored_to_the_end(socket: RawSocket) -> None:
    answer = await done(socket, "StartTransaction", start(idTag="NOBODY"))
    await done(socket, "StopTransaction", stop(answer["transactionId"], reason="DeAuthorized"))

    found = await session_of(answer["transactionId"])
    assert (found.status, found.energy_wh, found.authorization_status) == ("ended", 2000, "Invalid")
