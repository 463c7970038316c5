"""THE TRUNK: our rows in the shapes of OCPI 2.3.0. Older versions subtract from this file and rename (v221.py).

Context: `version` (versions.Version), `tariff_ids` (connector id -> OCPI tariff ids) for locations, `tariff_data`
(tariff id -> newest version's document) for tariffs, `costs` (session id -> Cost) and `cdrs` for sessions. kWh and
hours appear here and nowhere before.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from rest_framework import serializers

from billing.models import Cdr, Tariff
from billing.tariff import model
from billing.tariff.errors import TariffError
from roaming import published, wire
from roaming.ocpi import fields
from roaming.ocpi.fields import CiString, Code, Document, Flag, Json, Moment, Text, Word
from stations.models import ChargingSession, Connector, Evse, IdToken, Location
from stations.ports import Cost

NOT_AVAILABLE = "#NA"  # transport_and_format#No data available: required, and nobody can know it
_DEGREE = Decimal("1E-6")
_WH_PER_KWH = Decimal(1000)
_SECONDS_PER_HOUR = Decimal(3600)
_FOUR_DECIMALS = Decimal("1E-4")

TOKEN_TYPES = ("AD_HOC_USER", "APP_USER", "EMAID", "OTHER", "RFID")
WHITELIST_TYPES = ("ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER")
PROFILE_TYPES = ("CHEAP", "FAST", "GREEN", "REGULAR")
ROLES = ("CPO", "EMSP", "NAP", "NSP", "OTHER", "PTP", "SCSP")


class BusinessDetailsSerializer(Document):
    """mod_locations#BusinessDetails, from an Operator, a RemoteParty or a partner's object."""

    name = Text(100)
    website = Text(255, required=False)


class ConnectorSerializer(Document):
    """mod_locations#Connector."""

    id = serializers.CharField(source="number")
    standard = serializers.CharField()
    format = serializers.CharField()
    power_type = serializers.CharField()
    max_voltage = serializers.IntegerField(source="max_voltage_v")
    max_amperage = serializers.IntegerField(source="max_amperage_a")
    max_electric_power = serializers.IntegerField(source="max_power_w")
    tariff_ids = serializers.SerializerMethodField()
    last_updated = Moment()

    def get_tariff_ids(self, connector: Connector) -> list[str]:
        found: list[str] = self.context.get("tariff_ids", {}).get(connector.pk, [])
        return found


class EvseSerializer(Document):
    """mod_locations#EVSE."""

    uid = serializers.CharField()
    evse_id = serializers.CharField()
    status = serializers.SerializerMethodField()
    capabilities = Json()
    connectors = serializers.SerializerMethodField()
    physical_reference = serializers.CharField()
    last_updated = serializers.SerializerMethodField()

    def get_status(self, evse: Evse) -> str:
        return published.evse_status(evse)

    def get_connectors(self, evse: Evse) -> list[dict[str, Any]]:
        return [self._connector.to_representation(connector) for connector in self.connectors_of(evse)]

    @cached_property
    def _connector(self) -> Any:
        """Return one serializer for all connectors: making one costs more than using it."""
        return self.context["version"].connector(context=self.context)

    def get_last_updated(self, evse: Evse) -> datetime:
        return published.evse_changed_at(evse)

    @staticmethod
    def connectors_of(evse: Evse) -> list[Connector]:
        """Return the connectors that this version has words for."""
        return list(evse.connectors.all())


