"""What is done to a station: add, change, give it a password, send it a command."""

import json
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from cpo import access
from cpo.console import command_forms, commands_tab
from cpo.console.forms import StationForm
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.parts import render
from cpo.console.views import stations as station_pages
from stations.models import ChargingSession, ChargingStation, Command, Connector
from stations.services import commands, provisioning
from stations.services.errors import InvalidPayload, NotOpen, StationOffline, UnknownAction


def connection_card(station: ChargingStation, password: str | None) -> dict[str, Any]:
    """Give what must be entered in the charger; the password only now, for it is kept as a hash."""
    base = settings.PUBLIC_URL.replace("https://", "wss://", 1).replace("http://", "ws://", 1)
    return {
        "station": station,
        "base_url": f"{base}/ocpp/",
        "url": f"{base}/ocpp/{station.identity}",
        "password": password,
    }


def show_card(
    request: ConsoleRequest, station: ChargingStation, password: str | None, *, title: str
) -> HttpResponse:
    """Show the connection card with its password, once: the page must not be kept by anybody."""
    card = connection_card(station, password)
    response = render(request, "console/connection_card.html", card_title=title, **card)
    response["Cache-Control"] = "no-store"
    return response


@page("station.write")
def new(request: ConsoleRequest) -> HttpResponse:
    """Show the form of a new station."""
    form = StationForm(principal=request.principal, initial={"identity": request.GET.get("identity", "")})
    return render(request, "console/station_form.html", form=form, station=None)


@act("station.write")
def add(request: ConsoleRequest) -> HttpResponse:
    """Add a station and show its connection card."""
    form = StationForm(request.POST, principal=request.principal)
    request.audit_object = ("station", request.POST.get("identity", "")[:48])
    if not form.is_valid():
        return render(request, "console/station_form.html", form=form, station=None, status=422)
    fields = {name: value for name, value in form.cleaned_data.items() if name != "identity"}
    station, password = provisioning.upsert_station(form.cleaned_data["identity"], **fields)
    request.audit_facts = {"location": station.location_id, "security_profile": station.security_profile}
    return show_card(request, station, password, title=_("Station added"))


@page("station.write")
def edit(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Show the form of a station, with its connection card without the password."""
    station = station_pages.find(request.principal, identity)
    form = StationForm(
        principal=request.principal,
        station=station,
        initial={
            "name": station.name,
            "location": station.location_id,
            "security_profile": station.security_profile,
            "registration": station.registration,
        },
    )
    return render(request, "console/station_form.html", form=form, **connection_card(station, None))


@act("station.write")
def change(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Change a station."""
    station = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    form = StationForm(request.POST, principal=request.principal, station=station)
    if not form.is_valid():
        card = connection_card(station, None)
        return render(request, "console/station_form.html", form=form, status=422, **card)
    provisioning.upsert_station(identity, **form.cleaned_data)
    request.audit_facts = {name: str(value) for name, value in form.cleaned_data.items()}
    messages.success(request, _("%(station)s is saved.") % {"station": identity})
    return redirect("station", identity=identity)


@act("station.write")
def password(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Give the station a new password; the old one is refused from now on."""
    station = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    request.audit_facts = {"password": "replaced"}
    fresh = provisioning.set_password(station)
    return show_card(request, station, fresh, title=_("New password"))


@act("command.safe")
def send(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Queue a command; what is dangerous is confirmed first."""
    station = station_pages.find(request.principal, identity)
    action = request.POST.get("action", "")
    request.audit_object = ("station", identity)
    request.audit_facts = {"command": action}
    if action not in command_forms.actions(station.ocpp_version):
        messages.error(request, _("This station does not know %(action)s.") % {"action": action})
        return _back(identity)
    connectors = list(Connector.objects.filter(evse__station=station).select_related("evse"))
    running = list(ChargingSession.objects.active().filter(station=station).select_related("evse"))
    form = commands_tab.form_of(station, action, connectors, running)(request.POST)
    context: dict[str, Any] = {"station": station, "action": action, "form": form}
    if not form.is_valid():
        return render(request, "console/command.html", status=422, **context)
    payload = form.payload()
    if not access.may(request.principal, access.command_action(action, payload)):
        messages.error(request, _("Your role may not send %(action)s: ask an operator.") % {"action": action})
        return _back(identity)
    warning = command_forms.confirmation(action, payload)
    if warning and request.POST.get("confirmed") != "yes":
        return render(request, "console/command.html", warning=warning, payload=payload, **context)
    queued = _queue(request, station, action, payload)
    if queued is not None:
        request.audit_facts |= {"id": queued.uid, "payload": json.loads(json.dumps(payload, default=str))}
    return _back(identity, action=action)


def _queue(
    request: ConsoleRequest, station: ChargingStation, action: str, payload: dict[str, Any]
) -> Command | None:
    """Queue it and tell the person; None when it was refused, with the reason told."""
    wait = request.POST.get("queue") == "yes"
    try:
        with transaction.atomic():  # a refusal must leave the request's own transaction good for the record
            command = commands.queue(
                station,
                action=action,
                payload=payload,
                requested_by=request.principal.name,
                user=request.principal.user,
                queue_offline=wait,
            )
    except StationOffline:
        messages.error(
            request,
            _("%(station)s is offline. Send it again and tick the box to let it wait.")
            % {"station": station},
        )
        return None
    except (InvalidPayload, UnknownAction) as error:
        messages.error(request, str(error))
        return None
    messages.success(request, _("%(action)s is on its way; the answer appears below.") % {"action": action})
    return command


@act("command.safe")
def cancel(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Take back a command that waits."""
    command = access.commands(request.principal).select_related("station").filter(uid=uid).first()
    if command is None:
        messages.error(request, _("There is no such command."))
        return redirect("stations")
    request.audit_object = ("command", uid)
    try:
        with transaction.atomic():
            commands.cancel(command, by=request.principal.name)
        messages.success(request, _("%(action)s is taken back.") % {"action": command.action})
    except NotOpen as error:
        messages.error(request, str(error))
    return _back(command.station.identity, action=command.action)


def _back(identity: str, action: str = "") -> HttpResponse:
    query = f"?tab=commands&action={action}" if action else "?tab=commands"
    return redirect(reverse("station", args=[identity]) + query)
