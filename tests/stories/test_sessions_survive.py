"""Sessions survive kill -9 of the server and of the worker: none is lost, none is billed twice."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from billing.models import Cdr
from billing.services import cdrs
from billing.tasks import bill_sessions, sweep_unbilled
from stations.models import ChargingSession, ChargingStation
from stations.services import sessions
from tests import factories, services
from tests.processes import Process, Server, worker
from tests.stories.raw import opened
from tests.stories.story import eventually, rows
from tests.stories.visit import at, start, stop, values

GONE = (ConnectionClosed, InvalidHandshake, OSError, TimeoutError, EOFError)
VISITS = 25
ENDED_AT = factories.NOON + timedelta(hours=1)


@pytest.fixture
def mortal(process_env: dict[str, str]) -> Iterator[Server]:
    """Give a server of this test alone, to be killed."""
    found = Server({**process_env, "OCPP_SETTLE_S": "0.3"})
    found.start()
    yield found
    found.close()


async def soon(true: Callable[[], bool]) -> None:
    """Wait without asking the database."""
    deadline = time.monotonic() + 40
    while not true():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.002)


async def insist(server: Server, calls: list[tuple[str, Any]], answers: list[dict[str, Any]]) -> None:
    """Send what a charger's queue holds, in order, each until it was answered: with the same words over new sockets."""
    while len(answers) < len(calls):
        try:
            async with opened(server) as socket:
                while len(answers) < len(calls):
                    action, payload = calls[len(answers)]
                    words = payload(answers) if callable(payload) else payload
                    answer = await socket.call(action, words)
                    assert answer[0] == 3, answer
                    answers.append(answer[2])
        except GONE:
            await asyncio.sleep(0.05)


def visit(number: int) -> list[tuple[str, Any]]:
    """What a charger tells about its visit with this number, of 50 Wh."""
    begins, register = number * 2 - 100, number * 100

    def transaction_id(answers: list[dict[str, Any]]) -> int:
        return int(answers[number * 3]["transactionId"])

    def reading(answers: list[dict[str, Any]]) -> Any:
        return values(begins + 1, str(register + 30), transactionId=transaction_id(answers))

    def end(answers: list[dict[str, Any]]) -> Any:
        return stop(transaction_id(answers), timestamp=at(begins + 2), meterStop=register + 50)

    begin = start(timestamp=at(begins), meterStart=register)
    return [("StartTransaction", begin), ("MeterValues", reading), ("StopTransaction", end)]


async def test_a_server_killed_again_and_again_loses_and_doubles_no_session(
    mortal: Server, ada: ChargingStation
) -> None:
    chance, answers = random.Random(16), []  # type: ignore[var-annotated]
    calls = [call for number in range(VISITS) for call in visit(number)]
    queue = asyncio.create_task(insist(mortal, calls, answers))
    for _ in range(2):
        enough = len(answers) + chance.randint(5, 30)
        await soon(lambda: len(answers) >= min(enough, len(calls) - 5))  # noqa: B023 - waited for here
        await asyncio.to_thread(mortal.kill)
        await asyncio.to_thread(mortal.start)
    await asyncio.wait_for(queue, 30)

    found = await rows(lambda: list(ChargingSession.objects.all()))
    assert len({answer["transactionId"] for answer in answers[::3]}) == len(found) == VISITS
    assert {(s.status, s.energy_wh, tuple(s.flags)) for s in found} == {("ended", Decimal(50), ())}
    await eventually(lambda: not ChargingStation.objects.filter(is_online=True, owner="").exists())


def wait(true: Callable[[], bool]) -> None:
    """Wait for what a worker does."""
    deadline = time.monotonic() + 40
    while not true():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)


@pytest.fixture
def celery(process_env: dict[str, str]) -> Iterator[Process]:
    """Give a worker of this test alone, not yet started."""
    services.empty_redis()
    found = worker(process_env)
    yield found
    found.close()


def corrected(number: int) -> list[int]:
    """Give sessions that were closed by a rule, billed, and ended by their real stop afterwards."""
    station = factories.station()
    factories.tariff(at=station.location)
    made = [factories.session(station) for _ in range(number)]
    for session in made:
        factories.samples(session, (30, "4000"))
        sessions.close(session, reason="no sign", by="rule")
    assert cdrs.bill([session.pk for session in made]) == number
    for session in made:
        stopped = sessions.Stop(session.transaction_id, ENDED_AT, Decimal(6000), "Local")
        sessions.stop(station, facts=stopped)
    return [session.pk for session in made]


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_while_it_replaces_cdrs_leaves_one_of_each(celery: Process) -> None:
    ids = corrected(60)
    celery.start()
    for pk in ids:
        bill_sessions.delay([pk])
    wait(lambda: Cdr.objects.filter(is_credit=True).count() > 5)
    celery.kill()
    left = ChargingSession.objects.unbilled().count()
    celery.start()
    ChargingSession.objects.update(last_updated=factories.NOON)
    sweep_unbilled()
    wait(lambda: not ChargingSession.objects.unbilled().exists())

    standing = Cdr.objects.filter(is_credit=False, credit=None)
    assert left > 0
    assert {cdr.energy_wh for cdr in standing} == {Decimal(5000)}
    assert (standing.count(), Cdr.objects.count()) == (60, 180)
