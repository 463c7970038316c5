"""Local authorization lists of stations."""

from typing import Any

from rest_framework import serializers

from stations.models import LocalList


class LocalListSerializer(serializers.ModelSerializer[LocalList]):
    """How far a station's list is in step."""

    station = serializers.CharField(source="station.identity")
    mode = serializers.ChoiceField(
        LocalList.Mode.choices, help_text="'': as the site, or the installation, says."
    )
    on = serializers.BooleanField(source="is_on", help_text="What mode, site and installation come to.")
    version = serializers.IntegerField(help_text="Of what the station accepted last, or is being sent.")
    reported_version = serializers.IntegerField(
        allow_null=True, help_text="As the station told; -1: it has no list, 0: its list is empty."
    )
    entries = serializers.IntegerField(source="wanted.size", default=None, allow_null=True)
    left_out = serializers.IntegerField(
        source="wanted.left_out", default=None, allow_null=True, help_text="Tokens that do not fit."
    )
    too_long = serializers.IntegerField(
        source="wanted.too_long", default=None, allow_null=True, help_text="Tokens that cannot be told."
    )

    class Meta:
        model = LocalList
        fields = (
            "station", "mode", "on", "state", "version", "reported_version", "reported_at", "entries", "left_out",
            "too_long", "max_entries", "tries", "next_try_at", "problem", "sent_at",
        )  # fmt: skip


class LocalListWriteSerializer(serializers.Serializer[Any]):
    """Whether the station shall have a list."""

    mode = serializers.ChoiceField(["", "on", "off"], help_text="'': as the site, or the installation, says.")


class LocalListSiteSerializer(serializers.Serializer[Any]):
    """Whether the stations of a site shall have lists."""

    on = serializers.BooleanField(allow_null=True, help_text="null: as the installation says.")
