"""`manage.py ensure_server_certificates`: certificates for the TLS port of chargers, from our own authority."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from stations.services import server_certificates


class Command(BaseCommand):
    help = "Make what is missing or nearly expired and print the value for OCPP_TLS_CERTIFICATES."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", type=Path, required=True, help="where the files lie, mode 0700")
        parser.add_argument("--names", required=True, help="host names and addresses, comma between them")

    def handle(self, *args: Any, **options: Any) -> None:
        names = [name.strip().strip("[]") for name in options["names"].split(",") if name.strip()]
        files = server_certificates.ensure(options["folder"], names=names)
        self.stdout.write(",".join(str(file.resolve()) for file in files))
