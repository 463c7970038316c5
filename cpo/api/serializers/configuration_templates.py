"""Templates of desired values and what differs from them."""

from typing import Any

from rest_framework import serializers

from stations.models import ConfigurationTemplate, TemplateValue, Variable
from stations.services import variable_keys


class TemplateValueSerializer(serializers.ModelSerializer[TemplateValue]):
    """One desired value: of a key of 1.6, which has no component, or of a variable where its component stands."""

    evse = serializers.IntegerField(
        source="evse_number", min_value=0, required=False, default=0, help_text="0: of no EVSE."
    )
    connector = serializers.IntegerField(
        source="connector_number", min_value=0, required=False, default=0, help_text="0: of no connector."
    )

    class Meta:
        model = TemplateValue
        fields = ("name", "value", "component", "component_instance", "evse", "connector", "instance")


class TemplateSerializer(serializers.ModelSerializer[ConfigurationTemplate]):
    """Desired values for the stations that all its conditions fit; an empty condition fits every station."""

    operator = serializers.CharField(allow_null=True, help_text="'NL*ABC': only stations of this operator.")
    location = serializers.CharField(
        source="location.uid", allow_null=True, default=None, help_text="Only stations at this location."
    )
    enforced = serializers.BooleanField(
        source="is_enforced", help_text="true: drift is corrected by itself, guarded keys excepted."
    )
    values = TemplateValueSerializer(many=True)

    class Meta:
        model = ConfigurationTemplate
        fields = (
            "id", "name", "operator", "location", "vendor", "model", "enforced", "values", "updated_at",
            "applied_at",
        )  # fmt: skip


class TemplateWriteSerializer(serializers.Serializer[Any]):
    """A template to add or to replace."""

    name = serializers.CharField(max_length=100)
    operator = serializers.CharField(max_length=6, required=False, allow_null=True)
    location = serializers.CharField(max_length=36, required=False, allow_null=True)
    vendor = serializers.CharField(max_length=255, required=False, allow_blank=True, default="")
    model = serializers.CharField(max_length=255, required=False, allow_blank=True, default="")
    enforced = serializers.BooleanField(default=False)
    values = TemplateValueSerializer(many=True)


class DriftSerializer(serializers.ModelSerializer[Variable]):
    """One value that a station reported otherwise than it is wished."""

    station = serializers.CharField(source="station.identity")
    key = serializers.SerializerMethodField(help_text="As it is given to a change.")
    template = serializers.IntegerField(
        source="template_id", allow_null=True, help_text="Whose wish it is; null: for this station alone."
    )

    class Meta:
        model = Variable
        fields = ("station", "component", "instance", "key", "value", "desired", "template", "reported_at")

    def get_key(self, row: Variable) -> str:
        """Write the name with the place of its component."""
        return str(variable_keys.of(row))
