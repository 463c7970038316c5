"""Chargers that keep charging: people come, stay, idle and leave, for as long as the demo runs."""

import asyncio
from fractions import Fraction
from itertools import count
from pathlib import Path
from secrets import SystemRandom
from typing import Any

from cpo.simulator.charger import Charger, NotAuthorized
from cpo.simulator.memory import Memory
from cpo.simulator.outlet import Car
from cpo.simulator.v2 import monitoring, payments
from cpo.simulator.v2.charger import Charger as Charger2
from cpo.simulator.v2.charger import NotAuthorized as NotAuthorized2
from cpo.simulator.wire import CallFailed

METER_INTERVAL_S = 10  # short, so that a page visibly moves
FIRST_VISIT_S = 40  # the first CDR appears within a minute of `make run`
VISIT_S = (90, 300)
IDLE_S = (0, 0, 20, 60)
PAUSE_S = (5, 45)
KEEP_FRAMES = 200
LEFT = ("DEMO-2", "DEMO-5")  # stations with a connector that only who pays on the web uses
SHOW_S = 5  # between two looks at the codes of a display
LOOK_S = 10  # between two looks of the monitors
FIRST_HOT, HOT_EVERY = 6, 120  # looks: an EVSE is too hot after a minute, then every twenty

chance = SystemRandom()

# A row each: connectors, power in W, direct current?, model
HARDWARE = (
    (2, 11_000, False, "Simulated AC 11"),
    (2, 22_000, False, "Simulated AC 22"),
    (1, 150_000, True, "Simulated DC"),
    (2, 22_000, False, "Simulated AC 22"),
    (2, 150_000, True, "Simulated DC"),
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
    visits = [
        visitors(charger, connector, tokens)
        for connector in charger.outlets
        if not is_left(charger, connector)
    ]
    watch = [keep_watch(charger)] if isinstance(charger, Charger2) else []
    if isinstance(charger, Charger2) and charger.memory is not None:
        watch.append(show_codes(charger, charger.memory.path.parent))
    await asyncio.gather(charger.stay_online(), *visits, *watch)


async def keep_watch(charger: Charger2) -> None:
    """Let EVSEs warm up while they charge, now and then one of them too much, and let the monitors look at it."""
    for turn in count(1):
        await asyncio.sleep(LOOK_S)
        warm_up(charger, is_hot=turn % HOT_EVERY == FIRST_HOT)
        if charger.wire.online.is_set():
            await monitoring.look(charger, LOOK_S)


def warm_up(charger: Charger2, *, is_hot: bool) -> None:
    """Go half of the way to the temperature that the power brings about; the first EVSE may be too hot."""
    for number, outlet in charger.outlets.items():
        felt = charger.model_of["EVSE", number, "Temperature"]
        aim = 25 + 35 * int(outlet.power_w) // max(outlet.max_power_w, 1)
        felt.value = "95" if is_hot and number == 1 else str((int(felt.value) + aim) // 2)


def is_left(charger: AnyCharger, connector: int) -> bool:
    """Whether a connector is left to who comes with a telephone: the last one of those that have several."""
    return charger.station_id in LEFT and connector == max(charger.outlets) > 1


async def show_codes(charger: Charger2, folder: Path) -> None:
    """Draw the QR codes of a display into files, and say once what they are (C25)."""
    said = False
    while True:
        shown = payments.show(charger, folder)
        if shown and not said:
            print(f"{charger.station_id}: shows QR codes, in {folder}/{charger.station_id}-*.svg", flush=True)
        said = bool(shown)
        await asyncio.sleep(SHOW_S)


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
