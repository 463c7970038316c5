"""Chargers that keep charging: people come, stay, idle and leave, for as long as the demo runs."""

import asyncio
from fractions import Fraction
from pathlib import Path
from secrets import SystemRandom
from typing import Any

from cpo.simulator.charger import Charger, NotAuthorized
from cpo.simulator.memory import Memory
from cpo.simulator.outlet import Car
from cpo.simulator.v2.charger import Charger as Charger2
from cpo.simulator.v2.charger import NotAuthorized as NotAuthorized2
from cpo.simulator.wire import CallFailed

METER_INTERVAL_S = 10  # short, so that a page visibly moves
FIRST_VISIT_S = 40  # the first CDR appears within a minute of `make run`
VISIT_S = (90, 300)
IDLE_S = (0, 0, 20, 60)
PAUSE_S = (5, 45)
KEEP_FRAMES = 200

chance = SystemRandom()

# A row each: connectors, power in W, direct current?, model
HARDWARE = (
    (2, 11_000, False, "Simulated AC 11"),
    (2, 22_000, False, "Simulated AC 22"),
    (1, 150_000, True, "Simulated DC"),
    (2, 22_000, False, "Simulated AC 22"),
    (1, 150_000, True, "Simulated DC"),
)
# What each speaks where the central system offers it: the first two that can, 2.0.1 and 2.1.
NEWER = {3: "2.0.1", 4: "2.1"}

AnyCharger = Charger | Charger2


def build(url: str, station_id: str, number: int, state: Path, password: str | None) -> AnyCharger:
    """The `number`th charger of the demo; models take turns."""
    connectors, power_w, is_dc, model = HARDWARE[number % len(HARDWARE)]
    options: dict[str, Any] = {
        "connectors": connectors,
        "power_w": power_w,
        "is_dc": is_dc,
        "model": model,
        "meter_interval_s": METER_INTERVAL_S,
        "memory": Memory(state / f"{station_id}.json"),
    }
    version = NEWER.get(number % len(HARDWARE))
    charger: AnyCharger
    if version is None:
        charger = Charger(url, station_id, password, **options)
    else:
        charger = Charger2(url, station_id, password, subprotocols=(f"ocpp{version}",), **options)
    charger.wire.keep_frames = charger.outbox.keep_answered = KEEP_FRAMES
    return charger


async def keep_charging(charger: AnyCharger, tokens: list[str]) -> None:
    """Stay connected and let cars come to every connector. Runs until cancelled."""
    visits = [visitors(charger, connector, tokens) for connector in charger.outlets]
    await asyncio.gather(charger.stay_online(), *visits)


async def visitors(charger: AnyCharger, connector: int, tokens: list[str]) -> None:
    """One car after the other at one connector."""
    await charger.wire.online.wait()
    duration_s = FIRST_VISIT_S
    while True:
        await visit(charger, connector, chance.choice(tokens), duration_s)
        duration_s = chance.randint(*VISIT_S)
        await asyncio.sleep(chance.randint(*PAUSE_S))


async def visit(charger: AnyCharger, connector: int, id_tag: str, duration_s: int) -> None:
    """One car, unless the connector is taken or the token refused."""
    outlet = charger.outlets[connector]
    if not charger.is_free(connector, id_tag):
        return
    car = Car(stored_wh=Fraction(chance.randint(6_000, 40_000)), max_power_w=outlet.max_power_w)
    try:
        await charger.charge(
            id_tag, None, duration_s, connector=connector, car=car, idle_s=chance.choice(IDLE_S)
        )
    except (NotAuthorized, NotAuthorized2, CallFailed) as refused:
        print(f"{charger.station_id}: {id_tag} may not charge: {refused}", flush=True)
