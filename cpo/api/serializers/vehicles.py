"""What vehicles and others want of smart charging, remote starts, event streams. Energies in Wh, powers in W."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from cpo.api.serializers.fields import ExactNumber, Instant
from cpo.api.serializers.session_limits import SessionLimitWriteSerializer
from stations.models import (
    ChargingNeeds,
    EventStream,
    ExternalLimit,
    PriorityCharging,
    ProfileReport,
    TransferPermission,
)

PERIOD_HELP = "In A or W, as the schedule says; discharging is negative."


class ExternalLimitSerializer(serializers.ModelSerializer[ExternalLimit]):
    """A limit that somebody else has put on a station: an energy manager, a grid operator."""

    evse = serializers.IntegerField(source="evse_number", help_text="0: the whole station.")
    grid_critical = serializers.BooleanField(source="is_grid_critical", allow_null=True)
    local_generation = serializers.BooleanField(
        source="is_local_generation", help_text="It is added to what may be drawn, not a limit."
    )
    schedules = serializers.JSONField(help_text="ChargingScheduleType of OCPP 2.1, as the station told them.")

    class Meta:
        model = ExternalLimit
        fields = (
            "evse", "source", "grid_critical", "local_generation", "schedules", "told_at", "cleared_at",
        )  # fmt: skip


class ChargingNeedsSerializer(serializers.ModelSerializer[ChargingNeeds]):
    """What the vehicle at an EVSE asked for, and what became of it."""

    evse = serializers.IntegerField(source="evse_number")
    session = serializers.CharField(source="session.uid", allow_null=True, default=None)
    dynamic = serializers.BooleanField(source="is_dynamic", help_text="ISO 15118-20 dynamic control mode.")
    energy_wh = ExactNumber(allow_null=True)
    max_w = ExactNumber(allow_null=True, help_text="What we allow at the most since a renegotiation.")
    profile = serializers.CharField(source="profile.uid", allow_null=True, default=None)
    told = serializers.JSONField(help_text="ChargingNeedsType of OCPP 2.1, as it came.")
    schedule = serializers.JSONField(help_text="What the vehicle says it will do; null: it said nothing.")
    within_limits = serializers.BooleanField(source="schedule_is_within", allow_null=True)

    class Meta:
        model = ChargingNeeds
        fields = (
            "evse", "session", "status", "detail", "transfer", "dynamic", "departure_at", "energy_wh", "max_w",
            "profile", "schedule", "within_limits", "renegotiations", "told", "told_at",
        )  # fmt: skip


class RenegotiateSerializer(serializers.Serializer[Any]):
    """What a vehicle may have from now on; nothing given: its needs as it told them."""

    max_w = ExactNumber(required=False, allow_null=True, default=None)
    departure_at = Instant(required=False, allow_null=True, default=None)


class ProfileReportSerializer(serializers.ModelSerializer[ProfileReport]):
    """A question for the profiles that lie on a station, and what came of it."""

    evse = serializers.IntegerField(source="evse_number", allow_null=True)
    criteria = serializers.JSONField()
    told = serializers.JSONField(help_text="Each with evse, source and profile (ChargingProfileType).")
    unknown = serializers.ListField(
        child=serializers.IntegerField(), help_text="Profiles that we did not put there."
    )
    missing = serializers.ListField(
        child=serializers.IntegerField(), help_text="Profiles of ours that do not lie there any more."
    )

    class Meta:
        model = ProfileReport
        fields = (
            "request_id", "evse", "criteria", "state", "parts", "told", "unknown", "missing", "command", "asked_at",
            "finished_at",
        )  # fmt: skip


class ProfileScopeSerializer(serializers.Serializer[Any]):
    """Which profiles are asked for; nothing given: all. Ids exclude purpose, level and sources."""

    evse = serializers.IntegerField(
        min_value=0, max_value=1000, required=False, allow_null=True, default=None
    )
    purpose = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")
    stack_level = serializers.IntegerField(min_value=0, required=False, allow_null=True, default=None)
    ids = serializers.ListField(
        child=serializers.IntegerField(), required=False, default=list, max_length=100
    )
    sources = serializers.ListField(
        child=serializers.CharField(max_length=20), required=False, default=list, max_length=4
    )


class DynamicValuesSerializer(serializers.Serializer[Any]):
    """New values of a dynamic profile, from now on."""

    limit = ExactNumber(required=False, help_text=PERIOD_HELP)
    limit_l2 = ExactNumber(required=False, help_text=PERIOD_HELP)
    limit_l3 = ExactNumber(required=False, help_text=PERIOD_HELP)
    discharge_limit = ExactNumber(required=False, help_text=PERIOD_HELP)
    discharge_limit_l2 = ExactNumber(required=False, help_text=PERIOD_HELP)
    discharge_limit_l3 = ExactNumber(required=False, help_text=PERIOD_HELP)
    setpoint = ExactNumber(required=False, help_text=PERIOD_HELP)
    setpoint_l2 = ExactNumber(required=False, help_text=PERIOD_HELP)
    setpoint_l3 = ExactNumber(required=False, help_text=PERIOD_HELP)
    setpoint_reactive = ExactNumber(required=False, help_text="var")

    def validate(self, attrs: dict[str, Decimal]) -> dict[str, Decimal]:
        """Want one value at least."""
        if not attrs:
            raise serializers.ValidationError("Give one value at least.")
        return attrs


class PrioritySerializer(serializers.ModelSerializer[PriorityCharging]):
    """Whether a session has priority over its limits."""

    active = serializers.BooleanField(source="is_active", help_text="As the station told last.")
    wanted = serializers.BooleanField(source="is_wanted", allow_null=True, help_text="null: never asked for.")

    class Meta:
        model = PriorityCharging
        fields = ("active", "wanted", "answer", "changed_at")


class PriorityWriteSerializer(serializers.Serializer[Any]):
    """Priority that is asked for, or given up."""

    wanted = serializers.BooleanField()


class StartSerializer(serializers.Serializer[Any]):
    """A session to start from afar, with what may limit it."""

    id_token = serializers.CharField(max_length=255)
    connector_id = serializers.IntegerField(
        min_value=0, max_value=10_000, default=0, help_text="Number of the EVSE; 0: where the station likes."
    )
    template = serializers.CharField(
        required=False, help_text="Id of a charging profile of the library: the session charges by it."
    )
    profile = serializers.DictField(
        required=False, help_text="ChargingProfileType of OCPP 2.1: a TxProfile without a transaction."
    )
    limit_a = ExactNumber(required=False, min_value=0, help_text="A plain limit in A on each phase.")
    limit_w = ExactNumber(required=False, min_value=0, help_text="A plain limit in W on all phases together.")
    limits = SessionLimitWriteSerializer(
        required=False, help_text="When the session ends by itself: energy, time, cost, state of charge."
    )
    queue = serializers.BooleanField(
        default=False, help_text="Keep it for a station that is offline (else 409)."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Want one way to limit its power at the most."""
        if len({"template", "profile", "limit_a", "limit_w"} & attrs.keys()) > 1:
            raise serializers.ValidationError(
                "Give one of template, profile, limit_a and limit_w at the most."
            )
        return attrs


