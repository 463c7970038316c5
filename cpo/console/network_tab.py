"""The network tab of a 2.x station's page: its slots, the order in which it tries them, and the forms of both."""

from functools import cache
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cpo.console.parts import Part
from cpo.console.tab import Shown
from stations.models import ChargingStation, Command
from stations.services import network_profiles
from stations.services.network_profiles import Connection, Network

INTERFACES = (
    "Wired0", "Wired1", "Wired2", "Wired3", "Wireless0", "Wireless1", "Wireless2", "Wireless3", "Any",
)  # fmt: skip


class ConnectionForm(forms.Form):
    """Where and how a station connects; what is empty stays as it is."""

    slot = forms.IntegerField(label=_("Slot"), min_value=0, max_value=2**31 - 1, required=False)
    url = forms.CharField(
        label=_("Address"),
        max_length=network_profiles.URL_LENGTH,
        required=False,
        help_text=_("ws:// or wss://, without the identity: the station appends it."),
    )
    interface = forms.ChoiceField(
        label=_("Interface"),
        choices=[("", _("as now")), *((name, name) for name in INTERFACES)],
        required=False,
    )
    timeout_s = forms.IntegerField(
        label=_("Message timeout in seconds"), min_value=1, max_value=86_400, required=False
    )

    def connection(self) -> Connection:
        """Give what `security_profiles.raise_to` takes."""
        told = self.cleaned_data
        return Connection(told["slot"], told["url"], told["interface"], told["timeout_s"])


class SlotForm(ConnectionForm):
    """A network profile for a slot (B09)."""

    security_profile = forms.TypedChoiceField(
        label=_("Security profile"), coerce=int, choices=ChargingStation.SecurityProfile.choices
    )
    identity = forms.CharField(
        label=_("Identity"),
        max_length=48,
        required=False,
        help_text=_("OCPP 2.1: another one at that address."),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=40,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("OCPP 2.1: 16 to 40 characters. The old one is good too until the station has used it."),
    )
    by_variables = forms.BooleanField(
        label=_("Variable by variable (OCPP 2.1, a slot that is not tried)"), required=False
    )
    confirmed = forms.BooleanField(label=_("A wrong profile can cut the station off: set it"))

    field_order = ("slot", "url", "security_profile", "interface", "timeout_s", "identity", "password")

    def __init__(self, *args: Any, station: ChargingStation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        profile = self.fields["security_profile"]
        assert isinstance(profile, forms.ChoiceField)
        known = ChargingStation.SecurityProfile.choices
        profile.choices = [choice for choice in known if choice[0] >= station.security_profile]
        for name in ("slot", "url"):
            self.fields[name].required = True

    def data_of_profile(self) -> dict[str, Any]:
        """Give a NetworkConnectionProfileType."""
        told = self.cleaned_data
        more = {"identity": told["identity"], "basicAuthPassword": told["password"]}
        data = {name: value for name, value in more.items() if value}
        where = Connection(told["slot"], told["url"], told["interface"], told["timeout_s"], data)
        return where.profile(told["security_profile"])


class OrderForm(forms.Form):
    """In which order the station tries its slots (B10)."""

    slots = forms.RegexField(
        r"^\s*\d{1,9}(\s*,\s*\d{1,9})*\s*$",
        label=_("Slots, the first to be tried first"),
        max_length=200,
        help_text=_("Numbers with commas between them. Keep the slot in use among them: it is the way back."),
    )
    restart = forms.BooleanField(
        label=_("Restart it then: it follows the order from its next boot on"), required=False
    )
    confirmed = forms.BooleanField(label=_("A wrong order can cut the station off: set it"))

    def numbers(self) -> list[int]:
        """Give the slots."""
        return [int(number) for number in self.cleaned_data["slots"].split(",")]


def show(found: ChargingStation) -> Shown:
    """Give the live part of the tab, and the forms beside it."""

    known = cache(lambda: network_profiles.known(found))

    def read() -> dict[str, Any]:
        return {"network": known(), "open_commands": _open(found)}

    def beside() -> dict[str, Any]:
        network = known()
        return {
            "slot_form": SlotForm(station=found, prefix="slot", initial=_initial(found, network)),
            "order_form": OrderForm(prefix="order", initial={"slots": ", ".join(map(str, network.priority))}),
        }

    return Shown({"network": Part("console/_station_network.html", read)}, beside)


def _initial(found: ChargingStation, network: Network) -> dict[str, Any]:
    spare = [slot.number for slot in network.slots if not slot.is_active and slot.place is None]
    use = network.active
    return {
        "slot": spare[0] if spare else None,
        "interface": use.interface if use else "",
        "timeout_s": use.timeout_s if use else network_profiles.TIMEOUT_S,
        "security_profile": found.security_profile,
    }


def _open(found: ChargingStation) -> int:
    """Count the commands about slots and their order that have no answer yet."""
    waiting = Command.objects.filter(station=found, status__in=[Command.Status.QUEUED, Command.Status.SENT])
    return waiting.filter(subject__startswith="network").count()
