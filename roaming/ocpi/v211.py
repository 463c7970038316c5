"""OCPI 2.1.1: 2.2.1 without parties, tax and credit, with whole locations where the newer ones name ids.

OCPI 2.1.1 mod_locations, mod_sessions, mod_cdrs, mod_tokens, credentials. One party on each side, so nothing says whose
an object is; prices exclude VAT; instants have no fractions of seconds (types#DateTime).
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.models import Cdr, Tariff
from roaming import published, wire
from roaming.ocpi import v221, v230
from roaming.ocpi.fields import CiString, Code, Word, exact
from stations.models import ChargingSession, Connector, Evse, IdToken, Location

CONNECTORS = frozenset(
    {"CHADEMO", "DOMESTIC_A", "DOMESTIC_B", "DOMESTIC_C", "DOMESTIC_D", "DOMESTIC_E", "DOMESTIC_F", "DOMESTIC_G",
     "DOMESTIC_H", "DOMESTIC_I", "DOMESTIC_J", "DOMESTIC_K", "DOMESTIC_L", "IEC_60309_2_single_16",
     "IEC_60309_2_three_16", "IEC_60309_2_three_32", "IEC_60309_2_three_64", "IEC_62196_T1", "IEC_62196_T1_COMBO",
     "IEC_62196_T2", "IEC_62196_T2_COMBO", "IEC_62196_T3A", "IEC_62196_T3C", "TESLA_R", "TESLA_S"}
)  # fmt: skip
CAPABILITIES = frozenset(
    {"CHARGING_PROFILE_CAPABLE", "CREDIT_CARD_PAYABLE", "REMOTE_START_STOP_CAPABLE", "RESERVABLE", "RFID_READER",
     "UNLOCK_CAPABLE"}
)  # fmt: skip
FACILITIES = v221.FACILITIES - {"BIKE_SHARING", "TRAM_STOP", "METRO_STATION", "PARKING_LOT"}
LOCATION_TYPES = frozenset({"ON_STREET", "PARKING_GARAGE", "UNDERGROUND_GARAGE", "PARKING_LOT"})
POWER_TYPES = {"AC_2_PHASE": "AC_1_PHASE", "AC_2_PHASE_SPLIT": "AC_1_PHASE"}  # never more than there is
TOKEN_TYPES = ("OTHER", "RFID")
AUTH_METHODS = {"COMMAND": "AUTH_REQUEST"}
DIMENSIONS = frozenset({"ENERGY", "FLAT", "MAX_CURRENT", "MIN_CURRENT", "PARKING_TIME", "TIME"})
LONGEST_ADDRESS, LONGEST_POSTAL_CODE = 45, 10


class ConnectorSerializer(v221.ConnectorSerializer):
    """mod_locations#Connector: volt and ampere, one tariff."""

    def to_representation(self, instance: Connector) -> dict[str, Any]:
        return connector(super().to_representation(instance))


class EvseSerializer(v221.EvseSerializer):
    """mod_locations#EVSE."""

    def to_representation(self, instance: Evse) -> dict[str, Any]:
        return v221.only(super().to_representation(instance), "capabilities", CAPABILITIES)

    @staticmethod
    def connectors_of(evse: Evse) -> list[Connector]:
        return [found for found in evse.connectors.all() if found.standard in CONNECTORS]


class LocationSerializer(v221.LocationSerializer):
    """mod_locations#Location: what is there is published, its owner is the connection's."""

    def to_representation(self, instance: Location) -> dict[str, Any]:
        return location(super().to_representation(instance))


class PlaceSerializer(LocationSerializer):
    """A location without its EVSEs, for the one that is in use."""

    def get_evses(self, location: Location) -> list[dict[str, Any]]:
        return []

    def get_last_updated(self, location: Location) -> datetime:
        return location.last_updated


class TariffSerializer(v221.TariffSerializer):
    """mod_tariffs#Tariff: `billing.tariff` translates, and refuses what would become another price."""

    def to_representation(self, instance: Tariff) -> dict[str, Any]:
        return _without(super().to_representation(instance), "country_code", "party_id")


