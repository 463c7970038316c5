"""What is done from the display tab of a station: messages written, cleared, sent again and read; news for drivers."""

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
from cpo.console.display_tab import CONTROLLER, EVERYWHERE, FallbackForm, MessageForm, NewsForm
from cpo.console.guard import ConsoleRequest, act
from cpo.console.views import stations as station_pages
from stations.models import ChargingStation, DisplayMessage
from stations.services import device_model, display_messages, station_costs, variable_keys
from stations.services.display_messages import Outcome
from stations.services.errors import StationsError

ASKED = "The station is asked; its answer appears here."


@act("display.write")
def put(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Write a message, for this station or for all of its site."""
    found = station_pages.find(request.principal, identity)
    form = MessageForm(request.POST, station=found)
    if not form.is_valid():
        return _refused(request, identity, _faults(form))
    told, message = form.cleaned_data, form.message()
    options = {**_who(request), "anyway": told["anyway"], "queue_offline": True}
    if told["where"] == EVERYWHERE and found.location_id is not None:
        rows = access.stations(request.principal).filter(location=found.location_id).order_by("identity")
        outcomes = display_messages.put_at(rows, message, **options)
        return _told(request, identity, outcomes)
    number = told["replaces"]
    return _do(
        request,
        identity,
        lambda station: (
            display_messages.put(station, message, message_id=number, **options).message.message_id
        ),
    )


@act("display.write")
def clear(request: ConsoleRequest, identity: str, message_id: int) -> HttpResponse:
    """Take a message away: here, or at all stations of the site that it was written for."""
    found = station_pages.find(request.principal, identity)
    row = DisplayMessage.objects.filter(station=found, message_id=message_id).exclude(batch="").first()
    if row is not None and request.POST.get("where") == EVERYWHERE:
        stations = access.stations(request.principal)
        options = {**_who(request), "queue_offline": True}
        return _told(request, identity, display_messages.clear_batch(row.batch, stations=stations, **options))
    return _do(
        request, identity,
        lambda station: display_messages.clear(station, message_id, queue_offline=True, **_who(request)).uid,
    )  # fmt: skip


@act("display.write")
def put_again(request: ConsoleRequest, identity: str, message_id: int) -> HttpResponse:
    """Send a message as it was written once more."""
    found = station_pages.find(request.principal, identity)
    rows = DisplayMessage.objects.select_related("station").filter(is_ours=True)
    row = get_object_or_404(rows, station=found, message_id=message_id)
    return _do(
        request, identity,
        lambda _station: display_messages.put_again(row, queue_offline=True, **_who(request)).message.message_id,
    )  # fmt: skip


@act("command.safe")
def read(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Ask the station what lies there."""
    return _do(request, identity, lambda station: display_messages.read(station, **_who(request)).uid)


@act("display.write")
def tell(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Let the driver of a running session read something."""
    found = station_pages.find(request.principal, identity)
    form = NewsForm(request.POST, station=found)
    if not form.is_valid():
        return _refused(request, identity, _faults(form))
    told = form.cleaned_data
    session = get_object_or_404(access.sessions(request.principal), station=found, uid=told["session"])
    return _do(
        request, identity,
        lambda _station: station_costs.tell_driver(session, told["text"], language=told["language"]).session_id,
        done=_("It is told with the next message of this session."),
    )  # fmt: skip


@act("command.dangerous")
def fall_back(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Set what the station shows where it cannot ask us."""
    found = station_pages.find(request.principal, identity)
    form = FallbackForm(request.POST, station=found)
    if not form.is_valid() or not form.changes():
        return _refused(request, identity, _faults(form) or _("Nothing is another text than before."))
    changes = [(variable_keys.parse(f"{CONTROLLER}/{name}"), value) for name, value in form.changes().items()]
    return _do(
        request, identity,
        lambda station: [c.uid for c in device_model.change(station, changes, queue_offline=True, **_who(request))],
    )  # fmt: skip


def _do(
    request: ConsoleRequest, identity: str, act: Callable[[ChargingStation], Any], *, done: str = ""
) -> HttpResponse:
    station = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    try:
        with transaction.atomic():  # a refusal must leave the request's own transaction good for the record
            request.audit_facts = {"made": act(station)}
    except StationsError as error:
        return _refused(request, identity, str(error))
    messages.success(request, done or _(ASKED))
    return _back(identity)


def _told(request: ConsoleRequest, identity: str, outcomes: list[Outcome]) -> HttpResponse:
    """Say how many stations of the site were asked, and why not the others."""
    asked = [one.station.identity for one in outcomes if one.asked is not None]
    request.audit_object, request.audit_facts = ("station", identity), {"stations": asked}
    if asked:
        messages.success(request, _("%(count)s stations are asked.") % {"count": len(asked)})
    for one in outcomes:
        if one.asked is None:
            messages.error(request, f"{one.station.identity}: {one.fault}")
    return _back(identity)


def _who(request: ConsoleRequest) -> dict[str, Any]:
    return {"requested_by": request.principal.name, "user": request.principal.user}


def _faults(form: forms.Form) -> str:
    return "; ".join(
        f"{form.fields[name].label}: {error}" if name in form.fields else str(error)
        for name, errors in form.errors.items()
        for error in errors
    )


def _refused(request: ConsoleRequest, identity: str, why: str) -> HttpResponse:
    request.audit_object = ("station", identity)
    messages.error(request, why)
    return _back(identity)


def _back(identity: str) -> HttpResponse:
    return redirect(reverse("station", args=[identity], query={"tab": "display"}))
