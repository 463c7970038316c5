"""What came of remote control, and what availability is wanted."""

from typing import Any

from rest_framework import serializers

from stations.models import AvailabilityWish, RemoteRequest


class OutcomeSerializer(serializers.ModelSerializer[RemoteRequest]):
    """What followed a remote start, stop or reset: the answer says only that the station will try."""

    session = serializers.CharField(source="session.uid", default=None, allow_null=True)

    class Meta:
        model = RemoteRequest
        fields = ("kind", "state", "reason", "session", "due_at", "ended_at")


class AvailabilitySerializer(serializers.ModelSerializer[AvailabilityWish]):
    """What an operator wants an EVSE, or the whole station, to be."""

    connector_id = serializers.IntegerField(
        source="evse.number", default=0, help_text="Number of the EVSE; 0: the whole station."
    )
    connector = serializers.IntegerField(
        source="connector_number", help_text="Number within the EVSE (2.x); 0: the whole EVSE."
    )
    operative = serializers.BooleanField(source="is_operative")
    drift = serializers.BooleanField(
        source="is_drifting", help_text="It was in force once, and the station reports otherwise now."
    )

    class Meta:
        model = AvailabilityWish
        fields = (
            "connector_id", "connector", "operative", "state", "drift", "requested_by", "wished_at", "in_force_at",
        )  # fmt: skip


class AvailabilityWriteSerializer(serializers.Serializer[Any]):
    """A change of availability."""

    connector_id = serializers.IntegerField(
        min_value=0, max_value=10_000, default=0, help_text="Number of the EVSE; 0: the whole station."
    )
    connector = serializers.IntegerField(
        min_value=0, max_value=100, default=0, help_text="Number within the EVSE (2.x); 0: the whole EVSE."
    )
    operative = serializers.BooleanField()
    queue = serializers.BooleanField(
        default=False, help_text="Keep it for a station that is offline (else 409)."
    )
