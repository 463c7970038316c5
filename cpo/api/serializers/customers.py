"""What stations know about customers."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cpo.api.serializers.transfers import QueueSerializer
from stations.models import CustomerRequest, UnlistedToken
from stations.services import customer_information


class CustomerRequestSerializer(serializers.ModelSerializer[CustomerRequest]):
    """One question to a station about a customer, without what is personal."""

    id = serializers.CharField(source="uid")
    station = serializers.CharField(source="station.identity", help_text="Identity of the station.")
    report = serializers.BooleanField(source="is_report")
    clear = serializers.BooleanField(source="is_clear")

    class Meta:
        model = CustomerRequest
        fields: tuple[str, ...] = (
            "id", "station", "request_id", "reference_kind", "report", "clear", "state", "reason", "generated_at",
            "requested_by", "requested_at", "changed_at", "ended_at", "forgotten_at",
        )  # fmt: skip


class CustomerRequestToldSerializer(CustomerRequestSerializer):
    """The same with who is meant and what the station told; each look leaves an audit event."""

    reference = serializers.SerializerMethodField(help_text="{} once it is forgotten.")
    told = serializers.SerializerMethodField(help_text="'' while nothing came, and once it is forgotten.")

    class Meta(CustomerRequestSerializer.Meta):
        fields = (*CustomerRequestSerializer.Meta.fields, "reference", "told")

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_reference(self, row: CustomerRequest) -> dict[str, str]:
        """Decrypt who is meant."""
        return customer_information.reference(row)

    def get_told(self, row: CustomerRequest) -> str:
        """Decrypt what was told."""
        return customer_information.told(row)


class CertificateHashesSerializer(serializers.Serializer[Any]):
    """A certificate by its hashes, made with the algorithm by which it was installed."""

    hash_algorithm = serializers.ChoiceField(choices=customer_information.HASHES)
    issuer_name_hash = serializers.CharField(max_length=128)
    issuer_key_hash = serializers.CharField(max_length=128)
    serial_number = serializers.CharField(max_length=40)


class CustomerRequestWriteSerializer(QueueSerializer):
    """A question: exactly one of token, certificate and identifier says about whom."""

    id_token = serializers.CharField(max_length=255, default="", allow_blank=True)
    id_token_type = serializers.CharField(
        max_length=20, default="", allow_blank=True, help_text="Left out: as it is known here."
    )
    certificate = CertificateHashesSerializer(required=False)
    identifier = serializers.CharField(
        max_length=64, default="", allow_blank=True, help_text="What the vendor of the station calls him."
    )
    report = serializers.BooleanField(default=True, help_text="Tell what you know.")
    clear = serializers.BooleanField(default=False, help_text="Forget it.")


class UnlistedTokenSerializer(serializers.ModelSerializer[UnlistedToken]):
    """A token that stays off a station's local list because its data were cleared there."""

    class Meta:
        model = UnlistedToken
        fields = ("uid", "since")
