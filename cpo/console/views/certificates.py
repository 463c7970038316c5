"""Certificates: our authority, the roots we know, what was issued and what ends when; and what is done about them."""

from collections import Counter
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cpo import access
from cpo.console import words
from cpo.console.certificates_tab import InstallForm
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from cpo.console.views import stations as station_pages
from cpo.lib import clock
from stations.models import (
    AuthorityCertificate,
    ChargingStation,
    InstalledCertificate,
    RootCertificate,
    RootUse,
    SigningUse,
    StationCertificate,
)
from stations.services import certificate_authority, installed_certificates, root_certificates
from stations.services import certificates as service
from stations.services.errors import InvalidPayload, NotConfirmed, NotOpen, StationOffline, UnknownAction

MONTHS = 24  # of the calendar
REFUSALS = (StationOffline, UnknownAction, InvalidPayload, NotOpen)


class RootForm(forms.Form):
    """A root to know."""

    use = forms.ChoiceField(label=gettext_lazy("For"), choices=RootUse.choices)
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100, required=False)
    certificate = forms.CharField(
        label=gettext_lazy("Certificate"),
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 8, "class": "form-control mono", "spellcheck": "false"}),
        help_text=gettext_lazy("PEM: from BEGIN CERTIFICATE to END CERTIFICATE."),
    )
    is_trusted = forms.BooleanField(
        label=gettext_lazy("Stations with a certificate under it may connect"),
        required=False,
        help_text=gettext_lazy(
            "For certificates that makers give their stations. It opens connections: be sure."
        ),
    )


