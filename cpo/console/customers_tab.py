"""The tab about customers: what a 2.x station was asked, and the tokens that it lists no more (N09, N10)."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cpo import access
from cpo.console.parts import Part
from cpo.console.tab import Seen, Shown
from stations.models import UnlistedToken
from stations.services import customer_information

SHOWN = 25  # questions on a station's page


class CustomerForm(forms.Form):
    """A question about a customer: a token, an identifier of the vendor, or a certificate."""

    id_token = forms.CharField(label=_("Token"), max_length=255, required=False)
    identifier = forms.CharField(
        label=_("or identifier"),
        max_length=64,
        required=False,
        help_text=_("What the vendor of the station calls the customer."),
    )
    hash_algorithm = forms.ChoiceField(
        label=_("or certificate, hashed by"),
        required=False,
        choices=[("", "–"), *((word, word) for word in customer_information.HASHES)],
        help_text=_("The algorithm by which it was installed."),
    )
    issuer_name_hash = forms.CharField(label=_("Hash of the issuer's name"), max_length=128, required=False)
    issuer_key_hash = forms.CharField(label=_("Hash of the issuer's key"), max_length=128, required=False)
    serial_number = forms.CharField(label=_("Serial number"), max_length=40, required=False)
    report = forms.BooleanField(label=_("Tell what you know"), required=False, initial=True)
    clear = forms.BooleanField(
        label=_("Forget it"),
        required=False,
        help_text=_("The token also leaves the station's local list."),
    )

    def facts(self) -> dict[str, Any]:
        """Give what `customer_information.ask` takes."""
        given = dict(self.cleaned_data)
        certificate = {name: given.pop(name) for name in customer_information.CERTIFICATE}
        return given | {"certificate": certificate if any(certificate.values()) else None}


def show(seen: Seen) -> Shown:
    """Give the live part of the tab, and the form beside it."""

    def read() -> dict[str, Any]:
        rows = access.customer_requests(seen.request.principal).filter(station=seen.station)
        return {
            "requests": list(rows.order_by("-id")[:SHOWN]),
            "unlisted": list(UnlistedToken.objects.filter(station=seen.station).order_by("-id")[:SHOWN]),
        }

    return Shown(
        {"customers": Part("console/_station_customers.html", read)},
        lambda: {"customer_form": CustomerForm(auto_id="customer_%s")},
    )
