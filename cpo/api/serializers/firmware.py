"""Firmware: images, signers, updates, campaigns."""

from typing import Any

from rest_framework import serializers

from cpo.api.serializers.fields import Instant
from cpo.api.serializers.transfers import TransferRequestSerializer, TransferStatusSerializer
from stations.models import (
    CampaignStation,
    FirmwareCampaign,
    FirmwareImage,
    FirmwareUpdate,
    TrustedSigner,
)
from stations.services import firmware_checks


class FirmwareImageSerializer(serializers.ModelSerializer[FirmwareImage]):
    """Firmware of one vendor, and whether it was found to be what its maker made."""

    id = serializers.CharField(source="uid")
    model = serializers.CharField(source="model_pattern", help_text="Regular expression; empty: all models.")
    size = serializers.IntegerField(source="file.size", default=None, allow_null=True, help_text="Bytes.")
    file_sha256 = serializers.CharField(
        source="file.sha256", default=None, allow_null=True, help_text="Of the file as it came."
    )
    signer = serializers.CharField(source="signer.name", default=None, allow_null=True)
    faults = serializers.ListField(child=serializers.CharField(), help_text="Why it was refused.")

    class Meta:
        model = FirmwareImage
        fields: tuple[str, ...] = (
            "id", "vendor", "model", "version", "notes", "state", "faults", "size", "file_sha256", "scheme", "signer",
            "added_by", "added_at", "checked_at",
        )  # fmt: skip


class FirmwareImageMadeSerializer(FirmwareImageSerializer):
    """The same, with where its file goes."""

    upload_url = serializers.CharField(
        help_text="PUT the file there, once, without a token. Shown only now; the check follows at once."
    )

    class Meta(FirmwareImageSerializer.Meta):
        fields = (*FirmwareImageSerializer.Meta.fields, "upload_url")


class FirmwareImageWriteSerializer(serializers.Serializer[Any]):
    """What an image shall be; its file follows to `upload_url`."""

    vendor = serializers.CharField(max_length=255, help_text="As the stations report it.")
    model = serializers.CharField(
        max_length=100, default="", allow_blank=True, help_text="Regular expression; empty: all models."
    )
    version = serializers.CharField(max_length=255, help_text="As the stations report it afterwards.")
    sha256 = serializers.CharField(
        max_length=64, default="", allow_blank=True, help_text="What the maker says it is, hexadecimal."
    )
    signature = serializers.CharField(
        max_length=firmware_checks.MAX_SIGNATURE, default="", allow_blank=True, help_text="Base64."
    )
    certificate = serializers.CharField(
        max_length=firmware_checks.MAX_CERTIFICATE,
        default="",
        allow_blank=True,
        trim_whitespace=False,
        help_text="PEM: the signing certificate first.",
    )
    notes = serializers.CharField(max_length=2000, default="", allow_blank=True)


class TrustedSignerSerializer(serializers.ModelSerializer[TrustedSigner]):
    """Who vouches for a vendor's firmware."""

    class Meta:
        model = TrustedSigner
        fields = (
            "id", "vendor", "name", "subject", "fingerprint", "not_after", "is_active", "added_by", "added_at",
        )  # fmt: skip


class TrustedSignerWriteSerializer(serializers.Serializer[Any]):
    """A certificate to trust: the maker's root, or its signing certificate itself."""

    vendor = serializers.CharField(max_length=255)
    name = serializers.CharField(max_length=100)
    certificate = serializers.CharField(max_length=20_000, trim_whitespace=False, help_text="PEM.")


class FirmwareUpdateSerializer(serializers.ModelSerializer[FirmwareUpdate]):
    """One station's way to one firmware."""

    id = serializers.CharField(source="uid")
    station = serializers.CharField(source="station.identity", help_text="Identity of the station.")
    image = serializers.CharField(source="image.uid", default=None, allow_null=True)
    status = serializers.CharField(help_text="The station's newest word.")
    publication = serializers.CharField(
        source="publication.uid",
        default=None,
        allow_null=True,
        help_text="Of the local controller from which it comes.",
    )
    history = TransferStatusSerializer(many=True)

    class Meta:
        model = FirmwareUpdate
        fields = (
            "id", "station", "image", "publication", "location", "version", "version_before", "request_id", "is_signed",
            "retrieve_at", "install_at", "retries", "retry_interval_s", "state", "status", "reason", "requested_by",
            "planned_at", "changed_at", "ended_at", "history",
        )  # fmt: skip


class FirmwareUpdateWriteSerializer(TransferRequestSerializer):
    """An update to plan: an image of the library, or a listed server's location."""

    image = serializers.CharField(max_length=36, required=False, help_text="Id of an image of the library.")
    location = serializers.CharField(
        max_length=512, default="", allow_blank=True, help_text="URL on a server that is listed; unsigned."
    )
    version = serializers.CharField(
        max_length=255, default="", allow_blank=True, help_text="With a location: what it shall become."
    )
    retrieve_at = Instant(required=False, help_text="Not before; left out: at once.")
    install_at = Instant(required=False, help_text="Not before; in 1.6 only signed updates know this.")


class CampaignStationSerializer(serializers.ModelSerializer[CampaignStation]):
    """A station of a campaign."""

    station = serializers.CharField(source="station.identity")
    firmware_update = serializers.CharField(source="update.uid", default=None, allow_null=True)
    state = serializers.CharField(source="update.state", default=None, allow_null=True)

    class Meta:
        model = CampaignStation
        fields = ("station", "firmware_update", "state", "skipped")


class CampaignSerializer(serializers.ModelSerializer[FirmwareCampaign]):
    """One image on its way to many stations."""

    id = serializers.CharField(source="uid")
    image = serializers.CharField(source="image.uid")
    stations = CampaignStationSerializer(many=True)

    class Meta:
        model = FirmwareCampaign
        fields = (
            "id", "name", "image", "canaries", "at_once", "max_failed", "state", "reason", "stations", "created_by",
            "created_at", "changed_at",
        )  # fmt: skip


class CampaignWriteSerializer(serializers.Serializer[Any]):
    """A campaign to write down; nothing is sent before it is started."""

    name = serializers.CharField(max_length=100)
    image = serializers.CharField(max_length=36)
    stations = serializers.ListField(
        child=serializers.CharField(max_length=48),
        min_length=1,
        max_length=10_000,
        help_text="Identities; the first ones are the canaries.",
    )
    canaries = serializers.IntegerField(min_value=0, max_value=1000, default=1)
    at_once = serializers.IntegerField(min_value=1, max_value=1000, default=5)
    max_failed = serializers.IntegerField(
        min_value=1, max_value=1000, default=3, help_text="So many failures halt it."
    )
