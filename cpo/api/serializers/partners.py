"""Roaming partners: connections to other platforms, and what waits to be sent to them."""

from typing import Any

from rest_framework import serializers

from roaming import profiles
from roaming.models import Connection, Push, RemoteParty


class PartySerializer(serializers.ModelSerializer[RemoteParty]):
    """A party behind a connection."""

    class Meta:
        model = RemoteParty
        fields = ("role", "country_code", "party_id", "name", "website", "is_active")


class PartnerSerializer(serializers.ModelSerializer[Connection]):
    """A connection to a partner's platform or a hub."""

    status = serializers.ChoiceField(Connection.Status.choices)
    parties = PartySerializer(many=True)
    pushes_waiting = serializers.IntegerField(
        help_text="Objects that he does not have in their present state."
    )

    class Meta:
        model = Connection
        fields = (
            "id", "name", "status", "version", "versions_url", "is_hub", "profile", "parties", "push_modules",
            "pushes_waiting", "is_paused", "suspended_at", "failures", "retry_at", "last_error", "last_success_at",
            "last_failure_at", "last_seen_at", "registered_at", "ended_at", "created_at",
        )  # fmt: skip


class NewPartnerSerializer(PartnerSerializer):
    """The answer to a registration. `token_a` is shown only here."""

    token_a = serializers.CharField(
        source="shown_token_a",
        allow_null=True,
        help_text="For the partner, to register with us; null when we did.",
    )
    our_versions_url = serializers.URLField(source="shown_versions_url", help_text="For the partner, too.")

    class Meta(PartnerSerializer.Meta):
        fields = (*PartnerSerializer.Meta.fields, "token_a", "our_versions_url")  # type: ignore[assignment]


class PartnerWriteSerializer(serializers.Serializer[Any]):
    """A partner to register. With his versions URL and his token A we register with him; else he does with us."""

    name = serializers.CharField(max_length=100)
    versions_url = serializers.CharField(max_length=255, required=False)
    token = serializers.RegexField(
        r"^[\x21-\x7e]{1,64}$", required=False, help_text="His token A, as he wrote it.", trim_whitespace=True
    )
    profile = serializers.ChoiceField(sorted(profiles.PROFILES), default="standard")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Want the URL and the token together or not at all."""
        if ("versions_url" in attrs) != ("token" in attrs):
            missing = "token" if "versions_url" in attrs else "versions_url"
            raise serializers.ValidationError(
                {missing: ["Give versions_url and token together, or neither."]}
            )
        return attrs


class PushSerializer(serializers.ModelSerializer[Push]):
    """An object and how much of it the partner knows."""

    class Meta:
        model = Push
        fields = (
            "id", "module", "object_key", "party", "state", "tries", "next_try_at", "marked_at", "sent_at", "acked_at",
            "last_http", "last_code", "last_error",
        )  # fmt: skip
