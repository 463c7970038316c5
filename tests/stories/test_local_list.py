"""The local authorization list over a real socket (1.6 section 3.5.2, 5.10 GetLocalListVersion, 5.15 SendLocalList)."""

from collections.abc import Callable
from typing import Any

import pytest

from stations.models import ChargingStation, Command, LocalList
from stations.services import authorization, local_list, local_list_contents
from tests.charger import Charger, NotAuthorized, answers, answers_late, keeps_silent, refuses
from tests.stories.story import eventually, rows

Make = Callable[..., Charger]
UPDATE, VERSION = "SendLocalList", "GetLocalListVersion"


@pytest.fixture(autouse=True)
def wanted(ada: ChargingStation) -> None:
    """Want a list for Ada's station, with Bo on it."""
    local_list.switch(ada, mode="on")


def work() -> str:
    """Do what the worker's sweeps do, without waiting between two steps, and return the list's state."""
    LocalList.objects.filter(state="stale").update(next_try_at=None)
    local_list_contents.refresh_if_marked()
    local_list.sweep()
    return LocalList.objects.get().state


async def hurry() -> None:
    """Let the pause after a failure be over."""
    await rows(lambda: LocalList.objects.filter(state="failed").update(next_try_at=None))


async def becomes(state: str) -> LocalList:
    """Work until the list is in this state, and return it."""
    await eventually(lambda: work() == state)
    return await rows(LocalList.objects.get)


async def rests(action: str, status: str) -> Command:
    """Wait for a command with this outcome."""
    found = Command.objects.filter(action=action, status=status)
    return await eventually(lambda: found.last())


def held(station: Charger) -> dict[str, str]:
    return {uid: info["status"] for uid, info in station.local_list.entries.items()}


