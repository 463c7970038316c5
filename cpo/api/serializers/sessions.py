"""Charging sessions and their readings."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cpo.api.serializers.fields import ExactNumber
from stations.models import ChargingSession


class SessionSerializer(serializers.ModelSerializer[ChargingSession]):
    """A charging session. Energies in Wh, powers in W, exact; times are the charger's."""

    id = serializers.CharField(source="uid")
    station = serializers.CharField(source="station.identity")
    connector_id = serializers.IntegerField(
        source="evse.number", help_text="Number of the EVSE, which OCPP 1.6 calls connectorId."
    )
    connector = serializers.IntegerField(source="connector_number", help_text="Number within the EVSE.")
    transaction_id = serializers.SerializerMethodField()
    energy_wh = ExactNumber()
    meter_start_wh = ExactNumber(allow_null=True)
    meter_stop_wh = ExactNumber(allow_null=True)
    power_w = ExactNumber(allow_null=True)
    soc_percent = ExactNumber(allow_null=True)
    flags = serializers.ListField(child=serializers.CharField(), help_text="What is odd about it.")
    cdr = serializers.CharField(
        source="cdr_uid", allow_null=True, help_text="Id of its CDR, once there is one."
    )

    class Meta:
        model = ChargingSession
        fields = (
            "id", "station", "connector_id", "connector", "transaction_id", "id_token", "party", "started_at",
            "ended_at", "stop_reason", "energy_wh", "status", "cdr", "meter_start_wh", "meter_stop_wh", "power_w",
            "soc_percent", "last_reading_at", "authorization_status", "auth_method", "needs_review", "flags",
            "last_updated",
        )  # fmt: skip

    @extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string"}]})
    def get_transaction_id(self, session: ChargingSession) -> int | str:
        """Give it as its station writes it: OCPP 1.6 an integer, later versions a text."""
        return transaction_id(session)


def transaction_id(session: ChargingSession) -> int | str:
    """Return the transaction id in the type of the station's version."""
    text, version = session.transaction_id, session.station.ocpp_version
    return int(text) if text.isdecimal() and not version.startswith("2") else text


class MeterValueSerializer(serializers.Serializer[object]):
    """One reading, in the base unit of its measurand."""

    sampled_at = serializers.DateTimeField()
    measurand = serializers.CharField()
    phase = serializers.CharField(help_text="Empty: all phases together.")
    location = serializers.CharField()
    context = serializers.CharField()  # type: ignore[assignment]  # DRF keeps it apart; only its types do not
    unit = serializers.CharField()
    value = ExactNumber()


class CloseSerializer(serializers.Serializer[object]):
    """Why a session is closed by hand."""

    reason = serializers.CharField(max_length=40, default="Other")
