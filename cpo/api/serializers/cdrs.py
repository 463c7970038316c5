"""CDRs: what was charged and what it cost, sealed."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.models import Cdr
from cpo.api.serializers.fields import ExactNumber


class CostSerializer(serializers.Serializer[Any]):
    """An amount in the CDR's currency, decimals as strings; null: taxes are not known."""

    excl_vat = serializers.CharField()
    incl_vat = serializers.CharField(allow_null=True)


class CdrSerializer(serializers.ModelSerializer[Cdr]):
    """A CDR in a line. Energies in Wh, times in whole seconds, amounts as strings."""

    id = serializers.CharField(source="uid")
    session = serializers.CharField(source="session_uid")
    operator = serializers.CharField()
    station = serializers.CharField(source="station_identity")
    id_token = serializers.CharField(source="token_uid", allow_null=True)
    tariff_id = serializers.CharField(source="tariff_uid", allow_null=True)
    energy_wh = ExactNumber()
    meter_start_wh = ExactNumber(allow_null=True)
    meter_stop_wh = ExactNumber(allow_null=True)
    total_cost = serializers.SerializerMethodField()
    totals = serializers.DictField(help_text="OCPI 2.3.0 total_… prices, decimals as strings.")
    credit_reference = serializers.CharField(source="credit_uid", allow_null=True)

    class Meta:
        model = Cdr
        fields = (
            "id", "session", "operator", "party", "station", "id_token", "started_at", "ended_at", "time_zone",
            "energy_wh", "meter_start_wh", "meter_stop_wh", "seconds", "parking_seconds", "currency", "total_cost",
            "totals", "tariff_id", "tariff_version", "auth_method", "authorization_reference", "is_credit",
            "credit_reference", "remark", "created_at",
        )  # fmt: skip

    @extend_schema_field(CostSerializer)
    def get_total_cost(self, cdr: Cdr) -> Any:
        """Give the sum with and without VAT."""
        gross = cdr.total_after_taxes
        return {
            "excl_vat": f"{cdr.total_before_taxes:f}",
            "incl_vat": None if gross is None else f"{gross:f}",
        }


class CdrDetailSerializer(CdrSerializer):
    """A CDR with the snapshots it was made from and the explanation of its price."""

    location = serializers.DictField()
    evse = serializers.DictField()
    connector = serializers.DictField()
    token = serializers.DictField()
    tariff = serializers.DictField(allow_null=True)
    charging_periods = serializers.ListField(child=serializers.DictField())
    explanation = serializers.ListField(child=serializers.CharField())

    class Meta(CdrSerializer.Meta):
        fields = (  # type: ignore[assignment]
            *CdrSerializer.Meta.fields,
            "location", "evse", "connector", "token", "tariff", "charging_periods", "explanation",
        )  # fmt: skip
