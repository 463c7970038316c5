"""Forms of the firmware library."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cpo import access
from cpo.access import Principal
from stations.models import ChargingStation, FirmwareImage
from stations.services import firmware_checks

_PEM = forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "class": "mono"})


class ImageForm(forms.Form):
    """An image with what its maker says about it."""

    vendor = forms.CharField(label=_("Vendor"), max_length=255, help_text=_("As the stations report it."))
    version = forms.CharField(
        label=_("Version"), max_length=255, help_text=_("As the stations report it afterwards.")
    )
    model_pattern = forms.CharField(
        label=_("Models"),
        max_length=100,
        required=False,
        help_text=_("A regular expression such as Max( Pro)?; empty: all models of the vendor."),
    )
    file = forms.FileField(label=_("File"), allow_empty_file=False)
    sha256 = forms.CharField(
        label=_("SHA-256"),
        max_length=64,
        required=False,
        help_text=_("What the maker says it is, in hexadecimal."),
    )
    signature = forms.CharField(
        label=_("Signature"),
        max_length=firmware_checks.MAX_SIGNATURE,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"}),
        help_text=_("Base64, over the whole file: RSA-PSS or ECDSA with SHA-256."),
    )
    certificate = forms.CharField(
        label=_("Signing certificate"),
        max_length=firmware_checks.MAX_CERTIFICATE,
        required=False,
        widget=_PEM,
        help_text=_("PEM. Its issuer must be a trusted signer of the vendor."),
    )
    notes = forms.CharField(label=_("Notes"), max_length=2000, required=False)


class SignerForm(forms.Form):
    """A certificate to trust for a vendor's firmware."""

    vendor = forms.CharField(label=_("Vendor"), max_length=255, help_text=_("As the stations report it."))
    name = forms.CharField(label=_("Name"), max_length=100)
    certificate = forms.CharField(
        label=_("Certificate"),
        max_length=20_000,
        widget=_PEM,
        help_text=_("PEM: the maker's root, or its signing certificate itself."),
    )


class CampaignForm(forms.Form):
    """An image for many stations."""

    name = forms.CharField(label=_("Name"), max_length=100)
    image = forms.ModelChoiceField(
        label=_("Image"), queryset=FirmwareImage.objects.none(), to_field_name="uid", empty_label=None
    )
    stations = forms.CharField(
        label=_("Stations"),
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "class": "mono"}),
        help_text=_("Identities, one per line; the first ones are the canaries."),
    )
    canaries = forms.IntegerField(
        label=_("Canaries"),
        min_value=0,
        max_value=1000,
        initial=1,
        help_text=_("So many must succeed before the others begin."),
    )
    at_once = forms.IntegerField(label=_("At once"), min_value=1, max_value=1000, initial=5)
    max_failed = forms.IntegerField(label=_("Failures that halt it"), min_value=1, max_value=1000, initial=3)

    def __init__(self, *args: Any, principal: Principal, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.principal = principal
        choice = self.fields["image"]
        assert isinstance(choice, forms.ModelChoiceField)
        offered = access.firmware_images(principal).filter(state__in=["verified", "unsigned"])
        choice.queryset = offered.select_related("file")

    def clean_stations(self) -> list[ChargingStation]:
        """Return the stations in the order of the lines."""
        wanted = list(dict.fromkeys(self.cleaned_data["stations"].split()))
        rows = access.stations(self.principal).filter(identity__in=wanted)
        found = {row.identity: row for row in rows}
        for identity in wanted:
            if identity not in found:
                raise forms.ValidationError(
                    _("There is no station %(identity)s."), params={"identity": identity}
                )
        return [found[identity] for identity in wanted]
