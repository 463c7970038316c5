"""Id tokens of drivers, their groups, and those that nobody knows."""

from typing import Any

from rest_framework import serializers

from stations.models import IdToken, Operator, TokenGroup, UnknownToken

TYPES = ["AD_HOC_USER", "APP_USER", "EMAID", "OTHER", "RFID"]
MOST_SESSIONS = 32_767  # what the column holds


class TokenSerializer(serializers.ModelSerializer[IdToken]):
    """An id token. Without a party it is our own driver's."""

    party = serializers.SerializerMethodField(
        help_text="'NL*ABC': the partner whose driver it is; '': our own."
    )
    max_sessions = serializers.IntegerField(
        allow_null=True, help_text="Sessions at one time; null: any number."
    )
    charging_priority = serializers.IntegerField(
        allow_null=True,
        help_text="-9 to 9, told to 2.x stations: a higher one charges first; null: as everybody.",
    )
    locations = serializers.SerializerMethodField(
        help_text="Ids of the sites where it charges only; with `operators` empty: anywhere."
    )
    operators = serializers.SerializerMethodField(
        help_text="Own parties ('NL*OPN') at whose sites it charges."
    )

    class Meta:
        model = IdToken
        fields = (
            "uid", "type", "party", "status", "expires_at", "contract_id", "visual_number", "issuer", "group_id",
            "whitelist", "language", "name", "max_sessions", "charging_priority", "locations", "operators",
            "created_at", "last_updated",
        )  # fmt: skip

    def get_party(self, token: IdToken) -> str:
        """Give the partner's country code and party id."""
        return f"{token.country_code}*{token.party_id}" if token.country_code else ""

    def get_locations(self, token: IdToken) -> list[str]:
        """Give the sites that it is bound to."""
        return [location.uid for location in token.locations.all()]

    def get_operators(self, token: IdToken) -> list[str]:
        """Give the own parties that it is bound to."""
        return [str(operator) for operator in token.operators.all()]


class TokenWriteSerializer(serializers.ModelSerializer[IdToken]):
    """What an operator says about one of his own drivers' tokens. What is left out stays as it is."""

    uid = serializers.CharField(
        max_length=36, help_text="With `type` the key of the upsert, in any case of letters."
    )
    type = serializers.ChoiceField(TYPES, required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="May lie in the past.")
    max_sessions = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MOST_SESSIONS
    )
    charging_priority = serializers.IntegerField(
        required=False, allow_null=True, min_value=-9, max_value=9, help_text="A higher one charges first."
    )
    locations = serializers.ListField(
        child=serializers.CharField(max_length=36), required=False, max_length=1000
    )
    operators = serializers.ListField(
        child=serializers.CharField(max_length=6), required=False, max_length=1000
    )

    class Meta:
        model = IdToken
        fields = (
            "uid", "type", "status", "expires_at", "contract_id", "visual_number", "issuer", "group_id", "whitelist",
            "language", "name", "max_sessions", "charging_priority", "locations", "operators",
        )  # fmt: skip
        extra_kwargs = {"status": {"required": False}, "whitelist": {"required": False}}
        validators: list[object] = []

    def validate_operators(self, keys: list[str]) -> list[Operator]:
        """Return the own parties; say which one is none."""
        found = {str(operator).upper(): operator for operator in Operator.objects.all()}
        missing = [key for key in keys if key.upper() not in found]
        if missing:
            raise serializers.ValidationError(f"There is no operator {missing[0]}.")
        return [found[key.upper()] for key in keys]


class TokenGroupSerializer(serializers.ModelSerializer[TokenGroup]):
    """A group of own drivers' tokens (OCPP parentIdTag). Tokens may name a group that has no row: it binds nobody."""

    class Meta:
        model = TokenGroup
        fields = ("uid", "name", "status", "max_sessions", "created_at", "last_updated")


class TokenGroupWriteSerializer(serializers.ModelSerializer[TokenGroup]):
    """What an operator says about a group. What is left out stays as it is."""

    uid = serializers.CharField(max_length=36, help_text="The key of the upsert, in any case of letters.")
    max_sessions = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=MOST_SESSIONS,
        help_text="Of all its tokens together.",
    )

    class Meta:
        model = TokenGroup
        fields = ("uid", "name", "status", "max_sessions")
        extra_kwargs = {"status": {"required": False}}
        validators: list[object] = []


class UnknownTokenSerializer(serializers.ModelSerializer[UnknownToken]):
    """A token that somebody showed and that nobody knows."""

    station = serializers.CharField(
        source="station.identity", default=None, help_text="Where it was shown last."
    )

    class Meta:
        model = UnknownToken
        fields = ("id", "uid", "count", "station", "first_at", "last_at", "is_ignored")


class UnknownTokenAcceptSerializer(serializers.Serializer[Any]):
    """What is known of the driver whose token is accepted."""

    name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    group_id = serializers.CharField(max_length=36, required=False, allow_blank=True)


class UnknownTokenIgnoreSerializer(serializers.Serializer[Any]):
    """Whether it is hidden from the list."""

    ignored = serializers.BooleanField(default=True)
