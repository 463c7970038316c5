"""Authorization over a real socket (OCPP 1.6 sections 3.5, 4.1, 4.8 and 4.10; quirks 1 and 23; T10)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingSession, ChargingStation, Frame, IdToken, ReviewItem, UnknownToken
from stations.services import authorization, lost_permissions, token_groups
from tests import factories
from tests.charger import Charger
from tests.processes import Server
from tests.stories.raw import opened
from tests.stories.story import rows
from tests.stories.visit import at, done, session_of, start, stop

Make = Callable[..., Charger]
pytestmark = pytest.mark.usefixtures("ada")


async def token(uid: str = "BO-1", **fields: Any) -> None:
    await rows(lambda: authorization.save_token(uid, **fields))


async def told(server: Server, action: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Return the IdTagInfo that answers one message."""
    async with opened(server) as socket:
        info: dict[str, Any] = (await done(socket, action, payload))["idTagInfo"]
        return info


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "Accepted"),
        ({"status": "Blocked"}, "Blocked"),
        ({"expires_at": clock.now() - timedelta(days=1)}, "Expired"),
        ({"max_sessions": 0}, "ConcurrentTx"),
    ],
    ids=["accepted", "blocked", "expired", "no session"],
)
async def test_authorize_and_start_tell_the_same_of_a_token(
    server: Server, fields: dict[str, Any], expected: str
) -> None:
    await token(**fields)

    async with opened(server) as socket:
        asked = await done(socket, "Authorize", {"idTag": "BO-1"})
        started = await done(socket, "StartTransaction", start())

    assert [asked["idTagInfo"]["status"], started["idTagInfo"]["status"]] == [expected] * 2
    session = await session_of(started["transactionId"])
    assert session.authorization_status == expected


async def test_an_unknown_token_is_invalid_and_waits_for_the_operator(server: Server) -> None:
    assert (await told(server, "Authorize", {"idTag": "CY-1"}))["status"] == "Invalid"

    unknown = await rows(UnknownToken.objects.get)
    await rows(lambda: authorization.accept_unknown(unknown))

    assert (await told(server, "Authorize", {"idTag": "cy-1"}))["status"] == "Accepted"


async def test_every_answer_names_the_group(server: Server) -> None:
    await token(group_id="FLEET")
    async with opened(server) as socket:
        asked = await done(socket, "Authorize", {"idTag": "BO-1"})
        started = await done(socket, "StartTransaction", start())
        stopped = await done(socket, "StopTransaction", stop(started["transactionId"], idTag="BO-1"))

    groups = [each["idTagInfo"]["parentIdTag"] for each in (asked, started, stopped)]
    assert groups == ["FLEET"] * 3


async def test_a_blocked_group_stops_its_members_from_the_next_start_on(server: Server) -> None:
    await token(group_id="FLEET")
    async with opened(server) as socket:
        first = await done(socket, "StartTransaction", start())
        await rows(lambda: token_groups.save("FLEET", status="Blocked"))
        stopped = await done(socket, "StopTransaction", stop(first["transactionId"], idTag="BO-1"))
        second = await done(socket, "StartTransaction", start(timestamp=at(40), meterStart=3000))

    statuses = [each["idTagInfo"]["status"] for each in (first, stopped, second)]
    assert statuses == ["Accepted", "Blocked", "Blocked"]


async def test_a_token_bound_to_another_site_is_blocked_here(server: Server) -> None:
    await rows(lambda: authorization.save_token("BO-1", locations=[factories.location()]))

    async with opened(server) as socket:
        started = await done(socket, "StartTransaction", start())

    assert started["idTagInfo"] == {"status": "Blocked"}
    assert (await session_of(started["transactionId"])).authorization_status == "NotAtThisLocation"


async def test_a_repeated_start_of_a_token_with_one_session_is_the_same_session(server: Server) -> None:
    await token(max_sessions=1)
    async with opened(server) as socket:
        first = await done(socket, "StartTransaction", start())
        again = await done(socket, "StartTransaction", start())
        retold = await done(socket, "StartTransaction", start(connectorId=2))
        more = await done(socket, "StartTransaction", start(connectorId=2, timestamp=at(5)))

    assert again == first
    statuses = [each["idTagInfo"]["status"] for each in (first, retold, more)]
    assert statuses == ["Accepted", "Accepted", "ConcurrentTx"]


