"""The event streams tab of a 2.1 station's page: what each stream sends, how fast, and how to change that."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cpo.console.parts import Part
from cpo.console.tab import Seen, Shown
from stations.models import ChargingStation
from stations.services import event_streams


class RateForm(forms.Form):
    """How often a stream sends."""

    interval_s = forms.IntegerField(
        label=_("Every so many seconds"), min_value=0, max_value=86_400, required=False
    )
    values_at_once = forms.IntegerField(
        label=_("Or whenever so many values wait"), min_value=0, max_value=10_000, required=False
    )

    def clean(self) -> dict[str, Any]:
        """Want one of them (N11.FR.09)."""
        found = super().clean() or {}
        if found.get("interval_s") is None and found.get("values_at_once") is None:
            raise forms.ValidationError(_("Give a number of seconds, of values, or both."))
        return found


def show(seen: Seen) -> Shown:
    """Give the live part."""
    return Shown({"streams": Part("console/_station_streams.html", lambda: _read(seen.station))})


def _read(found: ChargingStation) -> dict[str, Any]:
    rates = event_streams.rates(found)
    return {
        "streams": [
            {
                "row": row,
                "rate": rates.get(row.stream_id, 0),
                "form": RateForm(
                    initial={"interval_s": row.interval_s, "values_at_once": row.values_at_once},
                    auto_id=f"stream-{row.stream_id}-%s",
                ),
            }
            for row in event_streams.of_station(found)
        ]
    }
