"""Tokens that somebody showed and that nobody knows: accept one, or ignore it."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from cpo import access
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from stations.services import authorization, unknown_tokens
from stations.services.errors import InvalidToken


@page()
def unknown(request: ConsoleRequest) -> HttpResponse:
    """List them, whoever was shown last first."""
    return render(
        request,
        "console/unknown_tokens.html",
        parts={"rows": Part("console/_unknown_tokens.html", lambda: _rows(request))},
        shows_ignored=request.GET.get("ignored") == "yes",
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    found = access.unknown_tokens(request.principal).select_related("station")
    if request.GET.get("ignored") != "yes":
        found = found.filter(is_ignored=False)
    return {"unknown": page_of(found, by=("last_at", "id"), after=request.GET.get("after", ""))}


@act("token.write")
def accept(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Make a token of an own driver of it; it may charge from now on."""
    row = get_object_or_404(access.unknown_tokens(request.principal), pk=pk)
    request.audit_object = ("token", row.uid[:100])
    try:
        with transaction.atomic():
            token = authorization.accept_unknown(row)
    except InvalidToken:
        messages.error(request, _("It is too long for a token: a station may spoil what it reads."))
        return redirect("unknown-tokens")
    request.audit_facts = {"status": token.status, "created": True}
    messages.success(request, _("%(uid)s may charge now. Say whose it is.") % {"uid": token.uid})
    return redirect("token", token.pk)


@act("token.write")
def ignore(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Hide it from the list, or show it again."""
    row = get_object_or_404(access.unknown_tokens(request.principal), pk=pk)
    request.audit_object, request.audit_facts = ("token", row.uid[:100]), {"ignored": not row.is_ignored}
    unknown_tokens.ignore(row, is_ignored=not row.is_ignored)
    return redirect("unknown-tokens")
