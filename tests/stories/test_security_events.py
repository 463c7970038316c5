"""Security events over a real socket: stored, answered, alerted (1.6 security white paper A04)."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from stations.models import ChargingStation, Command, ReviewItem, SecurityEvent
from stations.services import commands
from tests.charger import Charger, accepts, timestamp
from tests.processes import Server
from tests.stories.raw import RawSocket, opened, verdicts
from tests.stories.story import eventually, rows

Make = Callable[..., Charger]
TAMPERED: dict[str, Any] = {
    "type": "TamperDetectionActivated",
    "timestamp": "2025-03-01T12:00:00Z",
    "techInfo": "lid open",
}


@pytest.fixture
async def ada_speaks(server: Server, ada: ChargingStation) -> AsyncIterator[RawSocket]:
    """Give the socket of Ada's station; it must live to the end."""
    async with opened(server) as socket:
        yield socket
        assert await socket.lives()


async def stored() -> list[SecurityEvent]:
    return await rows(lambda: list(SecurityEvent.objects.select_related("station").order_by("id")))


async def items() -> list[ReviewItem]:
    return await rows(lambda: list(ReviewItem.objects.order_by("id")))


async def test_a_critical_event_is_stored_confirmed_and_alerted(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        assert await station.call("SecurityEventNotification", TAMPERED) == {}
        [event] = await stored()
        [item] = await items()

    assert (event.station.identity, event.type, event.tech_info) == ("ADA-1", TAMPERED["type"], "lid open")
    assert (event.at, event.is_critical) == (datetime(2025, 3, 1, 12, tzinfo=UTC), True)
    assert (item.kind, item.summary) == ("security_event", "ADA-1: TamperDetectionActivated")


async def test_an_event_that_is_not_critical_is_stored_without_an_alert(ada_speaks: RawSocket) -> None:
    await ada_speaks.call("SecurityEventNotification", TAMPERED | {"type": "InvalidTLSVersion"})

    assert [event.is_critical for event in await stored()] == [False]
    assert await items() == []


async def test_an_event_of_a_makers_own_type_without_tech_info_is_stored(ada_speaks: RawSocket) -> None:
    event = {"type": "VoltDoorAjar", "timestamp": TAMPERED["timestamp"]}

    assert (await ada_speaks.call("SecurityEventNotification", event))[0] == 3
    assert [(found.type, found.tech_info) for found in await stored()] == [("VoltDoorAjar", "")]


@pytest.mark.parametrize("again", ["m1", "m2"])
async def test_an_event_that_is_sent_again_is_confirmed_and_stored_once(
    ada_speaks: RawSocket, again: str
) -> None:
    answers = [
        await ada_speaks.call("SecurityEventNotification", TAMPERED, message_id)
        for message_id in ("m1", again)
    ]

    assert [answer[2] for answer in answers] == [{}, {}]
    assert len(await stored()) == 1
    assert [item.count for item in await items()] == [1]


async def test_events_of_an_offline_time_are_stored_with_their_own_moments(charger: Make) -> None:
    moments = [f"2025-03-01T1{hour}:00:00Z" for hour in range(3)]
    async with charger() as station:
        await station.come_up()
        await station.kill()
        await station.come_up()
        for moment in moments:
            event = {"type": "ResetOrReboot", "timestamp": moment}
            assert await station.call("SecurityEventNotification", event) == {}

    assert [event.at.hour for event in await stored()] == [10, 11, 12]
    assert [item.count for item in await items()] == [3]


async def test_an_impossible_moment_is_replaced_by_ours_and_flagged(ada_speaks: RawSocket) -> None:
    await ada_speaks.call("SecurityEventNotification", TAMPERED | {"timestamp": "1970-01-01T00:00:07Z"})

    [event] = await stored()
    assert event.at == event.received_at
    assert "timestamp_implausible" in (await verdicts())[-1]


async def test_over_long_texts_are_kept_as_far_as_they_fit(ada_speaks: RawSocket) -> None:
    long = TAMPERED | {"type": "T" * 60, "techInfo": "i" * 300}

    assert (await ada_speaks.call("SecurityEventNotification", long))[0] == 3
    assert [(event.type, event.tech_info) for event in await stored()] == [("T" * 50, "i" * 255)]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"timestamp": "2025-03-01T12:00:00Z"}, "OccurenceConstraintViolation"),
        ({"type": "ResetOrReboot"}, "OccurenceConstraintViolation"),
        (TAMPERED | {"type": ["ResetOrReboot"]}, "TypeConstraintViolation"),
        (TAMPERED | {"severity": "high"}, "FormationViolation"),
    ],
)
async def test_a_broken_event_is_refused_with_its_code(
    ada_speaks: RawSocket, payload: dict[str, Any], code: str
) -> None:
    answer = await ada_speaks.call("SecurityEventNotification", payload)

    assert (answer[0], answer[2]) == (4, code)
    assert await stored() == []


async def test_a_restart_that_we_ordered_waits_for_nobody(charger: Make, ada: ChargingStation) -> None:
    def order() -> None:
        station = ChargingStation.objects.get(pk=ada.pk)
        commands.queue(station, action="Reset", payload={"type": "Soft"})

    async with charger() as station:
        station.reactions["Reset"] = accepts()
        await station.come_up()
        await rows(order)
        await eventually(lambda: Command.objects.filter(status="answered").exists())
        event = {"type": "ResetOrReboot", "timestamp": timestamp(datetime.now(UTC))}
        assert await station.call("SecurityEventNotification", event) == {}

    assert [event.type for event in await stored()] == ["ResetOrReboot"]
    assert await items() == []
