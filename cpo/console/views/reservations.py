"""Reservations: the list of all, and what is done about one. Wishes of availability are forgotten here too."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from cpo import access
from cpo.console import words
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from cpo.console.reservations_tab import ReservationForm
from cpo.console.views import stations as station_pages
from stations.models import AvailabilityWish, ChargingStation, Reservation
from stations.services import availability
from stations.services import reservations as reservation_service
from stations.services.errors import InvalidPayload, NotOpen, StationOffline, UnknownAction


@page()
def reservations(request: ConsoleRequest) -> HttpResponse:
    """List reservations, the newest first."""
    return render(
        request,
        "console/reservations.html",
        parts={"rows": Part("console/_reservations.html", lambda: _rows(request))},
        filters=request.GET,
        statuses=[(value, words.RESERVATION[value].word) for value in Reservation.Status.values],
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    found = access.reservations(request.principal).select_related("station__location", "evse", "session")
    if request.GET.get("status"):
        found = found.filter(status=request.GET["status"])
    if request.GET.get("station"):
        found = found.filter(station__identity=request.GET["station"])
    if request.GET.get("token"):
        found = found.filter(id_token__iexact=request.GET["token"])
    return {"reservations": page_of(found, by=("id",), after=request.GET.get("after", ""))}


@act("reservation.write")
def reserve(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Ask a station to hold a connector for a token, or to change what it holds."""
    station = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    form = ReservationForm(request.POST, station=station)
    if not form.is_valid():
        return render(request, "console/reservation.html", status=422, station=station, form=form)
    try:
        with transaction.atomic():  # a refusal must leave the request's own transaction good for the record
            made = reservation_service.reserve(
                station,
                **form.facts(station),
                replaces=_replaced(request, station, form.cleaned_data["replaces"]),
                requested_by=request.principal.name,
                user=request.principal.user,
                queue_offline=request.POST.get("queue") == "yes",
            )
    except (InvalidPayload, NotOpen, StationOffline, UnknownAction) as error:
        messages.error(request, _refusal(error, station))
        return _back(identity)
    found = made.reservation
    request.audit_facts = {"id": found.uid, "command": made.command.uid, "id_token": found.id_token}
    messages.success(request, _("The station is asked; its answer appears here."))
    return _back(identity)


@act("reservation.write")
def cancel(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Take a reservation back."""
    rows = access.reservations(request.principal).select_related("station")
    reservation = get_object_or_404(rows, uid=uid)
    request.audit_object = ("reservation", uid)
    try:
        with transaction.atomic():
            command = reservation_service.cancel(
                reservation,
                requested_by=request.principal.name,
                user=request.principal.user,
                queue_offline=True,
            )
    except (NotOpen, UnknownAction) as error:
        messages.error(request, str(error))
        return _back(reservation.station.identity)
    request.audit_facts = {"command": command.uid}
    if command.status == command.Status.CANCELLED:
        messages.success(request, _("It is taken back; the station never heard of it."))
    elif reservation.station.is_online:
        messages.success(request, _("The station is asked to let it go; its answer appears here."))
    else:
        messages.success(request, _("The station is asked to let it go as soon as it is back."))
    return _back(reservation.station.identity)


@act("command.dangerous")
def forget_wish(request: ConsoleRequest, identity: str, pk: int) -> HttpResponse:
    """Want nothing any more of a connector's availability; nothing is sent."""
    station = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    wish = AvailabilityWish.objects.filter(station=station, pk=pk).first()
    if wish is None:
        raise Http404
    request.audit_facts = {"forgotten": "operative" if wish.is_operative else "inoperative"}
    availability.forget(wish)
    messages.success(request, _("It is no longer wanted; the station stays as it is."))
    return redirect("station", identity=identity)


def _replaced(request: ConsoleRequest, station: ChargingStation, uid: str) -> Reservation | None:
    if not uid:
        return None
    return get_object_or_404(access.reservations(request.principal), station=station, uid=uid)


def _refusal(error: Exception, station: ChargingStation) -> str:
    if isinstance(error, StationOffline):
        return _("%(station)s is offline: try again once it is back.") % {"station": station}
    return str(error)


def _back(identity: str) -> HttpResponse:
    return redirect(reverse("station", args=[identity], query={"tab": "reservations"}))
