"""Id tokens of drivers."""

from rest_framework import serializers

from stations.models import IdToken


class TokenSerializer(serializers.ModelSerializer[IdToken]):
    """An id token. Without a party it is our own driver's."""

    party = serializers.SerializerMethodField(
        help_text="'NL*ABC': the partner whose driver it is; '': our own."
    )

    class Meta:
        model = IdToken
        fields = (
            "uid", "type", "party", "status", "expires_at", "contract_id", "visual_number", "issuer", "group_id",
            "whitelist", "language", "name", "created_at", "last_updated",
        )  # fmt: skip

    def get_party(self, token: IdToken) -> str:
        """Give the partner's country code and party id."""
        return f"{token.country_code}*{token.party_id}" if token.country_code else ""


class TokenWriteSerializer(serializers.ModelSerializer[IdToken]):
    """What an operator says about one of his own drivers' tokens. What is left out stays as it is."""

    uid = serializers.CharField(
        max_length=36, help_text="With `type` the key of the upsert, in any case of letters."
    )
    type = serializers.ChoiceField(["AD_HOC_USER", "APP_USER", "EMAID", "OTHER", "RFID"], required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="May lie in the past.")

    class Meta:
        model = IdToken
        fields = (
            "uid", "type", "status", "expires_at", "contract_id", "visual_number", "issuer", "group_id", "whitelist",
            "language", "name",
        )  # fmt: skip
        extra_kwargs = {"status": {"required": False}, "whitelist": {"required": False}}
        validators: list[object] = []
