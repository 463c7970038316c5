"""The firmware and logs tab of a station's page: what was sent, what came, and the forms of new ones."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from cpo import access
from cpo.console.guard import ConsoleRequest
from cpo.console.parts import Part, Read
from stations.models import ChargingStation, FirmwareStatus, LogStatus, LogUpload, Variable
from stations.services import files, firmware_library

SHOWN = 15  # updates and logs on a station's page
STRAY = 5  # words that belong to nothing of ours
PROTOCOLS = "SupportedFileTransferProtocols"  # configuration key of 1.6 (section 9.1)

_MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class UpdateForm(forms.Form):
    """A firmware update to plan (OCPP 1.6 section 5.19, white paper section 5.21)."""

    image = forms.ChoiceField(label=gettext_lazy("Image"))
    retrieve_at = forms.DateTimeField(
        label=gettext_lazy("Fetch it after"),
        required=False,
        widget=_MOMENT,
        help_text=gettext_lazy("In UTC; empty: at once."),
    )
    install_at = forms.DateTimeField(
        label=gettext_lazy("Install it after"),
        required=False,
        widget=_MOMENT,
        help_text=gettext_lazy("In UTC; empty: as soon as nobody charges."),
    )
    retries = forms.IntegerField(
        label=gettext_lazy("Tries more"), min_value=0, max_value=20, required=False, initial=3
    )
    retry_interval_s = forms.IntegerField(
        label=gettext_lazy("Seconds between tries"),
        min_value=0,
        max_value=86_400,
        required=False,
        initial=60,
    )

    def __init__(self, *args: Any, station: ChargingStation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.images = {image.uid: image for image in firmware_library.for_station(station)}
        choice = self.fields["image"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [(uid, str(image)) for uid, image in self.images.items()]

    def facts(self) -> dict[str, Any]:
        """Give what `firmware.plan` takes."""
        return self.cleaned_data | {"image": self.images[self.cleaned_data["image"]]}


class LogForm(forms.Form):
    """A log to ask for (OCPP 1.6 section 5.9, white paper section 5.9)."""

    kind = forms.ChoiceField(label=gettext_lazy("Log"), choices=LogUpload.Kind.choices)
    oldest = forms.DateTimeField(
        label=gettext_lazy("Entries from"), required=False, widget=_MOMENT, help_text=gettext_lazy("In UTC.")
    )
    latest = forms.DateTimeField(label=gettext_lazy("to"), required=False, widget=_MOMENT)


def parts(request: ConsoleRequest, found: ChargingStation) -> dict[str, Part]:
    """Give the live parts of the tab."""

    def read() -> dict[str, Any]:
        updates = access.firmware_updates(request.principal).filter(station=found)
        rows = updates.select_related("image", "link").prefetch_related("history").order_by("-id")
        return {"updates": list(rows[:SHOWN]), **_strays(found), **_logs(request, found)}

    return {"files": Part("console/_station_files.html", read)}


def _logs(request: ConsoleRequest, found: ChargingStation) -> dict[str, Any]:
    if not access.may(request.principal, "log.view"):
        return {"logs": None}
    logs = access.log_uploads(request.principal).filter(station=found)
    rows = logs.select_related("file", "link").prefetch_related("history").order_by("-id")
    return {"logs": list(rows[:SHOWN])}


def _strays(found: ChargingStation) -> dict[str, Any]:
    """Give the newest words that belong to no update and no request of ours."""
    firmware_words = FirmwareStatus.objects.filter(station=found, update=None).order_by("-id")
    log_words = LogStatus.objects.filter(station=found, upload=None).order_by("-id")
    strays: list[FirmwareStatus | LogStatus] = [*firmware_words[:STRAY], *log_words[:STRAY]]
    return {"strays": sorted(strays, key=lambda row: row.at, reverse=True)[:STRAY]}


def form(request: ConsoleRequest, found: ChargingStation) -> Read:
    """Give what stands still beside them: the two forms, and whether the station can reach us at all."""

    def read() -> dict[str, Any]:
        return {
            "update_form": UpdateForm(station=found, auto_id="update_%s"),
            "log_form": LogForm(auto_id="log_%s"),
            "cannot_transfer": cannot_transfer(found),
        }

    return read


def cannot_transfer(found: ChargingStation) -> str:
    """Return the protocols that the station says it has when ours is not among them, else ''."""
    row = Variable.objects.filter(station=found, name__iexact=PROTOCOLS, is_supported=True).first()
    told = (row.value or "") if row else ""
    known = {word.strip().upper() for word in told.split(",") if word.strip()}
    return told if known and files.transport() not in known else ""
