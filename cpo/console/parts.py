"""Pages made of parts: the first paint renders all of them, a live refresh (`?part=name`) only one.

Both run the same permission-checked view, so a refresh can never show what the page would not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, Subquery, Value
from django.http import Http404, HttpResponse
from django.shortcuts import render as render_template

from cpo import access
from cpo.access import Principal
from cpo.console.guard import ConsoleRequest

Read = Callable[[], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Part:
    """A fragment template and the function that reads what it shows; `on_demand`: only once somebody opens it."""

    template: str
    read: Read
    on_demand: bool = False


def render(
    request: ConsoleRequest,
    template: str,
    *,
    parts: dict[str, Part] | None = None,
    extra: Read | None = None,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """Render the page, or the one part that was asked for; 404 for a part that it does not have.

    `extra` reads what only the whole page shows, outside of its parts.
    """
    parts = parts or {}
    context["principal"] = request.principal
    wanted = request.GET.get("part")
    if wanted is not None:
        if wanted not in parts:
            raise Http404
        return render_template(request, parts[wanted].template, context | parts[wanted].read())
    for part in parts.values():
        context |= {} if part.on_demand else part.read()
    if extra is not None:
        context |= extra()
    if "todo" not in context:
        context["todo"] = todo(request.principal)
    return render_template(request, template, context, status=status)


def todo(principal: Principal) -> dict[str, int]:
    """Count what waits for a human, for the navigation: one query."""
    if principal.user is None:
        return {}
    review = access.review_items(principal).filter(resolved_at=None)
    onboarding = access.onboarding(principal).filter(is_ignored=False)
    if not access.may(principal, "onboarding.view"):
        onboarding = onboarding.none()
    row: dict[str, Any] = dict(
        get_user_model()
        .objects.filter(pk=principal.user.pk)
        .annotate(review=_count(review), onboarding=_count(onboarding))
        .values("review", "onboarding")
        .get()
    )
    return {name: count or 0 for name, count in row.items()}


def _count(rows: Any) -> Subquery:
    one = rows.order_by().annotate(one=Value(1)).values("one")
    return Subquery(one.annotate(count=Count("pk")).values("count"))
