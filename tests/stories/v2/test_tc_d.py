"""Part 6, chapter 3: the local authorization list (block D)."""

from typing import Any

import pytest

from stations.models import ChargingStation, LocalList
from stations.services import authorization, local_list, local_list_contents
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import Payload, Reaction, Station, sent, station

VERSIONS = ("2.0.1", "2.1")
UPDATE, VERSION = "SendLocalList", "GetLocalListVersion"
BO = {"idToken": {"idToken": "BO-1", "type": "ISO14443"}, "idTokenInfo": {"status": "Accepted"}}


@pytest.fixture(autouse=True)
def wanted(ada: ChargingStation) -> None:
    """Want a list for Ada's station, with Bo on it."""
    local_list.switch(ada, mode="on")


class Held:
    """The list of a station: what it was told."""

    def __init__(self, version: int = 0) -> None:
        self.version = version
        self.entries: dict[str, Payload] = {}

    def reactions(self) -> dict[str, Reaction]:
        return {VERSION: lambda _: {"versionNumber": self.version}, UPDATE: self.take}

    def take(self, payload: Payload) -> Payload:
        if payload["updateType"] == "Full":
            self.entries = {}
        elif payload["versionNumber"] <= self.version:
            return {"status": "VersionMismatch"}
        self.version = payload["versionNumber"]
        for entry in payload.get("localAuthorizationList") or []:
            self.entries[entry["idToken"]["idToken"]] = entry
            if "idTokenInfo" not in entry:
                del self.entries[entry["idToken"]["idToken"]]
        return {"status": "Accepted"}


def work() -> str:
    """Do what the worker's sweeps do, without waiting between two steps, and return the list's state."""
    LocalList.objects.filter(state="stale").update(next_try_at=None)
    local_list_contents.refresh_if_marked()
    local_list.sweep()
    return LocalList.objects.get().state


async def becomes(state: str) -> LocalList:
    await eventually(lambda: work() == state)
    return await rows(LocalList.objects.get)


async def updated(there: Station, count: int) -> Payload:
    """Wait for so many updates and return the last."""
    await eventually(lambda: work() == "in_step" and len(there.requests(UPDATE)) >= count)
    return there.requests(UPDATE)[-1]


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_d_01_csms_a_full_list_is_sent(server: Server, version: str) -> None:
    held = Held(version=1)
    async with station(server, version, **held.reactions()) as there:
        row = await becomes("in_step")

    update = there.requests(UPDATE)[0]
    assert (update["updateType"], update["localAuthorizationList"]) == ("Full", [BO])
    assert (row.version, row.reported_version) == (update["versionNumber"], held.version)


async def test_tc_d_02_csms_a_new_token_is_a_difference(server: Server) -> None:
    held = Held()
    await rows(lambda: [authorization.save_token(uid) for uid in ("CY-1", "DI-1")])
    async with station(server, **held.reactions()) as there:
        await becomes("in_step")
        await rows(lambda: authorization.save_token("EV-1", group_id="FLEET"))
        update = await updated(there, 2)

    [entry] = update["localAuthorizationList"]
    assert (update["updateType"], entry["idToken"]) == (
        "Differential",
        {"idToken": "EV-1", "type": "ISO14443"},
    )
    assert entry["idTokenInfo"]["groupIdToken"] == {"idToken": "FLEET", "type": "Central"}


async def test_tc_d_03_csms_a_token_that_goes_has_no_information(server: Server) -> None:
    held = Held()
    await rows(lambda: [authorization.save_token(uid) for uid in ("CY-1", "DI-1")])
    async with station(server, **held.reactions()) as there:
        await becomes("in_step")
        await rows(lambda: authorization.save_token("CY-1", status="Blocked"))
        update = await updated(there, 2)

    gone = {"idToken": {"idToken": "CY-1", "type": "ISO14443"}}
    assert (update["updateType"], update["localAuthorizationList"]) == ("Differential", [gone])
    assert sorted(held.entries) == ["BO-1", "DI-1"]


async def test_tc_d_04_csms_a_list_is_emptied(server: Server, ada: ChargingStation) -> None:
    held = Held()
    async with station(server, **held.reactions()) as there:
        await becomes("in_step")
        await rows(lambda: local_list.switch(ada, mode="off"))
        await becomes("off")

    update = there.requests(UPDATE)[-1]
    assert (update["updateType"], "localAuthorizationList" in update) == ("Full", False)
    assert held.entries == {}


async def told_version(server: Server, number: int) -> Any:
    """Ask a station for the version of its list that says this number; return its answer as we keep it."""
    async with station(server, GetLocalListVersion={"versionNumber": number}) as there:
        command = await sent(VERSION, {})
    assert there.requests(VERSION) == [{}]
    return command.result


async def test_tc_d_08_csms_the_version_of_a_list_is_asked(server: Server) -> None:
    assert await told_version(server, 7) == {"versionNumber": 7}


async def test_tc_d_09_csms_there_is_no_list(server: Server) -> None:
    assert await told_version(server, 0) == {"versionNumber": 0}


async def test_d01_a_mismatch_brings_the_whole_list(server: Server) -> None:
    held = Held()
    await rows(lambda: [authorization.save_token(uid) for uid in ("CY-1", "DI-1")])
    async with station(server, **held.reactions()) as there:
        await becomes("in_step")
        held.version = 99
        await rows(lambda: authorization.save_token("EV-1"))
        await eventually(lambda: work() == "in_step" and "EV-1" in held.entries)

    assert [update["updateType"] for update in there.requests(UPDATE)] == ["Full", "Differential", "Full"]


async def test_d01_a_list_that_is_refused_is_tried_again_later(server: Server) -> None:
    async with station(server, **Held().reactions() | {UPDATE: {"status": "Failed"}}):
        row = await becomes("failed")

    assert (row.problem, row.next_try_at is not None) == ("it answered Failed", True)


async def test_d01_an_update_without_an_answer_is_asked_about(server: Server) -> None:
    async with station(server, **Held().reactions() | {UPDATE: None}):
        row = await becomes("failed")

    assert row.reported_at is None


async def test_d02_a_station_without_lists_is_left_alone(server: Server) -> None:
    async with station(server, GetLocalListVersion="NotSupported"):
        assert (await becomes("unsupported")).content is None
