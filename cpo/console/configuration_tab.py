"""The configuration tab of a station's page: its keys and variables as they are and as they are wanted, and one's form.

One table for every version: a 1.6 key has no component. A 2.x station has thousands of variables, so the table is
paged, searched, and led to by the tree of its components.
"""

from typing import Any, NamedTuple

from django import forms
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cpo.console.paging import page
from cpo.console.parts import Part, Read
from cpo.console.tab import Seen, Shown
from stations.models import ChargingStation, Command, DeviceReport, Variable
from stations.services import configuration, device_model, variable_keys
from stations.services.errors import InvalidPayload
from stations.services.guarded_keys import is_secret

ROWS = 100  # variables on a page
BRANCHES = 300  # of the tree: components, and places of the one that is open
ORDER = (
    "component", "evse_number", "connector_number", "component_instance", "name", "instance", "attribute",
)  # fmt: skip
PLACE = ("component", "evse_number", "connector_number", "component_instance")
SHOW = {
    "drift": Q(is_drifting=True),
    "wanted": Q(desired__isnull=False),
    "writable": Q(is_readonly=False, is_supported=True),
    "unknown": Q(is_supported=False),
}


class KeyForm(forms.Form):
    """One configuration key, or one variable, and what it shall be (OCPP 1.6 section 5.3, 2.1 B05)."""

    key = forms.CharField(
        label=gettext_lazy("Key"),
        max_length=250,
        help_text=gettext_lazy("Of a 2.x station: Component{EVSE,connector}[instance]/Variable[instance]."),
    )
    value = forms.CharField(label=gettext_lazy("Value"), max_length=1000, required=False, strip=False)
    desired = forms.BooleanField(
        label=gettext_lazy("Keep it as the wanted value"),
        required=False,
        help_text=gettext_lazy("When the station reports another one, it is shown as drift."),
    )

    def __init__(self, *args: Any, row: Variable | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if row is not None:
            self._suit(row)

    def clean_key(self) -> str:
        """Refuse what can be neither a key nor a variable; spaces around it are nobody's wish."""
        text: str = self.cleaned_data["key"].strip()
        try:
            variable_keys.parse(text)
        except InvalidPayload as error:
            raise forms.ValidationError(str(error)) from error
        return text

    def _suit(self, row: Variable) -> None:
        """Offer what the variable can be, as its characteristics say."""
        field, kind = self.fields["value"], row.data_type.casefold()
        members = [member.strip() for member in row.values_list.split(",") if member.strip()]
        options = members if kind == "optionlist" else ["true", "false"] if kind == "boolean" else []
        if options:
            known = dict.fromkeys([*options, *(word for word in (row.value, row.desired) if word)])
            field.widget = forms.Select(choices=[("", "–"), *((word, word) for word in known)])
        field.help_text = told_of(row, members=members if not options else [])


class Branch(NamedTuple):
    """A component in the tree, with the places where it stands."""

    name: str
    total: int
    places: list[dict[str, Any]]
    is_open: bool


def told_of(row: Variable, *, members: list[str]) -> str:
    """Say what a variable can be: its type, unit, limits, and of what members."""
    limits = ""
    if row.min_limit is not None and row.max_limit is not None:
        limits = _("%(least)s to %(most)s") % {
            "least": _number(row.min_limit),
            "most": _number(row.max_limit),
        }
    elif row.max_limit is not None:
        limits = _("at most %(most)s") % {"most": _number(row.max_limit)}
    elif row.min_limit is not None:
        limits = _("at least %(least)s") % {"least": _number(row.min_limit)}
    chosen = _("of: %(members)s") % {"members": ", ".join(members)} if members else ""
    return ", ".join(str(part) for part in (row.data_type, limits, row.unit, chosen) if part)


def _number(limit: Any) -> str:
    return format(limit.normalize(), "f")


def show(seen: Seen) -> Shown:
    """Give the live part of the tab, and the form of the key that was chosen beside it."""
    query = seen.request.GET.dict()
    parts = {"configuration": Part("console/_station_configuration.html", lambda: _read(seen.station, query))}
    return Shown(parts, _form(seen.station, query.get("key", "")))


def _form(found: ChargingStation, key: str) -> Read:
    def read() -> dict[str, Any]:
        row = _find(found, key)
        initial: dict[str, Any] = {"key": key}
        if row is not None:
            wanted = row.desired if row.desired is not None else row.value
            initial |= {"value": wanted or "", "desired": row.desired is not None and row.template_id is None}
        return {"form": KeyForm(initial=initial, row=row), "row": row}

    return read


def _find(found: ChargingStation, key: str) -> Variable | None:
    rows = Variable.objects.filter(station=found)
    plain = rows.filter(component="", name=key).first() if key else None
    if plain is not None or "/" not in key:
        return plain
    try:
        return rows.filter(**variable_keys.parse(key)._asdict()).first()
    except InvalidPayload:
        return None


def _filtered(known: QuerySet[Variable], query: dict[str, str]) -> QuerySet[Variable]:
    """Narrow down by what stands in the address: a word, a place in the tree, what is the matter."""
    for word in query.get("q", "").split()[:5]:
        parts = Q(component__icontains=word) | Q(name__icontains=word) | Q(value__icontains=word)
        known = known.filter(parts | Q(component_instance__iexact=word) | Q(instance__iexact=word))
    if "component" in query:
        known = known.filter(component=query["component"])
    for name in ("evse_number", "connector_number"):
        if query.get(name, "").isdecimal():
            known = known.filter(**{name: int(query[name][:6])})
    if query.get("component_instance"):
        known = known.filter(component_instance=query["component_instance"])
    return known.filter(SHOW[query["show"]]) if query.get("show") in SHOW else known


def _read(found: ChargingStation, query: dict[str, str]) -> dict[str, Any]:
    known = Variable.objects.filter(station=found)
    rows = _filtered(known.select_related("template"), query)
    shown = page(rows, by=ORDER, after=query.get("after", ""), newest_first=False, size=ROWS)
    for row in shown:
        row.key = str(variable_keys.of(row))
        row.drifts = configuration.is_drifting(row)
        row.is_hidden = is_secret(row.name)
        row.told = told_of(row, members=[])
    waiting = Command.objects.filter(
        station=found, action=configuration.READ, status__in=[Command.Status.QUEUED, Command.Status.SENT]
    )
    reports = DeviceReport.objects.filter(station=found, kind=DeviceReport.Kind.VARIABLES)
    report = reports.order_by("-pk").first()
    is_coming = report is not None and report.state in DeviceReport.OPEN
    return {
        "variables": shown,
        "branches": _tree(known, query),
        "drifting": known.filter(is_drifting=True).count(),
        "reading": is_coming or waiting.exists(),
        "report": report,
        "has_components": device_model.is_spoken(found),
        "query": query,
    }


def _tree(known: QuerySet[Variable], query: dict[str, str]) -> list[Branch]:
    """Return the components with how many variables each has, and the places of the one that is open."""
    chosen = query.get("component")
    counted = known.order_by("component").values("component").annotate(count=Count("pk"))
    places = [] if chosen is None else _places(known.filter(component=chosen))
    return [
        Branch(
            row["component"],
            row["count"],
            places if row["component"] == chosen else [],
            row["component"] == chosen,
        )
        for row in counted[:BRANCHES]
    ]


def _places(known: QuerySet[Variable]) -> list[dict[str, Any]]:
    counted = known.order_by(*PLACE).values(*PLACE).annotate(count=Count("pk"))
    return [{**place, "words": _place_words(place)} for place in counted[:BRANCHES]]


def _place_words(place: dict[str, Any]) -> str:
    if place["connector_number"]:
        where = _("EVSE %(evse)d, connector %(connector)d") % {
            "evse": place["evse_number"], "connector": place["connector_number"],
        }  # fmt: skip
    else:
        where = (
            _("EVSE %(evse)d") % {"evse": place["evse_number"]} if place["evse_number"] else _("the station")
        )
    return " ".join(part for part in (where, place["component_instance"]) if part)
