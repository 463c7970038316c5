"""Local authorization lists: of all stations, and what is done to one's."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from cpo import access
from cpo.console import words
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from cpo.console.views import stations as station_pages
from stations.models import LocalList
from stations.services import local_list
from stations.services.errors import NoLocalList

SITES = 200  # shown
RULES = {"on": True, "off": False, "": None}


@page()
def lists(request: ConsoleRequest) -> HttpResponse:
    """Show how far the lists of all stations are in step, and which sites have lists."""
    return render(
        request,
        "console/local_lists.html",
        parts={
            "rows": Part("console/_local_lists.html", lambda: _rows(request)),
            "sites": Part("console/_local_list_sites.html", lambda: _sites(request)),
        },
        filters=request.GET,
        states=[(value, words.LOCAL_LIST[value].word) for value in LocalList.State.values],
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    found = access.local_lists(request.principal).select_related("station__location", "wanted", "content")
    found = found.defer("wanted__entries", "content__entries")
    if request.GET.get("state"):
        found = found.filter(state=request.GET["state"])
    if request.GET.get("q"):
        found = found.filter(station__identity__icontains=request.GET["q"].strip())
    return {"lists": page_of(found, by=("id",), after=request.GET.get("after", ""))}


def _sites(request: ConsoleRequest) -> dict[str, Any]:
    found = access.locations(request.principal).select_related("local_list_rule")
    in_step = Count("stations", filter=Q(stations__local_list__state="in_step"))
    wanted = Count("stations", filter=Q(stations__local_list__is_on=True))
    counted = found.annotate(in_step=in_step, wanted=wanted).order_by("name")
    return {"sites": list(counted[:SITES])}


@act("local_list.write")
def switch(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Give the station a list, take it away, or let its site decide."""
    station = station_pages.find(request.principal, identity)
    mode = request.POST.get("mode", "")
    request.audit_object, request.audit_facts = ("station", identity), {"local_list": mode[:10]}
    if mode not in LocalList.Mode.values:
        messages.error(request, _("A list is on, off, or as its site."))
        return _back(identity)
    local_list.switch(station, mode=mode)
    messages.success(request, _("It is made and sent within a minute while the station is connected."))
    return _back(identity)


@act("local_list.write")
def send_whole(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Send the whole list again."""
    station = station_pages.find(request.principal, identity)
    request.audit_object, request.audit_facts = ("station", identity), {"local_list": "send"}
    try:
        with transaction.atomic():
            local_list.send_whole(station)
    except NoLocalList:
        messages.error(request, _("This station shall have no list: switch it on first."))
        return _back(identity)
    messages.success(request, _("The whole list goes out within seconds while the station is connected."))
    return _back(identity)


@act("local_list.write")
def switch_site(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Give the stations of a site lists, or none, or let the installation decide."""
    location = get_object_or_404(access.locations(request.principal), uid=uid)
    rule = request.POST.get("rule", "")
    request.audit_object, request.audit_facts = ("location", uid), {"local_list": rule[:10]}
    if rule in RULES:
        local_list.switch_site(location, is_on=RULES[rule])
        messages.success(
            request, _("The lists of %(site)s follow within a minute.") % {"site": location.name}
        )
    return redirect("local-lists")


def _back(identity: str) -> HttpResponse:
    return redirect(reverse("station", args=[identity], query={"tab": "local-list"}))
