"""What a station is set to."""

from typing import Any

from rest_framework import serializers

from stations.models import Variable
from stations.services import configuration


class ConfigurationKeySerializer(serializers.ModelSerializer[Variable]):
    """One configuration key as the station last reported it, and what it is wished to be."""

    key = serializers.CharField(source="name")
    value = serializers.CharField(allow_null=True, help_text="Null: not set, not known to it, or a secret.")
    readonly = serializers.BooleanField(source="is_readonly", help_text="As the station says.")
    supported = serializers.BooleanField(
        source="is_supported", help_text="false: the station does not know it."
    )
    drift = serializers.SerializerMethodField(help_text="true: reported otherwise than desired.")

    class Meta:
        model = Variable
        fields = ("key", "value", "readonly", "supported", "desired", "drift", "reported_at", "changed_at")

    def get_drift(self, row: Variable) -> bool:
        """Tell whether the station is not set as it is wished."""
        return configuration.is_drifting(row)


class ConfigurationWriteSerializer(serializers.Serializer[Any]):
    """A change of one key."""

    value = serializers.CharField(max_length=500, allow_blank=True, trim_whitespace=False)
    desired = serializers.BooleanField(
        required=False, help_text="true: keep it as the desired value; false: forget the desired value."
    )
    confirmed = serializers.BooleanField(
        default=False, help_text="Needed for keys that can cut the station off, such as URLs (else 409)."
    )
    queue = serializers.BooleanField(
        default=False, help_text="Keep the change for a station that is offline (else 409)."
    )
