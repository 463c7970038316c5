"""`manage.py demo_partner`: a simulated eMSP that registers itself over OCPI and receives what the platform pushes."""

import os
import time
import urllib.error
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from cpo.simulator.partner import Partner, Refused

TOKEN_FILE, STATE_FILE = "demo-partner-token", "demo-partner.json"  # noqa: S105  (names of files)
RETRY_S, LOOK_S = 2, 2
DRIVERS = "DEMO-EMP-1,DEMO-EMP-2"


class Command(BaseCommand):
    help = "Run a simulated roaming partner (eMSP) against a platform, until it is stopped."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        home = os.environ.get("PUBLIC_URL", f"http://127.0.0.1:{os.environ.get('PORT', '8000')}")
        parser.add_argument("--platform-url", default=home, help="base URL of the platform [PUBLIC_URL]")
        parser.add_argument("--port", type=int, default=0, help="where the partner listens on loopback")
        parser.add_argument("--tokens", default=DRIVERS, help="RFID cards of its drivers, comma-separated")
        parser.add_argument(
            "--state",
            type=Path,
            default=Path(os.environ.get("VAR", "var")),
            help="folder of its memory [VAR]",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        partner = Partner(port=options["port"], state=options["state"] / STATE_FILE)
        partner.start()
        print(f"partner: {partner.name} shows what it receives at {partner.base}/", flush=True)
        try:
            self._register(partner, options)
            self._push_tokens(partner, [uid.strip() for uid in options["tokens"].split(",") if uid.strip()])
            self._report(partner)
        except KeyboardInterrupt:
            pass
        finally:
            partner.save()
            partner.stop()

    def _register(self, partner: Partner, options: dict[str, Any]) -> None:
        """Register, unless an earlier start did; the platform may still be starting."""
        while True:
            try:
                if partner.is_registered:
                    if self._still_knows_us(partner):
                        return
                    partner.token_out = partner.credentials_url = ""
                token = self._token_a(options["state"])
                if token:
                    partner.register(f"{options['platform_url'].rstrip('/')}/ocpi/versions", token)
                    print("partner: registered", flush=True)
                    return
            except Refused as refused:
                print(f"partner: not registered: {refused}", flush=True)
            except (urllib.error.URLError, OSError):
                pass  # the platform is not there yet
            time.sleep(RETRY_S)

    @staticmethod
    def _still_knows_us(partner: Partner) -> bool:
        """Ask the platform whether our token is still good, and tell it our new address by the way."""
        if partner.ask("GET", partner.credentials_url).http == 401:
            return False
        partner.rotate()
        return True

    @staticmethod
    def _token_a(state: Path) -> str:
        """Return the token A that the platform's operator has given us."""
        given = os.environ.get("OPENCPO_DEMO_TOKEN_A", "")
        path = state / TOKEN_FILE
        return given or (path.read_text().strip() if path.exists() else "")

    @staticmethod
    def _push_tokens(partner: Partner, uids: list[str]) -> None:
        for uid in uids:
            answer = partner.push_token(uid, visual_number=uid)
            if answer.code != 1000:
                print(f"partner: token {uid} was not taken: HTTP {answer.http} {answer.body}", flush=True)

    @staticmethod
    def _report(partner: Partner) -> None:
        """Print each CDR and each fault once."""
        shown, faults = set(partner.books.cdrs), 0
        while True:
            for uid in [uid for uid in partner.books.cdrs if uid not in shown]:
                cdr = partner.books.cdrs[uid]
                cost = cdr["total_cost"].get("incl_vat", cdr["total_cost"]["excl_vat"])
                print(f"partner: CDR {uid}: {cdr['total_energy']} kWh, {cost} {cdr['currency']}", flush=True)
                shown.add(uid)
            for fault in partner.violations[faults:]:
                print(f"partner: fault in what was received: {fault}", flush=True)
            faults = len(partner.violations)
            partner.save()
            time.sleep(LOOK_S)
