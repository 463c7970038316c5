"""What is done to a station's configuration: change one key, read all of it again."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from cpo.console.configuration_tab import KeyForm
from cpo.console.guard import ConsoleRequest, act
from cpo.console.parts import render
from cpo.console.views import stations as station_pages
from stations.models import ChargingStation
from stations.services import configuration
from stations.services.errors import InvalidPayload, NotConfirmed, SecretKey, StationOffline, UnknownAction
from stations.services.guarded_keys import is_secret


@act("command.dangerous")
def change(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Queue the change of one key; what can cut the station off is confirmed first."""
    station = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    request.audit_facts = {"key": request.POST.get("key", "")[:50]}
    form = KeyForm(request.POST)
    if not form.is_valid():
        return render(request, "console/configuration.html", status=422, station=station, form=form)
    key, value, is_desired = (form.cleaned_data[name] for name in ("key", "value", "desired"))
    try:
        with transaction.atomic():  # a refusal must leave the request's own transaction good for the record
            command = configuration.change(
                station,
                key=key,
                value=value,
                requested_by=request.principal.name,
                user=request.principal.user,
                confirmed=request.POST.get("confirmed") == "yes",
                queue_offline=request.POST.get("queue") == "yes",
            )
            configuration.desire(station, key=key, value=value if is_desired else None)
    except NotConfirmed:
        warning = _(
            "A wrong value can cut the station off (address, password, network). Somebody may have to drive there."
        )
        return render(
            request,
            "console/configuration.html",
            warning=warning,
            station=station,
            form=form,
            is_secret=is_secret(key),
        )
    except (StationOffline, InvalidPayload, UnknownAction, SecretKey) as error:
        messages.error(request, _refusal(error, station))
        return _back(identity, key=key)
    request.audit_facts |= {"desired": is_desired, "id": command.uid}
    request.audit_facts |= {} if is_secret(key) else {"value": value}
    messages.success(
        request, _("%(key)s is on its way; it is read again once the station accepts.") % {"key": key}
    )
    return _back(identity)


@act("command.safe")
def read_again(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Ask the station for its whole configuration."""
    station = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    try:
        with transaction.atomic():
            asked = configuration.read(
                station, requested_by=request.principal.name, user=request.principal.user
            )
    except (StationOffline, UnknownAction) as error:
        messages.error(request, _refusal(error, station))
        return _back(identity)
    request.audit_facts = {"command": configuration.READ, "id": asked[0].uid}
    messages.success(request, _("The station is asked; its answer appears here."))
    return _back(identity)


def _refusal(error: Exception, station: ChargingStation) -> str:
    if isinstance(error, StationOffline):
        return _("%(station)s is offline: try again once it is back.") % {"station": station}
    return str(error)


def _back(identity: str, key: str = "") -> HttpResponse:
    query = {"tab": "configuration"} | ({"key": key} if key else {})
    return redirect(reverse("station", args=[identity], query=query))
