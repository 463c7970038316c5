"""Limits of sessions: kept by a station of 2.1 itself (E16), enforced by a remote stop on all others."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import (
    ChargingSession,
    ChargingStation,
    Command,
    RemoteRequest,
    ReviewItem,
    SessionLimit,
    StartLimit,
    Variable,
)
from stations.services import limited_starts, limits, remote_watch
from stations.services.errors import InvalidPayload, NotOpen
from tests import factories
from tests.charger import Charger, answers
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import Payload, Station, station
from tests.stories.v2.station import event, visit

pytestmark = pytest.mark.usefixtures("ada")
STOP = "RequestStopTransaction"
Make = Callable[..., Charger]


def supports(words: str) -> None:
    """Let the station tell which limits it can keep."""
    row = ChargingStation.objects.get()
    Variable.objects.create(station=row, component="TxCtrlr", name="SupportedLimits", value=words)


async def limited(**values: Any) -> SessionLimit:
    return await rows(lambda: limits.put(ChargingSession.objects.get(), **values, by="ada"))


async def swept() -> SessionLimit:
    await rows(limits.sweep)
    return await rows(SessionLimit.objects.get)


def at_limit(seq_no: int, wh: float, **limit: Any) -> Payload:
    """Give an Updated in which the station tells the limits that it keeps."""
    told = event("Updated", seq_no, register_wh=wh, triggerReason="LimitSet")
    told["transactionInfo"]["transactionLimit"] = limit
    return told


async def heard(there: Station, seq_no: int, wh: float = 1500) -> Payload:
    [answer] = await there.tell(event("Updated", seq_no, register_wh=wh))
    return answer


async def until_told(there: Station) -> list[Payload]:
    """Send updates until the limits have been told (the link hears of them by a wake-up); return the answers."""
    answers: list[Payload] = []
    while await rows(lambda: SessionLimit.objects.get().is_untold):
        assert len(answers) < 100, "it was never told"
        answers.append(await heard(there, len(answers) + 1))
    return answers


async def test_e16_fr_02_a_limit_is_told_once_in_the_next_answer(server: Server) -> None:
    await rows(lambda: supports("maxEnergy,maxTime,maxCost,maxSoC"))
    async with station(server, "2.1") as there:
        await there.tell(visit()[0])
        await limited(max_energy_wh=Decimal(2000), max_time_s=3600, max_soc_percent=80)
        answers = await until_told(there)
        more = await heard(there, len(answers) + 1)

    told = [answer["transactionLimit"] for answer in answers if "transactionLimit" in answer]
    assert told == [{"maxEnergy": 2000, "maxTime": 3600, "maxSoC": 80}]
    assert "transactionLimit" not in more


async def test_e16_fr_12_what_the_station_cannot_keep_is_not_told_but_kept_by_us(server: Server) -> None:
    await rows(lambda: supports("maxTime"))
    async with station(server, "2.1", RequestStopTransaction={"status": "Accepted"}) as there:
        await there.tell(visit()[0])
        await limited(max_energy_wh=Decimal(400))
        answers = await until_told(there)
        found = await swept()
        await eventually(lambda: there.requests(STOP))

    assert not any("transactionLimit" in answer for answer in answers)
    assert (found.reached, found.times_asked) == ("energy", 1)


async def test_e16_fr_03_what_the_station_keeps_is_not_stopped_twice(server: Server) -> None:
    async with station(server, "2.1", RequestStopTransaction={"status": "Accepted"}) as there:
        await there.tell(visit()[0])
        await limited(max_energy_wh=Decimal(500))
        await there.tell(at_limit(1, 1500, maxEnergy=500))
        kept = await swept()
        await there.tell(event("Updated", 2, register_wh=1700))
        exceeded = await swept()

    assert (kept.at_station, kept.reached) == ({"energy": "500"}, "")
    assert exceeded.reached == "energy"


async def test_e16_fr_17_a_limit_that_was_told_is_raised_not_unset(server: Server) -> None:
    await rows(lambda: supports("maxEnergy,maxTime"))
    async with station(server, "2.1") as there:
        await there.tell(visit()[0])
        await limited(max_energy_wh=Decimal(2000))
        count = len(await until_told(there))
        await limited(max_time_s=600)
        answer = {}
        while "transactionLimit" not in answer and count < 100:
            count += 1
            answer = await heard(there, count)

    assert answer["transactionLimit"]["maxTime"] == 600
    assert answer["transactionLimit"]["maxEnergy"] > 10**6


async def test_e16_fr_01_a_drivers_own_limit_is_kept_in_mind(server: Server) -> None:
    async with station(server, "2.1") as there:
        await there.tell(visit()[0], at_limit(1, 1500, maxSoC=80))

    found = await rows(SessionLimit.objects.get)
    assert (found.at_station, found.set_by) == ({"soc": "80"}, "station")


@pytest.mark.parametrize(
    ("limit", "kind"),
    [
        ({"max_energy_wh": Decimal(500)}, "energy"),
        ({"max_time_s": 60}, "time"),
        ({"max_soc_percent": 50}, "soc"),
    ],
)
async def test_an_older_station_is_stopped_at_the_limit(server: Server, limit: Any, kind: str) -> None:
    soc = {"value": 55, "measurand": "SoC"}
    async with station(server, "2.0.1", RequestStopTransaction={"status": "Accepted"}) as there:
        events = visit()
        events[1]["meterValue"][0]["sampledValue"].append(soc)
        await there.tell(*events[:2])
        await limited(**limit)
        found = await swept()
        await eventually(lambda: there.requests(STOP))

    assert (found.reached, there.requests(STOP)) == (kind, [{"transactionId": "tx-1"}])


async def test_an_older_station_is_stopped_at_a_cost(server: Server, ada: ChargingStation) -> None:
    await rows(lambda: factories.tariff(factories.element("ENERGY", "1.00"), at=ada.location))
    async with station(server, RequestStopTransaction={"status": "Accepted"}) as there:
        await there.tell(*visit()[:2])
        await limited(max_cost=Decimal(100))
        below = await swept()
        await limited(max_cost=Decimal("0.10"))
        above = await swept()

    assert (below.reached, above.reached) == ("", "cost")


async def test_a_station_of_1_6_is_stopped_too(charger: Make) -> None:
    async with charger() as there:
        there.reactions["RemoteStopTransaction"] = answers({"status": "Accepted"})
        await there.come_up()
        begun = (clock.now() - timedelta(minutes=5)).isoformat()
        await there.call(
            "StartTransaction", {"connectorId": 1, "idTag": "BO-1", "meterStart": 1000, "timestamp": begun}
        )
        await limited(max_time_s=60)
        found = await swept()

    assert (found.reached, found.times_asked) == ("time", 1)


async def test_a_stop_that_did_not_help_is_asked_for_again_later(server: Server) -> None:
    async with station(server, RequestStopTransaction={"status": "Rejected"}) as there:
        await there.tell(*visit()[:2])
        await limited(max_energy_wh=Decimal(1))
        await swept()
        at_once = await swept()
        past = clock.now() - timedelta(minutes=2)
        await rows(lambda: SessionLimit.objects.update(asked_at=past))
        later = await swept()

    assert (at_once.times_asked, later.times_asked) == (1, 2)


async def test_a_limit_that_cannot_be(server: Server) -> None:
    async with station(server) as there:
        await there.tell(*visit()[:2])
        with pytest.raises(InvalidPayload):
            await limited(max_energy_wh=Decimal(0))
        await there.tell(*visit()[2:])
        with pytest.raises(NotOpen):
            await limited(max_time_s=60)


async def test_a_session_that_goes_on_after_all_stops_is_handed_over(server: Server) -> None:
    async with station(server, RequestStopTransaction={"status": "Rejected"}) as there:
        await there.tell(*visit()[:2])
        await limited(max_energy_wh=Decimal(1))
        for _ in range(limits.TIMES):
            await swept()
            past = clock.now() - timedelta(minutes=2)
            await rows(lambda past=past: SessionLimit.objects.update(asked_at=past))
        assert not await rows(ReviewItem.objects.filter(key__startswith="limit:").exists)
        await swept()
        await swept()
        assert await eventually(lambda: len(there.requests(STOP)) == limits.TIMES)

    [item] = await rows(lambda: list(ReviewItem.objects.filter(key__startswith="limit:")))
    assert (item.kind, item.count, item.facts["kind"]) == ("command_outcome", 1, "energy")


async def begun(**values: Any) -> Command:
    """Start from afar with limits."""
    ada = await rows(lambda: ChargingStation.objects.get(identity="ADA-1"))
    return await rows(lambda: limited_starts.start(ada, id_token="BO-1", values=values))  # noqa: S106


async def test_limits_of_a_remote_start_become_those_of_its_session(server: Server) -> None:
    async with station(server, "2.1", RequestStartTransaction={"status": "Accepted"}) as there:
        await begun(max_energy_wh=Decimal(400), max_soc_percent=80)
        request = await eventually(lambda: there.requests("RequestStartTransaction") or None)
        first = visit()[0]
        first["transactionInfo"]["remoteStartId"] = request[0]["remoteStartId"]
        await there.tell(first)
        await eventually(lambda: RemoteRequest.objects.filter(state="accepted").exists())
        await rows(remote_watch.follow_up)
        found = await swept()

    assert (found.max_energy_wh, found.max_soc_percent, found.max_time_s) == (400, 80, None)
    assert await rows(lambda: StartLimit.objects.get().session_id) == found.session_id


async def test_limits_of_a_remote_start_hold_for_1_6_too(charger: Make) -> None:
    async with charger() as there:
        there.reactions["RemoteStartTransaction"] = answers({"status": "Accepted"})
        there.reactions["RemoteStopTransaction"] = answers({"status": "Accepted"})
        await there.come_up()
        await begun(max_time_s=60)
        past = (clock.now() - timedelta(minutes=5)).isoformat()
        await eventually(lambda: RemoteRequest.objects.filter(state="accepted").exists())
        started = {"connectorId": 1, "idTag": "BO-1", "meterStart": 1000, "timestamp": past}
        await there.call("StartTransaction", started)
        await rows(remote_watch.follow_up)
        await rows(limits.sweep)
        found = await rows(SessionLimit.objects.get)

    assert (found.reached, found.times_asked) == ("time", 1)


async def test_a_remote_start_with_a_limit_that_cannot_be_is_not_sent(server: Server) -> None:
    async with station(server, "2.1"):
        with pytest.raises(InvalidPayload):
            await begun(max_soc_percent=101)

    assert not await rows(StartLimit.objects.exists)
