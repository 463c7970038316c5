"""`manage.py seed_demo`: a small network to look at. Running it again changes nothing that is there."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from billing.services import tariffs
from roaming import registration
from roaming.models import Connection
from stations.models import Location, Operator, TokenGroup
from stations.services import authorization, local_list, locations, provisioning, token_groups

PARTNER_NAME = "Demo eMSP"

LOCATIONS: dict[str, dict[str, Any]] = {
    "harbour": {
        "name": "Harbour Square", "address": "Oosterdoksstraat 4", "city": "Amsterdam", "postal_code": "1011 DK",
        "country": "NLD", "latitude": Decimal("52.3765000"), "longitude": Decimal("4.9086000"),
        "time_zone": "Europe/Amsterdam",
    },
    "mill": {
        "name": "Mill Road Park and Ride", "address": "Mühlenstraße 12", "city": "Berlin", "postal_code": "10243",
        "country": "DEU", "latitude": Decimal("52.5051000"), "longitude": Decimal("13.4397000"),
        "time_zone": "Europe/Berlin",
    },
}  # fmt: skip

AC_22 = {"standard": "IEC_62196_T2", "format": "SOCKET", "power_type": "AC_3_PHASE", "max_voltage_v": 230,
         "max_amperage_a": 32, "max_power_w": 22_000}  # fmt: skip
DC_150 = {"standard": "IEC_62196_T2_COMBO", "format": "CABLE", "power_type": "DC", "max_voltage_v": 920,
          "max_amperage_a": 250, "max_power_w": 150_000}  # fmt: skip

STATIONS: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
    "DEMO-1": ("harbour", "Quay north", [AC_22, AC_22]),
    "DEMO-2": ("harbour", "Quay south", [AC_22, AC_22]),
    "DEMO-3": ("mill", "Entrance", [DC_150]),
}
# Those that speak a newer OCPP are there where it is offered.
NEWER_STATIONS: dict[str, tuple[str, tuple[str, str, list[dict[str, Any]]]]] = {
    "DEMO-4": ("2.0.1", ("mill", "Canal side", [AC_22, AC_22])),
    "DEMO-5": ("2.1", ("mill", "Canal side, fast", [DC_150, DC_150])),
}

OWN_TOKENS = {"DEMO-RFID-1": "Ada", "DEMO-RFID-2": "Bo", "DEMO-RFID-3": "Cleo"}


def component(kind: str, price: str, *, vat: str, step_size: int = 1) -> dict[str, Any]:
    return {"type": kind, "price": price, "vat": vat, "step_size": step_size}


def tariff(uid: str, elements: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": uid, "currency": "EUR", "tax_included": "NO",
        "elements": elements, "last_updated": "2026-01-01T00:00:00Z",
    }  # fmt: skip


TARIFFS = {
    "harbour": tariff(
        "AC-STANDARD",
        [
            {
                "price_components": [
                    component("ENERGY", "0.42", vat="21"),
                    component("FLAT", "0.35", vat="21"),
                ]
            },
            {"price_components": [component("PARKING_TIME", "3.00", vat="21", step_size=60)]},
        ],
    ),
    "mill": tariff(
        "DC-FAST",
        [
            {
                "price_components": [component("ENERGY", "0.49", vat="19")],
                "restrictions": {"start_time": "22:00", "end_time": "06:00"},
            },
            {"price_components": [component("ENERGY", "0.59", vat="19")]},
            {
                "price_components": [component("TIME", "6.00", vat="19", step_size=60)],
                "restrictions": {"min_duration": 2700},
            },
        ],
    ),
}


class Command(BaseCommand):
    help = (
        "Create the demo network: an operator, two locations, three stations, tariffs, tokens and a partner."
    )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        operator = locations.save_operator(
            settings.OPERATOR_COUNTRY_CODE,
            settings.OPERATOR_PARTY_ID,
            name="OpenCPO Demo",
            legal_name="OpenCPO Demo B.V.",
            currency="EUR",
        )
        places = {key: self._location(operator, key, fields) for key, fields in LOCATIONS.items()}
        newer = {
            key: row for key, (version, row) in NEWER_STATIONS.items() if version in settings.OCPP_VERSIONS
        }
        for identity, (place, name, connectors) in (STATIONS | newer).items():
            station, _ = provisioning.upsert_station(
                identity, location=places[place], name=name, security_profile=0
            )
            for number, fields in enumerate(connectors, start=1):
                evse_id = f"{'NL' if place == 'harbour' else 'DE'}*OCP*E{identity.replace('-', '')}*{number}"
                provisioning.ensure_connector(station, number=number, evse_id=evse_id, **fields)
        for key, data in TARIFFS.items():
            tariffs.assign(tariffs.save(data, operator=operator), location=places[key])
        for uid, driver in OWN_TOKENS.items():
            authorization.save_token(
                uid, name=driver, issuer="OpenCPO Demo", contract_id=f"NL-OCP-{uid[-1]:0>9}"
            )
        self._authorization(places["harbour"])
        self._partner()

    def _authorization(self, harbour: Location) -> None:
        """Make a family of two cards, and let the harbour's stations keep lists of who may charge; once."""
        if TokenGroup.objects.exists():
            return
        token_groups.save("DEMO-FAMILY", name="Ada and Bo", max_sessions=8)
        for uid in ("DEMO-RFID-1", "DEMO-RFID-2"):
            authorization.save_token(uid, group_id="DEMO-FAMILY")
        local_list.switch_site(harbour, is_on=True)

    def _location(self, operator: Operator, key: str, fields: dict[str, Any]) -> Location:
        found = Location.objects.filter(operator=operator, name=fields["name"]).first()
        return found or locations.save_location(operator=operator, **fields)

    def _partner(self) -> None:
        """Leave the partner process its registration token, once."""
        file = Path(os.environ.get("VAR", "var")) / "demo-partner-token"
        if Connection.objects.filter(name=PARTNER_NAME).exists():
            return
        _, token = registration.issue_token_a(PARTNER_NAME)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(token)
