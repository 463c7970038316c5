"""What is done about the power of others: reports, renegotiation, priority, dynamic values; starts; streams."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from cpo import access
from cpo.console.guard import ConsoleRequest, act
from cpo.console.start_tab import LimitsForm, StartForm, numbers
from cpo.console.streams_tab import RateForm
from cpo.console.vehicles_tab import RenegotiateForm, ReportForm, ValuesForm
from cpo.console.views import stations as station_pages
from stations.charging_profiles import Purpose
from stations.models import (
    ChargingSession,
    ChargingStation,
    Connector,
    DERControl,
    EventStream,
    Evse,
    InstalledProfile,
)
from stations.services import (
    charging_needs,
    der_control,
    dynamic_charging,
    event_streams,
    limited_starts,
    limits,
    profile_reports,
)
from stations.services.errors import StationsError
from stations.services.profile_reports import Scope

VEHICLES, STREAMS, START, ENERGY = "vehicles", "streams", "start", "energy"


@act("command.safe")
def ask_report(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Ask which charging profiles lie on the station."""
    found = station_pages.find(request.principal, identity)
    form = ReportForm(request.POST)
    if not form.is_valid():
        return _refused(request, identity, VEHICLES, form)
    purpose = form.cleaned_data["purpose"]
    scope = Scope(evse=form.cleaned_data["evse"], purpose=Purpose(purpose) if purpose else None)
    return _do(
        request,
        identity,
        VEHICLES,
        lambda: profile_reports.ask(found, scope=scope, **_who(request)).request_id,
    )


@act("command.dangerous")
def renegotiate(request: ConsoleRequest, identity: str, uid: str) -> HttpResponse:
    """Give a vehicle a new schedule."""
    session = _session(request, identity, uid)
    form = RenegotiateForm(request.POST)
    if not form.is_valid():
        return _refused(request, identity, VEHICLES, form)
    most = form.cleaned_data["kilowatts"]
    max_w = None if most is None else most * 1000
    return _do(
        request, identity, VEHICLES,
        lambda: charging_needs.renegotiate(session, max_w=max_w, **_who(request)).profile_id,
    )  # fmt: skip


@act("command.dangerous")
def priority(request: ConsoleRequest, identity: str, uid: str) -> HttpResponse:
    """Ask for priority of a session, or give it up."""
    session = _session(request, identity, uid)
    is_wanted = request.POST.get("wanted") == "yes"
    return _do(
        request, identity, VEHICLES,
        lambda: dynamic_charging.use_priority(session, activate=is_wanted, **_who(request)).uid,
    )  # fmt: skip


@act("command.dangerous")
def values(request: ConsoleRequest, identity: str, uid: str) -> HttpResponse:
    """Give a dynamic profile new values."""
    found = station_pages.find(request.principal, identity)
    row = get_object_or_404(InstalledProfile, station=found, uid=uid)
    form = ValuesForm(request.POST)
    if not form.is_valid():
        return _refused(request, identity, VEHICLES, form)
    given = {name: value for name, value in form.cleaned_data.items() if value is not None}
    return _do(
        request, identity, VEHICLES,
        lambda: dynamic_charging.update(row, values=given, **_who(request)).uid,
    )  # fmt: skip