class CdrTokenSerializer(v221.CdrTokenSerializer):
    """What a session says of its token: nothing but the contract."""


class SessionSerializer(v221.SessionSerializer):
    """mod_sessions#Session: with its location, EVSE and connector inside."""

    RELATED = ("evse__connectors",)

    def to_representation(self, instance: ChargingSession) -> dict[str, Any]:
        document = super().to_representation(instance)
        token = document.pop("cdr_token")
        document = _without(
            document,
            "country_code",
            "party_id",
            "authorization_reference",
            "location_id",
            "evse_uid",
            "connector_id",
        )
        document = _renamed(document, start_date_time="start_datetime", end_date_time="end_datetime")
        document |= {"auth_id": token["contract_id"], "location": self._place(instance)}
        return _old_method(document)

    def get_charging_periods(self, session: ChargingSession) -> list[dict[str, Any]]:
        return periods(super().get_charging_periods(session))

    def price(self, price: Mapping[str, Any], *, is_taxed: bool) -> Any:
        return write_price(price)

    def _place(self, session: ChargingSession) -> dict[str, Any]:
        evse, location = session.evse, session.station.location
        assert location is not None  # without one it is not visible
        evse.station = session.station
        version = self.context["version"]
        used = [c for c in version.evse.connectors_of(evse) if c.number == session.connector_number]
        document: dict[str, Any] = PlaceSerializer(context=self.context).to_representation(location)
        if used:
            connectors = [version.connector(context=self.context).to_representation(each) for each in used]
            document["evses"] = [
                {
                    "uid": evse.uid,
                    **({"evse_id": evse.evse_id} if evse.evse_id else {}),
                    "status": published.evse_status(evse),
                    "connectors": connectors,
                    "last_updated": evse.last_updated,
                }
            ]
        return document


class CdrSerializer(v221.CdrSerializer):
    """mod_cdrs#CDR: one number for its cost, its location inside."""

    COSTS = ("total_cost",)

    def to_representation(self, instance: Cdr) -> dict[str, Any]:
        document = super().to_representation(instance)
        token = document.pop("cdr_token")
        document = _without(
            document, "country_code", "party_id", "session_id", "authorization_reference", "cdr_location", "credit",
            "credit_reference_id",
        )  # fmt: skip
        document = _renamed(document, end_date_time="stop_date_time")
        document |= {"auth_id": token["contract_id"], "location": self._place(instance)}
        return _old_method(document)

    def get_charging_periods(self, cdr: Cdr) -> list[dict[str, Any]]:
        return periods(super().get_charging_periods(cdr))

    def price(self, price: Mapping[str, Any], *, is_taxed: bool) -> Any:
        return write_price(price)

    def _place(self, cdr: Cdr) -> dict[str, Any]:
        """Write the sealed location, EVSE and connector."""
        sealed = {"address": v230.NOT_AVAILABLE, "city": v230.NOT_AVAILABLE, **cdr.location}
        found = location(exact(_moments(sealed)))
        plug = cdr.connector
        if plug.get("standard") in CONNECTORS and cdr.evse:
            evse = v221.only(_moments(cdr.evse), "capabilities", CAPABILITIES)
            found["evses"] = [evse | {"connectors": [connector(_moments(plug))]}]
        return found


class TokenSerializer(v221.TokenSerializer):
    """mod_tokens#Token: `auth_id` is what is called contract_id since 2.2; the owner is in the URL alone."""

    country_code = Code(2, required=False)
    party_id = Code(3, required=False)
    type = Word(TOKEN_TYPES, is_open=True, max_length=16)
    auth_id = CiString(36, source="contract_id", required=False)
    contract_id = None  # type: ignore[assignment]  # DRF's way to take a field away
    group_id = None  # type: ignore[assignment]
    default_profile_type = None  # type: ignore[assignment]
    energy_contract = None  # type: ignore[assignment]

    def to_representation(self, instance: IdToken) -> dict[str, Any]:
        document = _without(super().to_representation(instance), "country_code", "party_id")
        word = document["type"] if document["type"] in TOKEN_TYPES else "OTHER"
        document |= {"type": word, "auth_id": document.get("auth_id") or instance.uid}
        return {"issuer": v230.NOT_AVAILABLE, **document}


