"""What is done from a tab of a station's page: try it, say what came of it, go back to the tab."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from cpo.console.guard import ConsoleRequest
from stations.models import ChargingStation
from stations.services.errors import StationOffline, StationsError


def do(
    request: ConsoleRequest,
    station: ChargingStation,
    tab: str,
    act: Callable[[], Mapping[str, Any]],
    said: str,
) -> HttpResponse:
    """Do it; `act` returns what the audit record shall hold."""
    try:
        with transaction.atomic():  # a refusal must leave the request's own transaction good for the record
            request.audit_facts = dict(act())
    except StationOffline:
        away = _("%(station)s is offline. Tick the box to let it wait.") % {"station": station}
        return refused(request, station, tab, away)
    except StationsError as error:
        return refused(request, station, tab, str(error))
    messages.success(request, said)
    return back(station, tab)


def refused(request: ConsoleRequest, station: ChargingStation, tab: str, why: str) -> HttpResponse:
    """Say why it was not done."""
    messages.error(request, why)
    return back(station, tab)


def back(station: ChargingStation, tab: str) -> HttpResponse:
    """Go back to the tab."""
    return redirect(reverse("station", args=[station.identity], query={"tab": tab}))


def who(request: ConsoleRequest) -> dict[str, Any]:
    """Give who asks, and whether it may wait for the station, as services take it."""
    return {
        "requested_by": request.principal.name,
        "user": request.principal.user,
        "queue_offline": request.POST.get("queue") == "yes",
    }


def faults(form: forms.Form) -> str:
    """Say what is wrong with a form in one line."""
    return "; ".join(
        f"{form.fields[name].label}: {error}" if name in form.fields else str(error)
        for name, errors in form.errors.items()
        for error in errors
    )
