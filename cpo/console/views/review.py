"""Review items: facts that were stored and answered, but make no sense by themselves."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from cpo import access
from cpo.console.forms import ReviewForm
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from stations.models import ReviewItem, UnmatchedStop
from stations.services import review as review_service
from stations.services import unmatched

CANDIDATES = 20  # sessions to choose from


@page()
def review(request: ConsoleRequest) -> HttpResponse:
    """List what is open, or what was resolved, the newest first."""
    return render(
        request,
        "console/review.html",
        parts={"rows": Part("console/_review.html", lambda: _rows(request))},
        filters=request.GET,
        kinds=ReviewItem.Kind.choices,
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    found = access.review_items(request.principal).select_related("station__location", "session")
    is_open = request.GET.get("state") != "resolved"
    found = found.filter(resolved_at=None) if is_open else found.exclude(resolved_at=None)
    if request.GET.get("kind"):
        found = found.filter(kind=request.GET["kind"])
    items = page_of(found, by=("raised_at", "id"), after=request.GET.get("after", ""))
    if is_open and access.may(request.principal, "session.correct"):
        _add_candidates(items.rows)
    return {"items": items, "is_open": is_open}


def _add_candidates(items: Sequence[ReviewItem]) -> None:
    """Add to items about unmatched stops the sessions that they may have ended."""
    about = [item.pk for item in items if item.kind == ReviewItem.Kind.UNMATCHED_STOP]
    stops = {stop.item_id: stop for stop in UnmatchedStop.objects.waiting().filter(item__in=about)}
    for item in items:
        stop = stops.get(item.pk)
        if stop is not None:
            item.candidates = list(unmatched.candidates(stop)[:CANDIDATES])  # type: ignore[attr-defined]


@act("review.resolve")
def resolve(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Close an item with a word about what was done."""
    item = get_object_or_404(access.review_items(request.principal).filter(resolved_at=None), pk=pk)
    form = ReviewForm(request.POST)
    resolution = form.cleaned_data["resolution"] if form.is_valid() else ""
    request.audit_object, request.audit_facts = (
        ("review item", pk),
        {"resolution": resolution, "kind": item.kind},
    )
    review_service.resolve(item, by=request.principal.name, resolution=resolution)
    messages.success(request, _("Resolved: %(summary)s") % {"summary": item.summary})
    return redirect("review")
