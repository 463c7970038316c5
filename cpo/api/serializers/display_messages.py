"""Messages on the displays of stations, and news for the driver of a session."""

from typing import Any

from rest_framework import serializers

from cpo.api.serializers.commands import CommandSerializer
from stations.models import DisplayMessage, SessionCost
from stations.services.display_messages import CONTENTS_AT_MOST
from stations.services.display_rows import Content, Message
from stations.services.station_costs import LONGEST_MESSAGE


class ContentSerializer(serializers.Serializer[Any]):
    """A text in one language (RFC 5646) and format."""

    content = serializers.CharField(max_length=1024, help_text="Before OCPP 2.1 at most 512 characters.")
    format = serializers.ChoiceField(choices=DisplayMessage.Format.choices, default="UTF8")
    language = serializers.CharField(max_length=8, allow_blank=True, default="")


class DisplayPlaceSerializer(serializers.Serializer[Any]):
    """Which display of several: a component of the station's device model."""

    component = serializers.CharField(max_length=50)
    instance = serializers.CharField(max_length=50, allow_blank=True, default="")
    evse = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0, help_text="0: of no EVSE.")
    connector = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)


class DisplayMessageSerializer(serializers.ModelSerializer[DisplayMessage]):
    """A message as it was wished, and `shown` as it lies on the station; null: nothing does."""

    id = serializers.IntegerField(source="message_id", help_text="Of the message at its station.")
    contents = ContentSerializer(many=True, help_text="The first is the main one.")
    when = serializers.CharField(help_text="State in which it is shown; empty: in every state.")
    ours = serializers.BooleanField(source="is_ours", help_text="false: only the station told of it.")
    batch = serializers.CharField(help_text="Shared by what was written for several stations at once.")
    shown = serializers.DictField(allow_null=True)
    drift = serializers.CharField(
        help_text="How the station's last report differs: missing, different, still_there, unasked; empty: it does not."
    )

    class Meta:
        model = DisplayMessage
        fields = (
            "id", "contents", "priority", "when", "starts_at", "ends_at", "transaction_id", "display",
            "display_instance", "display_evse", "display_connector", "state", "reason", "shown", "drift", "ours",
            "batch", "requested_by", "created_at", "changed_at", "reported_at",
        )  # fmt: skip


class DisplayMessageWriteSerializer(serializers.Serializer[Any]):
    """A message to show."""

    contents = serializers.ListField(
        child=ContentSerializer(), min_length=1, max_length=CONTENTS_AT_MOST,
        help_text="Languages or formats; a station of 2.0.1 is told the first alone.",
    )  # fmt: skip
    priority = serializers.ChoiceField(choices=DisplayMessage.Priority.choices, default="NormalCycle")
    when = serializers.ChoiceField(choices=DisplayMessage.When.choices, allow_blank=True, default="")
    starts_at = serializers.DateTimeField(allow_null=True, default=None)
    ends_at = serializers.DateTimeField(allow_null=True, default=None)
    transaction_id = serializers.CharField(
        max_length=36,
        allow_blank=True,
        default="",
        help_text="Of a running session, as its station calls it.",
    )
    display = DisplayPlaceSerializer(allow_null=True, default=None)
    id = serializers.IntegerField(
        min_value=0, max_value=2**31 - 1, allow_null=True, default=None, help_text="Replaces this one."
    )
    anyway = serializers.BooleanField(
        default=False, help_text="Send it even if the station says that it cannot show it."
    )
    queue = serializers.BooleanField(default=False, help_text="Keep it for a station that is offline.")

    def message(self) -> Message:
        """Give what `display_messages.put` takes."""
        told = self.validated_data
        place = told["display"] or {}
        return Message(
            contents=tuple(Content(**one) for one in told["contents"]),
            priority=told["priority"],
            when=told["when"],
            starts_at=told["starts_at"],
            ends_at=told["ends_at"],
            transaction_id=told["transaction_id"],
            display=place.get("component", ""),
            display_instance=place.get("instance", ""),
            display_evse=place.get("evse", 0),
            display_connector=place.get("connector", 0),
        )


class SiteMessageWriteSerializer(DisplayMessageWriteSerializer):
    """The same for all stations of a site; there it replaces none."""

    id = None  # type: ignore[assignment]
    transaction_id = None  # type: ignore[assignment]

    def message(self) -> Message:
        """Give it for everybody."""
        self.validated_data["transaction_id"] = ""
        return super().message()


class SiteMessageClearSerializer(serializers.Serializer[Any]):
    """What to take away."""

    batch = serializers.CharField(max_length=36, help_text="Of the message, as its stations list it.")
    queue = serializers.BooleanField(default=False, help_text="Keep it for stations that are offline.")


class DisplayAskedSerializer(serializers.Serializer[Any]):
    """A message and the command that carries it; the station's answer changes the message."""

    message = DisplayMessageSerializer()
    command = CommandSerializer()


class SiteOutcomeSerializer(serializers.Serializer[Any]):
    """What came of a message for one station of a site."""

    station = serializers.CharField(source="station.identity")
    asked = DisplayAskedSerializer(allow_null=True)
    fault = serializers.CharField(help_text="Why this station was not asked; empty: it was.")


class DisplayReadSerializer(serializers.Serializer[Any]):
    """Which messages to ask for; without anything all of them."""

    ids = serializers.ListField(child=serializers.IntegerField(min_value=0), max_length=100, default=list)
    priority = serializers.ChoiceField(choices=DisplayMessage.Priority.choices, allow_blank=True, default="")
    when = serializers.ChoiceField(choices=DisplayMessage.When.choices, allow_blank=True, default="")


class DriverMessageSerializer(serializers.ModelSerializer[SessionCost]):
    """What the driver of a session shall read; `told` once it went with an answer to the station."""

    text = serializers.CharField(source="personal_message")
    language = serializers.CharField(source="message_language")
    told = serializers.SerializerMethodField()

    class Meta:
        model = SessionCost
        fields = ("text", "language", "told")

    def get_told(self, row: SessionCost) -> bool:
        """Tell whether the station has it."""
        return not row.is_untold


class DriverMessageWriteSerializer(serializers.Serializer[Any]):
    """A text for a driver."""

    text = serializers.CharField(max_length=LONGEST_MESSAGE)
    language = serializers.CharField(max_length=8, allow_blank=True, default="")
