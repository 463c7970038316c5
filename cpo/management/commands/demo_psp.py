"""`manage.py demo_psp`: a simulated payment service for the demo's payment pages, until it is stopped.

It also lets the demo's stations of 2.1 show QR codes, once, as an operator would on their page.
"""

import os
import time
from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from cpo.pay import codes
from cpo.simulator.psp import PaymentService
from stations.models import ChargingStation, Evse
from stations.services import direct_payments, web_payment_codes
from stations.services.errors import StationsError

LOOK_S = 3
STICKERS = {"DEMO-2": 2}  # a connector that the simulated cars leave free


class Command(BaseCommand):
    help = "Run a simulated payment service where PAYMENT_PROVIDER_URL says, until it is stopped."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--state", type=Path, default=Path(os.environ.get("VAR", "var")) / "demo-payments.json",
            help="file of its memory",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        port = int(settings.PAYMENT_PROVIDER_URL.rpartition(":")[2])
        service = PaymentService(
            key=settings.PAYMENT_PROVIDER_KEY,
            secret=settings.PAYMENT_WEBHOOK_SECRET,
            port=port,
            state=options["state"],
        ).start()
        print(f"payments: demo payment service at {service.base}/", flush=True)
        for text in addresses():
            print(f"payments: {text}", flush=True)
        try:
            while True:
                let_show_codes()
                time.sleep(LOOK_S)
        except KeyboardInterrupt:
            service.stop()


def addresses() -> list[str]:
    """Say where somebody can pay in the demo."""
    rows = Evse.objects.filter(station__identity__in=STICKERS).select_related("station")
    return [
        f"pay at {evse.station.identity}, connector {evse.number}: {codes.sticker_url(evse)}"
        for evse in rows
        if STICKERS[evse.station.identity] == evse.number
    ]


def let_show_codes() -> None:
    """Give the demo's stations of 2.1 a secret as soon as they are there."""
    rows = ChargingStation.objects.filter(
        identity__startswith="DEMO-", is_online=True, web_payment_code=None, ocpp_version__startswith="2."
    )
    for station in rows:
        if direct_payments.is_spoken(station):
            with suppress(StationsError):
                web_payment_codes.set_up(station, requested_by="demo")
