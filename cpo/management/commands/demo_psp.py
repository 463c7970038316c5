"""`manage.py demo_psp`: a simulated payment service for the demo's payment pages, until it is stopped."""

import os
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from cpo.simulator.psp import PaymentService


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
        try:
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            service.stop()
