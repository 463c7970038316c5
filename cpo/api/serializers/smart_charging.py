"""Charging profiles: the library, what lies on stations, composite schedules. Words of OCPP 2.1; limits in A or W."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from cpo.api.serializers.fields import ExactNumber, Instant
from stations.charging_profiles import Purpose, RateUnit
from stations.models import CompositeReport, InstalledProfile, ProfileTemplate

LIMIT_HELP = "A on each phase, or W on all phases together."


class StoredNumber(ExactNumber):
    """A number that lies in the row as a text."""

    def to_representation(self, value: Any) -> Any:
        """Return what the renderer writes as a number."""
        return super().to_representation(Decimal(str(value)))


class ProfilePeriodSerializer(serializers.Serializer[Any]):
    """What holds from `start_s` on, until the next period."""

    start_s = serializers.IntegerField(
        min_value=0,
        max_value=31_622_400,
        help_text="Seconds after the start of charging (Relative), after start_at (Absolute), after midnight (Daily) "
        "or after Monday's midnight (Weekly).",
    )
    limit = StoredNumber(min_value=0, help_text=LIMIT_HELP)
    number_phases = serializers.IntegerField(min_value=1, max_value=3, required=False, allow_null=True)


class ChargingProfileTemplateSerializer(serializers.ModelSerializer[ProfileTemplate]):
    """A charging profile of the library."""

    id = serializers.CharField(source="uid")
    operator = serializers.CharField(source="operator.__str__", help_text="'NL*ABC': whose it is.")
    periods = ProfilePeriodSerializer(many=True)
    min_charging_rate = ExactNumber(allow_null=True)
    local_time = serializers.BooleanField(source="is_local_time")
    start_at = Instant(allow_null=True)
    valid_from = Instant(allow_null=True)
    valid_to = Instant(allow_null=True)
    last_updated = Instant()

    class Meta:
        model = ProfileTemplate
        fields = (
            "id", "operator", "name", "purpose", "kind", "recurrency", "rate_unit", "stack_level", "periods",
            "start_at", "duration_s", "min_charging_rate", "local_time", "valid_from", "valid_to", "last_updated",
        )  # fmt: skip


class ChargingProfileTemplateWriteSerializer(serializers.Serializer[Any]):
    """A charging profile to add to the library, or to replace there."""

    operator = serializers.CharField(
        max_length=6, required=False, help_text="'NL*ABC'; may be left out where there is only one."
    )
    name = serializers.CharField(max_length=100)
    purpose = serializers.ChoiceField(ProfileTemplate.Purpose.choices, default="TxDefaultProfile")
    kind = serializers.ChoiceField(ProfileTemplate.Kind.choices, default="Relative")
    recurrency = serializers.ChoiceField(ProfileTemplate.Recurrency.choices, required=False, allow_blank=True)
    rate_unit = serializers.ChoiceField(ProfileTemplate.RateUnit.choices, default="A")
    stack_level = serializers.IntegerField(min_value=0, max_value=1000, default=0)
    periods = ProfilePeriodSerializer(many=True, allow_empty=False)
    start_at = Instant(required=False, allow_null=True, help_text="Absolute: null is when it is installed.")
    duration_s = serializers.IntegerField(
        min_value=1, max_value=31_622_400, required=False, allow_null=True, help_text="null: until replaced."
    )
    min_charging_rate = ExactNumber(
        required=False, allow_null=True, min_value=0, decimal_places=1, max_digits=12
    )
    local_time = serializers.BooleanField(
        default=True, help_text="Recurring: by the site's clock, else in UTC."
    )
    valid_from = Instant(required=False, allow_null=True)
    valid_to = Instant(required=False, allow_null=True)


class InstalledProfileSerializer(serializers.ModelSerializer[InstalledProfile]):
    """A charging profile of a station: wished for, sent, installed."""

    id = serializers.CharField(source="uid")
    evse = serializers.IntegerField(source="evse_number", help_text="0: the whole station.")
    session = serializers.CharField(source="session.uid", allow_null=True, default=None)
    template = serializers.CharField(source="template.uid", allow_null=True, default=None)
    wanted = serializers.BooleanField(source="is_wanted", help_text="false: it is to go, or nobody's wish.")
    wish = serializers.JSONField(help_text="ChargingProfileType of OCPP 2.1, as it was asked for.")
    sent = serializers.JSONField(
        source="profile", help_text="The same as it was fitted to the station and sent."
    )
    on_station = serializers.JSONField(help_text="The same as the station accepted it last; null: not there.")
    adaptations = serializers.ListField(
        child=serializers.CharField(),
        help_text="What was fitted: absolute, watts, amperes, shared, raised, …",
    )
    answers = serializers.ListField(
        child=serializers.DictField(), help_text="What the station said to each try."
    )
    verified = serializers.BooleanField(
        source="is_verified",
        allow_null=True,
        help_text="By the station's composite schedule; null: not known.",
    )
    valid_to = Instant(allow_null=True)
    created_at = Instant()
    sent_at = Instant(allow_null=True)
    installed_at = Instant(allow_null=True)
    ended_at = Instant(allow_null=True)

    class Meta:
        model = InstalledProfile
        fields = (
            "id", "profile_id", "evse", "session", "template", "source", "purpose", "stack_level", "state", "wanted",
            "detail", "adaptations", "answers", "verified", "wish", "sent", "on_station", "command", "requested_by",
            "valid_to", "created_at", "sent_at", "installed_at", "ended_at",
        )  # fmt: skip


class InstallSerializer(serializers.Serializer[Any]):
    """A profile to install: one of the library, one of your own, or a plain limit."""

    template = serializers.CharField(required=False, help_text="Id of a charging profile of the library.")
    profile = serializers.DictField(
        required=False, help_text="ChargingProfileType of OCPP 2.1; its id is given by us."
    )
    limit_a = ExactNumber(required=False, min_value=0, help_text="A plain limit in A on each phase.")
    limit_w = ExactNumber(required=False, min_value=0, help_text="A plain limit in W on all phases together.")
    purpose = serializers.ChoiceField(
        ProfileTemplate.Purpose.choices, default="TxDefaultProfile", help_text="Of a plain limit."
    )
    evse = serializers.IntegerField(min_value=0, max_value=1000, default=0, help_text="0: the whole station.")
    stack_level = serializers.IntegerField(
        min_value=0, max_value=1000, required=False, help_text="Instead of the template's."
    )
    until = Instant(required=False, allow_null=True, help_text="Of a plain limit: when it ends by itself.")
    each_transaction = serializers.BooleanField(
        default=False, help_text="A TxProfile for each transaction to come, not for the one that runs."
    )
    fall_back = serializers.BooleanField(
        default=True, help_text="Try it in another unit or for another purpose when the station refuses."
    )
    queue = serializers.BooleanField(
        default=False, help_text="Wait for a station that is offline (else 409)."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Want exactly one thing to install."""
        given = [name for name in ("template", "profile", "limit_a", "limit_w") if name in attrs]
        if len(given) != 1:
            raise serializers.ValidationError("Give one of template, profile, limit_a and limit_w.")
        return attrs


