"""Firmware on local controllers."""

from rest_framework import serializers

from cpo.api.serializers.fields import Instant
from cpo.api.serializers.transfers import TransferRequestSerializer, TransferStatusSerializer
from stations.models import FirmwarePublication


class PublicationSerializer(serializers.ModelSerializer[FirmwarePublication]):
    """One image at one local controller (OCPP 2.x L03)."""

    id = serializers.CharField(source="uid")
    station = serializers.CharField(source="station.identity", help_text="Identity of the local controller.")
    image = serializers.CharField(source="image.uid")
    status = serializers.CharField(help_text="The controller's newest word.")
    checksum = serializers.CharField(help_text="MD5 of the file, by which the controller knows it.")
    locations = serializers.ListField(
        child=serializers.CharField(), help_text="From where stations fetch it; the first is used."
    )
    history = TransferStatusSerializer(many=True)

    class Meta:
        model = FirmwarePublication
        fields = (
            "id", "station", "image", "checksum", "locations", "request_id", "retries", "retry_interval_s", "state",
            "status", "reason", "requested_by", "requested_at", "changed_at", "ended_at", "history",
        )  # fmt: skip


class PublicationWriteSerializer(TransferRequestSerializer):
    """An image for a local controller to publish."""

    image = serializers.CharField(
        max_length=36, help_text="Id of an image that fits a station of the controller's site."
    )


class PublicationUpdatesSerializer(TransferRequestSerializer):
    """The stations of the site that shall fetch it from the controller now."""

    stations = serializers.ListField(
        child=serializers.CharField(max_length=48),
        min_length=1,
        max_length=1000,
        help_text="Identities. None is sent if one cannot be.",
    )
    retrieve_at = Instant(required=False, help_text="Not before; left out: at once.")
    install_at = Instant(required=False, help_text="Not before.")
