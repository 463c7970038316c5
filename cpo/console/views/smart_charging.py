"""Smart charging: the library of charging profiles, and what is done with them on a station."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from cpo import access
from cpo.composites import Composite, Side
from cpo.console import profile_forms, profile_words, smart_charging_tab
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from cpo.console.views import stations as station_pages
from cpo.lib import clock
from stations.charging_profiles import Criteria, Purpose
from stations.models import ChargingSession, ChargingStation, Connector, InstalledProfile, ProfileTemplate
from stations.services import capabilities, composite_schedules, profile_templates, smart_charging
from stations.services.errors import NotOpen, StationOffline, StationsError, UnknownAction, UnsuitedProfile

DAY_S, WEEK_S = 86_400, 604_800


# --- the library


@page()
def library(request: ConsoleRequest) -> HttpResponse:
    """List the charging profiles of the library, by name."""
    return render(
        request,
        "console/charging_profiles.html",
        parts={"rows": Part("console/_charging_profiles.html", lambda: _rows(request))},
        filters=request.GET,
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    rows = access.profile_templates(request.principal).select_related("operator")
    text = request.GET.get("q", "").strip()
    if text:
        rows = rows.filter(name__icontains=text)
    here = Q(installed__state__in=InstalledProfile.LIVE)
    rows = rows.annotate(places=Count("installed__station", filter=here, distinct=True))
    shown = page_of(rows, by=("name", "id"), after=request.GET.get("after", ""), newest_first=False)
    for template in shown:
        template.words = profile_words.of_template(template)
        template.purpose_words = profile_words.PURPOSES[template.purpose]
    return {"templates": shown}


@page("charging_profile.write")
def new(request: ConsoleRequest) -> HttpResponse:
    """Show the form of a new profile."""
    start = [
        {"start": "00:00", "limit": 32},
        {"start": "17:00", "limit": 10},
        {"start": "21:00", "limit": 32},
    ]
    return _show(
        request,
        profile_forms.TemplateForm(principal=request.principal),
        profile_forms.PeriodForms(initial=start, prefix="period"),
        None,
    )


@act("charging_profile.write")
def add(request: ConsoleRequest) -> HttpResponse:
    """Add a profile to the library."""
    return _save(request, None)


@page()
def edit(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Show a profile, how it lies over time, and where it is installed."""
    template = _find(request, uid)
    form = profile_forms.TemplateForm(
        principal=request.principal, template=template, initial=profile_forms.as_data(template)
    )
    rows = profile_forms.PeriodForms(initial=profile_forms.period_data(template), prefix="period")
    return _show(request, form, rows, template)


