"""What is done to a station's security: a higher profile, a new password, what was set by hand, other spellings."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from cpo.console.guard import ConsoleRequest, act
from cpo.console.security_profiles_tab import ByHandForm, RaiseForm
from cpo.console.views import stations as station_pages
from stations.models import ChargingStation
from stations.services import aliases, passwords, security_profiles
from stations.services.errors import StationsError


@act("station.security")
def raise_profile(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Begin to raise the profile over OCPP."""
    station = _found(request, identity)
    form = RaiseForm(request.POST, station=station)
    if not form.is_valid():
        return _said(request, identity, _first(form))
    facts = form.facts()
    request.audit_facts = {"profile": facts["profile"]}
    fault = _tried(lambda: security_profiles.raise_to(station, **facts, requested_by=request.principal.name))
    return _said(request, identity, fault, _("The steps appear here as the station takes them."))


@act("station.security")
def cancel(request: ConsoleRequest, identity: str, pk: int) -> HttpResponse:
    """Stop a change; the profile stays what it was."""
    station = _found(request, identity)
    change = get_object_or_404(station.profile_changes, pk=pk)
    request.audit_facts = {"change": pk}
    fault = _tried(lambda: security_profiles.cancel(change, by=request.principal.name))
    return _said(request, identity, fault, _("The profile stays what it was."))


@act("station.security")
def set_by_hand(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Say which profile the station uses, because somebody set it there."""
    station = _found(request, identity)
    form = ByHandForm(request.POST, prefix="hand")
    if not form.is_valid():
        return _said(request, identity, _first(form))
    clean = form.cleaned_data
    request.audit_facts = {"profile": clean["profile"], "by_hand": True}
    fault = _tried(lambda: security_profiles.set_by_hand(station, **clean, by=request.principal.name))
    return _said(request, identity, fault, _("It holds from the station's next connection on."))


@act("station.security")
def change_password(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Send the station a new password that nobody sees."""
    station = _found(request, identity)
    fault = _tried(
        lambda: passwords.change(station, requested_by=request.principal.name, user=request.principal.user)
    )
    return _said(
        request, identity, fault, _("A new password is on its way; the old one is good until it is used.")
    )


@act("station.security")
def add_alias(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Know the station by another spelling too."""
    station = _found(request, identity)
    alias = request.POST.get("alias", "")
    request.audit_facts = {"alias": alias[:255]}
    fault = _tried(lambda: aliases.add(station, alias=alias, by=request.principal.name))
    return _said(request, identity, fault, _("The station is known by that spelling too."))


@act("station.security")
def remove_alias(request: ConsoleRequest, identity: str, pk: int) -> HttpResponse:
    """Know the station by this spelling no more."""
    station = _found(request, identity)
    alias = get_object_or_404(station.aliases, pk=pk)
    request.audit_facts = {"alias": alias.alias, "removed": True}
    aliases.remove(alias)
    return _said(request, identity, "", _("The spelling is forgotten."))


def _found(request: ConsoleRequest, identity: str) -> ChargingStation:
    request.audit_object = ("station", identity)
    return station_pages.find(request.principal, identity)


def _tried(do: Callable[[], Any]) -> str:
    """Do it and return '', or why it cannot be; the request's own transaction stays good for the record."""
    try:
        with transaction.atomic():
            do()
    except StationsError as error:
        return str(error)
    return ""


def _first(form: Any) -> str:
    return " ".join(str(text) for texts in form.errors.values() for text in texts)


def _said(request: ConsoleRequest, identity: str, fault: str, good: str = "") -> HttpResponse:
    if fault:
        messages.error(request, fault[:1].upper() + fault[1:])
    else:
        messages.success(request, good)
    return redirect(reverse("station", args=[identity], query={"tab": "security"}))
