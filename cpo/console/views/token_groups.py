"""Groups of tokens: blocked together, limited together, and able to stop each other's sessions."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce, Upper
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from cpo import access
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from cpo.console.token_forms import GroupForm
from stations.models import IdToken, TokenGroup
from stations.services import token_groups

FIELDS = ("name", "status", "max_sessions")


@page()
def groups(request: ConsoleRequest) -> HttpResponse:
    """List the groups, the newest first."""
    return render(
        request,
        "console/token_groups.html",
        parts={"rows": Part("console/_token_groups.html", lambda: _rows(request))},
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    members = (
        IdToken.objects.filter(country_code="")
        .annotate(key=Upper("group_id"))
        .filter(key=Upper(OuterRef("uid")))
        .order_by()
        .values("key")
        .annotate(count=Count("pk"))
        .values("count")
    )
    found = access.token_groups(request.principal).annotate(members=Coalesce(Subquery(members), 0))
    return {"groups": page_of(found, by=("id",), after=request.GET.get("after", ""))}


@page("token.write")
def new(request: ConsoleRequest) -> HttpResponse:
    """Show the form of a new group."""
    return render(request, "console/token_group_form.html", form=GroupForm())


@act("token.write")
def add(request: ConsoleRequest) -> HttpResponse:
    """Add a group, or change the one with this uid."""
    form = GroupForm(request.POST)
    request.audit_object = ("token_group", request.POST.get("uid", "")[:36])
    if not form.is_valid():
        return render(request, "console/token_group_form.html", form=form, status=422)
    fields = dict(form.cleaned_data)
    group, _created = token_groups.save(fields.pop("uid"), **fields)
    request.audit_facts = {"status": group.status, "max_sessions": group.max_sessions}
    messages.success(request, _("The group %(uid)s is saved.") % {"uid": group.uid})
    return redirect("token-groups")


@page("token.write")
def edit(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Show the form of a group."""
    group = get_object_or_404(access.token_groups(request.principal), pk=pk)
    form = GroupForm(group=group, initial={name: getattr(group, name) for name in FIELDS})
    return render(request, "console/token_group_form.html", form=form, group=group)


@act("token.write")
def change(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Change a group; its tokens follow at once."""
    group: TokenGroup = get_object_or_404(access.token_groups(request.principal), pk=pk)
    request.audit_object = ("token_group", group.uid)
    form = GroupForm(request.POST, group=group)
    if not form.is_valid():
        return render(request, "console/token_group_form.html", form=form, group=group, status=422)
    token_groups.save(group.uid, **form.cleaned_data)
    request.audit_facts = {name: form.cleaned_data[name] for name in ("status", "max_sessions")}
    messages.success(request, _("The group %(uid)s is saved.") % {"uid": group.uid})
    return redirect("token-groups")


@act("token.write")
def delete(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Forget a group's rules; its tokens keep its name."""
    group = get_object_or_404(access.token_groups(request.principal), pk=pk)
    request.audit_object = ("token_group", group.uid)
    token_groups.delete(group)
    messages.success(request, _("The group %(uid)s binds nobody any more.") % {"uid": group.uid})
    return redirect("token-groups")
