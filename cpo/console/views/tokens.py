"""Tokens: who may charge."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from cpo import access
from cpo.console.forms import TokenForm
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from cpo.lib import clock
from stations.models import IdToken
from stations.services import authorization


@page()
def tokens(request: ConsoleRequest) -> HttpResponse:
    """List tokens, the newest first."""
    return render(
        request,
        "console/tokens.html",
        parts={"rows": Part("console/_tokens.html", lambda: _rows(request))},
        filters=request.GET,
        statuses=IdToken.Status.choices,
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    found = access.tokens(request.principal)
    query = request.GET.dict()
    text = query.get("q", "").strip()
    if text:
        words = ("uid", "name", "contract_id", "visual_number")
        match = Q()
        for name in words:
            match |= Q(**{f"{name}__icontains": text})
        found = found.filter(match)
    if query.get("status"):
        found = found.filter(status=query["status"])
    match query.get("owner"):
        case "own":
            found = found.filter(country_code="")
        case "partner":
            found = found.exclude(country_code="")
    shown = page_of(found, by=("id",), after=query.get("after", ""))
    return {"tokens": shown, "now": clock.now()}


@page("token.write")
def new(request: ConsoleRequest) -> HttpResponse:
    """Show the form of a new token."""
    initial = {"uid": request.GET.get("uid", "")}
    return render(request, "console/token_form.html", form=TokenForm(initial=initial))


@act("token.write")
def add(request: ConsoleRequest) -> HttpResponse:
    """Add a token of an own driver, or change the one with this uid."""
    form = TokenForm(request.POST)
    request.audit_object = ("token", request.POST.get("uid", "")[:36])
    if not form.is_valid():
        return render(request, "console/token_form.html", form=form, status=422)
    fields = dict(form.cleaned_data)
    token, created = authorization.save_token(fields.pop("uid"), type=fields.pop("type"), **fields)
    request.audit_facts = {"status": token.status, "created": created}
    word = _("%(uid)s may charge now.") if token.status == "Accepted" else _("%(uid)s is saved.")
    messages.success(request, word % {"uid": token.uid})
    return redirect("tokens")


@act("token.write")
def set_status(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Block or unblock a token of an own driver; a partner's token follows the partner."""
    token = get_object_or_404(access.tokens(request.principal).filter(country_code=""), pk=pk)
    status = request.POST.get("status", "")
    request.audit_object, request.audit_facts = ("token", token.uid), {"status": status}
    if status not in (IdToken.Status.ACCEPTED, IdToken.Status.BLOCKED):
        messages.error(request, _("A token is accepted or blocked."))
        return redirect("tokens")
    authorization.save_token(
        token.uid, type=token.type, country_code=token.country_code, party_id=token.party_id, status=status
    )
    words = {
        "Blocked": _("%(uid)s is blocked. A session that runs goes on: stop it on its page."),
        "Accepted": _("%(uid)s may charge again."),
    }
    messages.success(request, words[status] % {"uid": token.uid})
    return redirect("tokens")
