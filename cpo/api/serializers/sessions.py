"""Charging sessions and their readings."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cpo.api.serializers.fields import ExactNumber
from stations.models import ChargingSession, SessionCorrection, SignedReading, UnmatchedStop


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


class CorrectSerializer(serializers.Serializer[object]):
    """The right energy of an ended session, and how it is known."""

    energy_wh = serializers.DecimalField(max_digits=20, decimal_places=4, min_value=0)
    reason = serializers.CharField(max_length=255)


class CorrectionSerializer(serializers.ModelSerializer[SessionCorrection]):
    """A change of an ended session's figures; `by` is 'station' when its own stop arrived late."""

    energy_before_wh = ExactNumber()
    energy_after_wh = ExactNumber()

    class Meta:
        model = SessionCorrection
        fields = (
            "at", "by", "reason", "energy_before_wh", "energy_after_wh", "ended_before", "ended_after",
        )  # fmt: skip


class SignedValueSerializer(serializers.ModelSerializer[SignedReading]):
    """A signed meter value as the station sent it: `text` is untouched."""

    class Meta:
        model = SignedReading
        fields = (
            "sampled_at",
            "received_at",
            "context",
            "measurand",
            "location",
            "phase",
            "encoding",
            "text",
        )


class UnmatchedStopSerializer(serializers.ModelSerializer[UnmatchedStop]):
    """A stop for a transaction that nobody started."""

    station = serializers.CharField(source="station.identity")
    session = serializers.CharField(source="session.uid", default=None, allow_null=True)
    review_item = serializers.IntegerField(source="item_id", allow_null=True)
    meter_stop_wh = ExactNumber(allow_null=True)

    class Meta:
        model = UnmatchedStop
        fields = (
            "id", "station", "transaction_id", "id_token", "ended_at", "received_at", "meter_stop_wh", "reason",
            "session", "matched_at", "matched_by", "review_item",
        )  # fmt: skip


class MergeSerializer(serializers.Serializer[object]):
    """Which stop was the end of this session."""

    stop = serializers.IntegerField(min_value=1, help_text="Id of the unmatched stop.")