class LocationSerializer(Document):
    """mod_locations#Location, from a row that was read by `visibility.whole`."""

    country_code = serializers.CharField(source="operator.country_code")
    party_id = serializers.CharField(source="operator.party_id")
    id = serializers.CharField(source="uid")
    publish = serializers.BooleanField()
    name = serializers.CharField()
    address = serializers.SerializerMethodField()
    city = serializers.SerializerMethodField()
    postal_code = serializers.CharField()
    state = serializers.CharField()
    country = serializers.CharField()
    coordinates = serializers.SerializerMethodField()
    parking_type = serializers.CharField()
    evses = serializers.SerializerMethodField()
    operator = serializers.SerializerMethodField()
    facilities = Json()
    time_zone = serializers.CharField()
    opening_times = Json()
    energy_mix = Json()
    last_updated = serializers.SerializerMethodField()

    def get_address(self, location: Location) -> str:
        return location.address or NOT_AVAILABLE

    def get_city(self, location: Location) -> str:
        return location.city[:45] or NOT_AVAILABLE

    def get_coordinates(self, location: Location) -> dict[str, str]:
        """Write both with six decimals: they fit the pattern and the length whatever the sign."""
        return {
            "latitude": f"{Decimal(location.latitude).quantize(_DEGREE):f}",
            "longitude": f"{Decimal(location.longitude).quantize(_DEGREE):f}",
        }

    def get_evses(self, location: Location) -> list[dict[str, Any]]:
        serializer = self._evse
        return [
            serializer.to_representation(evse)
            for evse in published.evses(location)
            if serializer.connectors_of(evse)
        ]

    def get_operator(self, location: Location) -> dict[str, Any]:
        return self._details.to_representation(location.operator)

    @cached_property
    def _evse(self) -> Any:
        return self.context["version"].evse(context=self.context)

    @cached_property
    def _details(self) -> BusinessDetailsSerializer:
        return BusinessDetailsSerializer()

    def get_last_updated(self, location: Location) -> datetime:
        return published.location_changed_at(location)


class TariffSerializer(Document):
    """mod_tariffs#Tariff: the newest version of a row, in the words of `context["version"]`.

    Raises billing.tariff.errors.CannotExpress where the version has no words for something that changes the price.
    """

    def to_representation(self, instance: Tariff) -> dict[str, Any]:
        document = tariff_document(self.context["tariff_data"][instance.pk], self.context["version"].number)
        document["country_code"] = instance.operator.country_code
        document["party_id"] = instance.operator.party_id
        return document | {"last_updated": instance.last_updated}


class CdrTokenSerializer(Document):
    """mod_cdrs#CdrToken, from an IdToken."""

    country_code = serializers.CharField()
    party_id = serializers.CharField()
    uid = serializers.CharField()
    type = serializers.CharField()
    contract_id = serializers.SerializerMethodField()

    def get_contract_id(self, token: IdToken) -> str:
        return token.contract_id or token.uid


class SessionSerializer(Document):
    """mod_sessions#Session."""

    RELATED: tuple[str, ...] = ()  # what else of the rows is read, page by page

    country_code = serializers.CharField(source="station.location.operator.country_code")
    party_id = serializers.CharField(source="station.location.operator.party_id")
    id = serializers.CharField(source="uid")
    start_date_time = Moment(source="started_at")
    end_date_time = Moment(source="ended_at")
    kwh = serializers.SerializerMethodField()
    cdr_token = serializers.SerializerMethodField()
    auth_method = serializers.CharField()
    authorization_reference = serializers.CharField()
    location_id = serializers.CharField(source="station.location.uid")
    evse_uid = serializers.CharField(source="evse.uid")
    connector_id = serializers.CharField(source="connector_number")
    currency = serializers.SerializerMethodField()
    charging_periods = serializers.SerializerMethodField()
    total_cost = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    last_updated = Moment()

    def get_kwh(self, session: ChargingSession) -> Decimal:
        return session.energy_wh / _WH_PER_KWH

    def get_cdr_token(self, session: ChargingSession) -> dict[str, Any]:
        country_code, _, party_id = session.party.partition("*")
        unknown = IdToken(
            uid=session.id_token[:36], type="RFID", country_code=country_code, party_id=party_id
        )
        return self.context["version"].cdr_token().to_representation(session.token or unknown)

    def get_currency(self, session: ChargingSession) -> str:
        cost = self._cost(session)
        location = session.station.location
        return cost.currency if cost else location.operator.currency if location else ""

    def get_charging_periods(self, session: ChargingSession) -> list[dict[str, Any]]:
        cdr = self._cdr(session)
        return periods(cdr.charging_periods) if cdr else []

    def get_total_cost(self, session: ChargingSession) -> Any:
        cdr, cost = self._cdr(session), self._cost(session)
        if cdr is not None:
            return self.price(cdr.totals["total_cost"], is_taxed=cdr.total_after_taxes is not None)
        if cost is None:
            return None
        tax = None if cost.after_taxes is None else cost.after_taxes - cost.before_taxes
        taxes = [{"name": "VAT", "amount": tax.quantize(_FOUR_DECIMALS)}] if tax else []
        before = cost.before_taxes.quantize(_FOUR_DECIMALS)
        return self.price({"before_taxes": before, "taxes": taxes}, is_taxed=cost.after_taxes is not None)

    def get_status(self, session: ChargingSession) -> str:
        return "ACTIVE" if session.status == ChargingSession.Status.ACTIVE else "COMPLETED"

    def price(self, price: Mapping[str, Any], *, is_taxed: bool) -> Any:
        return write_price(price, is_taxed=is_taxed)

    def _cost(self, session: ChargingSession) -> Cost | None:
        cost: Cost | None = self.context.get("costs", {}).get(session.pk)
        return cost

    def _cdr(self, session: ChargingSession) -> Cdr | None:
        cdr: Cdr | None = self.context.get("cdrs", {}).get(session.pk)
        return cdr


