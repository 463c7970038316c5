"""Limits of a charging session."""

from rest_framework import serializers

from cpo.api.serializers.fields import ExactNumber
from stations.models import SessionLimit


class SessionLimitSerializer(serializers.ModelSerializer[SessionLimit]):
    """What a session may come to; null: no limit. Energies in Wh, times in seconds since its start, gross amounts."""

    max_energy_wh = ExactNumber(allow_null=True)
    max_cost = ExactNumber(allow_null=True)
    told = serializers.BooleanField(source="is_told", help_text="The station has been asked to keep them.")
    at_station = serializers.DictField(
        child=serializers.CharField(), help_text="Limits that the station says it keeps, by kind."
    )

    class Meta:
        model = SessionLimit
        fields = (
            "max_energy_wh", "max_time_s", "max_cost", "max_soc_percent", "set_by", "set_at", "told", "at_station",
            "reached", "reached_at", "times_asked",
        )  # fmt: skip


class SessionLimitWriteSerializer(serializers.Serializer[SessionLimit]):
    """The limits of a session, all of them: what is left out is no limit."""

    max_energy_wh = serializers.DecimalField(20, 4, required=False, allow_null=True, min_value=0)
    max_time_s = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=10**8, help_text="Seconds since its start."
    )
    max_cost = serializers.DecimalField(20, 4, required=False, allow_null=True, min_value=0)
    max_soc_percent = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=100)
