"""The session is a function of the set of its messages (docs/architecture.md): order and repetitions do not matter.

Real frames go through gate, codec, handlers, services and the group commit to the database; only the socket is missing.
"""

import asyncio
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from cpo.lib.threads import Workers
from stations.models import ChargingSession, ChargingStation, MeterSample
from stations.ocpp import codec, frames
from stations.ocpp.link import Link, load_parts
from stations.ocpp.pipeline import Pipeline
from stations.ocpp.writer import Writer
from tests import factories

BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
_ids = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Visit:
    """What a station metered: registers in Wh, one a minute; the transaction id that each message names."""

    meter_start: int
    registers: tuple[str, ...]
    meter_stop: int
    ids: tuple[str, ...]  # 'ours', 'none' or 'zero'


@dataclass(frozen=True, slots=True)
class Delivery:
    """How its messages arrive: the order of the readings, how often start and stop, where the socket breaks."""

    order: tuple[int, ...]
    starts: int = 1
    stops: int = 1
    afterwards: tuple[int, ...] = ()  # readings repeated after the stop
    breaks: frozenset[int] = frozenset()


@st.composite
def visits(draw: st.DrawFn) -> Visit:
    """Registers rise, stand still, fall to nought in mid-session, or skip a value."""
    start = draw(st.integers(0, 10_000_000))
    register, registers = Decimal(start), []
    for step in draw(st.lists(st.decimals(0, 5000, places=1), min_size=1, max_size=7)):
        register = Decimal(0) if draw(st.integers(0, 3)) == 0 else register + step
        registers.append(format(register, "f"))
    ids = draw(st.tuples(*[st.sampled_from(["ours", "ours", "none", "zero"])] * len(registers)))
    return Visit(start, tuple(registers), int(register) + draw(st.integers(1, 3000)), ids)


@st.composite
def deliveries(draw: st.DrawFn, count: int) -> Delivery:
    """Each reading at least once, in any order."""
    repeated = draw(st.lists(st.integers(0, count - 1), max_size=3))
    return Delivery(
        order=tuple(draw(st.permutations([*range(count), *repeated]))),
        starts=draw(st.integers(1, 2)),
        stops=draw(st.integers(1, 2)),
        afterwards=tuple(draw(st.lists(st.integers(0, count - 1), max_size=2))),
        breaks=draw(st.frozensets(st.integers(0, 9), max_size=2)),
    )


class Station:
    """A station whose frames reach the pipeline without a socket."""

    def __init__(self, pipeline: Pipeline, row: ChargingStation) -> None:
        self.pipeline, self.row, self.epoch = pipeline, row, 0

    async def connect(self) -> None:
        self.epoch += 1
        self.link = Link(station=self.row, version="1.6", epoch=self.epoch)
        await self.pipeline.workers.run(load_parts, self.link)

    async def say(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps([2, f"o{next(_ids)}", action, payload])
        call = codec.decode("1.6", text)
        assert isinstance(call, frames.Call)
        reply = await self.pipeline.answer(self.link, call, text=text, received_at=datetime.now(UTC))
        assert reply is not None
        answer = json.loads(reply)
        assert answer[0] == 3, answer
        found: dict[str, Any] = answer[2]
        return found

    async def tell(self, visit: Visit, delivery: Delivery) -> None:
        """Send the messages of a visit the way that the delivery says."""
        await self.connect()
        start = {"connectorId": 1, "idTag": "BO-1", "meterStart": visit.meter_start, "timestamp": at(0)}
        numbers = {
            (await self.say("StartTransaction", start))["transactionId"] for _ in range(delivery.starts)
        }
        (number,) = numbers
        for place, index in enumerate(delivery.order):
            if place in delivery.breaks:
                await self.connect()
            await self.say("MeterValues", reading(visit, index, number))
        stop = {"transactionId": number, "meterStop": visit.meter_stop, "timestamp": at(60)}
        for _ in range(delivery.stops):
            await self.say("StopTransaction", stop)
        for index in delivery.afterwards:
            await self.say("MeterValues", reading(visit, index, number))


def at(minute: int) -> str:
    return (BEGAN + timedelta(minutes=minute)).isoformat()


def reading(visit: Visit, index: int, number: int) -> dict[str, Any]:
    sample = {"timestamp": at(index + 1), "sampledValue": [{"value": visit.registers[index]}]}
    named = {"ours": {"transactionId": number}, "zero": {"transactionId": 0}, "none": {}}[visit.ids[index]]
    return {"connectorId": 1, "meterValue": [sample], **named}


@pytest.fixture
def runner(transactional_db: None, settings: Any) -> Iterator[asyncio.Runner]:
    """Give an event loop of the test's own: Hypothesis calls plain functions."""
    settings.OCPP_WRITER_LINGER_MS = 0.5
    factories.token("BO-1")
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
def pipeline(runner: asyncio.Runner) -> Iterator[Pipeline]:
    """Give the pipeline of a process, with its writer and one worker."""

    async def make() -> Pipeline:
        return Pipeline(Writer(), Workers(1, name="careful"))

    made = runner.run(make())
    yield made
    runner.run(made.writer.close())
    runner.run(made.workers.run(lambda: connection.close()))
    made.writer._drop_connection()
    made.workers.close()


def outcome(station: Station) -> tuple[Any, ...]:
    """What came of a visit, less the transaction id, which is random."""
    session = ChargingSession.objects.get(station=station.row)
    stored = MeterSample.objects.filter(session_id=session.pk).order_by("sampled_at")
    return (
        session.status, session.energy_wh, session.meter_start_wh, session.meter_stop_wh, session.started_at,
        session.ended_at, session.needs_review, list(stored.values_list("sampled_at", "value")),
    )  # fmt: skip


@hypothesis(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_order_and_repetitions_change_nothing_of_a_session(
    runner: asyncio.Runner, pipeline: Pipeline, data: st.DataObject
) -> None:
    visit = data.draw(visits())
    count = len(visit.registers)
    ways = [Delivery(tuple(range(count))), *data.draw(st.lists(deliveries(count), min_size=2, max_size=2))]
    stations = [Station(pipeline, factories.station(location=None)) for _ in ways]

    async def tell_all() -> None:
        told = zip(stations, ways, strict=True)
        await asyncio.gather(*(station.tell(visit, way) for station, way in told))

    runner.run(tell_all())

    ordered, *others = [outcome(station) for station in stations]
    assert others == [ordered, ordered]
