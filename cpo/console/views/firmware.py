"""Firmware: the library with its signers and campaigns, and updates of stations."""

from collections import Counter
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from cpo import access
from cpo.console import asking
from cpo.console.files_tab import UpdateForm
from cpo.console.firmware_forms import CampaignForm, ImageForm, SignerForm
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.parts import Part, render
from cpo.console.views import logs
from cpo.console.views import stations as station_pages
from stations.models import FirmwareCampaign, FirmwareUpdate
from stations.services import campaigns, firmware_library
from stations.services import firmware as firmware_service
from stations.services.errors import (
    InvalidPayload,
    NotOpen,
    StationsError,
    UnsuitableFirmware,
    UntrustedFirmware,
)

SHOWN = 100  # images, signers and campaigns on the page
TURNS = {"start": campaigns.start, "halt": campaigns.halt, "cancel": campaigns.cancel}


@page("firmware.view")
def firmware(request: ConsoleRequest) -> HttpResponse:
    """Show the library: images, campaigns, signers."""
    return render(
        request,
        "console/firmware.html",
        parts={"library": Part("console/_firmware.html", lambda: _library(request))},
    )


def _library(request: ConsoleRequest) -> dict[str, Any]:
    principal = request.principal
    images = access.firmware_images(principal).select_related("file", "signer").order_by("-id")
    found = list(_campaigns(request).order_by("-id")[:SHOWN])
    return {
        "images": list(images[:SHOWN]),
        "campaigns": [(campaign, _progress(campaign)) for campaign in found],
        "signers": list(access.trusted_signers(principal).order_by("vendor", "name")[:SHOWN]),
    }


@page("firmware.library")
def new(request: ConsoleRequest) -> HttpResponse:
    """Show the form of a new image."""
    return render(request, "console/firmware_form.html", form=ImageForm())


@act("firmware.library", atomic=False)
def add(request: ConsoleRequest) -> HttpResponse:
    """Keep an image and check it; what is wrong with it is shown beside it."""
    form = ImageForm(request.POST, request.FILES)
    request.audit_object = ("firmware_image", "")
    if not form.is_valid():
        return render(request, "console/firmware_form.html", form=form, status=422)
    given = dict(form.cleaned_data)
    file = given.pop("file")
    try:
        image = firmware_library.add(
            file.chunks(), file_name=file.name or "firmware", added_by=request.principal.name, **given
        )
    except InvalidPayload as error:
        form.add_error(error.path if error.path in form.fields else None, error.message)
        return render(request, "console/firmware_form.html", form=form, status=422)
    except StationsError as error:
        form.add_error("file", str(error))
        return render(request, "console/firmware_form.html", form=form, status=422)
    request.audit_object = ("firmware_image", image.uid)
    request.audit_facts = {"vendor": image.vendor, "version": image.version, "state": image.state}
    if image.state == image.State.VERIFIED:
        messages.success(request, _("%(image)s is verified and can be sent.") % {"image": image})
    else:
        messages.warning(request, _("%(image)s is kept; see what its check found.") % {"image": image})
    return redirect("firmware")


