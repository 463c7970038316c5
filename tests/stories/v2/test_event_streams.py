"""Periodic event streams of 2.1 over a real socket: opened, told in SEND frames, adjusted, closed (N11 to N15)."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, DeviceEvent, EventStream, Frame
from stations.services import event_streams, monitoring, variable_keys
from stations.services.errors import NotOpen
from stations.services.monitoring import Wanted
from tests.processes import Server
from tests.stories.raw import RawSocket, verdicts
from tests.stories.story import eventually, rows
from tests.stories.v2.device import asked, reply
from tests.stories.v2.station import TOKEN, at, station
from tests.stories.v2.test_device_events import TEMPERATURE
from tests.stories.v2.test_monitoring import do, monitor, report

pytestmark = pytest.mark.usefixtures("ada")
STREAM = {"id": 3, "variableMonitoringId": 7, "params": {"interval": 10, "values": 5}}


def values(*told: str, pending: int = 0) -> dict[str, Any]:
    """Give a NotifyPeriodicEventStream with a value a second."""
    data = [{"t": second, "v": word} for second, word in enumerate(told)]
    return {"id": 3, "pending": pending, "basetime": at(0), "data": data}


async def send(socket: RawSocket, payload: dict[str, Any], action: str = "NotifyPeriodicEventStream") -> None:
    """Put a SEND on the wire; the next answer is to something else."""
    await socket.send(json.dumps([6, "send-1", action, payload]))
    assert await socket.lives()


async def open_stream(socket: RawSocket) -> str:
    known = report(99) | {
        "monitor": [
            TEMPERATURE | {"variableMonitoring": monitor(7, severity=5, version="2.1")["variableMonitoring"]}
        ]
    }
    await socket.call("NotifyMonitoringReport", known)
    answer = await socket.call("OpenPeriodicEventStream", {"constantStreamData": STREAM})
    return str(answer[2]["status"])


async def test_n11_values_of_a_stream_are_those_of_its_monitor(server: Server) -> None:
    """OpenPeriodicEventStream and NotifyPeriodicEventStream (N11.FR.06, N15.FR.03)."""
    async with station(server, "2.1") as socket:
        assert await open_stream(socket) == "Accepted"
        await send(socket, values("20.5", "21"))

    found = await rows(lambda: list(DeviceEvent.objects.order_by("at")))
    assert [(row.component, row.name, row.value) for row in found] == [
        ("Connector", "Temperature", "20.5"), ("Connector", "Temperature", "21"),
    ]  # fmt: skip
    assert {(row.severity, row.monitor_id, row.trigger) for row in found} == {(5, 7, "Periodic")}


async def test_n15_fr_02_a_send_is_never_answered_but_in_the_journal(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await send(socket, values("1"))

    kinds = await rows(
        lambda: list(
            Frame.objects.filter(action="NotifyPeriodicEventStream").values_list("direction", "message_type")
        )
    )
    assert kinds == [("i", 6)]


async def test_n15_values_that_come_twice_count_once(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await open_stream(socket)
        for _ in range(2):
            await send(socket, values("1", "2", pending=4))

    assert await rows(DeviceEvent.objects.count) == 2
    assert (await rows(EventStream.objects.get)).pending == 4


@pytest.mark.parametrize(
    ("action", "payload", "verdict"),
    [
        ("NotifyPeriodicEventStream", {"id": 3}, "OccurrenceConstraintViolation"),
        ("Authorize", {"idToken": TOKEN}, "message_type"),
        ("NoSuchAction", {}, "message_type"),
    ],
)
async def test_a_send_that_cannot_be_used_is_not_answered(
    server: Server, action: str, payload: dict[str, Any], verdict: str
) -> None:
    async with station(server, "2.1") as socket:
        await send(socket, payload, action)

    assert verdict in await verdicts()


async def test_2_0_1_has_no_send(server: Server) -> None:
    async with station(server, "2.0.1") as socket:
        await socket.send(json.dumps([6, "send-1", "NotifyPeriodicEventStream", values("1")]))
        assert await socket.lives()

    assert not await rows(DeviceEvent.objects.exists)


async def test_n13_a_closed_stream_is_closed(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await open_stream(socket)
        answer = await socket.call("ClosePeriodicEventStream", {"id": 3})

    assert answer[2] == {}
    assert (await rows(EventStream.objects.get)).closed_at is not None


@pytest.mark.parametrize(("status", "interval_s"), [("Accepted", 60), ("Rejected", 10)])
async def test_n14_the_rate_is_adjusted(server: Server, status: str, interval_s: int) -> None:
    async with station(server, "2.1") as socket:
        await open_stream(socket)
        await do(lambda ada: event_streams.adjust(ada, stream_id=3, interval_s=60))
        question = await asked(socket, "AdjustPeriodicEventStream")
        await reply(socket, question, {"status": status})
        assert await socket.lives()

    assert question[3] == {"id": 3, "params": {"interval": 60}}
    assert (await rows(EventStream.objects.get)).interval_s == interval_s


async def test_n12_the_stations_list_of_streams_is_the_truth(server: Server) -> None:
    """GetPeriodicEventStream (N12.FR.01)."""
    async with station(server, "2.1") as socket:
        await open_stream(socket)
        await do(event_streams.read)
        question = await asked(socket, "GetPeriodicEventStream")
        await reply(socket, question, {"constantStreamData": [STREAM | {"id": 4}]})
        await eventually(lambda: EventStream.objects.filter(stream_id=4, closed_at=None).exists())

    assert await rows(lambda: EventStream.objects.get(stream_id=3).closed_at is not None)


async def test_n11_a_monitor_is_set_with_a_stream(server: Server) -> None:
    key = variable_keys.parse("Connector{1,1}/Temperature")
    wanted = [Wanted(key, "Periodic", Decimal(1), 8, stream_interval_s=10, stream_values=5)]
    async with station(server, "2.1") as socket:
        await do(lambda ada: monitoring.set_monitors(ada, wanted))
        question = await asked(socket, "SetVariableMonitoring")

    assert question[3]["setMonitoringData"][0]["periodicEventStream"] == {"interval": 10, "values": 5}


async def test_a_stream_is_asked_of_a_station_that_has_the_words(server: Server) -> None:
    from stations.services.errors import UnknownAction

    async with station(server, "2.0.1"):
        with pytest.raises(UnknownAction):
            await do(lambda ada: event_streams.adjust(ada, stream_id=3, interval_s=60))
    assert await rows(ChargingStation.objects.exists)


async def test_n11_fr_05_a_stream_too_many_is_rejected(server: Server) -> None:
    """The station sends events as before then."""
    now = clock.now()

    def fill() -> None:
        ada = ChargingStation.objects.get()
        EventStream.objects.bulk_create(
            EventStream(station=ada, stream_id=number, monitor_id=1, opened_at=now)
            for number in range(100, 100 + event_streams.STREAMS_AT_MOST)
        )

    await rows(fill)
    async with station(server, "2.1") as socket:
        assert await open_stream(socket) == "Rejected"


async def test_n13_a_stream_is_ended_by_clearing_its_monitor(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await open_stream(socket)
        await do(lambda ada: event_streams.close(ada, stream_id=3))
        question = await asked(socket, "ClearVariableMonitoring")
        await reply(socket, question, {"clearMonitoringResult": [{"id": 7, "status": "Accepted"}]})
        await socket.call("ClosePeriodicEventStream", {"id": 3})
        with pytest.raises(NotOpen):
            await do(lambda ada: event_streams.close(ada, stream_id=3))

    assert question[3] == {"id": [7]}


async def test_n15_fr_05_how_much_a_stream_sends_is_counted(server: Server) -> None:
    """Values of the last minutes, and how many wait: whether it should send more often."""
    data = [{"t": second, "v": "1"} for second in range(10)]
    now = (clock.now() - timedelta(minutes=1)).isoformat()
    async with station(server, "2.1") as socket:
        await open_stream(socket)
        await send(socket, {"id": 3, "pending": 12, "basetime": now, "data": data})

    assert await do(event_streams.rates) == {3: 2}
    assert (await rows(EventStream.objects.get)).pending == 12
