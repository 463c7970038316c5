"""What is odd about a station."""

from typing import Any

from rest_framework import serializers


class QuirkSerializer(serializers.Serializer[Any]):
    """One flag of a station, or a deviation that was let pass and counted."""

    flag = serializers.CharField()
    value = serializers.JSONField(allow_null=True, help_text="Null: a deviation that is only counted.")
    source = serializers.ChoiceField(choices=["profile", "detected", "operator"])  # type: ignore[assignment]
    origin = serializers.CharField(help_text="The profile's name, or who set it.")
    count = serializers.IntegerField(help_text="How often it was seen, of detected ones.")
    first_at = serializers.DateTimeField(allow_null=True)
    last_at = serializers.DateTimeField(allow_null=True)
    in_force = serializers.BooleanField(source="is_in_force")


class StationQuirksSerializer(serializers.Serializer[Any]):
    """Everything odd about a station, and what holds of it."""

    in_force = serializers.DictField(help_text="Flag -> value.")
    results = QuirkSerializer(many=True)


class QuirkWriteSerializer(serializers.Serializer[Any]):
    """An operator's word about one flag."""

    value = serializers.JSONField(help_text="true or false, a number, or one of the flag's choices.")


class KnownQuirkSerializer(serializers.Serializer[Any]):
    """A flag of the table: what it means and which values it takes."""

    flag = serializers.CharField()
    meaning = serializers.CharField()
    kind = serializers.ChoiceField(choices=["switch", "number", "choice"])
    unit = serializers.CharField()
    choices = serializers.ListField(child=serializers.CharField())
    lowest = serializers.IntegerField()
    highest = serializers.IntegerField()


class KnownQuirksSerializer(serializers.Serializer[Any]):
    """The table of flags."""

    results = KnownQuirkSerializer(many=True)
