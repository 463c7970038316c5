"""Forms of smart charging: a profile of the library with its periods, a plain limit, an installation, a clearing."""

from datetime import UTC
from typing import Any

from django import forms
from django.forms import formset_factory
from django.utils.translation import gettext_lazy as _

from cpo import access
from cpo.access import Principal
from cpo.console import profile_words
from stations.models import ChargingSession, Operator, ProfileTemplate

MOMENT = {"type": "datetime-local"}
SPARE_ROWS = 3
MAX_ROWS = 200


class PeriodForm(forms.Form):
    """One period; a row left empty is none."""

    start = forms.CharField(
        label=_("From"), max_length=16, required=False, widget=forms.TextInput(attrs={"placeholder": "17:00"})
    )
    limit = forms.DecimalField(label=_("Limit"), min_value=0, max_digits=10, decimal_places=3, required=False)
    number_phases = forms.TypedChoiceField(
        label=_("Phases"), choices=[("", _("as it is")), (1, "1"), (2, "2"), (3, "3")], coerce=int,
        empty_value=None, required=False,
    )  # fmt: skip

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for field in self.fields.values():  # the table's heads are no labels
            field.widget.attrs["aria-label"] = str(field.label)

    def clean(self) -> dict[str, Any]:
        """Want both or neither."""
        found = self.cleaned_data
        if bool(found.get("start")) != (found.get("limit") is not None) and not self.errors:
            raise forms.ValidationError(_("A period needs a time and a limit."))
        return found


PeriodForms = formset_factory(PeriodForm, extra=SPARE_ROWS, max_num=MAX_ROWS, absolute_max=MAX_ROWS)