async def test_a_list_is_brought_to_a_station_that_comes_up(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        row = await becomes("in_step")

    assert held(station) == {"BO-1": "Accepted"}
    assert (row.version, row.reported_version, row.max_entries) == (1, 1, 500)
    assert station.calls(UPDATE, "in")[0]["updateType"] == "Full"


async def test_a_blocked_token_leaves_the_list_as_a_difference(charger: Make) -> None:
    await rows(lambda: [authorization.save_token(uid) for uid in ("CY-1", "DI-1", "EV-1")])
    async with charger() as station:
        await station.come_up()
        await becomes("in_step")
        await rows(lambda: authorization.save_token("CY-1", status="Blocked"))
        await eventually(lambda: work() == "in_step" and LocalList.objects.filter(version=2).exists())

    update = station.calls(UPDATE, "in")[1]
    assert (update["updateType"], update["localAuthorizationList"]) == ("Differential", [{"idTag": "CY-1"}])
    assert sorted(held(station)) == ["BO-1", "DI-1", "EV-1"]


async def test_a_long_list_comes_in_parts(charger: Make) -> None:
    await rows(lambda: [authorization.save_token(f"CY-{number}") for number in range(4)])
    async with charger() as station:
        station.configuration["SendLocalListMaxLength"].value = "2"
        await station.come_up()
        await becomes("in_step")

    kinds = [update["updateType"] for update in station.calls(UPDATE, "in")]
    assert (kinds, len(held(station))) == (["Full", "Differential", "Differential"], 5)


async def test_a_list_longer_than_the_station_can_hold_is_cut(charger: Make) -> None:
    await rows(lambda: [authorization.save_token(f"CY-{number}") for number in range(4)])
    async with charger() as station:
        station.configuration["LocalAuthListMaxLength"].value = "3"
        await station.come_up()
        await becomes("in_step")

    assert len(held(station)) == 3
    assert await rows(lambda: LocalList.objects.get().wanted.left_out) == 2  # type: ignore[union-attr]


async def test_a_list_that_is_switched_off_in_the_station_is_switched_on(charger: Make) -> None:
    async with charger() as station:
        station.configuration["LocalAuthListEnabled"].value = "false"
        await station.come_up()
        await becomes("in_step")

    assert {"key": "LocalAuthListEnabled", "value": "true"} in station.calls("ChangeConfiguration", "in")


async def test_a_list_that_was_lost_is_found_after_the_boot_and_sent_whole(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        await becomes("in_step")
        station.local_list.version, station.local_list.entries = 0, {}
        await station.kill()
        await station.come_up()
        await eventually(lambda: work() == "in_step" and LocalList.objects.filter(version=2).exists())

    assert held(station) == {"BO-1": "Accepted"}
    assert [u["updateType"] for u in station.calls(UPDATE, "in")] == ["Full", "Full"]


async def test_a_version_that_does_not_fit_is_followed_by_the_whole_list(charger: Make) -> None:
    await rows(lambda: [authorization.save_token(uid) for uid in ("CY-1", "DI-1", "EV-1")])
    async with charger() as station:
        await station.come_up()
        await becomes("in_step")
        station.local_list.version = 40
        await rows(lambda: authorization.save_token("CY-1", status="Blocked"))
        await eventually(lambda: work() == "in_step" and LocalList.objects.filter(version=41).exists())

    kinds = [update["updateType"] for update in station.calls(UPDATE, "in")]
    assert kinds == ["Full", "Differential", "Full"]
    assert station.local_list.version == 41


@pytest.mark.parametrize(
    ("action", "reaction"),
    [
        (VERSION, answers({"listVersion": -1})),
        (VERSION, refuses("NotImplemented")),
        (UPDATE, answers({"status": "NotSupported"})),
        (UPDATE, refuses("NotSupported")),
    ],
    ids=["-1", "no version", "not supported", "no update"],
)
async def test_a_station_without_lists_is_left_alone(charger: Make, action: str, reaction: Any) -> None:
    async with charger() as station:
        station.reactions[action] = reaction
        await station.come_up()
        row = await becomes("unsupported")

    assert row.problem


@pytest.mark.parametrize(
    "reaction", [answers({"status": "Failed"}), refuses("InternalError")], ids=["Failed", "error"]
)
async def test_a_list_that_is_refused_is_tried_again_later(charger: Make, reaction: Any) -> None:
    async with charger() as station:
        take, station.reactions[UPDATE] = station.reactions[UPDATE], reaction
        await station.come_up()
        row = await becomes("failed")
        station.reactions[UPDATE] = take
        await hurry()
        await becomes("in_step")

    assert (row.tries, row.next_try_at is not None) == (1, True)


async def test_an_update_without_an_answer_is_proved_by_the_version(charger: Make) -> None:
    async with charger() as station:
        take = station.reactions[UPDATE]

        async def takes_and_keeps_silent(charger: Charger, payload: dict[str, Any]) -> Any:
            await take(charger, payload)
            return await keeps_silent()(charger, payload)

        station.reactions[UPDATE] = takes_and_keeps_silent
        await station.come_up()
        await becomes("failed")
        await hurry()
        await becomes("in_step")

    assert len(station.calls(UPDATE, "in")) == 1


async def test_a_late_answer_counts(charger: Make) -> None:
    async with charger() as station:
        station.reactions[UPDATE] = answers_late(2, station.reactions[UPDATE])
        await station.come_up()
        await eventually(lambda: work() and Command.objects.filter(action=UPDATE, status="sent").exists())
        await rests(UPDATE, "timed_out")
        await eventually(lambda: LocalList.objects.filter(state="in_step").exists())

    assert len(station.calls(UPDATE, "in")) == 1


async def test_a_list_that_is_taken_away_is_emptied(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        await becomes("in_step")
        await rows(lambda: local_list.switch(ada, mode="off"))
        await becomes("off")

    assert held(station) == {}


async def test_a_station_decides_by_its_list_while_it_is_offline(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        await becomes("in_step")
        await station.kill()
        station.local_list.entries["CY-1"] = {"status": "Blocked"}
        session = await station.charge("BO-1", 1000, 600)
        with pytest.raises(NotAuthorized):
            await station.charge("CY-1", 1000, 600)

    assert session.meter_stop_wh - session.meter_start_wh == 1000  # type: ignore[operator]


async def test_a_station_that_authorizes_by_its_list_asks_nobody_before_the_start(charger: Make) -> None:
    async with charger() as station:
        station.configuration["LocalPreAuthorize"].value = "true"
        await station.come_up()
        await becomes("in_step")
        session = await station.charge("BO-1", 1000, 600)

    assert station.calls("Authorize") == []
    assert session.id_tag_status == "Accepted"


async def test_a_token_that_was_blocked_after_its_list_was_sent_is_refused_by_the_start(
    charger: Make,
) -> None:
    async with charger() as station:
        station.configuration["LocalPreAuthorize"].value = "true"
        await station.come_up()
        await becomes("in_step")
        await rows(lambda: authorization.save_token("BO-1", status="Blocked"))
        session = await station.charge("BO-1", 1000)

    assert (session.id_tag_status, session.reason) == ("Blocked", "DeAuthorized")


async def test_a_list_waits_for_a_station_that_is_away(ada: ChargingStation) -> None:
    for _ in range(3):
        assert await rows(work) == "stale"

    assert not await rows(Command.objects.exists)
