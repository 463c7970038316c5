"""What is done from the network tab of a 2.x station: slots set, their order changed, both read again."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from cpo.console.guard import ConsoleRequest, act
from cpo.console.network_tab import OrderForm, SlotForm
from cpo.console.views import stations as station_pages
from stations.models import ChargingStation
from stations.services import network_profiles
from stations.services.errors import StationsError


@act("station.security")
def set_slot(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Send a network profile for a slot."""
    station = _found(request, identity)
    form = SlotForm(request.POST, station=station, prefix="slot")
    if not form.is_valid():
        return _said(request, identity, _faults(form))
    told = form.cleaned_data
    request.audit_facts = {name: told[name] for name in ("slot", "url", "security_profile", "by_variables")}
    send = network_profiles.set_slot_by_variables if told["by_variables"] else network_profiles.set_slot
    return _tried(
        request,
        identity,
        lambda: send(
            station, slot=told["slot"], data=form.data_of_profile(), confirmed=True, **_who(request)
        ),
        _("The station is asked; it uses the slot once the order says so."),
    )


@act("station.security")
def set_order(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Send the order of slots, and a restart if it is wanted."""
    station = _found(request, identity)
    form = OrderForm(request.POST, prefix="order")
    if not form.is_valid():
        return _said(request, identity, _faults(form))
    slots, restart = form.numbers(), form.cleaned_data["restart"]
    request.audit_facts = {"slots": slots, "restart": restart}
    return _tried(
        request,
        identity,
        lambda: network_profiles.set_priority(
            station, slots=slots, confirmed=True, restart=restart, **_who(request)
        ),
        _("The station is asked; it follows the order from its next boot on."),
    )


@act("station.security")
def read_again(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Have the station tell which slots it has, which it uses and in which order it tries them."""
    station = _found(request, identity)
    return _tried(
        request,
        identity,
        lambda: network_profiles.ask(station, **_who(request)),
        _("The station is asked; its answer appears here."),
    )


def _found(request: ConsoleRequest, identity: str) -> ChargingStation:
    request.audit_object = ("station", identity)
    return station_pages.find(request.principal, identity)


def _who(request: ConsoleRequest) -> dict[str, Any]:
    return {
        "requested_by": request.principal.name,
        "user": request.principal.user,
        "queue_offline": True,
    }


def _faults(form: Any) -> str:
    return " ".join(
        f"{form.fields[name].label}: {text}" for name, texts in form.errors.items() for text in texts
    )


def _tried(request: ConsoleRequest, identity: str, do: Callable[[], Any], good: str) -> HttpResponse:
    try:
        with transaction.atomic():
            do()
    except StationsError as error:
        return _said(request, identity, str(error))
    return _said(request, identity, "", good)


def _said(request: ConsoleRequest, identity: str, fault: str, good: str = "") -> HttpResponse:
    if fault:
        messages.error(request, fault[:1].upper() + fault[1:])
    else:
        messages.success(request, good)
    return redirect(reverse("station", args=[identity], query={"tab": "network"}))
