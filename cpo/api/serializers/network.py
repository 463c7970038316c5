"""Own parties and their locations."""

import zoneinfo
from typing import Any

from rest_framework import serializers

from cpo.api.serializers.fields import ExactNumber
from stations.models import Location, Operator


class OperatorSerializer(serializers.ModelSerializer[Operator]):
    """An own party: in its name locations are published and CDRs are written."""

    id = serializers.CharField(source="__str__", read_only=True, help_text="'NL*ABC'.")
    country_code = serializers.RegexField(r"^[A-Za-z]{2}$", help_text="ISO 3166-1 alpha-2.")
    party_id = serializers.RegexField(r"^[A-Za-z0-9]{3}$", help_text="ISO 15118.")
    currency = serializers.RegexField(r"^[A-Z]{3}$", required=False, help_text="ISO 4217.")

    class Meta:
        model = Operator
        fields = ("id", "country_code", "party_id", "name", "legal_name", "vat_id", "website", "currency")
        validators: list[object] = []  # the pair is the key of the upsert


class LocationSerializer(serializers.ModelSerializer[Location]):
    """A site. A given `id` that exists is changed; without one a new site is made. What is left out stays as it is."""

    id = serializers.RegexField(
        r"^[\x21-\x7e]{1,36}$", source="uid", required=False, help_text="OCPI location id."
    )
    operator = serializers.CharField(
        required=False, help_text="'NL*ABC'; may be left out while there is only one operator."
    )
    latitude = ExactNumber(max_digits=10, decimal_places=7, min_value=-90, max_value=90, required=False)
    longitude = ExactNumber(max_digits=10, decimal_places=7, min_value=-180, max_value=180, required=False)
    country = serializers.RegexField(r"^[A-Z]{3}$", required=False, help_text="ISO 3166-1 alpha-3.")
    time_zone = serializers.CharField(max_length=255, required=False, help_text="IANA name.")
    facilities = serializers.ListField(child=serializers.CharField(max_length=32), required=False)
    opening_times = serializers.DictField(required=False, help_text="OCPI Hours.")
    energy_mix = serializers.DictField(required=False, help_text="OCPI EnergyMix.")

    class Meta:
        model = Location
        fields = (
            "id", "operator", "name", "address", "city", "postal_code", "state", "country", "latitude", "longitude",
            "time_zone", "publish", "parking_type", "facilities", "opening_times", "energy_mix", "created_at",
            "last_updated",
        )  # fmt: skip
        read_only_fields = ("created_at", "last_updated")
        extra_kwargs = {"publish": {"required": False}}

    def validate_time_zone(self, name: str) -> str:
        """Return the name if there is such a zone."""
        if name not in zoneinfo.available_timezones():
            raise serializers.ValidationError("No time zone of this name.")
        return name

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Keep numbers inside JSON columns writable."""
        for member in ("opening_times", "energy_mix"):
            if member in attrs:
                attrs[member] = _plain(attrs[member])
        return attrs


def _plain(value: Any) -> Any:
    """Return JSON whose decimals are texts, as all JSON columns hold them."""
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return value if isinstance(value, str | int | bool) or value is None else str(value)
