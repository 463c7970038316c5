"""Security events of the stations in scope."""

from typing import Any

from django.http import HttpResponse

from cpo import access
from cpo.console.guard import ConsoleRequest, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from stations.services import security as security_service


@page()
def security(request: ConsoleRequest) -> HttpResponse:
    """List what stations reported about their security, the newest first."""
    return render(
        request,
        "console/security.html",
        parts={"rows": Part("console/_security.html", lambda: _rows(request))},
        filters=request.GET,
        types=security_service.IS_CRITICAL,
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    found = access.security_events(request.principal).select_related("station__location")
    if request.GET.get("show") == "critical":
        found = found.filter(is_critical=True)
    if request.GET.get("type"):
        found = found.filter(type=request.GET["type"])
    if request.GET.get("station"):
        found = found.filter(station__identity=request.GET["station"])
    return {"events": page_of(found, by=("received_at", "id"), after=request.GET.get("after", ""))}
