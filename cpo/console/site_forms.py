"""Forms of a site's power tree: its fuses, and what hangs on them."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from django import forms
from django.forms import formset_factory
from django.utils.translation import gettext_lazy as _

from cpo.console import site_words
from stations.models import Evse, PowerNode
from stations.services.site_power import FusePlan, OutletPlan, Plan

SPARE_ROWS = 2
MAX_FUSES, MAX_OUTLETS = 200, 1000
AMPS = {"min_value": 0, "max_digits": 7, "decimal_places": 1}


class LabelledForm(forms.Form):
    """A row of a table: its heads are no labels, so each control says itself what it is."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = str(field.label)


class FuseForm(LabelledForm):
    """One fuse; a row without a name is none."""

    name = forms.CharField(label=_("Name"), max_length=100, required=False)
    parent = forms.CharField(
        label=_("Below"), max_length=100, required=False, widget=forms.TextInput(attrs={"list": "fuse-names"})
    )
    l1 = forms.DecimalField(label=_("A on L1"), required=False, **AMPS)  # type: ignore[arg-type]
    l2 = forms.DecimalField(label=_("A on L2"), required=False, **AMPS)  # type: ignore[arg-type]
    l3 = forms.DecimalField(label=_("A on L3"), required=False, **AMPS)  # type: ignore[arg-type]
    meter = forms.ChoiceField(
        label=_("Its meter tells"),
        choices=[("building", _("the building alone")), ("total", _("all that flows"))],
        required=False,
    )
    assumed = forms.DecimalField(label=_("Building, without a meter"), required=False, **AMPS)  # type: ignore[arg-type]

    def clean(self) -> dict[str, Any]:
        """Want a current with a name."""
        found = self.cleaned_data
        if found.get("name") and found.get("l1") is None and not self.errors:
            self.add_error("l1", _("How many A may flow?"))
        return found


FuseForms = formset_factory(FuseForm, extra=SPARE_ROWS, max_num=MAX_FUSES, absolute_max=MAX_FUSES)


class SiteForm(forms.Form):
    """What holds for the whole site."""

    rule = forms.ChoiceField(
        label=_("How the power is shared"),
        choices=[
            (PowerNode.Rule.FAIR, _("evenly among all")),
            (PowerNode.Rule.PRIORITY, _("all to the highest priority first")),
        ],
    )
    voltage = forms.DecimalField(
        label=_("Voltage between a phase and the neutral, V"), min_value=100, max_value=400, decimal_places=1,
        max_digits=5, initial=230,
        help_text=_("Measured voltages of the stations come before it."),
    )  # fmt: skip


class OutletForm(LabelledForm):
    """One outlet; without a fuse it hangs on none and is not limited."""

    evse = forms.IntegerField(widget=forms.HiddenInput())
    fuse = forms.ChoiceField(label=_("Fuse"), required=False)
    rotation = forms.CharField(label=_("Phases"), max_length=3)
    priority = forms.TypedChoiceField(label=_("Priority"), choices=site_words.PRIORITIES, coerce=int)
    minimum = forms.DecimalField(label=_("Least A"), **AMPS)  # type: ignore[arg-type]
    maximum = forms.DecimalField(label=_("Most A"), **AMPS)  # type: ignore[arg-type]
    safe = forms.DecimalField(label=_("Safe A"), required=False, **AMPS)  # type: ignore[arg-type]

    def __init__(self, *args: Any, fuses: list[str], evses: dict[int, Evse], **options: Any) -> None:
        super().__init__(*args, **options)
        field = self.fields["fuse"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("none")), *((name, name) for name in fuses)]
        self.evses = evses
        given = self["evse"].value()
        self.evse_row = evses.get(int(given)) if str(given or "").isdecimal() else None

    def clean_evse(self) -> Evse:
        """Want an EVSE of this site."""
        found = self.evses.get(self.cleaned_data["evse"])
        if found is None:
            raise forms.ValidationError(_("This site has no such outlet."))
        return found


