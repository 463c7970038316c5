"""The quirks tab of a station's page: what is odd about it, who says so, and the form that sets one flag."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from cpo.console.guard import ConsoleRequest
from cpo.console.parts import Part, Read
from stations.models import ChargingStation
from stations.services import quirks
from stations.services.quirks import KNOWN, Known

YES_NO = [("yes", gettext_lazy("yes")), ("no", gettext_lazy("no"))]


class FlagForm(forms.Form):
    """The value of one flag; which field it is depends on the flag."""

    def __init__(self, flag: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.flag = flag
        self.fields["value"] = _field(KNOWN[flag])

    def value(self) -> bool | int | str:
        """Give the value as the service takes it."""
        found = self.cleaned_data["value"]
        if KNOWN[self.flag].kind == "switch":
            return bool(found == "yes")
        return int(found) if KNOWN[self.flag].kind == "number" else str(found)


def _field(known: Known) -> forms.Field:
    label = gettext_lazy("Value")
    if known.kind == "number":
        return forms.IntegerField(
            label=f"{label} ({known.unit})" if known.unit else label,
            min_value=known.lowest,
            max_value=known.highest,
        )
    choices = YES_NO if known.kind == "switch" else [(word, word) for word in known.choices]
    return forms.ChoiceField(label=label, choices=choices)


def parts(found: ChargingStation) -> dict[str, Part]:
    """Give the live parts of the tab."""
    return {"quirks": Part("console/_station_quirks.html", lambda: _read(found))}


def form(request: ConsoleRequest, found: ChargingStation) -> Read:
    """Give what stands still beside them: the form of the flag that was chosen."""

    def read() -> dict[str, Any]:
        chosen = request.GET.get("flag", "")
        flag = chosen if chosen in KNOWN else "settle_s"
        return {"flags": sorted(KNOWN), "flag": flag, "known": KNOWN[flag], "form": form_of(found, flag)}

    return read


def form_of(found: ChargingStation, flag: str) -> FlagForm:
    """Give the form of a flag, filled with what holds now."""
    value = quirks.flags(found).get(flag)
    if isinstance(value, bool):
        value = "yes" if value else "no"
    return FlagForm(flag, initial={} if value is None else {"value": value})


def _read(found: ChargingStation) -> dict[str, Any]:
    lines = quirks.lines(found)
    return {
        "known_lines": [line for line in lines if line.known is not None],
        "deviations": [line for line in lines if line.known is None],
        "confident": quirks.CONFIDENT,
    }
