"""The tab from which a session is started from afar: for whom, where, how fast, and when it ends by itself."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cpo import access
from cpo.access import Principal
from cpo.console.tab import Seen, Shown
from stations.models import Connector, ProfileTemplate, SessionLimit

UNITS = [("A", _("A on each phase")), ("kW", _("kW on all phases"))]


class LimitsForm(forms.Form):
    """When a session ends by itself."""

    kilowatt_hours = forms.DecimalField(
        label=_("Energy in kWh"), min_value=Decimal("0.001"), max_digits=9, decimal_places=3, required=False
    )
    minutes = forms.IntegerField(
        label=_("Minutes since its start"), min_value=1, max_value=1_000_000, required=False
    )
    cost = forms.DecimalField(
        label=_("Cost with taxes"), min_value=Decimal("0.01"), max_digits=12, decimal_places=2, required=False
    )
    soc_percent = forms.IntegerField(
        label=_("Battery in percent"), min_value=1, max_value=100, required=False,
        help_text=_("Only where the vehicle tells it."),
    )  # fmt: skip

    def values(self) -> dict[str, Any]:
        """Give the limits as the services have them: Wh, seconds, money, percent; None: no limit."""
        found = self.cleaned_data
        energy, minutes = found["kilowatt_hours"], found["minutes"]
        return {
            "max_energy_wh": None if energy is None else energy * 1000,
            "max_time_s": None if minutes is None else minutes * 60,
            "max_cost": found["cost"],
            "max_soc_percent": found["soc_percent"],
        }


class StartForm(LimitsForm):
    """A session to start from afar."""

    id_token = forms.CharField(label=_("Token"), max_length=255)
    evse = forms.TypedChoiceField(label=_("Where"), coerce=int)
    template = forms.ModelChoiceField(
        label=_("Charging profile"), queryset=ProfileTemplate.objects.none(), to_field_name="uid", required=False,
        empty_label=_("none"), help_text=_("Of the library; or a plain limit below."),
    )  # fmt: skip
    amount = forms.DecimalField(label=_("Limit"), min_value=0, max_digits=9, decimal_places=3, required=False)
    unit = forms.ChoiceField(label=_("Unit"), choices=UNITS, required=False)
    field_order = ("id_token", "evse", "template", "amount", "unit")

    def __init__(self, *args: Any, principal: Principal, numbers: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        evse, template = self.fields["evse"], self.fields["template"]
        assert isinstance(evse, forms.ChoiceField)
        assert isinstance(template, forms.ModelChoiceField)
        evse.choices = [(0, _("where the station likes"))]
        evse.choices += [(number, _("connector %(number)s") % {"number": number}) for number in numbers]
        template.queryset = (
            access.profile_templates(principal)
            .exclude(purpose=ProfileTemplate.Purpose.STATION_MAX)
            .order_by("name")
        )

    def clean(self) -> dict[str, Any]:
        """Want one way to limit its power at the most."""
        found = super().clean() or {}
        if found.get("template") and found.get("amount") is not None:
            raise forms.ValidationError(_("Choose a profile or a plain limit, not both."))
        return found


def of_limit(row: SessionLimit | None) -> dict[str, Any]:
    """Write limits as the fields of the form."""
    if row is None:
        return {}
    energy = None if row.max_energy_wh is None else row.max_energy_wh / 1000
    minutes = None if row.max_time_s is None else row.max_time_s // 60
    return {
        "kilowatt_hours": energy, "minutes": minutes, "cost": row.max_cost, "soc_percent": row.max_soc_percent,
    }  # fmt: skip


def numbers(connectors: list[Connector]) -> list[int]:
    """Give the numbers of the EVSEs."""
    return sorted({connector.evse.number for connector in connectors})


def show(seen: Seen) -> Shown:
    """Give the form."""
    return Shown(
        {},
        lambda: {
            "start_form": StartForm(
                principal=seen.request.principal,
                numbers=numbers(seen.connectors),
                initial={"id_token": seen.request.GET.get("token", "")[:255]},
            )
        },
    )
