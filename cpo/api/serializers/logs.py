"""Logs that stations upload."""

from rest_framework import serializers

from cpo.api.serializers.fields import Instant
from cpo.api.serializers.transfers import TransferRequestSerializer, TransferStatusSerializer
from stations.models import LogUpload


class LogUploadSerializer(serializers.ModelSerializer[LogUpload]):
    """One log that a station was asked for."""

    id = serializers.CharField(source="uid")
    station = serializers.CharField(source="station.identity", help_text="Identity of the station.")
    status = serializers.CharField(help_text="The station's newest word.")
    size = serializers.IntegerField(source="file.size", default=None, allow_null=True, help_text="Bytes.")
    sha256 = serializers.CharField(source="file.sha256", default=None, allow_null=True)
    history = TransferStatusSerializer(many=True)

    class Meta:
        model = LogUpload
        fields = (
            "id", "station", "kind", "request_id", "location", "file_name", "size", "sha256", "oldest", "latest",
            "retries", "retry_interval_s", "state", "status", "reason", "requested_by", "requested_at", "changed_at",
            "ended_at", "history",
        )  # fmt: skip


class LogRequestSerializer(TransferRequestSerializer):
    """A log to ask for."""

    kind = serializers.ChoiceField(choices=LogUpload.Kind.choices, default=LogUpload.Kind.DIAGNOSTICS)
    location = serializers.CharField(
        max_length=512,
        default="",
        allow_blank=True,
        help_text="URL on a server that is listed; left out: our own store.",
    )
    oldest = Instant(required=False, help_text="Of the entries asked for.")
    latest = Instant(required=False)
