"""The energy tab of a station's page: what OCPP 2.1 adds. Grid, battery swaps, prices at the station, payments."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from cpo.console.parts import Part, Read
from stations.models import (
    BatterySwap,
    ChargingStation,
    DERAlarm,
    DERControl,
    GridSignal,
    Settlement,
    StationTariff,
)

SHOWN = 15  # of each list


class SwapForm(forms.Form):
    """A battery swap to ask for (S02)."""

    id_token = forms.CharField(
        label=gettext_lazy("Token"),
        max_length=36,
        help_text=gettext_lazy("Whose batteries are exchanged; the token must be allowed to charge here."),
    )


class SignalForm(forms.Form):
    """A grid signal to send (Q08)."""

    signal = forms.IntegerField(
        label=gettext_lazy("Signal"),
        min_value=-(2**31),
        max_value=2**31 - 1,
        help_text=gettext_lazy("A whole number whose meaning was agreed with the grid operator."),
    )


def parts(found: ChargingStation) -> dict[str, Part]:
    """Give the live part of the tab."""

    def read() -> dict[str, Any]:
        return {
            "controls": list(DERControl.objects.filter(station=found).order_by("-id")[:SHOWN]),
            "again": (DERControl.State.LOST, DERControl.State.REFUSED, DERControl.State.UNKNOWN),
            "alarms": list(DERAlarm.objects.filter(station=found).order_by("-began_at")[:SHOWN]),
            "signals": list(GridSignal.objects.filter(station=found).order_by("-at")[:SHOWN]),
            "swaps": list(BatterySwap.objects.filter(station=found).order_by("-created_at")[:SHOWN]),
            "station_tariffs": list(
                StationTariff.objects.filter(station=found).order_by("-changed_at")[:SHOWN]
            ),
            "settlements": list(
                Settlement.objects.filter(station=found)
                .select_related("session")
                .order_by("-settled_at")[:SHOWN]
            ),
        }

    return {"energy": Part("console/_station_energy.html", read)}


def form() -> Read:
    """Give what stands still beside it."""
    return lambda: {"swap_form": SwapForm(), "signal_form": SignalForm()}