@act("firmware.library")
def withdraw(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Offer an image no longer."""
    image = get_object_or_404(access.firmware_images(request.principal), uid=uid)
    request.audit_object = ("firmware_image", uid)
    firmware_library.withdraw(image)
    messages.success(request, _("%(image)s is offered no longer.") % {"image": image})
    return redirect("firmware")


@page("firmware.trust")
def new_signer(request: ConsoleRequest) -> HttpResponse:
    """Show the form of a new trusted signer."""
    return render(request, "console/signer_form.html", form=SignerForm())


@act("firmware.trust")
def trust(request: ConsoleRequest) -> HttpResponse:
    """Trust a certificate for a vendor's firmware."""
    form = SignerForm(request.POST)
    request.audit_object = ("trusted_signer", "")
    if form.is_valid():
        try:
            with transaction.atomic():
                signer = firmware_library.trust(
                    form.cleaned_data["vendor"],
                    name=form.cleaned_data["name"],
                    certificate=form.cleaned_data["certificate"],
                    added_by=request.principal.name,
                )
        except UntrustedFirmware as error:
            form.add_error("certificate", str(error))
    if not form.is_valid():
        return render(request, "console/signer_form.html", form=form, status=422)
    request.audit_object = ("trusted_signer", signer.pk)
    request.audit_facts = {"vendor": signer.vendor, "fingerprint": signer.fingerprint}
    messages.success(request, _("Firmware of %(vendor)s may now rest on it.") % {"vendor": signer.vendor})
    return redirect("firmware")


@act("firmware.trust")
def distrust(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Trust a certificate no longer."""
    signer = get_object_or_404(access.trusted_signers(request.principal), pk=pk)
    request.audit_object = ("trusted_signer", pk)
    firmware_library.distrust(signer)
    messages.success(
        request, _("Nothing that rests on %(name)s is offered any more.") % {"name": signer.name}
    )
    return redirect("firmware")


@act("firmware.update")
def plan(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Send an image to a station."""
    station = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    form = UpdateForm(request.POST, station=station, auto_id="update_%s")
    if not form.is_valid():
        return render(request, "console/firmware_update.html", status=422, station=station, form=form)

    def do() -> dict[str, object]:
        update = firmware_service.plan(station, **form.facts(), **asking.who(request))
        return {"id": update.uid, "version": update.version}

    said = _("The update is on its way; what the station says appears here.")
    return asking.do(request, station, logs.TAB, do, said)


@act("firmware.update")
def cancel(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Give an update up."""
    update = _update(request, uid)
    request.audit_object = ("firmware_update", uid)

    def do() -> dict[str, object]:
        firmware_service.cancel(update, by=request.principal.name)
        return {}

    said = _("It is taken back; the file is out of the station's reach.")
    return asking.do(request, update.station, logs.TAB, do, said)


@act("firmware.update")
def retry(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Try an update again."""
    update = _update(request, uid)
    request.audit_object = ("firmware_update", uid)

    def do() -> dict[str, object]:
        return {"id": firmware_service.retry(update, **asking.who(request)).uid}

    return asking.do(request, update.station, logs.TAB, do, _("The update is on its way again."))


@page("firmware.library")
def new_campaign(request: ConsoleRequest) -> HttpResponse:
    """Show the form of a new campaign."""
    return render(request, "console/campaign_form.html", form=CampaignForm(principal=request.principal))


@act("firmware.library")
def add_campaign(request: ConsoleRequest) -> HttpResponse:
    """Write a campaign down; nothing is sent before it is started."""
    form = CampaignForm(request.POST, principal=request.principal)
    request.audit_object = ("firmware_campaign", "")
    if form.is_valid():
        try:
            with transaction.atomic():
                made = campaigns.create(**form.cleaned_data, created_by=request.principal.name)
        except (InvalidPayload, UnsuitableFirmware, UntrustedFirmware) as error:
            form.add_error(None, str(error))
    if not form.is_valid():
        return render(request, "console/campaign_form.html", form=form, status=422)
    request.audit_object = ("firmware_campaign", made.uid)
    request.audit_facts = {"name": made.name, "stations": len(form.cleaned_data["stations"])}
    messages.success(request, _("The campaign is written down. Start it when the list is right."))
    return redirect("firmware-campaign", uid=made.uid)


@page("firmware.view")
def campaign(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Show how far a campaign is."""
    found = get_object_or_404(_campaigns(request), uid=uid)
    return render(
        request,
        "console/campaign.html",
        parts={"stations": Part("console/_campaign.html", lambda: {"progress": _progress(found)})},
        campaign=found,
    )


@act("firmware.library")
def turn_campaign(request: ConsoleRequest, uid: str, turn: str) -> HttpResponse:
    """Start, halt or cancel a campaign."""
    found = get_object_or_404(_campaigns(request), uid=uid)
    if turn not in TURNS:
        raise Http404
    request.audit_object, request.audit_facts = ("firmware_campaign", uid), {"turn": turn}
    try:
        with transaction.atomic():
            TURNS[turn](found, by=request.principal.name)
    except NotOpen as error:
        messages.error(request, str(error))
    return redirect("firmware-campaign", uid=uid)


def _campaigns(request: ConsoleRequest) -> Any:
    rows = access.firmware_campaigns(request.principal).select_related("image")
    return rows.prefetch_related("stations__station", "stations__update")


def _progress(found: FirmwareCampaign) -> dict[str, int]:
    """Count the stations by how far they are."""
    words: Counter[str] = Counter()
    for place in found.stations.all():
        state = place.update.state if place.update else "skipped" if place.skipped else "waiting"
        words[
            "failed" if state in campaigns.BAD else "running" if state in FirmwareUpdate.OPEN else state
        ] += 1
    words["all"] = sum(words.values())
    return dict(words)


def _update(request: ConsoleRequest, uid: str) -> FirmwareUpdate:
    rows = access.firmware_updates(request.principal).select_related(
        "station", "image__file", "publication__station", "publication__image"
    )
    return get_object_or_404(rows, uid=uid)