class CredentialsSerializer(v221.CredentialsSerializer):
    """credentials#Credentials object: one party, whose role nobody names. A partner of a CPO is an eMSP."""

    roles = None  # type: ignore[assignment]  # DRF's way to take a field away
    party_id = Code(3)
    country_code = Code(2)
    business_details = v230.BusinessDetailsSerializer(required=False)

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        party = {
            name: values.pop(name)
            for name in ("party_id", "country_code", "business_details")
            if name in values
        }
        return values | {"roles": [{"role": "EMSP", **party}]}


def write_credentials(token: str, url: str, roles: list[dict[str, Any]]) -> dict[str, Any]:
    """Write our credentials: the first of our parties stands for all."""
    return {"token": token, "url": url, **_without(roles[0], "role")}


def hidden(row: Location, write: Callable[[], Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Return method and body that hide a location: its EVSEs are removed, for there is no `publish` to take back."""
    document = write()
    evses = [{**evse, "status": published.REMOVED} for evse in document.get("evses", ())]
    return "PUT", {**document, "evses": evses}


def location(document: Mapping[str, Any]) -> dict[str, Any]:
    """Rewrite a location of 2.2.1."""
    found = _without(dict(document), "country_code", "party_id", "publish", "state")
    kind = found.pop("parking_type", None)
    found["type"] = kind if kind in LOCATION_TYPES else "OTHER" if kind else "UNKNOWN"
    found["address"] = str(found["address"])[:LONGEST_ADDRESS]
    found["postal_code"] = str(found.get("postal_code") or v230.NOT_AVAILABLE)[:LONGEST_POSTAL_CODE]
    found = v221.only(found, "facilities", FACILITIES)
    hours = found.get("opening_times")
    if isinstance(hours, Mapping) and not hours.get("twentyfourseven"):
        found["opening_times"] = _without(dict(hours), "twentyfourseven")
    mix = found.get("energy_mix")
    if isinstance(mix, Mapping) and mix.get("environ_impact"):
        impact = [_renamed(dict(each), category="source") for each in mix["environ_impact"]]
        found["energy_mix"] = {**mix, "environ_impact": impact}
    return found


def connector(document: Mapping[str, Any]) -> dict[str, Any]:
    """Rewrite a connector of 2.2.1."""
    found = _renamed(dict(document), max_voltage="voltage", max_amperage="amperage")
    found = _without(found, "max_electric_power", "tariff_ids")
    if document.get("tariff_ids"):
        found["tariff_id"] = document["tariff_ids"][0]
    found["power_type"] = POWER_TYPES.get(document["power_type"], document["power_type"])
    return found


def periods(newer: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rewrite charging periods: only the dimensions that 2.1.1 knows (mod_cdrs#CdrDimensionType)."""
    found = []
    for period in newer:
        dimensions = [each for each in period["dimensions"] if each["type"] in DIMENSIONS]
        if dimensions:
            found.append({"start_date_time": period["start_date_time"], "dimensions": dimensions})
    return found


def write_price(price: Mapping[str, Any]) -> Decimal:
    """Write an amount: excluding VAT, a bare number (types#number)."""
    return Decimal(str(price["before_taxes"]))


def _old_method(document: dict[str, Any]) -> dict[str, Any]:
    method = document.get("auth_method", "")
    return document | {"auth_method": AUTH_METHODS.get(method, method)}


def _moments(sealed: Mapping[str, Any]) -> dict[str, Any]:
    """Read the instant of a stored shape."""
    found = dict(sealed)
    if isinstance(found.get("last_updated"), str):
        found["last_updated"] = wire.read_moment(found["last_updated"])
    return found


def _without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


def _renamed(document: dict[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in document.items()}
