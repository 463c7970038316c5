"""Variables of 2.x stations in changes, their monitors, events and incidents."""

from typing import Any

from rest_framework import serializers

from stations.models import DeviceEvent, StationIncident, VariableMonitor
from stations.services import monitoring
from stations.services.monitoring import SEVERITIES
from stations.services.variable_keys import VariableKey

SEVERITY = "0 to 9: " + ", ".join(SEVERITIES) + "."


class VariableChangeSerializer(serializers.Serializer[Any]):
    """One variable and what it shall be."""

    key = serializers.CharField(max_length=250)
    value = serializers.CharField(max_length=2500, allow_blank=True, trim_whitespace=False)


class VariablesWriteSerializer(serializers.Serializer[Any]):
    """Changes of several variables."""

    changes = VariableChangeSerializer(many=True, allow_empty=False)
    confirmed = serializers.BooleanField(default=False, help_text="Needed for what can cut the station off.")
    queue = serializers.BooleanField(default=False, help_text="Keep it for a station that is offline.")


class VariablesReadSerializer(serializers.Serializer[Any]):
    """What to read again; without keys everything."""

    keys = serializers.ListField(
        child=serializers.CharField(max_length=250), required=False, max_length=500, default=list
    )


class PlaceSerializer(serializers.Serializer[Any]):
    """Base of rows that stand at a variable."""

    key = serializers.SerializerMethodField(
        help_text="Component{evse,connector}[instance]/Variable[instance]."
    )

    def get_key(self, row: Any) -> str:
        """Write where the variable stands."""
        place = VariableKey(
            row.name,
            row.component,
            row.component_instance,
            row.evse_number,
            row.connector_number,
            row.instance,
        )
        return str(place)


class MonitorSerializer(PlaceSerializer, serializers.ModelSerializer[VariableMonitor]):
    """One monitor of a station."""

    id = serializers.IntegerField(source="monitor_id", help_text="The station's own id of it.")
    severity = serializers.IntegerField(help_text=SEVERITY)
    transaction = serializers.BooleanField(source="is_transaction", help_text="Only while a session runs.")

    class Meta:
        model = VariableMonitor
        fields = ("id", "key", "type", "value", "severity", "transaction", "origin", "reported_at")


class MonitorWriteSerializer(serializers.Serializer[Any]):
    """One monitor to set."""

    key = serializers.CharField(max_length=250)
    type = serializers.ChoiceField(choices=VariableMonitor.Type.choices)
    value = serializers.DecimalField(max_digits=18, decimal_places=6)
    severity = serializers.IntegerField(min_value=0, max_value=9, help_text=SEVERITY)
    transaction = serializers.BooleanField(default=False)
    id = serializers.IntegerField(
        required=False, allow_null=True, default=None, help_text="Replaces this one."
    )


class MonitorClearSerializer(serializers.Serializer[Any]):
    """Monitors to clear."""

    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=0), allow_empty=False, max_length=500
    )


class MonitoringWriteSerializer(serializers.Serializer[Any]):
    """Base or level of a station's monitoring; one of the two."""

    base = serializers.ChoiceField(choices=monitoring.BASES, required=False)
    level = serializers.IntegerField(min_value=0, max_value=9, required=False, help_text=SEVERITY)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Take exactly one."""
        if len(attrs) != 1:
            raise serializers.ValidationError("Give base or level.")
        return attrs


class DeviceEventSerializer(PlaceSerializer, serializers.ModelSerializer[DeviceEvent]):
    """One event of a station's device model."""

    cleared = serializers.BooleanField(source="is_cleared", help_text="true: what was told before is over.")

    class Meta:
        model = DeviceEvent
        fields = (
            "event_id", "key", "at", "received_at", "trigger", "value", "severity", "cleared", "monitor_id", "cause",
            "tech_code", "tech_info", "transaction_id",
        )  # fmt: skip


class IncidentSerializer(serializers.ModelSerializer[StationIncident]):
    """Something grave that a station reported, until it says that it is over."""

    class Meta:
        model = StationIncident
        fields = (
            "title", "severity", "value", "tech_code", "tech_info", "transaction_id", "count", "began_at", "last_at",
            "cleared_at",
        )  # fmt: skip


class FleetIncidentSerializer(serializers.ModelSerializer[StationIncident]):
    """An incident with its station, for the list of all."""

    station = serializers.CharField(source="station.identity")

    class Meta:
        model = StationIncident
        fields = (
            "id", "station", "title", "severity", "value", "tech_code", "tech_info", "transaction_id", "count",
            "began_at", "last_at", "cleared_at",
        )  # fmt: skip