@act("charging_profile.write")
def change(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Change a profile of the library; what lies on stations stays until it is installed again."""
    return _save(request, _find(request, uid))


@act("charging_profile.write")
def delete(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Take a profile out of the library."""
    template = _find(request, uid)
    request.audit_object, request.audit_facts = ("charging_profile", uid), {"name": template.name}
    profile_templates.delete(template)
    messages.success(
        request, _("%(name)s is deleted; what was installed from it stays.") % {"name": template}
    )
    return redirect("charging-profiles")


@page()
def preview(request: ConsoleRequest) -> JsonResponse:
    """Give the chart's columns of a form that is being filled in; `error` while it cannot be read."""
    form = profile_forms.TemplateForm(request.GET, principal=request.principal)
    form.fields.pop("operator", None)
    form.fields["name"].required = False
    rows = profile_forms.PeriodForms(request.GET, prefix="period")
    try:
        if not form.is_valid() or not rows.is_valid():
            raise ValidationError("")
        with transaction.atomic():
            template = ProfileTemplate(**form.facts(rows) | {"name": "preview"})
            template.periods = profile_templates.ordered(template.periods)
            profile_templates.check(template)
    except (ValidationError, UnsuitedProfile) as error:
        return JsonResponse({"error": " ".join(getattr(error, "messages", [str(error)])), "series": []})
    zone = ZoneInfo("UTC")
    start = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    if template.recurrency == ProfileTemplate.Recurrency.WEEKLY:
        start -= timedelta(days=start.weekday())
    if template.kind == ProfileTemplate.Kind.ABSOLUTE:
        start = template.start_at or clock.now().replace(microsecond=0)
    length_s = WEEK_S if template.recurrency == ProfileTemplate.Recurrency.WEEKLY else DAY_S
    template.valid_from = template.valid_to = None  # the shape is shown, whenever it holds
    laid = profile_templates.preview(template, zone=zone, start=start, duration_s=length_s)
    both = Composite(0, Side.of(laid), None, None, [])
    columns = smart_charging_tab.columns(both, "UTC")
    columns["series"][0]["label"] = _("Limit")
    return JsonResponse(columns | {"relative": template.kind == ProfileTemplate.Kind.RELATIVE})


def _find(request: ConsoleRequest, uid: str) -> ProfileTemplate:
    rows = access.profile_templates(request.principal).select_related("operator")
    found: ProfileTemplate = get_object_or_404(rows, uid=uid)
    return found


def _save(request: ConsoleRequest, template: ProfileTemplate | None) -> HttpResponse:
    form = profile_forms.TemplateForm(request.POST, principal=request.principal, template=template)
    rows = profile_forms.PeriodForms(request.POST, prefix="period")
    request.audit_object = ("charging_profile", template.uid if template else "")
    request.audit_facts = {"name": request.POST.get("name", "")[:100]}
    if not form.is_valid() or not rows.is_valid():
        return _show(request, form, rows, template, status=422)
    try:
        facts = form.facts(rows)
        with transaction.atomic():  # a refusal must leave the request's own transaction good for the record
            saved = profile_templates.save(template, operator=facts.pop("operator", None), **facts)
    except ValidationError as error:
        form.add_error(None, error)
        return _show(request, form, rows, template, status=422)
    except UnsuitedProfile as error:
        form.add_error(error.path if error.path in form.fields else None, str(error))
        return _show(request, form, rows, template, status=422)
    request.audit_object = ("charging_profile", saved.uid)
    messages.success(request, _("%(name)s is saved; nothing was sent by that.") % {"name": saved})
    return redirect("charging-profile", uid=saved.uid)


def _show(
    request: ConsoleRequest,
    form: forms.Form,
    rows: Any,
    template: ProfileTemplate | None,
    *,
    status: int = 200,
) -> HttpResponse:
    installed: list[InstalledProfile] = []
    if template is not None:
        visible = access.stations(request.principal)
        lying = template.installed.filter(state__in=InstalledProfile.LIVE, station__in=visible)
        installed = list(lying.select_related("station").order_by("station__identity", "evse_number")[:50])
        for row in installed:
            row.look = profile_words.STATES[InstalledProfile.State(row.state)]  # type: ignore[attr-defined]
    return render(
        request,
        "console/charging_profile.html",
        status=status,
        form=form,
        periods=rows,
        profile=template,
        installed=installed,
        may_write=access.may(request.principal, "charging_profile.write"),
    )


# --- on a station


@page()
def composite(request: ConsoleRequest, identity: str) -> JsonResponse:
    """Give the columns of the chart with both composite schedules of an EVSE."""
    station = station_pages.find(request.principal, identity)
    number, unit = smart_charging_tab.chosen(request, _numbers(station))
    both = Composite.read(station, evse_number=number, duration_s=smart_charging_tab.HOURS * 3600, unit=unit)
    zone = station.location.time_zone if station.location else "UTC"
    return JsonResponse(smart_charging_tab.columns(both, zone))


@act("command.dangerous")
def limit(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Limit a place of a station now."""
    station = _station(request, identity)
    running = list(ChargingSession.objects.active().filter(station=station).select_related("evse"))
    form = profile_forms.LimitForm(request.POST, numbers=_numbers(station), running=running)
    if not form.is_valid():
        return _refused(request, identity, form)
    facts = form.cleaned_data
    purpose, _colon, number = facts["place"].partition(":")
    amount = {"A": "amps", "W": "watts"}[facts["unit"]]
    return _install(
        request,
        station,
        lambda options: smart_charging.install_limit(
            station,
            purpose=Purpose(purpose),
            evse_number=int(number),
            until=facts["until"],
            may_fall_back=facts["fall_back"],
            **{amount: facts["amount"]},
            **options,
        ),
    )


@act("command.dangerous")
def install(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Install a profile of the library on a station."""
    station = _station(request, identity)
    form = profile_forms.InstallForm(request.POST, principal=request.principal, numbers=_numbers(station))
    if not form.is_valid():
        return _refused(request, identity, form)
    facts = form.cleaned_data
    return _install(
        request,
        station,
        lambda options: smart_charging.install_template(
            station,
            template=facts["template"],
            evse_number=facts["evse"],
            each_transaction=facts["each_transaction"],
            may_fall_back=facts["fall_back"],
            **options,
        ),
    )


@act("command.dangerous")
def clear(request: ConsoleRequest, identity: str, uid: str) -> HttpResponse:
    """Take one profile back; a station that is offline is told once it is back."""
    station = _station(request, identity)
    row = get_object_or_404(InstalledProfile, station=station, uid=uid)
    request.audit_facts = {"cleared": row.profile_id}
    try:
        with transaction.atomic():
            smart_charging.clear(row, keep_offline=True, **_asked(request))
        messages.success(request, _("Profile %(number)s is taken back.") % {"number": row.profile_id})
    except StationsError as error:
        messages.error(request, str(error))
    return _back(identity)


@act("command.dangerous")
def clear_matching(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Clear what matches, also what others have put there."""
    station = _station(request, identity)
    form = profile_forms.ClearForm(request.POST, numbers=_numbers(station))
    if not form.is_valid():
        return _refused(request, identity, form)
    facts = form.cleaned_data
    criteria = Criteria(
        id=facts["profile_id"],
        evse=facts["evse"],
        purpose=Purpose(facts["purpose"]) if facts["purpose"] else None,
        stack_level=facts["stack_level"],
    )
    request.audit_facts = {name: value for name, value in facts.items() if value not in (None, "")}
    try:
        with transaction.atomic():
            smart_charging.clear_matching(
                station, criteria=criteria, queue_offline=_may_wait(request), **_asked(request)
            )
        messages.success(request, _("The station is asked to clear them."))
    except StationsError as error:
        messages.error(request, _words(error, station))
    return _back(identity)


@act("command.safe")
def ask(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Ask the station for its composite schedule."""
    station = _station(request, identity)
    number, unit = smart_charging_tab.chosen(request, _numbers(station))
    request.audit_facts = {"evse": number, "unit": unit.value}
    try:
        with transaction.atomic():
            command = composite_schedules.ask(station, evse_number=number, unit=unit, **_asked(request))
        request.audit_facts["id"] = command.uid
        messages.success(request, _("The station is asked; its answer appears in the chart."))
    except StationsError as error:
        messages.error(request, _words(error, station))
    return _back(identity, evse=str(number), unit=unit.value)


@act("station.write")
def forget(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Forget what the station's refusals taught us."""
    station = _station(request, identity)
    request.audit_facts = {"forgotten": capabilities.forget(station)}
    messages.success(request, _("Forgotten: the next profile is tried in the best way again."))
    return _back(identity)


def _station(request: ConsoleRequest, identity: str) -> ChargingStation:
    request.audit_object = ("station", identity)
    return station_pages.find(request.principal, identity)


def _numbers(station: ChargingStation) -> list[int]:
    here = Connector.objects.filter(evse__station=station, evse__is_removed=False)
    return sorted(set(here.values_list("evse__number", flat=True)))


def _install(request: ConsoleRequest, station: ChargingStation, send: Any) -> HttpResponse:
    try:
        with transaction.atomic():  # a refusal must leave the request's own transaction good for the record
            row = send(_asked(request) | {"queue_offline": _may_wait(request)})
    except (StationOffline, UnsuitedProfile, UnknownAction, NotOpen) as error:
        messages.error(request, _words(error, station))
        return _back(station.identity)
    request.audit_facts = {
        "profile": row.profile_id, "purpose": row.purpose, "evse": row.evse_number, "id": row.uid,
        "what": profile_words.of_profile(row.wish),
    }  # fmt: skip
    messages.success(
        request, _("Profile %(number)s is on its way; its state appears below.") % {"number": row.profile_id}
    )
    return _back(station.identity, evse=str(row.evse_number))


def _asked(request: ConsoleRequest) -> dict[str, Any]:
    return {"requested_by": request.principal.name, "user": request.principal.user}


def _may_wait(request: ConsoleRequest) -> bool:
    return request.POST.get("queue") == "yes"


def _words(error: Exception, station: ChargingStation) -> str:
    if isinstance(error, StationOffline):
        return _("%(station)s is offline. Send it again and tick the box to let it wait.") % {
            "station": station
        }
    return str(error)


def _refused(request: ConsoleRequest, identity: str, form: forms.Form) -> HttpResponse:
    for name, errors in form.errors.items():
        label = form.fields[name].label if name in form.fields else ""
        messages.error(
            request, f"{label}: {' '.join(map(str, errors))}" if label else " ".join(map(str, errors))
        )
    return _back(identity)


def _back(identity: str, **query: str) -> HttpResponse:
    return redirect(reverse("station", args=[identity], query={"tab": "smart-charging"} | query))