class CdrSerializer(Document):
    """mod_cdrs#CDR, from the sealed row."""

    COSTS: tuple[str, ...] = (
        "total_cost", "total_fixed_cost", "total_energy_cost", "total_time_cost", "total_parking_cost",
        "total_reservation_cost",
    )  # fmt: skip

    country_code = serializers.CharField(source="operator.country_code")
    party_id = serializers.CharField(source="operator.party_id")
    id = serializers.CharField(source="uid")
    start_date_time = Moment(source="started_at")
    end_date_time = Moment(source="ended_at")
    session_id = serializers.CharField(source="session_uid")
    cdr_token = serializers.SerializerMethodField()
    auth_method = serializers.CharField()
    authorization_reference = serializers.CharField()
    cdr_location = serializers.SerializerMethodField()
    currency = serializers.CharField()
    tariffs = serializers.SerializerMethodField()
    charging_periods = serializers.SerializerMethodField()
    total_energy = serializers.SerializerMethodField()
    total_time = serializers.SerializerMethodField()
    total_parking_time = serializers.SerializerMethodField()
    remark = serializers.CharField()
    credit = serializers.SerializerMethodField()
    credit_reference_id = serializers.SerializerMethodField()
    last_updated = Moment(source="created_at")

    def to_representation(self, instance: Cdr) -> dict[str, Any]:
        document = super().to_representation(instance)
        is_taxed = instance.total_after_taxes is not None
        costs = {name: instance.totals[name] for name in self.COSTS if instance.totals.get(name) is not None}
        return document | {name: self.price(price, is_taxed=is_taxed) for name, price in costs.items()}

    def get_cdr_token(self, cdr: Cdr) -> dict[str, Any]:
        names = ("country_code", "party_id", "uid", "type", "contract_id")
        return {name: cdr.token.get(name, NOT_AVAILABLE) for name in names}

    def get_cdr_location(self, cdr: Cdr) -> dict[str, Any]:
        """Write what mod_cdrs#CdrLocation keeps of location, EVSE and connector."""
        names = ("id", "name", "address", "city", "postal_code", "state", "country", "coordinates")
        optional = ("name", "postal_code", "state")
        found = {name: cdr.location.get(name) or NOT_AVAILABLE for name in names if name not in optional}
        found |= {name: cdr.location[name] for name in optional if cdr.location.get(name)}
        found["city"] = found["city"][:45]
        found["evse_uid"] = cdr.evse.get("uid", NOT_AVAILABLE)
        found["evse_id"] = cdr.evse.get("evse_id") or NOT_AVAILABLE
        found["connector_id"] = cdr.connector.get("id", NOT_AVAILABLE)
        for name in ("standard", "format", "power_type"):
            found[f"connector_{name}"] = cdr.connector.get(name, NOT_AVAILABLE)
        return found

    def get_tariffs(self, cdr: Cdr) -> list[dict[str, Any]]:
        """Write the tariff; one that this version cannot express is left out, the amounts stand."""
        try:
            return [tariff_document(cdr.tariff, self.context["version"].number)] if cdr.tariff else []
        except TariffError:
            return []

    def get_charging_periods(self, cdr: Cdr) -> list[dict[str, Any]]:
        return periods(cdr.charging_periods)

    def get_total_energy(self, cdr: Cdr) -> Decimal:
        return cdr.energy_wh / _WH_PER_KWH

    def get_total_time(self, cdr: Cdr) -> Decimal:
        return (cdr.seconds / _SECONDS_PER_HOUR).quantize(_FOUR_DECIMALS)

    def get_total_parking_time(self, cdr: Cdr) -> Decimal | None:
        return (
            (cdr.parking_seconds / _SECONDS_PER_HOUR).quantize(_FOUR_DECIMALS)
            if cdr.parking_seconds
            else None
        )

    def get_credit(self, cdr: Cdr) -> bool | None:
        return True if cdr.is_credit else None

    def get_credit_reference_id(self, cdr: Cdr) -> str | None:
        return cdr.credit_reference.uid if cdr.credit_reference else None

    def price(self, price: Mapping[str, Any], *, is_taxed: bool) -> Any:
        return write_price(price, is_taxed=is_taxed)


