"""The same application under Daphne (docs/adr/0012)."""

import asyncio
import sys
from collections.abc import Iterator

import pytest

from stations.models import ChargingSession
from tests.charger import Charger
from tests.processes import Process, free_port
from tests.stories.story import PASSWORD, rows

pytestmark = pytest.mark.usefixtures("ada")


@pytest.fixture
def daphne(process_env: dict[str, str]) -> Iterator[int]:
    port = free_port()
    arguments = ["-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "cpo.asgi:application"]
    process = Process(arguments, process_env, lambda started: "Listening on" in started.output())
    assert sys.executable in process.command
    process.start()
    yield port
    process.close()


async def test_a_charger_charges_through_daphne(daphne: int) -> None:
    async with Charger(f"ws://127.0.0.1:{daphne}/ocpp", "ADA-1", password=PASSWORD) as station:
        await station.come_up()
        await asyncio.wait_for(station.charge("BO-1", energy_wh=3000, duration_s=600), 30)

    assert (await rows(ChargingSession.objects.get)).energy_wh == 3000
