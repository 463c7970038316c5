"""Commands to stations."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cpo.api.serializers.remote import OutcomeSerializer
from cpo.lib import redact
from stations.models import Command


class CommandSerializer(serializers.ModelSerializer[Command]):
    """A command and what became of it. A station's "Rejected" is a `result`, with status `answered`."""

    id = serializers.CharField(source="uid")
    station = serializers.CharField(source="station.identity")
    payload = serializers.SerializerMethodField()
    result = serializers.SerializerMethodField()
    outcome = OutcomeSerializer(
        source="remote",
        read_only=True,
        default=None,
        allow_null=True,
        help_text="What then happened, where it is awaited.",
    )

    class Meta:
        model = Command
        fields = (
            "id", "station", "action", "payload", "status", "result", "outcome", "error_code", "error_description",
            "answered_late", "requested_by", "created_at", "expires_at", "sent_at", "answered_at",
        )  # fmt: skip

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_payload(self, command: Command) -> Any:
        """Give the request with its secrets blanked."""
        return redact.payload(command.payload)

    @extend_schema_field({"type": "object", "nullable": True, "additionalProperties": {}})
    def get_result(self, command: Command) -> Any:
        """Give the answer with its secrets blanked; null while there is none."""
        return redact.payload(command.result)


class CommandWriteSerializer(serializers.Serializer[Any]):
    """A command to give."""

    action = serializers.CharField(
        max_length=64, help_text="Any request of the station's OCPP version, from us to it."
    )
    payload = serializers.JSONField(default=dict, help_text="The OCPP request.")
    queue = serializers.BooleanField(
        default=False, help_text="Keep it for a station that is offline (else 409)."
    )

    def validate_payload(self, payload: Any) -> dict[str, Any]:
        """Return the payload if it is an object."""
        if not isinstance(payload, dict):
            raise serializers.ValidationError("An object.")
        return payload
