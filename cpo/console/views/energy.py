"""What is done from the energy tab of a station: swaps, grid signals, tariffs, questions."""

from collections.abc import Callable

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from billing.errors import NotBillable
from billing.services import station_tariffs as our_tariffs
from billing.tariff.errors import CannotExpress
from cpo.console.energy_tab import SignalForm, SwapForm
from cpo.console.guard import ConsoleRequest, act
from cpo.console.views import stations as station_pages
from stations.models import ChargingStation
from stations.services import battery_swap, der_reports, station_tariffs, v2x
from stations.services.errors import StationsError


@act("command.dangerous")
def request_swap(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Let a driver exchange batteries."""
    station_pages.find(request.principal, identity)
    form = SwapForm(request.POST)
    if not form.is_valid():
        return _refused(request, identity, str(form.errors.as_text()))
    token = form.cleaned_data["id_token"]
    return _do(
        request,
        identity,
        lambda found: (
            battery_swap.request(
                found, id_token=token, requested_by=request.principal.name, user=request.principal.user
            ).command.uid
        ),
    )


@act("command.dangerous")
def send_signal(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Send a grid signal."""
    station_pages.find(request.principal, identity)
    form = SignalForm(request.POST)
    if not form.is_valid():
        return _refused(request, identity, str(form.errors.as_text()))
    value = form.cleaned_data["signal"]
    return _do(
        request,
        identity,
        lambda found: (
            v2x.signal(found, value, requested_by=request.principal.name, user=request.principal.user).pk
        ),
    )


@act("command.dangerous")
def install_tariffs(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Send the tariffs that are assigned here to the station."""
    return _do(
        request,
        identity,
        lambda found: [
            made.tariff.tariff_id
            for made in our_tariffs.install(
                found, requested_by=request.principal.name, user=request.principal.user
            )
        ],
    )


@act("command.safe")
def ask(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Ask which DER controls and tariffs lie on the station."""

    def act(found: ChargingStation) -> list[str]:
        who = {"requested_by": request.principal.name, "user": request.principal.user}
        return [der_reports.ask(found, **who).command.uid, station_tariffs.read(found, **who).uid]

    return _do(request, identity, act)


def _do(request: ConsoleRequest, identity: str, act: Callable[[ChargingStation], object]) -> HttpResponse:
    station = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    try:
        with transaction.atomic():  # a refusal must leave the request's own transaction good for the record
            request.audit_facts = {"made": act(station)}
    except (StationsError, NotBillable, CannotExpress) as error:
        return _refused(request, identity, str(error))
    messages.success(request, _("The station is asked; its answer appears here."))
    return _back(identity)


def _refused(request: ConsoleRequest, identity: str, why: str) -> HttpResponse:
    request.audit_object = ("station", identity)
    messages.error(request, why)
    return _back(identity)


def _back(identity: str) -> HttpResponse:
    return redirect(reverse("station", args=[identity], query={"tab": "energy"}))