@page()
def certificates(request: ConsoleRequest) -> HttpResponse:
    """Show the authority, what ends when, the roots, and what was issued."""
    return render(
        request,
        "console/certificates.html",
        parts={
            "rows": Part("console/_certificates.html", lambda: _rows(request)),
            "calendar": Part("console/_certificate_calendar.html", lambda: _calendar(request)),
            "roots": Part("console/_root_certificates.html", _roots),
        },
        extra=lambda: {"authority": _authority(), "form": RootForm()},
        filters=request.GET,
        states=[(value, words.CERTIFICATE[value].word) for value in StationCertificate.State.values],
        uses=SigningUse.choices,
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    found = access.station_certificates(request.principal).select_related("station__location")
    if request.GET.get("state"):
        found = found.filter(state=request.GET["state"])
    if request.GET.get("use"):
        found = found.filter(use=request.GET["use"])
    if request.GET.get("station"):
        found = found.filter(station__identity=request.GET["station"])
    month = request.GET.get("month", "")
    if len(month) == 7 and month[:4].isdigit() and month[5:].isdigit():
        found = found.filter(
            not_after__year=int(month[:4]),
            not_after__month=int(month[5:]),
            state__in=StationCertificate.VALID,
        )
    return {"certificates": page_of(found, by=("id",), after=request.GET.get("after", ""))}


def _calendar(request: ConsoleRequest) -> dict[str, Any]:
    """Count how many certificates in force end in each of the coming months, those with none left out."""
    now = clock.now()
    ends = (
        access.station_certificates(request.principal)
        .filter(
            state__in=StationCertificate.VALID,
            not_after__gt=now,
            not_after__lt=now + timedelta(days=31 * MONTHS),
        )
        .values_list("not_after", flat=True)
    )
    months = Counter(f"{moment:%Y-%m}" for moment in ends)
    soon = access.station_certificates(request.principal).filter(
        state__in=StationCertificate.VALID, not_after__gt=now, not_after__lte=now + timedelta(days=30)
    )
    return {
        "months": sorted(months.items()),
        "soon": list(soon.select_related("station").order_by("not_after")[:10]),
    }


def _roots() -> dict[str, Any]:
    roots = RootCertificate.objects.annotate(stations=Count("installed__station", distinct=True))
    return {"roots": list(roots.order_by("use", "-id")[:100])}


def _authority() -> dict[str, Any]:
    return {
        "name": certificate_authority.current().name,
        "certificates": list(AuthorityCertificate.objects.order_by("role", "-generation")),
    }


@act("root.write")
def add_root(request: ConsoleRequest) -> HttpResponse:
    """Know a root from now on."""
    form = RootForm(request.POST)
    if form.is_valid():
        clean = form.cleaned_data
        request.audit_facts = {"use": clean["use"], "name": clean["name"], "is_trusted": clean["is_trusted"]}
        try:
            with transaction.atomic():
                root = root_certificates.add(
                    clean["certificate"],
                    use=clean["use"],
                    name=clean["name"],
                    is_trusted=clean["is_trusted"],
                    by=request.principal.name,
                )
        except InvalidPayload as error:
            form.add_error(error.path if error.path in form.fields else None, error.message)
        else:
            request.audit_object = ("root", root.pk)
            messages.success(
                request, _("%(root)s is known; install it on a station's page.") % {"root": root}
            )
            return redirect("certificates")
    return render(request, "console/root_certificate.html", status=422, form=form)


@act("root.write")
def remove_root(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Know a root no longer."""
    root = get_object_or_404(RootCertificate, pk=pk)
    request.audit_object = ("root", pk)
    request.audit_facts = {"subject": root.subject}
    try:
        with transaction.atomic():
            root_certificates.remove(root, confirmed=request.POST.get("confirmed") == "yes")
    except NotConfirmed as error:
        if root.is_own:
            messages.error(request, str(error))
            return redirect("certificates")
        return _confirm(request, str(error), reverse("root-remove", args=[pk]), reverse("certificates"))
    messages.success(request, _("It is forgotten here; stations keep it until it is deleted there."))
    return redirect("certificates")


@page()
def root_file(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Give a root as a file."""
    root = get_object_or_404(RootCertificate, pk=pk)
    return _file(root.certificate, f"root-{pk}")


@page()
def file(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Give a station's certificate, with what leads to its root, as a file."""
    row = get_object_or_404(access.station_certificates(request.principal).exclude(chain=""), pk=pk)
    return _file(row.chain, f"certificate-{pk}")


def _file(text: str, name: str) -> HttpResponse:
    response = HttpResponse(text, content_type="application/x-pem-file")
    response["Content-Disposition"] = f'attachment; filename="{name}.pem"'
    return response


@act("command.safe")
def again(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Try once more what did not come about: at the authority, or at the station."""
    row = _find(request, pk)
    try:
        with transaction.atomic():
            service.send_again(row) if row.chain else service.try_again(row)
    except REFUSALS as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("It is tried again; what comes of it appears here."))
    return _back(row.station)


@act("certificate.revoke")
def revoke(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Declare a certificate invalid, for a reason, once that is confirmed."""
    row = _find(request, pk)
    reason = request.POST.get("reason", "")
    if reason not in service.REASONS or request.POST.get("confirmed") != "yes":
        warning = _("It opens no connection from now on, and that cannot be taken back.")
        if service.is_only_key(row):
            warning = _(
                "It is the station's only way in: it cannot connect again until somebody drives there."
            )
        return render(
            request, "console/certificate_revoke.html", row=row, warning=warning, reasons=service.REASONS
        )
    try:
        with transaction.atomic():
            service.revoke(row, reason=reason, by=request.principal.name, confirmed=True)
    except NotOpen as error:
        messages.error(request, str(error))
        return _back(row.station)
    request.audit_facts |= {"reason": reason}
    messages.success(request, _("It is revoked; connections that are open stay so."))
    return _back(row.station)


@act("command.safe")
def renew(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Ask a station for a new request."""
    station = _station(request, identity)
    use = request.POST.get("use", SigningUse.CHARGING_STATION)
    use = use if use in SigningUse.values else SigningUse.CHARGING_STATION
    request.audit_facts = {"use": use}
    return _ask(request, station, lambda options: [service.renew(station, use=use, **options)])


@act("command.safe")
def read(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Ask a station which roots it holds."""
    station = _station(request, identity)
    return _ask(request, station, lambda options: installed_certificates.read(station, **options))


@act("command.dangerous")
def install(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Install a root in a station."""
    station = _station(request, identity)
    form = InstallForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose a root that is still valid."))
        return _back(station)
    root = RootCertificate.objects.get(pk=form.cleaned_data["root"])  # one of the choices a moment ago
    request.audit_facts = {"root": root.pk, "subject": root.subject}
    return _ask(
        request, station, lambda options: [installed_certificates.install(station, root=root, **options)]
    )


@act("command.dangerous")
def delete(request: ConsoleRequest, identity: str, pk: int) -> HttpResponse:
    """Delete a root from a station; the last one of its use only when that is confirmed."""
    station = _station(request, identity)
    rows = InstalledCertificate.objects.filter(station=station).select_related("station")
    row = get_object_or_404(rows, pk=pk)
    request.audit_facts = {"use": row.use, "serial_number": row.serial_number}
    confirmed = request.POST.get("confirmed") == "yes"
    try:
        return _ask(
            request,
            station,
            lambda options: [installed_certificates.delete(row, confirmed=confirmed, **options)],
        )
    except NotConfirmed:
        warning = _(
            "Without its last root for this use a station may not be able to connect, or to update, any more."
        )
        there = reverse("station-certificate-delete", args=[identity, pk])
        return _confirm(request, warning, there, _there(station))


def _ask(request: ConsoleRequest, station: ChargingStation, ask: Any) -> HttpResponse:
    """Queue something for a station and go back to its tab; a refusal is told there."""
    options = {
        "requested_by": request.principal.name,
        "user": request.principal.user,
        "queue_offline": request.POST.get("queue") == "yes",
    }
    try:
        with transaction.atomic():  # a refusal must leave the request's own transaction good for the record
            commands = ask(options)
    except StationOffline:
        messages.error(
            request, _("%(station)s is offline: try again once it is back.") % {"station": station}
        )
    except REFUSALS as error:
        messages.error(request, str(error))
    else:
        request.audit_facts |= {"commands": [command.uid for command in commands]}
        messages.success(request, _("The station is asked; its answer appears here."))
    return _back(station)


def _confirm(request: ConsoleRequest, warning: str, action: str, back: str) -> HttpResponse:
    return render(request, "console/certificate_confirm.html", warning=warning, action=action, back=back)


def _station(request: ConsoleRequest, identity: str) -> ChargingStation:
    request.audit_object = ("station", identity)
    return station_pages.find(request.principal, identity)


def _find(request: ConsoleRequest, pk: int) -> StationCertificate:
    rows = access.station_certificates(request.principal).select_related("station__location__operator")
    row: StationCertificate = get_object_or_404(rows, pk=pk)
    request.audit_object = ("certificate", pk)
    request.audit_facts = {"station": row.station.identity, "serial_number": row.serial_number}
    return row


def _there(station: ChargingStation) -> str:
    return reverse("station", args=[station.identity], query={"tab": "certificates"})


def _back(station: ChargingStation) -> HttpResponse:
    return redirect(_there(station))
