"""Onboarding: stations that knock with an identity nobody registered, and handshakes that were refused."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from cpo import access
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.parts import Part, render
from cpo.console.views.station_actions import show_card
from stations.models import ChargingStation, HandshakeRejection
from stations.services import provisioning

ROWS = 100


@page("onboarding.view")
def onboarding(request: ConsoleRequest) -> HttpResponse:
    """Show who knocks and who was refused."""
    principal = request.principal
    return render(
        request,
        "console/onboarding.html",
        parts={"rows": Part("console/_onboarding.html", lambda: _rows(request))},
        locations=list(access.locations(principal).order_by("name")[:500]),
        shows_ignored=request.GET.get("ignored") == "yes",
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    knocking = access.onboarding(request.principal).order_by("-last_at")
    if request.GET.get("ignored") != "yes":
        knocking = knocking.filter(is_ignored=False)
    refused = list(HandshakeRejection.objects.order_by("-last_at")[:ROWS])
    known = set(
        ChargingStation.objects.filter(identity__in={row.identity for row in refused}).values_list(
            "identity", flat=True
        )
    )
    locations = list(access.locations(request.principal).order_by("name").values("pk", "name")[:500])
    return {"knocking": list(knocking[:ROWS]), "refused": refused, "known": known, "locations": locations}


@act("onboarding.accept")
def accept(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Register the station and show its password once."""
    row = get_object_or_404(access.onboarding(request.principal), pk=pk)
    chosen = request.POST.get("location", "")
    location = access.locations(request.principal).filter(pk=chosen if chosen.isdecimal() else 0).first()
    request.audit_object = ("station", row.identity)
    request.audit_facts = {"location": location.pk if location else None, "address": row.remote_address}
    station, password = provisioning.accept(row, location=location)
    return show_card(request, station, password, title=_("Station accepted"))


@act("onboarding.accept")
def ignore(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Hide the station from the list."""
    row = get_object_or_404(access.onboarding(request.principal), pk=pk)
    request.audit_object = ("onboarding", row.identity)
    provisioning.ignore(row)
    messages.success(
        request, _("%(identity)s is ignored; its attempts are still counted.") % {"identity": row.identity}
    )
    return redirect("onboarding")
