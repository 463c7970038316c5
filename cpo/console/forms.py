"""Forms of the console. They check words; what is allowed, the services decide."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cpo import access
from cpo.access import Principal
from stations.models import ChargingStation, Location
from stations.services import provisioning
from stations.services.errors import InvalidIdentity


class StationForm(forms.Form):
    """A station to add or to change. The identity cannot change: it is in the charger's URL."""

    identity = forms.CharField(
        label=_("Identity"),
        max_length=48,
        help_text=_("The last part of the charger's URL: letters, digits and * - _ = + | @ ."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        required=False,
        help_text=_("What people call it, such as Car park, left."),
    )
    location = forms.ModelChoiceField(
        label=_("Location"), queryset=Location.objects.none(), required=False, empty_label=_("none yet")
    )
    security_profile = forms.TypedChoiceField(
        label=_("Security profile"),
        choices=ChargingStation.SecurityProfile.choices,
        coerce=int,
        initial=1,
        help_text=_("1 needs a password; 2 also TLS; 3 a client certificate."),
    )
    registration = forms.ChoiceField(
        label=_("Registration"),
        choices=ChargingStation.Registration.choices,
        initial="Accepted",
        help_text=_("What the station is told when it boots. Pending: it may be configured, but not charge."),
    )

    def __init__(
        self, *args: Any, principal: Principal, station: ChargingStation | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.station = station
        locations = self.fields["location"]
        assert isinstance(locations, forms.ModelChoiceField)
        locations.queryset = access.locations(principal).order_by("name")
        if not principal.is_network_wide:
            locations.required = True  # a station without a location would be out of sight at once
        if station is not None:
            del self.fields["identity"]

    def clean_identity(self) -> str:
        identity: str = self.cleaned_data["identity"]
        try:
            provisioning.check_identity(identity)
        except InvalidIdentity as error:
            raise forms.ValidationError(str(error)) from error
        if ChargingStation.objects.filter(identity=identity).exists():
            raise forms.ValidationError(_("There is a station with this identity already."))
        return identity


class ReviewForm(forms.Form):
    resolution = forms.CharField(label=_("What was done"), max_length=255, required=False)


class CloseForm(forms.Form):
    reason = forms.CharField(label=_("Why"), max_length=40)


class CorrectForm(forms.Form):
    energy_kwh = forms.DecimalField(label=_("Energy"), min_value=0, max_digits=12, decimal_places=4)
    reason = forms.CharField(label=_("How is it known"), max_length=200)
