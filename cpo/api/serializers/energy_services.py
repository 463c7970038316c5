"""Grid, battery swaps, prices and payments at stations of OCPP 2.1."""

from typing import Any

from rest_framework import serializers

from cpo.api.serializers.fields import Instant
from stations.models import (
    BatterySwap,
    BidirectionalSession,
    DERAlarm,
    DERControl,
    GridSignal,
    SessionCost,
    Settlement,
    StationTariff,
)


class DERControlSerializer(serializers.ModelSerializer[DERControl]):
    """A DER control with its whole life."""

    id = serializers.CharField(source="control_id")

    class Meta:
        model = DERControl
        fields = (
            "id", "type", "is_default", "priority", "settings", "starts_at", "duration_s", "state", "reason",
            "superseded_by", "requested_by", "wanted_at", "answered_at", "started_at", "ended_at", "reported_at",
        )  # fmt: skip


class DERControlWriteSerializer(serializers.Serializer[Any]):
    """A DER control to give to a station."""

    type = serializers.ChoiceField(choices=DERControl.Type.choices)
    is_default = serializers.BooleanField(help_text="A default one has no time; else it is scheduled.")
    priority = serializers.IntegerField(min_value=0, help_text="Lower goes first.")
    settings = serializers.DictField(help_text="Fields of its type (OCPP 2.1), without priority and time.")
    starts_at = Instant(required=False)
    duration_s = serializers.DecimalField(max_digits=14, decimal_places=3, required=False, min_value=0)
    queue = serializers.BooleanField(default=False, help_text="Wait for a station that is away.")


class DERChoiceSerializer(serializers.Serializer[Any]):
    """Which controls are meant; what is left out matches any."""

    is_default = serializers.BooleanField(required=False, allow_null=True, default=None)
    type = serializers.ChoiceField(
        choices=DERControl.Type.choices, required=False, default="", allow_blank=True
    )
    id = serializers.CharField(max_length=36, required=False, default="", allow_blank=True)


class DERAlarmSerializer(serializers.ModelSerializer[DERAlarm]):
    """A time in which a station deviated because of the grid."""

    class Meta:
        model = DERAlarm
        fields = ("type", "fault", "info", "began_at", "ended_at")


class GridSignalSerializer(serializers.ModelSerializer[GridSignal]):
    """An aFRR signal."""

    class Meta:
        model = GridSignal
        fields = ("signal", "at", "state", "reason", "requested_by")


class GridSignalWriteSerializer(serializers.Serializer[Any]):
    """An aFRR signal to send."""

    signal = serializers.IntegerField(min_value=-(2**31), max_value=2**31 - 1)
    at = Instant(required=False)


class EnergyTransferSerializer(serializers.ModelSerializer[BidirectionalSession]):
    """What a session may do, does, and has fed back (Wh)."""

    class Meta:
        model = BidirectionalSession
        fields = ("operation_mode", "mode_at", "exported_wh", "allowed", "allowed_state", "changed_at")


class EnergyTransferWriteSerializer(serializers.Serializer[Any]):
    """Which energy transfers are permitted from now on."""

    allowed = serializers.ListField(child=serializers.CharField(max_length=20), allow_empty=False)


class BatterySwapSerializer(serializers.ModelSerializer[BatterySwap]):
    """A battery swap: what came in, what went out."""

    class Meta:
        model = BatterySwap
        fields = (
            "request_id", "id_token", "state", "reason", "batteries_in", "batteries_out", "requested_by",
            "created_at", "in_at", "out_at",
        )  # fmt: skip


class BatterySwapWriteSerializer(serializers.Serializer[Any]):
    """A battery swap to ask for."""

    id_token = serializers.CharField(max_length=255)
    id_token_type = serializers.CharField(max_length=20, default="Central")


class StationTariffSerializer(serializers.ModelSerializer[StationTariff]):
    """A tariff that lies, or shall lie, on a station. `evse_number` 0: the whole station."""

    class Meta:
        model = StationTariff
        fields = (
            "tariff_id", "kind", "evse_number", "document", "state", "reason", "valid_from", "requested_by",
            "changed_at", "reported_at",
        )  # fmt: skip


class TariffsChoiceSerializer(serializers.Serializer[Any]):
    """Which tariffs to take away; nothing named means all."""

    tariff_ids = serializers.ListField(
        child=serializers.CharField(max_length=60), required=False, default=list
    )
    evse_number = serializers.IntegerField(min_value=0, max_value=1000, default=0)


class SessionTariffWriteSerializer(serializers.Serializer[Any]):
    """The tariff with which a running session goes on at its station."""

    tariff = serializers.CharField(
        max_length=36, help_text="Id of one of our tariffs; its newest version counts."
    )


class SessionCostSerializer(serializers.ModelSerializer[SessionCost]):
    """What the station says that a session costs, and what its driver was told."""

    class Meta:
        model = SessionCost
        fields = (
            "tariff_id", "changed_to", "change_answer", "currency", "before_taxes", "after_taxes", "details",
            "is_final", "failure", "is_compared", "told_cost", "told_at",
        )  # fmt: skip


class SettlementSerializer(serializers.ModelSerializer[Settlement]):
    """What came of a payment at a terminal."""

    id = serializers.CharField(source="uid")
    station = serializers.CharField(source="station.identity")
    session = serializers.CharField(source="session.uid", default=None, allow_null=True)

    class Meta:
        model = Settlement
        fields = (
            "id", "station", "session", "transaction_id", "psp_reference", "status", "info", "amount", "settled_at",
            "receipt_id", "receipt_url", "vat_number", "company", "received_at",
        )  # fmt: skip


class WebPaymentSerializer(serializers.Serializer[Any]):
    """Somebody pays on the web: how long the EVSE may be locked for others."""

    connector_id = serializers.IntegerField(min_value=0, max_value=1000, default=0, help_text="EVSE; 0: any.")
    timeout_s = serializers.IntegerField(min_value=1, max_value=3600)
