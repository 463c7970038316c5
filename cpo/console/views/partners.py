"""Partners: who is connected over OCPI, what waits to be pushed, what was said."""

from typing import Any

from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404

from cpo import access
from cpo.console import words
from cpo.console.guard import ConsoleRequest, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from cpo.console.words import Look
from cpo.lib import clock
from roaming.models import Connection, Push

OPEN = Q(pushes__state__in=Push.OPEN)
TABS = ("about", "queue", "exchanges")


def look(connection: Connection) -> Look:
    """Say how a connection stands: what stops it comes before what it is."""
    if not connection.is_registered:
        return words.PARTNER[connection.status]
    if connection.suspended_at:
        return words.PARTNER_SUSPENDED
    if connection.is_paused:
        return words.PARTNER_PAUSED
    if connection.retry_at and connection.retry_at > clock.now():
        return words.PARTNER_FAILING
    return words.PARTNER["registered"]


@page("partner.view")
def partners(request: ConsoleRequest) -> HttpResponse:
    """List the partners by name."""
    return render(
        request,
        "console/partners.html",
        parts={"rows": Part("console/_partners.html", lambda: _rows(request))},
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    rows = access.partners(request.principal).prefetch_related("parties")
    counted = rows.annotate(
        waiting=Count("pushes", filter=OPEN), dead=Count("pushes", filter=Q(pushes__state=Push.State.DEAD))
    )
    return {"partners": [(connection, look(connection)) for connection in counted.order_by("name")[:200]]}


def find(request: ConsoleRequest, pk: int) -> Connection:
    """Return the connection, or raise 404 when it is not in scope."""
    found: Connection = get_object_or_404(access.partners(request.principal), pk=pk)
    return found


@page("partner.view")
def partner(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Show one partner: how it stands, and one of its tabs."""
    found = find(request, pk)
    tab = request.GET.get("tab", "about")
    if tab not in TABS:
        raise Http404
    return render(
        request,
        "console/partner.html",
        parts={
            "head": Part(
                "console/_partner_head.html", lambda: {"look": look(found), "counts": _counts(found)}
            ),
            tab: {"about": _about, "queue": _queue, "exchanges": _exchanges}[tab](request, found),
        },
        partner=found,
        tab=tab,
        filters=request.GET,
    )


def _counts(found: Connection) -> dict[str, int]:
    states = found.pushes.values_list("state").annotate(count=Count("pk")).order_by()
    counts = dict(states)
    return {
        "waiting": sum(counts.get(state, 0) for state in Push.OPEN),
        "dead": counts.get(Push.State.DEAD, 0),
        "acked": counts.get(Push.State.ACKED, 0),
    }


def _about(request: ConsoleRequest, found: Connection) -> Part:
    def read() -> dict[str, Any]:
        return {"parties": list(found.parties.all()), "inbound": list(found.inbound_tokens.all())}

    return Part("console/_partner_about.html", read)


def _queue(request: ConsoleRequest, found: Connection) -> Part:
    def read() -> dict[str, Any]:
        rows = found.pushes.all()
        state = request.GET.get("state", "open")
        if state == "open":
            rows = rows.exclude(state=Push.State.ACKED)
        elif state in Push.State.values:
            rows = rows.filter(state=state)
        if request.GET.get("module"):
            rows = rows.filter(module=request.GET["module"])
        return {"pushes": page_of(rows, by=("id",), after=request.GET.get("after", "")), "now": clock.now()}

    return Part("console/_partner_queue.html", read)


def _exchanges(request: ConsoleRequest, found: Connection) -> Part:
    def read() -> dict[str, Any]:
        rows = found.exchanges.all()
        if request.GET.get("module"):
            rows = rows.filter(module=request.GET["module"])
        if request.GET.get("failed"):
            rows = rows.exclude(http_status__range=(200, 299), status_code__range=(1000, 1999))
        return {"exchanges": page_of(rows, by=("id",), after=request.GET.get("after", ""), size=40)}

    return Part("console/_partner_exchanges.html", read)