class TemplateForm(forms.Form):
    """A charging profile of the library; its periods are forms of their own."""

    name = forms.CharField(label=_("Name"), max_length=100)
    operator = forms.ModelChoiceField(label=_("Operator"), queryset=Operator.objects.none())
    purpose = forms.ChoiceField(
        label=_("What it limits"), choices=ProfileTemplate.Purpose.choices, initial="TxDefaultProfile"
    )
    kind = forms.ChoiceField(
        label=_("When"),
        choices=[
            ("Recurring:Daily", _("Every day")),
            ("Recurring:Weekly", _("Every week")),
            ("Relative", _("From the start of charging")),
            ("Absolute", _("From a moment on")),
        ],
    )
    rate_unit = forms.ChoiceField(
        label=_("Unit"),
        choices=ProfileTemplate.RateUnit.choices,
        help_text=_("A for AC, W for DC, as a rule."),
    )
    stack_level = forms.IntegerField(
        label=_("Stack level"), min_value=0, max_value=1000, initial=0,
        help_text=_("Of profiles for the same purpose the highest level counts; exceptions lie above the rule."),
    )  # fmt: skip
    start_at = forms.DateTimeField(
        label=_("Begins"), required=False, widget=forms.DateTimeInput(attrs=MOMENT),
        help_text=_("In UTC; only for From a moment on; empty: when it is installed."),
    )  # fmt: skip
    duration_min = forms.IntegerField(
        label=_("Lasts, in minutes"), min_value=1, max_value=527_040, required=False,
        help_text=_("Empty: its last period goes on."),
    )  # fmt: skip
    is_local_time = forms.BooleanField(
        label=_("By the site's clock"), required=False, initial=True,
        help_text=_("Else in UTC. It is sent again when the clocks change."),
    )  # fmt: skip
    valid_from = forms.DateTimeField(
        label=_("Valid from"),
        required=False,
        widget=forms.DateTimeInput(attrs=MOMENT),
        help_text=_("In UTC."),
    )
    valid_to = forms.DateTimeField(
        label=_("Valid until"),
        required=False,
        widget=forms.DateTimeInput(attrs=MOMENT),
        help_text=_("In UTC."),
    )

    def __init__(
        self, *args: Any, principal: Principal, template: ProfileTemplate | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if template is not None:
            del self.fields["operator"]
            return
        field = self.fields["operator"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = access.operators(principal)
        only = list(field.queryset[:2])
        if len(only) == 1:
            field.initial, field.widget = only[0], forms.HiddenInput()

    def facts(self, periods: Any) -> dict[str, Any]:
        """Return the fields of the template; raise ValidationError for a time that cannot be read."""
        found = dict(self.cleaned_data)
        kind, _colon, recurrency = found.pop("kind").partition(":")
        minutes = found.pop("duration_min")
        return found | {
            "kind": kind,
            "recurrency": recurrency,
            "duration_s": minutes * 60 if minutes else None,
            "periods": read_periods(periods, recurrency),
        }


def read_periods(periods: Any, recurrency: str) -> list[dict[str, Any]]:
    """Read the rows that are filled in; put what is wrong with one onto its row and raise ValidationError."""
    found = []
    for row in periods:
        data = row.cleaned_data if row.is_valid() else {}
        if not data.get("start"):
            continue
        try:
            start_s = profile_words.start_s(data["start"], recurrency)
        except ValueError:
            example = _("such as Mon 17:00") if recurrency == "Weekly" else _("such as 17:00")
            row.add_error("start", example)
            raise forms.ValidationError(_("A time cannot be read.")) from None
        found.append({"start_s": start_s, "limit": data["limit"], "number_phases": data["number_phases"]})
    return found


def as_data(template: ProfileTemplate) -> dict[str, Any]:
    """Write a template as the fields of its form."""
    kind = f"{template.kind}:{template.recurrency}" if template.recurrency else template.kind
    fields = {
        name: getattr(template, name)
        for name in ("name", "purpose", "rate_unit", "stack_level", "is_local_time")
    }
    moments = {name: _written(getattr(template, name)) for name in ("start_at", "valid_from", "valid_to")}
    minutes = template.duration_s // 60 if template.duration_s else None
    return fields | moments | {"kind": kind, "duration_min": minutes}


def period_data(template: ProfileTemplate) -> list[dict[str, Any]]:
    """Write the periods of a template as rows."""
    return [
        {
            "start": profile_words.clock(int(period["start_s"]), template.recurrency),
            "limit": period["limit"],
            "number_phases": period.get("number_phases"),
        }
        for period in template.periods
    ]


class LimitForm(forms.Form):
    """A plain limit for a place of one station."""

    place = forms.ChoiceField(label=_("What to limit"))
    amount = forms.DecimalField(label=_("Limit"), min_value=0, max_digits=10, decimal_places=3)
    unit = forms.ChoiceField(label=_("Unit"), choices=ProfileTemplate.RateUnit.choices)
    until = forms.DateTimeField(
        label=_("Until"),
        required=False,
        widget=forms.DateTimeInput(attrs=MOMENT),
        help_text=_("In UTC; empty: until cleared."),
    )
    fall_back = forms.BooleanField(
        label=_("Try other ways when it refuses"), required=False, initial=True,
        help_text=_("Another unit, or another purpose with the same effect."),
    )  # fmt: skip

    def __init__(self, *args: Any, numbers: list[int], running: list[ChargingSession], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["place"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            *(
                (
                    f"TxProfile:{s.evse.number}",
                    _("Running: connector %(number)s, %(token)s")
                    % {"number": s.evse.number, "token": s.id_token},
                )
                for s in running
            ),
            ("ChargingStationMaxProfile:0", _("The whole station")),
            ("TxDefaultProfile:0", _("Every transaction")),
            *(
                (f"TxDefaultProfile:{n}", _("Every transaction at connector %(number)s") % {"number": n})
                for n in numbers
            ),
        ]


class InstallForm(forms.Form):
    """A profile of the library for one station."""

    template = forms.ModelChoiceField(
        label=_("Profile"), queryset=ProfileTemplate.objects.none(), to_field_name="uid", empty_label=None
    )
    evse = forms.TypedChoiceField(label=_("Where"), coerce=int)
    each_transaction = forms.BooleanField(
        label=_("For each transaction to come"), required=False,
        help_text=_("Only for a profile of one transaction; else it is for the one that runs."),
    )  # fmt: skip
    fall_back = forms.BooleanField(label=_("Try other ways when it refuses"), required=False, initial=True)

    def __init__(self, *args: Any, principal: Principal, numbers: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        templates, evse = self.fields["template"], self.fields["evse"]
        assert isinstance(templates, forms.ModelChoiceField)
        assert isinstance(evse, forms.ChoiceField)
        templates.queryset = access.profile_templates(principal).order_by("name")
        evse.choices = [(0, _("the whole station"))]
        evse.choices += [(number, _("connector %(number)s") % {"number": number}) for number in numbers]


class ClearForm(forms.Form):
    """What to clear: all that is given must match."""

    evse = forms.TypedChoiceField(label=_("Where"), coerce=int, empty_value=None, required=False)
    purpose = forms.ChoiceField(
        label=_("Purpose"), choices=[("", _("any")), *ProfileTemplate.Purpose.choices], required=False
    )
    stack_level = forms.IntegerField(label=_("Stack level"), min_value=0, required=False)
    profile_id = forms.IntegerField(label=_("Number of the profile"), min_value=0, required=False)

    def __init__(self, *args: Any, numbers: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        evse = self.fields["evse"]
        assert isinstance(evse, forms.ChoiceField)
        evse.choices = [("", _("anywhere")), (0, _("the whole station"))]
        evse.choices += [(number, _("connector %(number)s") % {"number": number}) for number in numbers]


def _written(moment: Any) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M") if moment else ""
