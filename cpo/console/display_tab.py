"""The display tab of a 2.x station's page: messages that lie there, the form of one, texts for when we are away."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cpo.console.parts import Part, Read
from stations.models import ChargingSession, ChargingStation, DisplayMessage, Variable
from stations.services import display_messages, display_reports
from stations.services.display_rows import Content, Message

SHOWN = 100
TEXTS = 3  # languages or formats in the form; the API takes five
EVERYWHERE, HERE = "site", "station"
FALLBACKS = {
    "TariffFallbackMessage": _("Instead of a tariff"),
    "OfflineTariffFallbackMessage": _("Instead of a tariff, while offline"),
    "TotalCostFallbackMessage": _("Instead of the total cost"),
}
CONTROLLER = "TariffCostCtrlr"
MOMENT = {"type": "datetime-local"}
PRIORITIES = [
    ("NormalCycle", _("in turn with others")),
    ("InFront", _("before the others")),
    ("AlwaysFront", _("alone, in place of all others")),
]
ALWAYS = ("content", "language", "priority", "where")  # fields that a message is mostly made of


class MessageForm(forms.Form):
    """A message for the display (O01, O02, O06)."""

    content = forms.CharField(
        label=_("Text"), max_length=1024, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Before OCPP 2.1 at most 512 characters, and this language alone."),
    )  # fmt: skip
    language = forms.CharField(
        label=_("Language"), max_length=8, required=False, help_text=_("As in en or de-AT.")
    )
    format = forms.ChoiceField(
        label=_("Format"), choices=[(word, word) for word in DisplayMessage.Format.values], initial="UTF8"
    )
    content_2 = forms.CharField(
        label=_("Text in a second language"), max_length=1024, required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip
    language_2 = forms.CharField(label=_("Its language"), max_length=8, required=False)
    content_3 = forms.CharField(
        label=_("Text in a third language"), max_length=1024, required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip
    language_3 = forms.CharField(label=_("Its language"), max_length=8, required=False)
    priority = forms.ChoiceField(label=_("Priority"), choices=PRIORITIES, initial="NormalCycle")
    when = forms.ChoiceField(
        label=_("Only while the station is"), required=False,
        choices=[("", _("in any state")), *DisplayMessage.When.choices],
    )  # fmt: skip
    starts_at = forms.DateTimeField(
        label=_("From"),
        required=False,
        widget=forms.DateTimeInput(attrs=MOMENT),
        help_text=_("In UTC; empty: now."),
    )
    ends_at = forms.DateTimeField(
        label=_("Until"), required=False, widget=forms.DateTimeInput(attrs=MOMENT),
        help_text=_("In UTC; empty: until it is cleared."),
    )  # fmt: skip
    session = forms.ChoiceField(label=_("For"), required=False)
    replaces = forms.TypedChoiceField(label=_("In place of"), coerce=int, empty_value=None, required=False)
    where = forms.ChoiceField(
        label=_("Where"),
        choices=[(HERE, _("This station")), (EVERYWHERE, _("All stations of its site"))],
        initial=HERE,
    )
    anyway = forms.BooleanField(
        label=_("Send it even if the station says that it cannot show it"), required=False
    )

    def __init__(self, *args: Any, station: ChargingStation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        running = ChargingSession.objects.active().filter(station=station).order_by("started_at")
        lying = DisplayMessage.objects.filter(station=station, shown__isnull=False)
        session, replaces = self.fields["session"], self.fields["replaces"]
        assert isinstance(session, forms.ChoiceField)
        assert isinstance(replaces, forms.ChoiceField)
        session.choices = [
            ("", _("everybody")),
            *(
                (one.transaction_id, f"{_('the session of')} {one.id_token or one.transaction_id}")
                for one in running
            ),
        ]
        replaces.choices = [
            ("", _("none")),
            *((one.message_id, f"#{one.message_id}") for one in lying[:SHOWN]),
        ]

    @property
    def first(self) -> list[forms.BoundField]:
        """Give the fields that are always seen."""
        return [self[name] for name in ALWAYS]

    @property
    def more(self) -> list[forms.BoundField]:
        """Give those that are seen on demand."""
        return [self[name] for name in self.fields if name not in ALWAYS]

    def message(self) -> Message:
        """Give what `display_messages.put` takes."""
        told = self.cleaned_data
        texts = [(told["content"], told["format"], told["language"])]
        texts += [(told[f"content_{n}"], "UTF8", told[f"language_{n}"]) for n in range(2, TEXTS + 1)]
        return Message(
            contents=tuple(Content(text, format, language) for text, format, language in texts if text),
            priority=told["priority"],
            when=told["when"],
            starts_at=told["starts_at"],
            ends_at=told["ends_at"],
            transaction_id=told["session"],
        )


class NewsForm(forms.Form):
    """What the driver of a running session shall read (I06)."""

    session = forms.ChoiceField(label=_("Driver"))
    text = forms.CharField(label=_("Text"), max_length=512, widget=forms.Textarea(attrs={"rows": 2}))
    language = forms.CharField(label=_("Language"), max_length=8, required=False)

    def __init__(self, *args: Any, station: ChargingStation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        running = ChargingSession.objects.active().filter(station=station).order_by("started_at")
        field = self.fields["session"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(str(one.uid), one.id_token or one.transaction_id) for one in running]


class FallbackForm(forms.Form):
    """What the station shows where it cannot ask us (I04, I05): variables that it has."""

    def __init__(self, *args: Any, station: ChargingStation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        told = Variable.objects.filter(
            station=station, component__iexact=CONTROLLER, name__in=FALLBACKS, instance="", is_supported=True
        )
        known = {row.name: row.value or "" for row in told}
        for name, label in FALLBACKS.items():
            if name in known or name != "OfflineTariffFallbackMessage":
                self.fields[name] = forms.CharField(
                    label=label, max_length=1000, required=False, initial=known.get(name, ""), help_text=name
                )

    def changes(self) -> dict[str, str]:
        """Give the texts that are another one than before."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


def parts(found: ChargingStation) -> dict[str, Part]:
    """Give the live part of the tab."""

    def read() -> dict[str, Any]:
        return {
            "lying": list(DisplayMessage.objects.filter(station=found)[:SHOWN]),
            "limits": display_messages.limits(found),
            "report": display_reports.newest(found),
        }

    return {"display": Part("console/_station_display.html", read)}


def forms_of(found: ChargingStation) -> Read:
    """Give what stands still beside it."""
    return lambda: {
        "message_form": MessageForm(station=found),
        "news_form": NewsForm(station=found),
        "fallback_form": FallbackForm(station=found),
    }
