"""Tariffs in the shape of OCPI 2.3.0, where they apply, and what they make of a session."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.models import Tariff, TariffAssignment
from billing.tariff import model


class AssignmentSerializer(serializers.ModelSerializer[TariffAssignment]):
    """Where a tariff applies, and since when."""

    operator = serializers.CharField(
        default=None, allow_null=True, help_text="'NL*ABC': everywhere at this operator."
    )
    location = serializers.CharField(source="location.uid", default=None, allow_null=True)
    evse = serializers.SerializerMethodField(help_text="OCPI uid of the EVSE.")
    connector = serializers.IntegerField(source="connector.number", default=None, allow_null=True)

    class Meta:
        model = TariffAssignment
        fields = ("id", "operator", "location", "evse", "connector", "valid_from", "valid_until")

    @extend_schema_field({"type": "string", "nullable": True})
    def get_evse(self, row: TariffAssignment) -> str | None:
        """Give the EVSE, also of a connector."""
        evse = row.evse or (row.connector.evse if row.connector else None)
        return evse.uid if evse else None


class PlaceSerializer(serializers.Serializer[Any]):
    """One place: an operator, a location, an EVSE (by uid, or by station and connector_id), or its connector."""

    operator = serializers.CharField(required=False, help_text="'NL*ABC'.")
    location = serializers.CharField(required=False, help_text="Id of the location.")
    evse = serializers.CharField(required=False, help_text="OCPI uid of the EVSE.")
    station = serializers.CharField(required=False, help_text="Id of the station, with `connector_id`.")
    connector_id = serializers.IntegerField(required=False, min_value=1, help_text="Number of its EVSE.")
    connector = serializers.IntegerField(required=False, min_value=1, help_text="Number within the EVSE.")
    valid_from = serializers.DateTimeField(required=False)


class TariffSerializer(serializers.ModelSerializer[Tariff]):
    """An OCPI 2.3.0 Tariff (prices as exact numbers), with what OCPI does not know of it."""

    id = serializers.CharField(source="uid")
    country_code = serializers.CharField(source="operator.country_code")
    party_id = serializers.CharField(source="operator.party_id")
    elements = serializers.ListField(child=serializers.DictField(), help_text="OCPI TariffElement.")
    operator = serializers.CharField(help_text="'NL*ABC'.")
    version = serializers.IntegerField(help_text="Grows with each change; CDRs name theirs.")
    assignments = AssignmentSerializer(many=True)

    class Meta:
        model = Tariff
        fields = (
            "id", "country_code", "party_id", "currency", "type", "elements", "operator", "version", "is_active",
            "assignments", "last_updated",
        )  # fmt: skip

    def to_representation(self, tariff: Any) -> Any:
        """Write all that the newest version says; needs `views.tariffs.shown`."""
        version = tariff.newest[0]
        return {
            **model.Tariff.from_ocpi(version.data).to_ocpi(),
            "operator": str(tariff.operator),
            "version": version.number,
            "is_active": tariff.is_active,
            "assignments": AssignmentSerializer(tariff.standing, many=True).data,
            "last_updated": tariff.last_updated,
        }


class TariffWriteSerializer(serializers.Serializer[Any]):
    """An OCPI 2.3.0 Tariff; members not named here are taken too. Prices are numbers or decimals in strings."""

    id = serializers.CharField(max_length=36)
    currency = serializers.CharField(max_length=3)
    elements = serializers.ListField(child=serializers.DictField(), help_text="OCPI TariffElement.")
    country_code = serializers.CharField(required=False, help_text="With `party_id`: whose tariff it is.")
    party_id = serializers.CharField(required=False)
    assignments = PlaceSerializer(
        many=True,
        required=False,
        help_text="Where it applies. Left out: the first tariff of its type becomes its operator's default.",
    )


class PriceRequestSerializer(serializers.Serializer[Any]):
    """A tariff and a session's use."""

    tariff = serializers.JSONField(help_text="An OCPI Tariff, a list of them, or the id of a stored one.")
    start_date_time = serializers.CharField(required=False)
    end_date_time = serializers.CharField()
    time_zone = serializers.CharField(required=False, help_text="IANA name, for restrictions in local time.")
    charging_periods = serializers.ListField(child=serializers.DictField(), help_text="OCPI ChargingPeriod.")


class AmountSerializer(serializers.Serializer[Any]):
    """An amount, decimals as strings."""

    excl_vat = serializers.CharField(allow_null=True)
    incl_vat = serializers.CharField(allow_null=True)
    before_taxes = serializers.CharField(allow_null=True)
    after_taxes = serializers.CharField(allow_null=True)
    taxes = serializers.ListField(child=serializers.DictField())


class PriceSerializer(serializers.Serializer[Any]):
    """What a session costs, with the reasons. All decimals are strings."""

    currency = serializers.CharField()
    total_cost = AmountSerializer()
    total_fixed_cost = AmountSerializer()
    total_energy_cost = AmountSerializer()
    total_time_cost = AmountSerializer()
    total_parking_cost = AmountSerializer()
    total_reservation_cost = AmountSerializer()
    total_energy = serializers.CharField(help_text="kWh")
    total_time = serializers.CharField(help_text="hours")
    total_parking_time = serializers.CharField(help_text="hours")
    total_reservation_time = serializers.CharField(help_text="hours")
    billed_energy_kwh = serializers.CharField()
    billed_time_h = serializers.CharField()
    billed_parking_time_h = serializers.CharField()
    billed_reservation_time_h = serializers.CharField()
    lines = serializers.ListField(child=serializers.DictField())
    explanation = serializers.ListField(child=serializers.CharField())


TARIFF_EXAMPLE = {
    "id": "day",
    "currency": "EUR",
    "elements": [{"price_components": [{"type": "ENERGY", "price": 0.35, "vat": 21, "step_size": 1}]}],
    "assignments": [{"location": "depot"}],
}
PRICE_EXAMPLE = {
    "tariff": {**TARIFF_EXAMPLE, "assignments": []},
    "start_date_time": "2025-03-01T12:00:00Z",
    "end_date_time": "2025-03-01T13:00:00Z",
    "time_zone": "Europe/Amsterdam",
    "charging_periods": [
        {"start_date_time": "2025-03-01T12:00:00Z", "dimensions": [{"type": "ENERGY", "volume": 12.3455}]}
    ],
}
