"""What waits for a human: review items, unknown stations; and who did what."""

from rest_framework import serializers

from cpo.models import AuditEvent
from stations.models import ChargingStation, OnboardingStation, ReviewItem


class ReviewItemSerializer(serializers.ModelSerializer[ReviewItem]):
    """Something that was stored and answered, but makes no sense by itself."""

    station = serializers.CharField(source="station.identity", default=None, allow_null=True)
    session = serializers.CharField(source="session.uid", default=None, allow_null=True)
    facts = serializers.DictField()

    class Meta:
        model = ReviewItem
        fields = (
            "id", "kind", "summary", "station", "session", "facts", "count", "raised_at", "last_at", "resolved_at",
            "resolved_by", "resolution",
        )  # fmt: skip


class ResolveSerializer(serializers.Serializer[object]):
    """How an item was dealt with."""

    resolution = serializers.CharField(max_length=255, default="", allow_blank=True)


class OnboardingSerializer(serializers.ModelSerializer[OnboardingStation]):
    """A station that knocked with an identity nobody registered."""

    class Meta:
        model = OnboardingStation
        fields = (
            "identity", "remote_address", "user_agent", "subprotocols", "attempts", "had_password", "first_at",
            "last_at", "is_ignored",
        )  # fmt: skip


class AcceptSerializer(serializers.Serializer[object]):
    """Where an accepted station stands."""

    location = serializers.CharField(max_length=36, required=False, help_text="Id of the location.")
    security_profile = serializers.ChoiceField(ChargingStation.SecurityProfile.choices, default=1)


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    """One change that somebody asked for; `outcome` is the HTTP status that he was given."""

    facts = serializers.DictField()

    class Meta:
        model = AuditEvent
        fields = (
            "id", "at", "channel", "actor", "role", "address", "action", "object_type", "object_id", "outcome", "facts",
        )  # fmt: skip
