"""What an operator does about a session's figures: correct, release, merge with a stop, take the signed values."""

from decimal import Decimal

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from billing.errors import BillingError
from billing.services import cdrs
from billing.tariff.errors import TariffError
from cpo import access
from cpo.console.forms import CorrectForm
from cpo.console.guard import ConsoleRequest, act, page
from stations.models import ChargingSession, UnmatchedStop
from stations.services import corrections, signed_readings, unmatched
from stations.services.errors import DoesNotFit, NotEnded

_KILO = Decimal(1000)


def _find(request: ConsoleRequest, uid: str) -> ChargingSession:
    found: ChargingSession = get_object_or_404(access.sessions(request.principal), uid=uid)
    request.audit_object = ("session", uid)
    return found


@act("session.correct")
def correct(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Set the energy of an ended session; its CDR is credited and written anew."""
    found = _find(request, uid)
    form = CorrectForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give an energy in kWh that can be, and say how it is known."))
        return redirect("session", uid=uid)
    energy_wh, reason = form.cleaned_data["energy_kwh"] * _KILO, form.cleaned_data["reason"]
    request.audit_facts = {
        "energy_wh": f"{energy_wh:f}",
        "before_wh": f"{found.energy_wh:f}",
        "reason": reason,
    }
    try:
        corrections.correct(found, energy_wh=energy_wh, reason=reason, by=request.principal.name)
        messages.success(request, _("The energy is corrected; the bill follows."))
    except NotEnded as error:
        messages.error(request, str(error))
    return redirect("session", uid=uid)


@act("session.release")
def release(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Bill a session that is held, as it stands."""
    found = _find(request, uid)
    request.audit_facts = {"energy_wh": f"{found.energy_wh:f}"}
    try:
        with transaction.atomic():
            cdr = cdrs.release(found, by=request.principal.name)
        messages.success(request, _("Billed: CDR %(uid)s") % {"uid": cdr.uid})
    except (BillingError, TariffError) as error:
        messages.error(request, str(error))
    return redirect("session", uid=uid)


@act("session.correct")
def merge(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Let the stop of a review item be the end of the chosen session."""
    items = access.review_items(request.principal).filter(kind="unmatched_stop", resolved_at=None)
    item = get_object_or_404(items, pk=pk)
    stop = get_object_or_404(UnmatchedStop, item=item)
    session = get_object_or_404(access.sessions(request.principal), uid=request.POST.get("session", ""))
    request.audit_object, request.audit_facts = ("session", session.uid), {"stop": stop.pk}
    try:
        unmatched.merge(stop, session, by=request.principal.name)
        messages.success(request, _("The stop is merged; the session has ended with its figures."))
    except DoesNotFit as error:
        messages.error(request, str(error))
    return redirect("review")


@page()
def signed(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Give the signed meter values as a file for transparency software."""
    found: ChargingSession = get_object_or_404(access.sessions(request.principal), uid=uid)
    rows = signed_readings.of_session(found)
    response = HttpResponse(signed_readings.as_xml(rows), content_type="application/xml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="signed-{found.uid}.xml"'
    return response
