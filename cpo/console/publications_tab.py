"""The tab of a local controller's page: firmware that it publishes, and the stations behind it (OCPP 2.x L03, L04)."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cpo import access
from cpo.access import Principal
from cpo.console.parts import Part
from cpo.console.tab import Seen, Shown
from stations.models import ChargingStation, FirmwarePublication
from stations.services import firmware_publications

SHOWN = 15  # publications on a station's page
STATIONS = 500  # of a site, to choose from
_MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class PublicationForm(forms.Form):
    """An image to publish (L03)."""

    image = forms.ChoiceField(label=_("Image"), help_text=_("Signed, and fit for a station of this site."))
    retries = forms.IntegerField(label=_("Tries more"), min_value=0, max_value=20, required=False, initial=3)
    retry_interval_s = forms.IntegerField(
        label=_("Seconds between tries"), min_value=0, max_value=86_400, required=False, initial=60
    )

    def __init__(self, *args: Any, station: ChargingStation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.images = {image.uid: image for image in firmware_publications.images_for(station)}
        choice = self.fields["image"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [(uid, str(image)) for uid, image in self.images.items()]


class BehindForm(forms.Form):
    """Stations behind the controller that shall fetch what it publishes (L03, L01)."""

    publication = forms.ChoiceField(label=_("Firmware"))
    stations = forms.MultipleChoiceField(
        label=_("Stations"),
        widget=forms.SelectMultiple(attrs={"size": 6}),
        help_text=_("None is sent if one of them cannot be."),
    )
    retrieve_at = forms.DateTimeField(
        label=_("Fetch it after"), required=False, widget=_MOMENT, help_text=_("In UTC; empty: at once.")
    )
    install_at = forms.DateTimeField(
        label=_("Install it after"), required=False, widget=_MOMENT, help_text=_("In UTC.")
    )

    def __init__(self, *args: Any, station: ChargingStation, principal: Principal, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        here = access.firmware_publications(principal).filter(
            station=station, state=FirmwarePublication.State.PUBLISHED
        )
        rows = here.select_related("image", "station").order_by("-id")[:SHOWN]
        self.publications = {row.uid: row for row in rows}
        behind = access.stations(principal).filter(pk__in=firmware_publications.behind(station).values("pk"))
        self.behind = {row.identity: row for row in behind.order_by("identity")[:STATIONS]}
        for name, choices in {
            "publication": [(uid, str(row.image)) for uid, row in self.publications.items()],
            "stations": [(identity, f"{identity} {row.model}") for identity, row in self.behind.items()],
        }.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices


def show(seen: Seen) -> Shown:
    """Give the live part of the tab, and the forms beside it."""

    def read() -> dict[str, Any]:
        rows = access.firmware_publications(seen.request.principal).filter(station=seen.station)
        rows = rows.select_related("image", "link").prefetch_related("history").order_by("-id")
        return {"publications": list(rows[:SHOWN])}

    def beside() -> dict[str, Any]:
        return {
            "publication_form": PublicationForm(station=seen.station, auto_id="publish_%s"),
            "behind_form": BehindForm(
                station=seen.station, principal=seen.request.principal, auto_id="behind_%s"
            ),
        }

    return Shown({"publications": Part("console/_station_publications.html", read)}, beside)
