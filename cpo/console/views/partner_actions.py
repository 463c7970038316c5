"""What is done with a partner: connect, pause, new credentials, push again. It is network: no transaction."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cpo import access
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.parts import render
from cpo.console.views import partners as partner_pages
from roaming import push as outbox
from roaming import registration
from roaming.handshake import HandshakeFailed
from roaming.models import Connection, Push
from roaming.ocpi import versions


class InviteForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=100, help_text=gettext_lazy("What you call the partner.")
    )


class EnterForm(InviteForm):
    versions_url = forms.CharField(label=gettext_lazy("Versions URL"), max_length=255)
    token_a = forms.CharField(
        label=gettext_lazy("Token A"),
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


def _form_page(request: ConsoleRequest, *, status: int = 200, **given: Any) -> HttpResponse:
    context: dict[str, Any] = {
        "invite": InviteForm(prefix="invite"),
        "enter": EnterForm(prefix="enter"),
    } | given
    return render(request, "console/partner_form.html", status=status, **context)


@page("partner.write")
def new(request: ConsoleRequest) -> HttpResponse:
    """Show both ways to connect a partner."""
    return _form_page(request)


@act("partner.write", atomic=False)
def connect(request: ConsoleRequest) -> HttpResponse:
    """Invite a partner, or register with what they sent."""
    if request.POST.get("way") == "enter":
        return _enter(request)
    form = InviteForm(request.POST, prefix="invite")
    request.audit_object = ("partner", request.POST.get("invite-name", "")[:100])
    if not form.is_valid():
        return _form_page(request, invite=form, status=422)
    try:
        partner, token = registration.issue_token_a(form.cleaned_data["name"])
    except registration.AlreadyRegistered:
        form.add_error(
            "name", _("This partner is registered already: open the partner to exchange new credentials.")
        )
        return _form_page(request, invite=form, status=422)
    context: dict[str, Any] = {"partner": partner, "token": token, "versions_url": versions.versions_url()}
    response = render(request, "console/partner_token.html", **context)
    response["Cache-Control"] = "no-store"
    return response


def _enter(request: ConsoleRequest) -> HttpResponse:
    form = EnterForm(request.POST, prefix="enter")
    request.audit_object = ("partner", request.POST.get("enter-name", "")[:100])
    if not form.is_valid():
        return _form_page(request, enter=form, status=422)
    facts = form.cleaned_data
    request.audit_facts = {"versions_url": facts["versions_url"]}
    try:
        partner = registration.prepare(
            facts["name"], versions_url=facts["versions_url"], token_a=facts["token_a"]
        )
    except registration.AlreadyRegistered:
        form.add_error(
            "name", _("This partner is registered already: open the partner to exchange new credentials.")
        )
        return _form_page(request, enter=form, status=422)
    except HandshakeFailed as error:
        form.add_error("versions_url", error.message)
        return _form_page(request, enter=form, status=422)
    return _try(request, partner, registration.register_with, _("%(name)s is registered."))


ACTIONS: dict[str, tuple[Callable[[Connection], Any], Any]] = {
    "register": (registration.register_with, gettext_lazy("%(name)s is registered.")),
    "rotate": (registration.rotate, gettext_lazy("%(name)s has new credentials.")),
    "pause": (registration.pause, gettext_lazy("%(name)s is paused: what changes waits in the queue.")),
    "resume": (registration.resume, gettext_lazy("%(name)s is resumed: what waited goes out now.")),
}


@act("partner.write", atomic=False)
def do(request: ConsoleRequest, pk: int, action: str) -> HttpResponse:
    """Do one of the actions of the partner's page."""
    if action not in ACTIONS:
        raise Http404
    partner = partner_pages.find(request, pk)
    request.audit_object, request.audit_facts = ("partner", partner.name), {"did": action}
    function, words = ACTIONS[action]
    return _try(request, partner, function, words)


def _try(
    request: ConsoleRequest, partner: Connection, function: Callable[[Connection], Any], words: Any
) -> HttpResponse:
    """Do it and tell the person what came of it; the page says what to do next."""
    try:
        function(partner)
        messages.success(request, words % {"name": partner.name})
    except HandshakeFailed as error:
        messages.error(
            request,
            _("The partner's platform did not do its part: %(why)s. Agree with them, then try again.")
            % {"why": error.message},
        )
    except (registration.AlreadyRegistered, registration.NotRegistered):
        messages.error(request, _("The partner's state changed meanwhile: look at it, then decide again."))
    return redirect("partner", pk=partner.pk)


@act("partner.write")
def retry(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Push an object again, now."""
    rows = Push.objects.filter(connection__in=access.partners(request.principal))
    row = get_object_or_404(rows.select_related("connection"), pk=pk)
    request.audit_object, request.audit_facts = ("push", pk), {"module": row.module, "object": row.object_key}
    outbox.retry(row)
    messages.success(
        request, _("%(module)s %(key)s goes out again.") % {"module": row.module, "key": row.object_key}
    )
    return redirect(reverse("partner", args=[row.connection_id]) + "?tab=queue")
