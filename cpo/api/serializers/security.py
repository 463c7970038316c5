"""Security events that stations reported."""

from rest_framework import serializers

from stations.models import SecurityEvent


class SecurityEventSerializer(serializers.ModelSerializer[SecurityEvent]):
    """Something about its own security that a station reported."""

    station = serializers.CharField(source="station.identity", help_text="Identity of the station.")
    type = serializers.CharField(
        help_text="Such as TamperDetectionActivated; makers have types of their own."
    )
    at = serializers.DateTimeField(help_text="As the station dated it.")

    class Meta:
        model = SecurityEvent
        fields = ("id", "station", "type", "at", "tech_info", "is_critical", "received_at")