class ClearSerializer(serializers.Serializer[Any]):
    """What to clear: all that is given must match; nothing given clears everything."""

    profile_id = serializers.IntegerField(min_value=0, required=False)
    evse = serializers.IntegerField(min_value=0, required=False)
    purpose = serializers.ChoiceField([p.value for p in Purpose], required=False)
    stack_level = serializers.IntegerField(min_value=0, required=False)
    queue = serializers.BooleanField(
        default=False, help_text="Wait for a station that is offline (else 409)."
    )


class CompositeQuerySerializer(serializers.Serializer[Any]):
    """Which composite schedule."""

    evse = serializers.IntegerField(min_value=0, max_value=1000, default=0)
    duration_s = serializers.IntegerField(min_value=1, max_value=604_800, default=86_400)
    unit = serializers.ChoiceField([unit.value for unit in RateUnit], default="A")


class CompositeAskSerializer(CompositeQuerySerializer):
    """A question to the station."""

    queue = serializers.BooleanField(
        default=False, help_text="Wait for a station that is offline (else 409)."
    )


class CompositePeriodSerializer(serializers.Serializer[Any]):
    start = Instant()
    limit = ExactNumber(allow_null=True, help_text="null: nothing limits.")
    number_phases = serializers.IntegerField(allow_null=True)


class CompositeSideSerializer(serializers.Serializer[Any]):
    """A composite schedule."""

    start = Instant()
    duration_s = serializers.IntegerField()
    unit = serializers.CharField()
    periods = CompositePeriodSerializer(many=True)


class CompositeReportSerializer(serializers.ModelSerializer[CompositeReport]):
    """What the station last said."""

    asked_at = Instant()
    answered_at = Instant(allow_null=True)

    class Meta:
        model = CompositeReport
        fields = ("status", "detail", "command", "asked_at", "answered_at", "duration_s")


class DifferenceSerializer(serializers.Serializer[Any]):
    begin = Instant()
    end = Instant()
    ours = ExactNumber(allow_null=True)
    theirs = ExactNumber(allow_null=True)
    is_more = serializers.BooleanField(help_text="true: the station allows more than it should.")


class CompositeSerializer(serializers.Serializer[Any]):
    """Both composite schedules of an EVSE, and where they differ."""

    evse = serializers.IntegerField()
    ours = CompositeSideSerializer(allow_null=True, help_text="Computed from what lies on the station.")
    theirs = CompositeSideSerializer(allow_null=True, help_text="As the station told it; null: it never did.")
    report = CompositeReportSerializer(allow_null=True)
    differences = DifferenceSerializer(many=True)


class CapabilitySerializer(serializers.Serializer[Any]):
    """What is known of a station's smart charging; null where nobody knows."""

    max_stack_level = serializers.IntegerField(allow_null=True)
    max_profiles = serializers.IntegerField(allow_null=True)
    max_periods = serializers.IntegerField(allow_null=True)
    units = serializers.ListField(child=serializers.CharField(), help_text="A, W; empty: not known.")
    can_pause = serializers.BooleanField(help_text="A limit of 0 pauses a transaction.")
    minimum_a = ExactNumber(allow_null=True)
    has_maximum = serializers.BooleanField(help_text="Takes a maximum for the whole station.")
    transactions_only = serializers.BooleanField()
    defaults_only = serializers.BooleanField()
    tells_composite = serializers.BooleanField()
    is_smart = serializers.BooleanField()
    origins = serializers.DictField(child=serializers.CharField(), help_text="Where a fact is from.")
