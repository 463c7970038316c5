"""Certificates: issued to stations, installed in them, known as roots, our authority's own."""

from typing import Any

from rest_framework import serializers

from stations.models import (
    AuthorityCertificate,
    InstalledCertificate,
    RootCertificate,
    RootUse,
    SigningUse,
    StationCertificate,
)
from stations.services import certificates, installed_certificates


class StationCertificateSerializer(serializers.ModelSerializer[StationCertificate]):
    """A certificate of a station, from its request to its end."""

    station = serializers.CharField(source="station.identity", help_text="Identity of the station.")
    serial_number = serializers.CharField(help_text="Hex, empty until it is issued.")
    chain = serializers.CharField(help_text="PEM, the leaf first, without the root.")
    problem = serializers.CharField(help_text="Why it is not further; empty when all is well.")

    class Meta:
        model = StationCertificate
        fields = (
            "id", "station", "use", "state", "common_name", "organization", "key_label", "serial_number",
            "fingerprint", "issuer", "not_before", "not_after", "problem", "chain", "tries", "next_try_at",
            "request_id", "wanted_root",
            "requested_at", "issued_at", "answered_at", "seen_at", "revoked_at",
        )  # fmt: skip


class InstalledCertificateSerializer(serializers.ModelSerializer[InstalledCertificate]):
    """A certificate that a station reported, named by its hash data."""

    station = serializers.CharField(source="station.identity", help_text="Identity of the station.")
    use = serializers.CharField(help_text="As in OCPP 2.1 GetCertificateIdUseEnumType.")
    chain_of = serializers.IntegerField(
        source="parent_id", allow_null=True, help_text="The certificate whose chain it belongs to."
    )
    root_certificate = serializers.IntegerField(
        source="root_id", allow_null=True, help_text="The root of ours that it is; null: not known here."
    )
    not_after = serializers.DateTimeField(
        source="root.not_after",
        default=None,
        allow_null=True,
        help_text="Of the root, where it is known here.",
    )

    class Meta:
        model = InstalledCertificate
        fields = (
            "id", "station", "use", "hash_algorithm", "issuer_name_hash", "issuer_key_hash", "serial_number",
            "chain_of", "root_certificate", "not_after", "reported_at",
        )  # fmt: skip


class RootCertificateSerializer(serializers.ModelSerializer[RootCertificate]):
    """A root that we know."""

    stations = serializers.SerializerMethodField(help_text="In how many stations it was reported.")

    class Meta:
        model = RootCertificate
        fields = (
            "id", "use", "name", "certificate", "fingerprint", "subject", "serial_number", "not_before",
            "not_after", "is_own", "is_trusted", "stations", "added_by", "created_at",
        )  # fmt: skip

    def get_stations(self, row: RootCertificate) -> int:
        """Count the stations."""
        return int(getattr(row, "stations_count", 0))


class AuthorityCertificateSerializer(serializers.ModelSerializer[AuthorityCertificate]):
    """A certificate of our own authority; its key is never shown."""

    class Meta:
        model = AuthorityCertificate
        fields = (
            "id", "role", "generation", "certificate", "fingerprint", "subject", "not_before", "not_after",
            "created_at",
        )  # fmt: skip


class _Queue(serializers.Serializer[Any]):
    queue = serializers.BooleanField(
        default=False, help_text="Let it wait for a station that is offline (else 409)."
    )


class RenewSerializer(_Queue):
    """What to ask a station for."""

    use = serializers.ChoiceField(choices=SigningUse.choices, default=SigningUse.CHARGING_STATION.value)


class InstalledReadSerializer(_Queue):
    """What to ask a station about."""

    uses = serializers.ListField(
        child=serializers.ChoiceField(choices=[str(use) for use in installed_certificates.ALL_USES]),
        required=False,
        allow_empty=False,
        max_length=10,
        help_text="Left out: all that it may hold, in 2.x with one question.",
    )


class RootInstallSerializer(_Queue):
    """A root to install."""

    root_certificate = serializers.IntegerField(
        min_value=1, max_value=2**62, help_text="Id under /root-certificates/."
    )


class InstalledDeleteSerializer(_Queue):
    """How to delete."""

    confirmed = serializers.BooleanField(
        default=False, help_text="Needed for the last root of its use in the station (else 409)."
    )


class RevokeSerializer(serializers.Serializer[Any]):
    """Why it is revoked."""

    reason = serializers.ChoiceField(choices=[(reason, reason) for reason in certificates.REASONS])
    confirmed = serializers.BooleanField(
        default=False, help_text="Needed where a station is left without a certificate (else 409)."
    )


class RootWriteSerializer(serializers.Serializer[Any]):
    """A root to know."""

    use = serializers.ChoiceField(choices=RootUse.choices)
    certificate = serializers.CharField(max_length=20_000, help_text="PEM.")
    name = serializers.CharField(max_length=100, required=False, default="", allow_blank=True)
    is_trusted = serializers.BooleanField(
        default=False, help_text="true: client certificates under it open connections."
    )


class RootDeleteSerializer(serializers.Serializer[Any]):
    """How to forget a root."""

    confirmed = serializers.BooleanField(
        default=False, help_text="Needed for a root under which stations may connect (else 409)."
    )
