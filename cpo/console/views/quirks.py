"""What is done to a station's quirks: say that a flag holds, or take it back; hand the fleet's on as a file."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from cpo import access
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.quirks_tab import FlagForm
from cpo.console.views import stations as station_pages
from stations.services import quirks
from stations.services.quirks import KNOWN


@act("station.write")
def override(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Set a flag for one station, above what is known of its make and what was seen."""
    station = station_pages.find(request.principal, identity)
    flag = request.POST.get("flag", "")
    request.audit_object = ("station", identity)
    request.audit_facts = {"flag": flag[:64]}
    if flag not in KNOWN:
        raise Http404
    form = FlagForm(flag, request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(map(str, form.errors["value"])))
        return _back(identity, flag=flag)
    quirks.override(station, flag=flag, value=form.value(), by=request.principal.name)
    request.audit_facts |= {"value": form.value()}
    messages.success(request, _("%(flag)s holds from the station's next message on.") % {"flag": flag})
    return _back(identity)


@act("station.write")
def forget(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Take back what was set or counted about a flag; what is known of the make holds again."""
    station = station_pages.find(request.principal, identity)
    flag = request.POST.get("flag", "")[:64]
    request.audit_object = ("station", identity)
    request.audit_facts = {"flag": flag}
    if quirks.forget(station, flag=flag):
        messages.success(request, _("%(flag)s is forgotten.") % {"flag": flag})
    return _back(identity)


@page()
def export(request: ConsoleRequest) -> HttpResponse:
    """Give what was learned of the fleet as quirk profiles, to share and to read in elsewhere."""
    text = quirks.export(access.stations(request.principal).filter(quirks__isnull=False).distinct())
    answer = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="quirks.yaml"'
    return answer


def _back(identity: str, **query: str) -> HttpResponse:
    return redirect(reverse("station", args=[identity], query={"tab": "quirks"} | query))
