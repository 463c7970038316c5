"""What is done about logs of stations: ask for one, expect it no longer, save its file."""

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from cpo import access, audit
from cpo.console import asking
from cpo.console.files_tab import LogForm
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.parts import render
from cpo.console.views import stations as station_pages
from cpo.files import attachment
from stations.services import diagnostics

TAB = "files"


@act("log.request")
def ask(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Ask a station to upload a log to us."""
    station = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    form = LogForm(request.POST, station=station, auto_id="log_%s")
    if not form.is_valid():
        return render(request, "console/log_request.html", status=422, station=station, form=form)

    def do() -> dict[str, object]:
        upload = diagnostics.request(station, **form.cleaned_data, **asking.who(request))
        return {"id": upload.uid, "kind": upload.kind}

    return asking.do(request, station, TAB, do, _("The station is asked; its file appears here."))


@act("log.request")
def cancel(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Expect a log no longer."""
    rows = access.log_uploads(request.principal).select_related("station")
    upload = get_object_or_404(rows, uid=uid)
    request.audit_object = ("log", uid)

    def do() -> dict[str, object]:
        diagnostics.cancel(upload, by=request.principal.name)
        return {}

    return asking.do(request, upload.station, TAB, do, _("It is taken back; its link works no longer."))


@page("log.view")
def save(request: ConsoleRequest, uid: str) -> HttpResponseBase:
    """Hand the file out as it came; each time leaves a record."""
    upload = get_object_or_404(access.log_uploads(request.principal).select_related("file"), uid=uid)
    if upload.file is None:
        raise Http404
    answer = attachment.response(request, upload.file)
    audit.record(request.principal, "log.view", object_type="log", object_id=uid, request=request)
    return answer
