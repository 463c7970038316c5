"""What is done about customers that stations know: ask, read the answer, delete it, let a token be listed again."""

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cpo import access, audit
from cpo.console import asking
from cpo.console.customers_tab import CustomerForm
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.parts import render
from cpo.console.views import stations as station_pages
from stations.models import CustomerRequest, UnlistedToken
from stations.services import customer_information

TAB = "customers"
WORDS = {
    "id_token": gettext_lazy("Token"),
    "type": gettext_lazy("Type"),
    "identifier": gettext_lazy("Identifier"),
    "hash_algorithm": gettext_lazy("Hashed by"),
    "issuer_name_hash": gettext_lazy("Hash of the issuer's name"),
    "issuer_key_hash": gettext_lazy("Hash of the issuer's key"),
    "serial_number": gettext_lazy("Serial number"),
}


@act("customer.request")
def ask(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Ask a station about a customer."""
    station = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    form = CustomerForm(request.POST)
    if not form.is_valid():
        return asking.refused(request, station, TAB, asking.faults(form))

    def do() -> dict[str, object]:
        row = customer_information.ask(station, **form.facts(), **asking.who(request))
        return {"id": row.uid, "kind": row.reference_kind, "clear": row.is_clear}

    return asking.do(request, station, TAB, do, _("The station is asked; its answer appears here."))


@page("customer.view")
def told(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Show who was meant and what the station told; each look leaves a record."""
    row = _request(request, uid)
    audit.record(
        request.principal, "customer.view", object_type="customer_request", object_id=uid, request=request
    )
    return render(
        request,
        "console/customer_request.html",
        station=row.station,
        row=row,
        reference=[(WORDS[name], value) for name, value in customer_information.reference(row).items()],
        told=customer_information.told(row),
    )


@act("customer.request")
def cancel(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Wait for an answer no longer."""
    row = _request(request, uid)
    request.audit_object = ("customer_request", uid)

    def do() -> dict[str, object]:
        customer_information.cancel(row, by=request.principal.name)
        return {}

    return asking.do(request, row.station, TAB, do, _("Nothing is expected any more."))


@act("customer.request")
def forget(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Delete who was meant and what was told before their time."""
    row = _request(request, uid)
    request.audit_object = ("customer_request", uid)

    def do() -> dict[str, object]:
        customer_information.forget(row)
        return {}

    return asking.do(request, row.station, TAB, do, _("It is deleted."))


@act("local_list.write")
def list_again(request: ConsoleRequest, identity: str, pk: int) -> HttpResponse:
    """Let a token that was cleared be on the station's local list again."""
    station = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    token = get_object_or_404(UnlistedToken, station=station, pk=pk)
    if not customer_information.list_again(station, token.uid):
        raise Http404
    request.audit_facts = {"token": token.uid}
    return asking.do(request, station, TAB, dict, _("It is listed again if it may charge here."))


def _request(request: ConsoleRequest, uid: str) -> CustomerRequest:
    rows = access.customer_requests(request.principal).select_related("station")
    return get_object_or_404(rows, uid=uid)
