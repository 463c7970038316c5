"""What a driver may choose: how much at the most, and where the receipt goes."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.services.web_payments import LEAST, Limits

KINDS = [
    ("full", _("Until the car is full, or I stop")),
    ("cost", _("For an amount of money")),
    ("energy", _("For an amount of energy")),
    ("time", _("For a time")),
]


class ChoiceForm(forms.Form):
    """One kind of limit and its value; the values of the others are ignored."""

    limit = forms.ChoiceField(label=_("How much?"), choices=KINDS, initial="full", widget=forms.RadioSelect)
    cost = forms.DecimalField(
        label=_("Money"), required=False, min_value=LEAST, max_digits=8, decimal_places=2
    )
    energy = forms.DecimalField(
        label=_("Energy"), required=False, min_value=1, max_value=500, max_digits=6, decimal_places=1
    )
    minutes = forms.IntegerField(label=_("Time"), required=False, min_value=5, max_value=1440)
    email = forms.EmailField(label=_("Receipt by mail to"), required=False)
    ticket = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, most: Decimal | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.most = most

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        name = {"cost": "cost", "energy": "energy", "time": "minutes"}.get(data.get("limit", ""))
        if name and not data.get(name) and name not in self.errors:
            self.add_error(name, _("Say how much."))
        if (
            data.get("cost")
            and self.most is not None
            and data["limit"] == "cost"
            and data["cost"] > self.most
        ):
            self.add_error("cost", _("At most %(most)s.") % {"most": self.most})
        return data

    def limits(self) -> Limits:
        """Return what was chosen, in Wh, seconds and money."""
        data = self.cleaned_data
        match data["limit"]:
            case "cost":
                return Limits(max_cost=data["cost"])
            case "energy":
                return Limits(max_energy_wh=data["energy"] * 1000)
            case "time":
                return Limits(max_time_s=data["minutes"] * 60)
        return Limits()


def scanned(query: Any) -> dict[str, Any]:
    """Read what the driver chose at the station before he scanned (C25.FR.59): Wh, seconds, money; else nothing."""
    names = {"maxcost": "cost", "maxenergy": "energy", "maxtime": "time"}
    for name, limit in names.items():
        text = str(query.get(name, ""))[:12]
        try:
            value = Decimal(text)
        except ArithmeticError:
            continue
        if not value.is_finite() or value <= 0:
            continue
        if limit == "energy":
            return {"limit": limit, "energy": value / 1000}
        if limit == "time":
            return {"limit": limit, "minutes": max(5, int(value) // 60)}
        return {"limit": limit, "cost": value}
    return {"limit": "full"}
