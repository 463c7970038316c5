"""A station's security: profile, password, connection, changes under way."""

from typing import Any, ClassVar

from rest_framework import serializers

from cpo.api.serializers.network_profiles import ConnectionSerializer
from stations.models import ChargingStation, PasswordChange, SecurityProfileChange, StationAlias


class StepSerializer(serializers.Serializer[Any]):
    """One step of a change of profile."""

    step = serializers.ChoiceField(choices=SecurityProfileChange.Step.choices)
    state = serializers.CharField(help_text="waiting, running, done, skipped or failed.")
    note = serializers.CharField()
    at = serializers.DateTimeField()


class ProfileChangeSerializer(serializers.ModelSerializer[SecurityProfileChange]):
    """A rise of the security profile, from the wish until the station has come back."""

    steps = StepSerializer(many=True, read_only=True)

    class Meta:
        model = SecurityProfileChange
        fields = (
            "id", "from_profile", "to_profile", "status", "reason", "steps", "requested_by", "created_at",
            "return_until", "finished_at",
        )  # fmt: skip
        read_only_fields = fields


class PasswordChangeSerializer(serializers.ModelSerializer[PasswordChange]):
    """A new password on its way; the password itself is never told."""

    class Meta:
        model = PasswordChange
        fields = ("id", "status", "reason", "tries", "requested_by", "created_at", "finished_at")
        read_only_fields = fields


class AliasSerializer(serializers.ModelSerializer[StationAlias]):
    """Another spelling under which the station knocks."""

    class Meta:
        model = StationAlias
        fields = ("id", "alias", "added_by", "created_at")
        read_only_fields = ("id", "added_by", "created_at")
        extra_kwargs: ClassVar[dict[str, Any]] = {
            "alias": {"validators": []}
        }  # the service says what it may be


class TlsSerializer(serializers.Serializer[Any]):
    """The newest connection; without version and cipher where a proxy ends TLS."""

    is_tls = serializers.BooleanField()
    security_profile = serializers.IntegerField(allow_null=True)
    tls_version = serializers.CharField()
    tls_cipher = serializers.CharField()
    certificate = serializers.CharField(help_text="SHA-256 of the client certificate, in hex; empty: none.")
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class StationSecuritySerializer(serializers.Serializer[Any]):
    """What lets a station in."""

    security_profile = serializers.ChoiceField(choices=ChargingStation.SecurityProfile.choices)
    next_security_profile = serializers.IntegerField(
        allow_null=True, help_text="Accepted too until the station has come back with it."
    )
    password_changed_at = serializers.DateTimeField(allow_null=True)
    connection = TlsSerializer(allow_null=True)
    profile_changes = ProfileChangeSerializer(many=True)
    password_changes = PasswordChangeSerializer(many=True)
    aliases = AliasSerializer(many=True)


class RaiseSerializer(serializers.Serializer[Any]):
    """A higher profile, sent to the station."""

    profile = serializers.IntegerField(min_value=1, max_value=3)
    root_id = serializers.IntegerField(
        required=False, allow_null=True, help_text="The root of our server; null: our own authority's."
    )
    trusts_us = serializers.BooleanField(default=False, help_text="Install no root for our server.")
    connection = ConnectionSerializer(
        required=False, allow_null=True, help_text="How a 2.x station shall connect; null: as it does now."
    )


class ByHandSerializer(serializers.Serializer[Any]):
    """The profile that somebody set at the station."""

    profile = serializers.IntegerField(min_value=0, max_value=3)
    confirmed = serializers.BooleanField(default=False, help_text="Also if it is lower than now.")


class BulkPasswordSerializer(serializers.Serializer[Any]):
    """Whose passwords are to be changed."""

    stations = serializers.ListField(
        child=serializers.CharField(max_length=48), min_length=1, max_length=1000
    )


class BegunSerializer(serializers.Serializer[Any]):
    """How many changes were begun; stations with one under way are passed over."""

    begun = serializers.IntegerField()
