"""The reservations tab of a station's page: what it holds and held, and the form of a new one."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from cpo import access
from cpo.console.guard import ConsoleRequest
from cpo.console.parts import Part, Read
from cpo.lib import clock
from stations.models import ChargingStation, Evse, IdToken, Reservation

SHOWN = 25  # reservations on a station's page
FOR_MINUTES = [(15, "15 min"), (30, "30 min"), (60, "1 h"), (120, "2 h"), (240, "4 h"), (720, "12 h")]
ANY = 0
SUGGESTED = 200  # tokens offered while somebody types


class ReservationForm(forms.Form):
    """A reservation to ask for (OCPP 1.6 section 5.13)."""

    connector = forms.TypedChoiceField(label=gettext_lazy("Connector"), coerce=int)
    id_token = forms.CharField(
        label=gettext_lazy("Token"),
        max_length=36,
        help_text=gettext_lazy("Only this token, or one of its group, may charge there meanwhile."),
        widget=forms.TextInput(attrs={"list": "tokens", "autocomplete": "off", "spellcheck": "false"}),
    )
    minutes = forms.TypedChoiceField(label=gettext_lazy("For"), coerce=int, choices=FOR_MINUTES, initial=30)
    replaces = forms.CharField(required=False, max_length=36, widget=forms.HiddenInput)

    def __init__(self, *args: Any, station: ChargingStation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        numbers = station.evses.filter(is_removed=False).order_by("number").values_list("number", flat=True)
        connector = self.fields["connector"]
        assert isinstance(connector, forms.TypedChoiceField)
        connector.choices = [*((n, str(n)) for n in numbers), (ANY, gettext_lazy("any that is free"))]

    def facts(self, station: ChargingStation) -> dict[str, Any]:
        """Give what `reservations.reserve` takes; the number was one of the choices."""
        number = self.cleaned_data["connector"]
        evse = Evse.objects.get(station=station, number=number) if number else None
        expires_at = clock.now() + timedelta(minutes=self.cleaned_data["minutes"])
        return {"evse": evse, "id_token": self.cleaned_data["id_token"], "expires_at": expires_at}


def parts(request: ConsoleRequest, found: ChargingStation) -> dict[str, Part]:
    """Give the live parts of the tab."""

    def read() -> dict[str, Any]:
        rows = access.reservations(request.principal).filter(station=found)
        rows = rows.select_related("evse", "session").order_by("-id")
        return {"reservations": list(rows[:SHOWN])}

    return {"reservations": Part("console/_station_reservations.html", read)}


def form(request: ConsoleRequest, found: ChargingStation) -> Read:
    """Give what stands still beside them: the form, filled with the reservation that is to be changed."""

    def read() -> dict[str, Any]:
        initial: dict[str, Any] = {}
        changed = _changed(request, found)
        if changed is not None:
            initial = {"connector": changed.evse.number if changed.evse else ANY}
            initial |= {"id_token": changed.id_token, "replaces": changed.uid}
        tokens = IdToken.objects.filter(pk__in=access.tokens(request.principal), status="Accepted")
        return {
            "form": ReservationForm(station=found, initial=initial),
            "changed": changed,
            "tokens": list(tokens.order_by("uid").values_list("uid", flat=True)[:SUGGESTED]),
        }

    return read


def _changed(request: ConsoleRequest, found: ChargingStation) -> Reservation | None:
    uid = request.GET.get("change", "")
    if not uid:
        return None
    rows = access.reservations(request.principal).filter(station=found, status__in=Reservation.OPEN)
    return rows.select_related("evse").filter(uid=uid).first()
