"""`manage.py demo_chargers`: simulated stations on real sockets that keep charging until they are stopped."""

import asyncio
import contextlib
import os
import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from cpo.simulator import demo

GRACE_S = 3  # to tell the central system that charging ends, before the process does


class Command(BaseCommand):
    help = (
        "Run simulated chargers against a central system: this one, or any other of OCPP-J 1.6, 2.0.1 or 2.1."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        home = os.environ.get("OPENCPO_URL", f"ws://127.0.0.1:{os.environ.get('PORT', '8000')}/ocpp/")
        parser.add_argument("--url", default=home, help="endpoint without the identity [OPENCPO_URL]")
        parser.add_argument(
            "--secure-url",
            default=os.environ.get("OPENCPO_SECURE_URL"),
            help="the same over TLS, for security profiles 2 and 3 [OPENCPO_SECURE_URL]",
        )
        parser.add_argument(
            "--stations", default="", help="identities, comma-separated; else as many as are spoken to"
        )
        parser.add_argument(
            "--tokens",
            default="DEMO-RFID-1,DEMO-EMP-1,DEMO-RFID-2,DEMO-EMP-2",
            help="id tags that charge: ours and the partner's",
        )
        parser.add_argument(
            "--password", default=os.environ.get("OPENCPO_DEMO_PASSWORD"), help="for Basic auth"
        )
        parser.add_argument(
            "--state",
            type=Path,
            default=Path(os.environ.get("VAR", "var")) / "demo",
            help="folder of their memories",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        named = [name.strip() for name in options["stations"].split(",") if name.strip()]
        stations = list(enumerate(named)) or spoken_to(settings.OCPP_VERSIONS)
        tokens = [name.strip() for name in options["tokens"].split(",") if name.strip()]
        chargers = [
            demo.build(options["url"], station, number, options["state"], options["password"])
            for number, station in stations
        ]
        for charger in chargers:
            charger.secure_url = options["secure_url"]
        self.stdout.write(f"{len(chargers)} simulated chargers at {options['url']}")
        asyncio.run(run(chargers, tokens))


def spoken_to(versions: list[str]) -> list[tuple[int, str]]:
    """Return the numbers and names of the demo's stations whose version is offered."""
    spoken = [demo.NEWER.get(number, "1.6") for number in range(len(demo.HARDWARE))]
    return [(number, f"DEMO-{number + 1}") for number, version in enumerate(spoken) if version in versions]


async def run(chargers: list[demo.AnyCharger], tokens: list[str]) -> None:
    """Charge until SIGTERM or SIGINT, then end what runs as far as the central system still listens."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    driving = [asyncio.create_task(demo.keep_charging(charger, tokens)) for charger in chargers]
    await asyncio.wait([asyncio.create_task(stop.wait()), *driving], return_when=asyncio.FIRST_COMPLETED)
    for charger in chargers:
        for transaction in charger.running.values():
            transaction.ask_to_stop("PowerLoss")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE_S):
            await asyncio.gather(*(ended(charger) for charger in chargers))
    for task in driving:
        task.cancel()
    results = await asyncio.gather(*driving, return_exceptions=True)
    await asyncio.gather(*(charger.close() for charger in chargers))
    for result in results:
        if isinstance(result, Exception):
            raise result


async def ended(charger: demo.AnyCharger) -> None:
    for running in [transaction.ended for transaction in charger.running.values()]:
        await running.wait()
