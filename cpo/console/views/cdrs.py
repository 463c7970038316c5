"""CDRs: the ledger, one CDR with its lines and snapshots, the export."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _

from billing.models import Cdr
from billing.services import exports
from cpo import access
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from cpo.console.templatetags.console import zone_of
from cpo.lib import clock
from roaming.models import Push

SITE_ZONE = exports.SITE


DAY = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})  # what a browser's date field wants


class ExportForm(forms.Form):
    """What to export and how to write it. Days are those of the time zone, the last one included."""

    from_day = forms.DateField(label=_("From"), widget=DAY)
    to_day = forms.DateField(label=_("To, included"), widget=DAY)
    partner = forms.CharField(label=_("Partner"), max_length=6, required=False)
    separator = forms.ChoiceField(
        label=_("Separator"), choices=[(",", _("comma")), (";", _("semicolon")), ("tab", _("tab"))]
    )
    decimal = forms.ChoiceField(label=_("Decimals"), choices=[(".", _("point: 1.5")), (",", _("comma: 1,5"))])
    time_zone = forms.ChoiceField(label=_("Times in"))
    bom = forms.BooleanField(label=_("For Excel (byte order mark)"), required=False)
    footer = forms.BooleanField(label=_("Closing line with sums and SHA-256"), required=False)

    def __init__(self, *args: Any, zones: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = self.fields["time_zone"]
        assert isinstance(zone, forms.ChoiceField)
        zone.choices = [("site", _("each site's own zone")), *((name, name) for name in ["UTC", *zones])]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("from_day") and data.get("to_day") and data["to_day"] < data["from_day"]:
            self.add_error("to_day", _("The last day lies before the first."))
        return data


def _zones(request: ConsoleRequest) -> list[str]:
    zones = access.locations(request.principal).order_by().values_list("time_zone", flat=True).distinct()
    return sorted(set(zones) - {"UTC"})


@page()
def cdrs(request: ConsoleRequest) -> HttpResponse:
    """List CDRs, the newest first, with the export beside them."""
    zones = _zones(request)
    today = clock.now().astimezone(zone_of(zones[0] if zones else "UTC")).date()
    first = today.replace(day=1)
    form = ExportForm(zones=zones, initial={"from_day": first, "to_day": today, "time_zone": "site"})
    return render(
        request,
        "console/cdrs.html",
        parts={"rows": Part("console/_cdrs.html", lambda: _rows(request))},
        filters=request.GET,
        export=form,
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    found = _filtered(access.cdrs(request.principal), request.GET.dict())
    shown = page_of(found, by=("created_at", "id"), after=request.GET.get("after", ""))
    pushes: dict[int, Push] = {}
    for push in Push.objects.filter(module="cdrs", object_id__in=[cdr.pk for cdr in shown.rows]):
        known = pushes.get(push.object_id)
        if known is None or push.state != Push.State.ACKED:
            pushes[push.object_id] = push  # of several partners, the one that does not have it yet
    return {"cdrs": shown, "pushes": pushes}


def _filtered(rows: QuerySet[Cdr], query: dict[str, str]) -> QuerySet[Cdr]:
    text = query.get("q", "").strip()
    if text:
        rows = rows.filter(
            Q(uid__istartswith=text) | Q(session_uid=text) | Q(station_identity=text) | Q(token__uid=text)
        )
    match query.get("kind"):
        case "own":
            rows = rows.filter(party="")
        case "roaming":
            rows = rows.exclude(party="")
        case "credit":
            rows = rows.filter(is_credit=True)
    if query.get("partner"):
        rows = rows.filter(party=query["partner"])
    for name, lookup in (("from", "ended_at__gte"), ("to", "ended_at__lt")):
        day = _day(query.get(name, ""))
        if day is not None:
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            rows = rows.filter(**{lookup: midnight + timedelta(days=1 if name == "to" else 0)})
    return rows


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@page()
def cdr(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Show one CDR: totals, lines with their reasons, snapshots, and whether the partner has it."""
    rows = access.cdrs(request.principal).select_related(
        "session", "operator", "site", "credit_reference", "credit"
    )
    found = get_object_or_404(rows, pk=pk)
    return render(
        request,
        "console/cdr.html",
        parts={"push": Part("console/_cdr_push.html", lambda: {"pushes": _pushes(found)})},
        cdr=found,
        credit=getattr(found, "credit", None),
        zone=found.time_zone,
        totals=_totals(found),
        snapshots=[
            (_("Tariff"), found.tariff),
            (_("Token"), found.token),
            (_("Location"), found.location),
            (_("EVSE"), found.evse),
            (_("Connector"), found.connector),
            (_("Charging periods"), found.charging_periods),
        ],
    )


def _pushes(found: Cdr) -> list[Push]:
    return list(Push.objects.filter(module="cdrs", object_id=found.pk).select_related("connection"))


TOTALS = {
    "total_fixed_cost": _("Start fees"),
    "total_energy_cost": _("Energy"),
    "total_time_cost": _("Charging time"),
    "total_parking_cost": _("Parking"),
    "total_reservation_cost": _("Reservation"),
    "total_cost": _("Total"),
}


@dataclass(frozen=True, slots=True)
class Total:
    """One of OCPI's totals of a CDR; amounts in the CDR's currency, None: not known."""

    word: Any
    before_taxes: str | None
    taxes: list[dict[str, str]]
    after_taxes: Any
    is_sum: bool


def _totals(found: Cdr) -> list[Total]:
    rows = []
    for name, word in TOTALS.items():
        price = found.totals.get(name)
        if not price:
            continue
        is_sum = name == "total_cost"
        taxes = price.get("taxes") or []
        before = price.get("before_taxes")
        after = found.total_after_taxes if is_sum else after_taxes(before, taxes)
        rows.append(Total(word, before, taxes, after, is_sum))
    return rows


def after_taxes(before: str | None, taxes: list[dict[str, str]]) -> Decimal | None:
    """Add the taxes of an OCPI 2.3.0 Price to its amount; None when it names none."""
    if before is None or not taxes:
        return None
    return Decimal(before) + sum((Decimal(str(tax["amount"])) for tax in taxes), Decimal(0))


@act("cdr.export", atomic=False)
def export(request: ConsoleRequest) -> HttpResponse | StreamingHttpResponse:
    """Stream the CSV of a span of days; the record says who took what."""
    form = ExportForm(request.POST, zones=_zones(request))
    request.audit_object = ("cdrs", "csv")
    if not form.is_valid():
        rows = {"rows": Part("console/_cdrs.html", lambda: _rows(request))}
        return render(request, "console/cdrs.html", parts=rows, filters={}, export=form, status=422)
    data = form.cleaned_data
    zone = ZoneInfo("UTC") if data["time_zone"] == "site" else zone_of(data["time_zone"])
    style = exports.CsvStyle(
        separator="\t" if data["separator"] == "tab" else data["separator"],
        decimal=data["decimal"],
        time_zone=SITE_ZONE if data["time_zone"] == "site" else data["time_zone"],
        bom=data["bom"],
        footer=data["footer"],
    )
    rows_found = access.cdrs(request.principal).filter(
        ended_at__gte=_midnight(data["from_day"], zone),
        ended_at__lt=_midnight(data["to_day"] + timedelta(days=1), zone),
    )
    if data["partner"]:
        rows_found = rows_found.filter(party=data["partner"])
    request.audit_facts = {name: str(value) for name, value in data.items()}
    response = StreamingHttpResponse(
        exports.csv_blocks(rows_found, style=style), content_type="text/csv; charset=utf-8"
    )
    name = f"cdrs-{data['from_day']}-{data['to_day']}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
