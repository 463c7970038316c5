"""What a station is set to."""

from typing import Any

from rest_framework import serializers

from stations.models import Variable
from stations.services import configuration, variable_keys


class ConfigurationKeySerializer(serializers.ModelSerializer[Variable]):
    """One configuration key, or one attribute of a 2.x variable, as last reported, and what it is wished to be."""

    key = serializers.SerializerMethodField(
        help_text="A 1.6 key, or Component{evse,connector}[instance]/Variable[instance]/Attribute of a 2.x station."
    )
    evse = serializers.IntegerField(source="evse_number", help_text="0: of no EVSE.")
    connector = serializers.IntegerField(source="connector_number", help_text="0: of no connector.")
    last_answer = serializers.CharField(
        source="answer", help_text="What the station said to the last change."
    )
    value = serializers.CharField(allow_null=True, help_text="Null: not set, not known to it, or a secret.")
    readonly = serializers.BooleanField(source="is_readonly", help_text="As the station says.")
    writeonly = serializers.BooleanField(source="is_writeonly", help_text="It can be set and never read.")
    persistent = serializers.BooleanField(source="is_persistent", help_text="It outlives a restart.")
    constant = serializers.BooleanField(source="is_constant", help_text="It never changes at run time.")
    monitorable = serializers.BooleanField(source="is_monitorable", help_text="A monitor can watch it.")
    supported = serializers.BooleanField(
        source="is_supported", help_text="false: the station does not know it."
    )
    drift = serializers.SerializerMethodField(help_text="true: reported otherwise than desired.")

    class Meta:
        model = Variable
        fields = (
            "key", "value", "readonly", "supported", "desired", "drift", "reported_at", "changed_at", "component",
            "component_instance", "evse", "connector", "name", "instance", "attribute", "data_type", "unit",
            "min_limit", "max_limit", "values_list", "writeonly", "persistent", "constant", "monitorable",
            "last_answer",
        )  # fmt: skip

    def get_key(self, row: Variable) -> str:
        """Write the name as it is given to a change."""
        return str(variable_keys.of(row))

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