OutletForms = formset_factory(OutletForm, extra=0, max_num=MAX_OUTLETS, absolute_max=MAX_OUTLETS)


def fuse_rows(plan: Plan) -> list[dict[str, Any]]:
    """Write the fuses of a plan as rows."""
    return [
        {
            "name": fuse.name, "parent": fuse.parent, "l1": fuse.limits_a[0], "l2": fuse.limits_a[1],
            "l3": fuse.limits_a[2], "meter": fuse.meter, "assumed": fuse.assumed_a,
        }
        for fuse in plan.fuses
    ]  # fmt: skip


def with_fuses(plan: Plan, site: SiteForm, rows: Any) -> tuple[Plan, list[forms.Form]]:
    """Return the plan with the fuses that were filled in, and their rows; a fuse that moved takes its outlets along.

    L2 and L3 that are left empty are as L1.
    """
    filled = [row for row in rows if row.cleaned_data.get("name")]
    fuses, names = [], {}
    for row in filled:
        told = row.cleaned_data
        first = told["l1"]
        limits = (
            first,
            first if told["l2"] is None else told["l2"],
            first if told["l3"] is None else told["l3"],
        )
        fuses.append(
            FusePlan(
                told["name"],
                limits,
                told["parent"],
                told["assumed"],
                told["meter"] or PowerNode.Meter.BUILDING,
            )
        )
        before = row.initial.get("name")
        if before:
            names[before] = told["name"]
    outlets = [replace(each, fuse=names[each.fuse]) for each in plan.outlets if each.fuse in names]
    rule, voltage_v = site.cleaned_data["rule"], site.cleaned_data["voltage"]
    return replace(plan, fuses=fuses, outlets=outlets, rule=rule, voltage_v=voltage_v), filled


def outlet_rows(plan: Plan, suggested: dict[int, OutletPlan]) -> list[dict[str, Any]]:
    """Write all outlets of a site as rows, those that hang on no fuse as they would."""
    hanging = {each.evse_key: each for each in plan.outlets}
    found = []
    for key, known in suggested.items():
        each = hanging.get(key, known)
        found.append(
            {
                "evse": key, "fuse": each.fuse, "rotation": each.rotation, "priority": each.priority,
                "minimum": each.minimum_a, "maximum": each.maximum_a, "safe": each.safe_wanted_a,
            }
        )  # fmt: skip
    return found


def with_outlets(plan: Plan, rows: Any) -> tuple[Plan, list[forms.Form]]:
    """Return the plan with the outlets that were hung on a fuse, and their rows."""
    before = {each.evse_key: each for each in plan.outlets}
    hung = [row for row in rows if row.cleaned_data.get("fuse")]
    outlets = []
    for row in hung:
        told = row.cleaned_data
        evse = told["evse"]
        base = before.get(int(evse.pk)) or OutletPlan(evse, told["fuse"])
        outlets.append(
            replace(
                base, evse=evse, fuse=told["fuse"], rotation=told["rotation"].strip(), priority=told["priority"],
                minimum_a=Decimal(told["minimum"]), maximum_a=Decimal(told["maximum"]), safe_wanted_a=told["safe"],
            )
        )  # fmt: skip
    return replace(plan, outlets=outlets), hung


FIELDS = {  # of a plan -> of a row
    "limits_a": "l1", "assumed_a": "assumed", "name": "name", "parent": "parent", "fuse": "fuse",
    "rotation": "rotation", "minimum_a": "minimum", "maximum_a": "maximum", "safe_a": "safe", "evse": "fuse",
    "efficiency_percent": "maximum",
}  # fmt: skip


def place_faults(
    faults: list[tuple[str, str]], *, kind: str, rows: list[forms.Form], site: forms.Form
) -> None:
    """Put each fault onto the row that it is about, or onto the whole form."""
    for path, text in faults:
        what, _dot, rest = path.partition(".")
        index, _dot, name = rest.partition(".")
        if what == kind and index.isdecimal() and int(index) < len(rows):
            rows[int(index)].add_error(FIELDS.get(name), text)
        else:
            site.add_error(None, text)
