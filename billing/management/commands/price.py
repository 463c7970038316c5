"""`manage.py price`: price the charging periods of a CDR with a tariff, and explain the result.

Prints one JSON object (billing/tariff/documents.py) and nothing else. A fault is one line on stderr, exit code 2.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError

from billing.tariff.documents import price_documents
from billing.tariff.errors import TariffError
from billing.tariff.periods import ReservationOutcome
from billing.tariff.shapes import SHAPES


class Command(BaseCommand):
    help = "Price the charging periods of an OCPI CDR with an OCPI tariff; prints JSON."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--tariff", required=True, metavar="FILE", help="tariff, list or envelope; - is stdin"
        )
        parser.add_argument("--cdr", required=True, metavar="FILE", help="CDR or envelope; - is stdin")
        parser.add_argument(
            "--time-zone", metavar="TZ", help="IANA zone of the location; default: what the CDR says"
        )
        parser.add_argument(
            "--ocpi", choices=sorted(SHAPES), help="version of the tariff; default: by its fields"
        )
        parser.add_argument(
            "--reservation",
            choices=[str(outcome) for outcome in ReservationOutcome],
            help="how a reservation ended; default: expired if nothing but the reservation is in the CDR",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        outcome = options["reservation"]
        try:
            report = price_documents(
                _read(options["tariff"]),
                _read(options["cdr"]),
                time_zone=options["time_zone"],
                version=options["ocpi"],
                reservation=ReservationOutcome(outcome) if outcome else None,
            )
        except TariffError as fault:
            raise CommandError(_one_line(str(fault)), returncode=2) from fault
        self.stdout.write(json.dumps(report, indent=2, ensure_ascii=False))


def _read(name: str) -> object:
    """Read a JSON file, numbers as Decimal."""
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return json.loads(raw.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_refuse)
    except OSError as fault:
        raise CommandError(_one_line(f"{name}: {fault.strerror}"), returncode=2) from fault
    except (ValueError, RecursionError) as fault:
        raise CommandError(_one_line(f"{name}: no JSON: {fault}"), returncode=2) from fault


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _one_line(text: str) -> str:
    return " ".join(text.split())