async def test_a_token_with_one_session_may_begin_another_after_its_stop(server: Server) -> None:
    await token(max_sessions=1)
    async with opened(server) as socket:
        first = await done(socket, "StartTransaction", start())
        stopped = await done(socket, "StopTransaction", stop(first["transactionId"], idTag="BO-1"))
        second = await done(socket, "StartTransaction", start(timestamp=at(40), meterStart=3000))

    assert stopped["idTagInfo"]["status"] == "Accepted"
    assert second["idTagInfo"]["status"] == "Accepted"
    assert not await rows(ReviewItem.objects.exists)


@pytest.mark.parametrize(
    ("stored", "presented", "flag"),
    [
        ("BO-1", "bo-1", ""),
        ("BO-1", "BO-1   ", "token_padding"),
        ("BO-1", "BO-1;VISA", "token_suffix"),
        ("04A1B2C3D4E5F607", "04A1B2C3D4E5F607\x00\xff~", "token_garbage"),
        ("NL-ABC-000000000000001", "NL-ABC-0000000000000", "token_truncated"),
    ],
)
async def test_a_spoilt_uid_charges_and_is_flagged(
    server: Server, stored: str, presented: str, flag: str
) -> None:
    await token(stored)
    async with opened(server) as socket:
        asked = await done(socket, "Authorize", {"idTag": presented})
        started = await done(socket, "StartTransaction", start(idTag=presented))
        await done(socket, "StopTransaction", stop(started["transactionId"], idTag=presented))
        assert await socket.lives()

    assert [asked["idTagInfo"]["status"], started["idTagInfo"]["status"]] == ["Accepted"] * 2
    session = await session_of(started["transactionId"])
    assert (session.status, [f for f in session.flags if f.startswith("token_")]) == (
        "ended",
        [flag] if flag else [],
    )
    assert await rows(lambda: Frame.objects.filter(verdict__contains=flag).count()) >= (2 if flag else 0)


async def test_an_offline_session_of_a_blocked_token_is_stored_and_flagged(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        await station.kill()
        await token(status="Blocked")
        offline = await station.charge("BO-1", 5000, 1800)
        await station.come_up()
        assert offline.start_record is not None
        assert offline.stop_record is not None
        await station.outbox.settled(offline.stop_record)
        session = await session_of(offline.id or 0)

    assert (session.status, session.energy_wh, session.authorization_status) == ("ended", 5000, "Blocked")
    assert session.flags == ["unauthorised"]


async def test_a_session_whose_token_is_blocked_meanwhile_goes_on_and_is_told_of(server: Server) -> None:
    async with opened(server) as socket:
        started = await done(socket, "StartTransaction", start())
        await token(status="Blocked")
        await rows(lost_permissions.sweep)
        running = await session_of(started["transactionId"])
        stopped = await done(socket, "StopTransaction", stop(started["transactionId"], idTag="BO-1"))

    assert (running.status, stopped["idTagInfo"]["status"]) == ("active", "Blocked")
    assert (await rows(ReviewItem.objects.get)).kind == "unauthorised_energy"


async def test_a_deauthorized_station_ends_the_session_that_it_was_refused(
    charger: Make, ada: ChargingStation
) -> None:
    await token(status="Blocked")
    async with charger() as station:
        await station.come_up()
        transaction = await station.charge("BO-1", 5000, authorize=False)

    session = await session_of(transaction.id or 0)
    assert (session.stop_reason, session.authorization_status) == ("DeAuthorized", "Blocked")


async def test_only_restricted_tokens_leave_the_plain_path(server: Server) -> None:
    await token("FREE")
    await token("BOUND", max_sessions=5)
    async with opened(server) as socket:
        for uid, connector in (("FREE", 1), ("BOUND", 2)):
            answer = await done(socket, "StartTransaction", start(idTag=uid, connectorId=connector))
            assert answer["idTagInfo"]["status"] == "Accepted"

    restricted = await rows(
        lambda: set(IdToken.objects.filter(is_restricted=True).values_list("uid", flat=True))
    )
    assert restricted == {"BOUND"}
    assert await rows(ChargingSession.objects.count) == 2
