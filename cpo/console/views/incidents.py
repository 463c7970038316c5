"""Grave things that stations reported of their parts (OCPP 2.1 N07): the fleet's list, what goes on first."""

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _

from cpo import access
from cpo.console.guard import ConsoleRequest, page
from cpo.console.monitoring_tab import LEVELS, grade_of
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render

STATES = [("open", _("Going on")), ("over", _("Over"))]


@page()
def incidents(request: ConsoleRequest) -> HttpResponse:
    """List incidents, the newest first."""
    return render(
        request,
        "console/incidents.html",
        parts={"rows": Part("console/_incidents.html", lambda: _rows(request))},
        filters=request.GET,
        states=STATES,
        levels=LEVELS,
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    found = access.incidents(request.principal).select_related("station__location")
    query = request.GET
    if query.get("state") in ("open", "over"):
        found = found.filter(cleared_at__isnull=query["state"] == "open")
    if query.get("severity", "") in {str(number) for number, _words in LEVELS}:
        found = found.filter(severity__lte=int(query["severity"]))
    if query.get("station"):
        found = found.filter(station__identity__iexact=query["station"].strip())
    shown = page_of(found, by=("began_at", "id"), after=query.get("after", ""))
    for row in shown:
        row.grade = grade_of(row.severity)
    return {"incidents": shown, "filters": query}
