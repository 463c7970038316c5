"""OCPI 2.2.1: 2.3.0 without what it added, under its old names. What it has no word for is left out.

OCPI 2.2.1 types#Price, mod_locations, mod_tokens. Tariffs are rewritten by `billing.tariff`, which refuses what would
become another price.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from roaming.ocpi import v230
from roaming.ocpi.fields import Word
from stations.models import Connector, Evse, IdToken, Location

CONNECTORS_SINCE = frozenset({"MCS", "SAE_J3400"})  # mod_locations#ConnectorType is closed here
FACILITIES = frozenset(
    {"HOTEL", "RESTAURANT", "CAFE", "MALL", "SUPERMARKET", "SPORT", "RECREATION_AREA", "NATURE", "MUSEUM",
     "BIKE_SHARING", "BUS_STOP", "TAXI_STAND", "TRAM_STOP", "METRO_STATION", "TRAIN_STATION", "AIRPORT",
     "PARKING_LOT", "CARPOOL_PARKING", "FUEL_STATION", "WIFI"}
)  # fmt: skip
CAPABILITIES = frozenset(
    {"CHARGING_PROFILE_CAPABLE", "CHARGING_PREFERENCES_CAPABLE", "CHIP_CARD_SUPPORT", "CONTACTLESS_CARD_SUPPORT",
     "CREDIT_CARD_PAYABLE", "DEBIT_CARD_PAYABLE", "PED_TERMINAL", "REMOTE_START_STOP_CAPABLE", "RESERVABLE",
     "RFID_READER", "START_SESSION_CONNECTOR_REQUIRED", "TOKEN_GROUP_CAPABLE", "UNLOCK_CAPABLE"}
)  # fmt: skip
PARKING_TYPES = frozenset(
    {"ALONG_MOTORWAY", "PARKING_GARAGE", "PARKING_LOT", "ON_DRIVEWAY", "ON_STREET", "UNDERGROUND_GARAGE"}
)
TOKEN_TYPES = ("AD_HOC_USER", "APP_USER", "OTHER", "RFID")


class ConnectorSerializer(v230.ConnectorSerializer):
    """2.3.0 adds `capabilities`, which we do not publish yet."""


class EvseSerializer(v230.EvseSerializer):
    def to_representation(self, instance: Evse) -> dict[str, Any]:
        return only(super().to_representation(instance), "capabilities", CAPABILITIES)

    @staticmethod
    def connectors_of(evse: Evse) -> list[Connector]:
        return [c for c in evse.connectors.all() if c.standard not in CONNECTORS_SINCE]


class LocationSerializer(v230.LocationSerializer):
    def to_representation(self, instance: Location) -> dict[str, Any]:
        document = only(super().to_representation(instance), "facilities", FACILITIES)
        if document.get("parking_type") not in PARKING_TYPES:
            document.pop("parking_type", None)
        return document


class TariffSerializer(v230.TariffSerializer):
    """`tax_included` and the names of price limits are `billing.tariff`'s to translate."""


class CdrTokenSerializer(v230.CdrTokenSerializer):
    def to_representation(self, instance: IdToken) -> dict[str, Any]:
        return _old_type(super().to_representation(instance))


class SessionSerializer(v230.SessionSerializer):
    def price(self, price: Mapping[str, Any], *, is_taxed: bool) -> Any:
        return write_price(price, is_taxed=is_taxed)


class CdrSerializer(v230.CdrSerializer):
    def price(self, price: Mapping[str, Any], *, is_taxed: bool) -> Any:
        return write_price(price, is_taxed=is_taxed)

    def get_cdr_token(self, cdr: Any) -> dict[str, Any]:
        return _old_type(super().get_cdr_token(cdr))


class TokenSerializer(v230.TokenSerializer):
    type = Word(TOKEN_TYPES, is_open=True, max_length=16)


class CredentialsSerializer(v230.CredentialsSerializer):
    hub_party_id = None  # type: ignore[assignment]  # DRF's way to take a field away


write_credentials, hidden = v230.write_credentials, v230.hidden


def write_price(price: Mapping[str, Any], *, is_taxed: bool) -> dict[str, Any]:
    """Write types#Price of 2.2.1: the taxes are summed up, or left out when they are not known."""
    before = Decimal(str(price["before_taxes"]))
    if not is_taxed:
        return {"excl_vat": before}
    taxes = sum((Decimal(str(tax["amount"])) for tax in price.get("taxes") or ()), Decimal(0))
    return {"excl_vat": before, "incl_vat": before + taxes}


def only(document: dict[str, Any], name: str, words: frozenset[str]) -> dict[str, Any]:
    """Keep of a list what this version's closed enumeration has."""
    kept = [word for word in document.pop(name, []) if word in words]
    return {**document, name: kept} if kept else document


def _old_type(token: dict[str, Any]) -> dict[str, Any]:
    return token if token["type"] in TOKEN_TYPES else {**token, "type": "OTHER"}