@act("command.safe")
def start(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Start a session from afar, with what limits it."""
    found = station_pages.find(request.principal, identity)
    connectors = Connector.objects.filter(evse__station=found, evse__is_removed=False).select_related("evse")
    form = StartForm(request.POST, principal=request.principal, numbers=numbers(list(connectors)))
    if not form.is_valid():
        return _refused(request, identity, START, form)
    facts = form.cleaned_data
    evse = Evse.objects.filter(station=found, number=facts["evse"]).first() if facts["evse"] else None

    def send() -> str:
        profile = None
        if facts["template"]:
            profile = limited_starts.of_template(found, facts["template"], evse)
        elif facts["amount"] is not None and facts["unit"] == "kW":
            profile = limited_starts.of_limit(found, evse, watts=facts["amount"] * 1000)
        elif facts["amount"] is not None:
            profile = limited_starts.of_limit(found, evse, amps=facts["amount"])
        return limited_starts.start(
            found,
            id_token=facts["id_token"],
            evse=evse,
            profile=profile,
            values=form.values(),
            **_who(request),
        ).uid

    return _do(request, identity, START, send)


@act("command.safe")
def limit_session(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Set all limits of a running session."""
    session: ChargingSession = get_object_or_404(access.sessions(request.principal), uid=uid)
    request.audit_object = ("session", uid)
    form = LimitsForm(request.POST)
    if not form.is_valid():
        messages.error(request, form.errors.as_text())
        return redirect("session", uid=uid)
    request.audit_facts = {name: str(value) for name, value in form.values().items() if value is not None}
    try:
        with transaction.atomic():  # a refusal must leave the request's own transaction good for the record
            limits.put(session, **form.values(), by=request.principal.name)
        messages.success(request, _("Kept: the session ends at the first of them."))
    except StationsError as error:
        messages.error(request, str(error))
    return redirect("session", uid=uid)


@act("command.safe")
def read_streams(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Ask which event streams are open."""
    found = station_pages.find(request.principal, identity)
    return _do(request, identity, STREAMS, lambda: event_streams.read(found, **_who(request)).uid)


@act("command.safe")
def adjust_stream(request: ConsoleRequest, identity: str, number: int) -> HttpResponse:
    """Let a stream send less or more often."""
    found, row = _stream(request, identity, number)
    form = RateForm(request.POST)
    if not form.is_valid():
        return _refused(request, identity, STREAMS, form)
    return _do(
        request, identity, STREAMS,
        lambda: event_streams.adjust(found, stream_id=row.stream_id, **form.cleaned_data, **_who(request)).uid,
    )  # fmt: skip


@act("command.safe")
def close_stream(request: ConsoleRequest, identity: str, number: int) -> HttpResponse:
    """End a stream: its monitor is cleared."""
    found, row = _stream(request, identity, number)
    return _do(
        request, identity, STREAMS,
        lambda: [one.uid for one in event_streams.close(found, stream_id=row.stream_id, **_who(request))],
    )  # fmt: skip


@act("command.dangerous")
def control_again(request: ConsoleRequest, identity: str, control_id: str) -> HttpResponse:
    """Give the station a DER control that it has lost or refused once more."""
    found = station_pages.find(request.principal, identity)
    row = get_object_or_404(
        DERControl.objects.select_related("station"), station=found, control_id=control_id
    )
    return _do(request, identity, ENERGY, lambda: der_control.again(row, **_who(request)).control.control_id)


def _session(request: ConsoleRequest, identity: str, uid: str) -> ChargingSession:
    found = station_pages.find(request.principal, identity)
    rows = (
        access.sessions(request.principal).filter(station=found).select_related("station__location", "evse")
    )
    session: ChargingSession = get_object_or_404(rows, uid=uid)
    return session


def _stream(request: ConsoleRequest, identity: str, number: int) -> tuple[ChargingStation, EventStream]:
    found = station_pages.find(request.principal, identity)
    return found, get_object_or_404(EventStream, station=found, stream_id=number)


def _who(request: ConsoleRequest) -> dict[str, Any]:
    return {"requested_by": request.principal.name, "user": request.principal.user}


def _do(request: ConsoleRequest, identity: str, tab: str, act: Callable[[], object]) -> HttpResponse:
    request.audit_object = ("station", identity)
    try:
        with transaction.atomic():  # a refusal must leave the request's own transaction good for the record
            request.audit_facts = {"made": act()}
        messages.success(request, _("The station is asked; its answer appears here."))
    except StationsError as error:
        messages.error(request, str(error))
    return _back(identity, tab)


def _refused(request: ConsoleRequest, identity: str, tab: str, form: forms.Form) -> HttpResponse:
    request.audit_object = ("station", identity)
    messages.error(request, form.errors.as_text())
    return _back(identity, tab)


def _back(identity: str, tab: str) -> HttpResponse:
    return redirect(reverse("station", args=[identity], query={"tab": tab}))
