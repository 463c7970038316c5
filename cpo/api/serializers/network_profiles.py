"""Network profiles of a station: slots, the order of trying, and what is set."""

from typing import Any

from rest_framework import serializers

from stations.models import ChargingStation, NetworkProfile
from stations.services import network_profiles

LAST = 2**31 - 1  # number of a slot


class SlotSerializer(serializers.Serializer[Any]):
    """One slot, as the station tells it and as we set it."""

    slot = serializers.IntegerField(source="number")
    url = serializers.CharField(help_text="Without the identity; empty when nobody knows.")
    security_profile = serializers.IntegerField(allow_null=True)
    interface = serializers.CharField()
    place = serializers.IntegerField(allow_null=True, help_text="In the order of trying; null: not tried.")
    is_active = serializers.BooleanField()
    is_writable = serializers.BooleanField(help_text="Variable by variable (2.1).")
    state = serializers.ChoiceField(
        source="row.state",
        choices=NetworkProfile.State.choices,
        default=None,
        allow_null=True,
        help_text="The station's word for what we set; null: nothing.",
    )
    reason = serializers.CharField(source="row.reason", default="")
    told_at = serializers.DateTimeField(source="row.told_at", default=None, allow_null=True)


class NetworkSerializer(serializers.Serializer[Any]):
    """How a station reaches us."""

    slots = SlotSerializer(many=True)
    priority = serializers.ListField(
        child=serializers.IntegerField(), help_text="Slots in the order of trying; empty: never told."
    )
    wished_priority = serializers.CharField(
        source="wished", allow_null=True, help_text="An order on its way to the station."
    )
    active_slot = serializers.IntegerField(source="active.number", default=None, allow_null=True)
    attempts = serializers.IntegerField(allow_null=True, help_text="Before it tries the next slot.")
    has_fallen_back = serializers.BooleanField(help_text="Connected through another slot than the first.")


class ConnectionSerializer(serializers.Serializer[Any]):
    """Where and how a station connects; what is not said stays as it is."""

    slot = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=0, max_value=LAST
    )
    url = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=network_profiles.URL_LENGTH
    )
    interface = serializers.CharField(required=False, allow_blank=True, default="", max_length=20)
    timeout_s = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=86_400
    )
    more = serializers.DictField(
        required=False, default=dict, help_text="Members of NetworkConnectionProfileType: apn, vpn, identity."
    )


class SlotWriteSerializer(ConnectionSerializer):
    """A network profile for a slot."""

    slot = serializers.IntegerField(min_value=0, max_value=LAST)
    url = serializers.CharField(max_length=network_profiles.URL_LENGTH)
    security_profile = serializers.ChoiceField(choices=ChargingStation.SecurityProfile.choices)
    password = serializers.CharField(
        required=False, write_only=True, max_length=40,
        help_text="2.1: the old one is good too until the station has used it.",
    )  # fmt: skip
    by_variables = serializers.BooleanField(default=False, help_text="2.1, and a slot that is not tried.")
    confirmed = serializers.BooleanField(default=False, help_text="A wrong one can cut the station off.")
    queue = serializers.BooleanField(default=True, help_text="Wait for an offline station.")

    def profile(self) -> dict[str, Any]:
        """Give a NetworkConnectionProfileType."""
        told = self.validated_data
        secret = {"basicAuthPassword": told["password"]} if told.get("password") else {}
        return network_profiles.Connection(
            told["slot"], told["url"], told["interface"], told["timeout_s"], told["more"] | secret
        ).profile(told["security_profile"])


class SlotOrderSerializer(serializers.Serializer[Any]):
    """The order in which the station tries its slots from its next boot on."""

    slots = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=LAST),
        min_length=1,
        max_length=50,
        help_text="The first is tried first.",
    )
    restart = serializers.BooleanField(default=False)
    confirmed = serializers.BooleanField(default=False, help_text="A wrong one can cut the station off.")
    queue = serializers.BooleanField(default=True, help_text="Wait for an offline station.")
