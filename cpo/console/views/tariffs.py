"""Tariffs, to read: what they say in plain words, where they apply, how they changed."""

from typing import Any

from django.db.models import Count, OuterRef, Q, Subquery
from django.http import HttpResponse
from django.shortcuts import get_object_or_404

from billing.models import TariffVersion
from cpo import access
from cpo.console import tariff_words
from cpo.console.guard import ConsoleRequest, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from cpo.lib import clock


@page()
def tariffs(request: ConsoleRequest) -> HttpResponse:
    """List tariffs by id, each in one line of plain words."""
    return render(
        request,
        "console/tariffs.html",
        parts={"rows": Part("console/_tariffs.html", lambda: _rows(request))},
        filters=request.GET,
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    now = clock.now()
    newest = TariffVersion.objects.filter(tariff=OuterRef("pk")).order_by("-number")
    standing = Q(assignments__valid_until=None) | Q(assignments__valid_until__gt=now)
    found = access.tariffs(request.principal)
    text = request.GET.get("q", "").strip()
    if text:
        found = found.filter(uid__icontains=text)
    if request.GET.get("state") == "withdrawn":
        found = found.filter(is_active=False)
    elif request.GET.get("state") != "all":
        found = found.filter(is_active=True)
    found = found.select_related("operator").annotate(
        data=Subquery(newest.values("data")[:1]),
        version=Subquery(newest.values("number")[:1]),
        places=Count("assignments", filter=standing),
    )
    shown = page_of(found, by=("uid", "id"), after=request.GET.get("after", ""), newest_first=False)
    for tariff in shown.rows:
        tariff.words = tariff_words.summary(tariff_words.read(tariff.data)) if tariff.data else ""
    return {"tariffs": shown}


@page()
def tariff(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Show one tariff: its elements in words, its places, its versions and its OCPI object."""
    found = get_object_or_404(access.tariffs(request.principal).select_related("operator"), pk=pk)
    versions = list(found.versions.order_by("-number")[:20])
    number = request.GET.get("version", "")
    shown = next((v for v in versions if str(v.number) == number), versions[0] if versions else None)
    places = found.assignments.select_related(
        "connector__evse__station", "evse__station", "location", "operator"
    ).order_by("-valid_from")
    parsed = tariff_words.read(shown.data) if shown else None
    return render(
        request,
        "console/tariff.html",
        tariff=found,
        versions=versions,
        shown=shown,
        parsed=parsed,
        elements=tariff_words.elements(parsed) if parsed else [],
        taxes=tariff_words.tax_words(parsed) if parsed else "",
        summary=tariff_words.summary(parsed) if parsed else "",
        assignments=list(places[:100]),
        now=clock.now(),
    )
