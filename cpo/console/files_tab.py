"""The firmware and logs tab of a station's page: what was sent, what came, and the forms of new ones."""

from collections import defaultdict
from datetime import datetime
from typing import Any, NamedTuple

from django import forms
from django.db.models import F, TextField, Value
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy

from cpo import access
from cpo.console.guard import ConsoleRequest
from cpo.console.parts import Part, Read
from stations.models import ChargingStation, FirmwareStatus, LogStatus, LogUpload, Variable
from stations.ocpp import outbound
from stations.services import files, firmware_library

SHOWN = 15  # updates and logs on a station's page
WORDS = 300  # of firmware and of logs that are looked at
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

    def __init__(self, *args: Any, station: ChargingStation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kind = self.fields["kind"]
        assert isinstance(kind, forms.ChoiceField)
        known = outbound.log_kinds(station.ocpp_version)
        kind.choices = [choice for choice in LogUpload.Kind.choices if choice[0] in known]


class Said(NamedTuple):
    """One thing that was said about an update (`kind` firmware), a log (log), or by configuration (protocols)."""

    kind: str
    of: int | None
    status: str
    remark: str
    at: datetime


Words = dict[tuple[str, int | None], list[Said]]


def parts(request: ConsoleRequest, found: ChargingStation) -> dict[str, Part]:
    """Give the live parts of the tab."""

    def read() -> dict[str, Any]:
        said = _said(found)
        updates = access.firmware_updates(request.principal).filter(station=found)
        shown = list(updates.select_related("image", "link", "publication__station").order_by("-id")[:SHOWN])
        for update in shown:
            update.words = said.get(("firmware", update.pk), [])  # type: ignore[attr-defined]
        strays = [*said.get(("firmware", None), [])[-STRAY:], *said.get(("log", None), [])[-STRAY:]]
        return {
            "updates": shown,
            "logs": _logs(request, found, said),
            "strays": sorted(strays, key=lambda row: row.at, reverse=True)[:STRAY],
            "cannot_transfer": _cannot_transfer(said),
        }

    return {"files": Part("console/_station_files.html", read)}


def _logs(request: ConsoleRequest, found: ChargingStation, said: Words) -> list[LogUpload] | None:
    """Return the newest logs, None for somebody who may not read them."""
    if not access.may(request.principal, "log.view"):
        return None
    rows = access.log_uploads(request.principal).filter(station=found).select_related("file", "link")
    shown = list(rows.order_by("-id")[:SHOWN])
    for upload in shown:
        upload.words = said.get(("log", upload.pk), [])  # type: ignore[attr-defined]
    return shown


def _said(found: ChargingStation) -> Words:
    """Return all that was said lately, oldest first, in one question: it is asked at every change."""
    columns = ("kind", "of", "said", "remark", "at")
    firmware = FirmwareStatus.objects.filter(station=found).order_by("-id")
    logs = LogStatus.objects.filter(station=found).order_by("-id")
    protocols = Variable.objects.filter(station=found, name__iexact=PROTOCOLS, is_supported=True).order_by(
        "id"
    )
    of_firmware = firmware.annotate(
        kind=Value("firmware"), of=F("update_id"), said=Cast("status", TextField())
    )
    of_logs = logs.annotate(kind=Value("log"), of=F("upload_id"), said=Cast("status", TextField()))
    of_protocols = protocols.annotate(
        kind=Value("protocols"), of=F("station_id"), said=F("value"), remark=Value(""), at=F("reported_at")
    )
    rows = of_firmware.values_list(*columns)[:WORDS].union(
        of_logs.values_list(*columns)[:WORDS], of_protocols.values_list(*columns)[:1], all=True
    )
    words: Words = defaultdict(list)
    for row in reversed(list(rows)):
        words[row[0], row[1]].append(Said(*row))
    return words


def _cannot_transfer(said: Words) -> str:
    """Return the protocols that the station says it has when ours is not among them, else ''."""
    told = next((rows[0].status or "" for (kind, _), rows in said.items() if kind == "protocols"), "")
    known = {word.strip().upper() for word in told.split(",") if word.strip()}
    return told if known and files.transport() not in known else ""


def form(request: ConsoleRequest, found: ChargingStation) -> Read:
    """Give what stands still beside them: the two forms."""
    return lambda: {
        "update_form": UpdateForm(station=found, auto_id="update_%s"),
        "log_form": LogForm(station=found, auto_id="log_%s"),
    }