class EventStreamSerializer(serializers.ModelSerializer[EventStream]):
    """A periodic event stream of a station, for one of its monitors."""

    id = serializers.IntegerField(source="stream_id")
    component = serializers.CharField(source="monitor.component", default="")
    variable = serializers.CharField(source="monitor.name", default="")
    values_a_minute = ExactNumber(help_text="Of the last five minutes.")

    class Meta:
        model = EventStream
        fields = (
            "id", "monitor_id", "component", "variable", "interval_s", "values_at_once", "pending",
            "values_a_minute", "opened_at", "last_at", "closed_at",
        )  # fmt: skip


class StreamRateSerializer(serializers.Serializer[Any]):
    """How often a stream sends: every so many seconds, or whenever so many values wait, or both."""

    interval_s = serializers.IntegerField(min_value=0, max_value=86_400, required=False, allow_null=True)
    values_at_once = serializers.IntegerField(min_value=0, max_value=10_000, required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Want one of them (N11.FR.09)."""
        if all(value is None for value in attrs.values()):
            raise serializers.ValidationError("Give interval_s, values_at_once or both.")
        return attrs


class TokenTransfersSerializer(serializers.ModelSerializer[TransferPermission]):
    """Which energy transfers a driver's contract allows; null moments: nobody has decided."""

    modes = serializers.ListField(child=serializers.CharField(max_length=20))

    class Meta:
        model = TransferPermission
        fields = ("modes", "set_by", "set_at")


class TokenTransfersWriteSerializer(serializers.Serializer[Any]):
    """The transfers that are allowed; an empty list takes the decision back."""

    modes = serializers.ListField(child=serializers.CharField(max_length=20), max_length=20)
