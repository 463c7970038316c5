"""Tokens: who may charge."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from cpo import access
from cpo.access import Principal
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from cpo.console.token_forms import TokenForm, initial_of
from cpo.lib import clock
from stations.models import ChargingSession, IdToken, TokenGroup
from stations.services import authorization

SESSIONS = 10  # shown on a token's page


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
        words = ("uid", "name", "contract_id", "visual_number", "group_id")
        match = Q()
        for name in words:
            match |= Q(**{f"{name}__icontains": text})
        found = found.filter(match)
    if query.get("status"):
        found = found.filter(status=query["status"])
    if query.get("group"):
        found = found.filter(group_id__iexact=query["group"])
    match query.get("owner"):
        case "own":
            found = found.filter(country_code="")
        case "partner":
            found = found.exclude(country_code="")
    shown = page_of(found, by=("id",), after=query.get("after", ""))
    return {"tokens": shown, "now": clock.now()}


@page()
def token(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Show one token: what it may, what it did, and the form that changes it."""
    found = _find(request.principal, pk)
    form = TokenForm(principal=request.principal, token=found, initial=initial_of(found))
    return _show(request, found, form)


@act("token.write")
def change(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Change a token of an own driver; a partner's token follows the partner."""
    found = get_object_or_404(access.tokens(request.principal).filter(country_code=""), pk=pk)
    request.audit_object = ("token", found.uid)
    form = TokenForm(request.POST, principal=request.principal, token=found)
    if not form.is_valid():
        return _show(request, found, form, status=422)
    fields = dict(form.cleaned_data)
    request.audit_facts = {"status": fields["status"], "group_id": fields["group_id"]}
    authorization.save_token(found.uid, type=found.type, **fields)
    messages.success(request, _("%(uid)s is saved.") % {"uid": found.uid})
    return redirect("token", pk)


def _find(principal: Principal, pk: int) -> IdToken:
    found: IdToken = get_object_or_404(
        access.tokens(principal).prefetch_related("locations", "operators"), pk=pk
    )
    return found


def _show(request: ConsoleRequest, found: IdToken, form: TokenForm, status: int = 200) -> HttpResponse:
    sessions = access.sessions(request.principal).filter(token=found).select_related("station", "evse")
    group = TokenGroup.objects.filter(uid__iexact=found.group_id).first() if found.group_id else None
    return render(
        request,
        "console/token.html",
        status=status,
        token=found,
        token_status=authorization.status_of(found),
        group=None if found.country_code else group,
        form=form,
        sessions=list(sessions.order_by("-id")[:SESSIONS]),
        is_running=sessions.filter(status=ChargingSession.Status.ACTIVE).exists(),
    )


@page("token.write")
def new(request: ConsoleRequest) -> HttpResponse:
    """Show the form of a new token."""
    initial = {"uid": request.GET.get("uid", ""), "group_id": request.GET.get("group", "")}
    form = TokenForm(principal=request.principal, initial=initial)
    return render(request, "console/token_form.html", form=form)


@act("token.write")
def add(request: ConsoleRequest) -> HttpResponse:
    """Add a token of an own driver, or change the one with this uid."""
    form = TokenForm(request.POST, principal=request.principal)
    request.audit_object = ("token", request.POST.get("uid", "")[:36])
    if not form.is_valid():
        return render(request, "console/token_form.html", form=form, status=422)
    fields = dict(form.cleaned_data)
    found, created = authorization.save_token(fields.pop("uid"), type=fields.pop("type"), **fields)
    request.audit_facts = {"status": found.status, "created": created}
    word = _("%(uid)s may charge now.") if found.status == "Accepted" else _("%(uid)s is saved.")
    messages.success(request, word % {"uid": found.uid})
    return redirect("tokens")


@act("token.write")
def set_status(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Block or unblock a token of an own driver; a partner's token follows the partner."""
    found = get_object_or_404(access.tokens(request.principal).filter(country_code=""), pk=pk)
    status = request.POST.get("status", "")
    request.audit_object, request.audit_facts = ("token", found.uid), {"status": status}
    if status not in (IdToken.Status.ACCEPTED, IdToken.Status.BLOCKED):
        messages.error(request, _("A token is accepted or blocked."))
        return redirect("tokens")
    authorization.save_token(
        found.uid, type=found.type, country_code=found.country_code, party_id=found.party_id, status=status
    )
    words = {
        "Blocked": _("%(uid)s is blocked. A session that runs goes on: stop it on its page."),
        "Accepted": _("%(uid)s may charge again."),
    }
    messages.success(request, words[status] % {"uid": found.uid})
    return redirect("tokens")
