"""What is done to the monitoring of a 2.x station: monitors set, cleared and read, base and level."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from cpo.console.guard import ConsoleRequest, act
from cpo.console.monitoring_tab import MonitorForm
from cpo.console.views import stations as station_pages
from stations.models import ChargingStation
from stations.services import monitoring
from stations.services.errors import InvalidPayload, StationOffline, UnknownAction

LEVELS = {str(number): number for number in range(10)}


@act("command.dangerous")
def add(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Ask the station to watch a variable."""
    station_pages.find(request.principal, identity)
    form = MonitorForm(request.POST)
    if not form.is_valid():
        request.audit_object = ("station", identity)
        told = "; ".join(str(error) for errors in form.errors.values() for error in errors)
        messages.error(request, told)
        return _back(identity)
    wanted = form.wanted()
    facts = {"monitor": str(wanted.key), "type": wanted.type, "severity": wanted.severity}
    return _ask(
        request, identity, lambda station, **who: monitoring.set_monitors(station, [wanted], **who), facts
    )


@act("command.dangerous")
def clear(request: ConsoleRequest, identity: str, monitor_id: int) -> HttpResponse:
    """Ask the station to watch this no more."""
    return _ask(
        request, identity, lambda station, **who: monitoring.clear(station, [monitor_id], **who),
        {"cleared": monitor_id},
    )  # fmt: skip


@act("command.safe")
def read_again(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Ask the station what it watches."""
    return _ask(request, identity, monitoring.read, {"command": "GetMonitoringReport"})


@act("command.dangerous")
def set_up(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Set the base or the level of the station's monitoring."""
    station_pages.find(request.principal, identity)
    base, level = request.POST.get("base", ""), LEVELS.get(request.POST.get("level", ""))
    if base in monitoring.BASES:
        return _ask(
            request,
            identity,
            lambda station, **who: monitoring.set_base(station, base, **who),
            {"base": base},
        )
    if level is None:
        request.audit_object = ("station", identity)
        messages.error(request, _("Choose a base or a level."))
        return _back(identity)
    return _ask(
        request,
        identity,
        lambda station, **who: monitoring.set_level(station, level, **who),
        {"level": level},
    )


def _ask(
    request: ConsoleRequest, identity: str, ask: Callable[..., Any], facts: dict[str, Any]
) -> HttpResponse:
    station: ChargingStation = station_pages.find(request.principal, identity)
    request.audit_object, request.audit_facts = ("station", identity), facts
    try:
        with transaction.atomic():  # a refusal must leave the request's own transaction good for the record
            ask(station, requested_by=request.principal.name, user=request.principal.user)
    except StationOffline:
        messages.error(
            request, _("%(station)s is offline: try again once it is back.") % {"station": station}
        )
    except (InvalidPayload, UnknownAction) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The station is asked; its answer appears here."))
    return _back(identity)


def _back(identity: str) -> HttpResponse:
    return redirect(reverse("station", args=[identity], query={"tab": "monitoring"}))
