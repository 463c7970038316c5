"""Stations with their EVSEs and connectors."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from stations.models import ChargingStation, Connector, ConnectorStatus


class ConnectorSerializer(serializers.ModelSerializer[Connector]):
    """A connector. `connector_id` is the number of its EVSE, which OCPP 1.6 calls connectorId."""

    connector_id = serializers.IntegerField(source="evse.number", min_value=1, max_value=1000)
    connector = serializers.IntegerField(
        source="number", min_value=1, max_value=1000, default=1, help_text="Its number within the EVSE."
    )
    evse = serializers.CharField(source="evse.uid", read_only=True, help_text="OCPI uid of the EVSE.")
    evse_id = serializers.CharField(
        source="evse.evse_id",
        max_length=48,
        required=False,
        allow_blank=True,
        help_text="eMI3 id, as printed.",
    )
    standard = serializers.CharField(max_length=32, required=False)
    format = serializers.ChoiceField(["SOCKET", "CABLE"], required=False)
    power_type = serializers.CharField(max_length=16, required=False)
    max_voltage_v = serializers.IntegerField(min_value=0, max_value=2_147_483_647, required=False)
    max_amperage_a = serializers.IntegerField(min_value=0, max_value=2_147_483_647, required=False)
    max_power_w = serializers.IntegerField(
        min_value=0, max_value=2_147_483_647, required=False, allow_null=True
    )

    class Meta:
        model = Connector
        fields = (
            "connector_id", "connector", "evse", "evse_id", "standard", "format", "power_type", "max_voltage_v",
            "max_amperage_a", "max_power_w", "status", "status_at", "error_code",
        )  # fmt: skip
        read_only_fields = ("status", "status_at", "error_code")


@extend_schema_field(
    {
        "oneOf": [
            {"type": "integer", "minimum": 0, "maximum": 100},
            {
                "type": "array",
                "maxItems": 100,
                "items": {
                    "type": "object",
                    "required": ["connector_id"],
                    "description": "The members of Connector; those about its state are ignored.",
                    "properties": {"connector_id": {"type": "integer", "minimum": 1}},
                },
            },
        ]
    }
)
class ConnectorsField(serializers.Field[Any, Any, Any, Any]):
    """How many connectors there are, or a list that describes them."""

    def to_internal_value(self, data: Any) -> list[dict[str, Any]]:
        """Return one dictionary per connector."""
        if isinstance(data, int) and not isinstance(data, bool) and 0 <= data <= 100:
            return [{"evse": {"number": n}, "number": 1} for n in range(1, data + 1)]
        if not isinstance(data, list):
            raise serializers.ValidationError("A number of connectors (at most 100) or a list of them.")
        rows = ConnectorSerializer(data=data[:101], many=True)
        rows.is_valid(raise_exception=True)
        if len(data) > 100:
            raise serializers.ValidationError("At most 100 connectors.")
        return list(rows.validated_data)


class StationSerializer(serializers.ModelSerializer[ChargingStation]):
    """A station as it is registered and as it described itself."""

    id = serializers.CharField(source="identity", help_text="The last part of its OCPP URL.")
    location = serializers.CharField(source="location.uid", default=None, allow_null=True)
    status = serializers.ChoiceField(ConnectorStatus.choices)
    connectors = serializers.SerializerMethodField()

    class Meta:
        model = ChargingStation
        fields = (
            "id", "name", "location", "security_profile", "registration", "ocpp_version", "is_online", "last_seen_at",
            "last_boot_at", "status", "status_at", "vendor", "model", "serial_number", "firmware_version",
            "firmware_status", "diagnostics_status", "connectors", "created_at",
        )  # fmt: skip

    @extend_schema_field(ConnectorSerializer(many=True))
    def get_connectors(self, station: ChargingStation) -> Any:
        """Give the connectors of all EVSEs that are not removed."""
        rows = [c for evse in station.evses.all() if not evse.is_removed for c in evse.connectors.all()]
        return ConnectorSerializer(rows, many=True).data


class StationWithPasswordSerializer(StationSerializer):
    """The answer to a registration: the only time that the password is shown."""

    password = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    class Meta(StationSerializer.Meta):
        fields = (*StationSerializer.Meta.fields, "password", "url")  # type: ignore[assignment]

    @extend_schema_field({"type": "string", "nullable": True})
    def get_password(self, station: ChargingStation) -> str | None:
        """Give the password that was made or set just now; null when the station keeps its own."""
        password: str | None = self.context.get("password")
        return password

    @extend_schema_field({"type": "string", "format": "uri"})
    def get_url(self, station: ChargingStation) -> str:
        """Give the address to set in the station."""
        return f"{self.context['websocket_url']}/ocpp/{station.identity}"


class StationWriteSerializer(serializers.Serializer[Any]):
    """What an operator says about a station. What is left out stays as it is."""

    id = serializers.CharField(
        max_length=48, help_text="The last part of its OCPP URL; the key of the upsert."
    )
    name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    location = serializers.CharField(max_length=36, required=False, help_text="Id of the location.")
    password = serializers.CharField(
        max_length=40,
        required=False,
        trim_whitespace=False,
        help_text="16 to 40 characters. Without one, a new station gets a generated one and an old one keeps its own.",
    )
    security_profile = serializers.ChoiceField(ChargingStation.SecurityProfile.choices, required=False)
    registration = serializers.ChoiceField(ChargingStation.Registration.choices, required=False)
    connectors = ConnectorsField(required=False)
