"""What is done about firmware on local controllers: publish it, send stations there, take it back."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from cpo import access
from cpo.console import asking
from cpo.console.guard import ConsoleRequest, act
from cpo.console.publications_tab import BehindForm, PublicationForm
from cpo.console.views import stations as station_pages
from stations.models import FirmwarePublication
from stations.services import firmware_publications

TAB = "publications"


@act("firmware.update")
def publish(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Let a local controller publish an image."""
    controller = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    form = PublicationForm(request.POST, station=controller)
    if not form.is_valid():
        return asking.refused(request, controller, TAB, asking.faults(form))
    given = dict(form.cleaned_data)
    image = form.images[given.pop("image")]

    def do() -> dict[str, object]:
        row = firmware_publications.publish(controller, image, **given, **asking.who(request))
        return {"id": row.uid, "image": image.uid}

    return asking.do(request, controller, TAB, do, _("The controller is asked to fetch and publish it."))


@act("firmware.update")
def update_stations(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Send stations of the site to what their controller publishes."""
    controller = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    form = BehindForm(request.POST, station=controller, principal=request.principal)
    if not form.is_valid():
        return asking.refused(request, controller, TAB, asking.faults(form))
    given = dict(form.cleaned_data)
    publication = form.publications[given.pop("publication")]
    stations = [form.behind[name] for name in given.pop("stations")]

    def do() -> dict[str, object]:
        updates = firmware_publications.update_stations(publication, stations, **given, **asking.who(request))
        return {"ids": [update.uid for update in updates]}

    said = _("The updates are on their way; each station's page tells how it goes on.")
    return asking.do(request, controller, TAB, do, said)


@act("firmware.update")
def unpublish(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Let the controller publish it no longer."""
    row = _publication(request, uid)

    def do() -> dict[str, object]:
        return {"command": firmware_publications.unpublish(row, **asking.who(request)).uid}

    return asking.do(request, row.station, TAB, do, _("The controller is asked to take it back."))


@act("firmware.update")
def cancel(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Give a publication up that is on its way."""
    row = _publication(request, uid)

    def do() -> dict[str, object]:
        firmware_publications.cancel(row, by=request.principal.name)
        return {}

    said = _("It is taken back; the file is out of the controller's reach.")
    return asking.do(request, row.station, TAB, do, said)


def _publication(request: ConsoleRequest, uid: str) -> FirmwarePublication:
    rows = access.firmware_publications(request.principal).select_related("station", "image")
    request.audit_object = ("firmware_publication", uid)
    return get_object_or_404(rows, uid=uid)