class TokenSerializer(Document):
    """mod_tokens#Token: read from partners, and written back as they will see it."""

    country_code = Code(2)
    party_id = Code(3)
    uid = CiString(36)
    type = Word(TOKEN_TYPES, is_open=True, max_length=16)
    contract_id = CiString(36, required=False)
    visual_number = Text(64, required=False)
    issuer = Text(64, required=False)
    group_id = CiString(36, required=False)
    valid = Flag(source="status")
    whitelist = Word(WHITELIST_TYPES)
    language = Text(2, required=False)
    default_profile_type = Word(PROFILE_TYPES, is_open=True, max_length=16, required=False)
    energy_contract = Json(required=False)
    last_updated = Moment()

    def to_internal_value(self, data: Any) -> Any:
        """Return keyword arguments for `authorization.save_token`."""
        values = super().to_internal_value(data)
        if "status" in values:
            values["status"] = IdToken.Status.ACCEPTED if values["status"] else IdToken.Status.BLOCKED
        return values

    def to_representation(self, instance: IdToken) -> dict[str, Any]:
        return super().to_representation(instance) | {"valid": instance.status == IdToken.Status.ACCEPTED}


class CredentialsRoleSerializer(Document):
    """credentials#CredentialsRole."""

    role = Word(ROLES, is_open=True, max_length=16)
    business_details = BusinessDetailsSerializer(required=False)
    party_id = Code(3)
    country_code = Code(2)


class CredentialsSerializer(Document):
    """credentials#Credentials object, as partners send it."""

    token = CiString(64)
    url = Text(255, allow_blank=False)
    hub_party_id = CiString(5, required=False)
    roles = CredentialsRoleSerializer(many=True, allow_empty=False)

    def validate_token(self, token: str) -> str:
        if any(character.isspace() for character in token):
            raise serializers.ValidationError("only printable characters without spaces")
        return token


def write_credentials(token: str, url: str, roles: list[dict[str, Any]]) -> dict[str, Any]:
    """Write our credentials (credentials#Credentials object)."""
    return {"token": token, "url": url, "roles": roles}


def hidden(row: Location, write: Callable[[], Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Return method and body that hide a location which a partner knows (mod_locations#Location publish).

    `write` gives the whole location, for a version that needs it.
    """
    return "PATCH", {"publish": False, "last_updated": row.last_updated}


def write_price(price: Mapping[str, Any], *, is_taxed: bool) -> dict[str, Any]:
    """Write types#Price from a stored one; `is_taxed` false: the taxes are not known, so none are named."""
    document: dict[str, Any] = {"before_taxes": Decimal(str(price["before_taxes"]))}
    if price.get("taxes"):
        document["taxes"] = [_tax(tax) for tax in price["taxes"]]
    return document


def _tax(tax: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {
        name: Decimal(str(tax[name])) for name in ("percentage", "amount") if tax.get(name) is not None
    }
    return {"name": tax["name"], **numbers}


def periods(stored: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write mod_cdrs#ChargingPeriod from stored ones: volumes as numbers."""
    return [
        {
            **period,
            "start_date_time": wire.read_moment(period["start_date_time"]),
            "dimensions": [
                {"type": each["type"], "volume": Decimal(str(each["volume"]))}
                for each in period["dimensions"]
            ],
        }
        for period in stored
    ]


def tariff_document(data: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Write a stored tariff in the words of a version, its instants short enough for OCPI's 25 characters."""
    document = dict(fields.exact(model.Tariff.from_ocpi(data).to_ocpi(version)))
    for name in ("start_date_time", "end_date_time", "last_updated"):
        if isinstance(document.get(name), str):
            document[name] = wire.read_moment(document[name])
    return document
