"""What is done about logs of stations: ask for one, expect it no longer, save its file."""

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from cpo import access, audit
from cpo.console.files_tab import LogForm
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.parts import render
from cpo.console.views import stations as station_pages
from cpo.files import attachment
from stations.models import ChargingStation
from stations.services import diagnostics
from stations.services.errors import InvalidPayload, NotOpen, StationOffline, UnknownAction


@act("log.request")
def ask(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Ask a station to upload a log to us."""
    station = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    form = LogForm(request.POST, station=station, auto_id="log_%s")
    if not form.is_valid():
        return render(request, "console/log_request.html", status=422, station=station, form=form)
    try:
        with transaction.atomic():  # a refusal must leave the request's own transaction good for the record
            upload = diagnostics.request(
                station,
                **form.cleaned_data,
                requested_by=request.principal.name,
                user=request.principal.user,
                queue_offline=request.POST.get("queue") == "yes",
            )
    except (InvalidPayload, StationOffline, UnknownAction) as error:
        messages.error(request, refusal(error, station))
        return back(identity)
    request.audit_facts = {"id": upload.uid, "kind": upload.kind}
    messages.success(request, _("The station is asked; its file appears here."))
    return back(identity)


@act("log.request")
def cancel(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Expect a log no longer."""
    rows = access.log_uploads(request.principal).select_related("station")
    upload = get_object_or_404(rows, uid=uid)
    request.audit_object = ("log", uid)
    try:
        with transaction.atomic():
            diagnostics.cancel(upload, by=request.principal.name)
        messages.success(request, _("It is taken back; its link works no longer."))
    except NotOpen as error:
        messages.error(request, str(error))
    return back(upload.station.identity)


@page("log.view")
def save(request: ConsoleRequest, uid: str) -> HttpResponseBase:
    """Hand the file out as it came; each time leaves a record."""
    upload = get_object_or_404(access.log_uploads(request.principal).select_related("file"), uid=uid)
    if upload.file is None:
        raise Http404
    answer = attachment.response(request, upload.file)
    audit.record(request.principal, "log.view", object_type="log", object_id=uid, request=request)
    return answer


def refusal(error: Exception, station: ChargingStation) -> str:
    """Say why it was refused, and what to do about a station that is away."""
    if isinstance(error, StationOffline):
        return _("%(station)s is offline. Tick the box to let it wait.") % {"station": station}
    return str(error)


def back(identity: str) -> HttpResponse:
    """Go back to the tab of the station's page."""
    return redirect(reverse("station", args=[identity], query={"tab": "files"}))
