"""The payment tab of a station's page: its QR codes, and who paid here lately."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing import psp
from billing.models import Payment
from cpo.console.parts import Part, Read
from cpo.pay import codes
from stations import one_time_passwords
from stations.models import ChargingStation, WebPaymentCode
from stations.services import direct_payments, web_payment_codes

SHOWN = 20


class CodeForm(forms.Form):
    """What a station makes its dynamic QR codes of (C25)."""

    validity_s = forms.IntegerField(
        label=_("A code is good for"),
        min_value=one_time_passwords.LEAST_VALIDITY_S,
        max_value=one_time_passwords.MOST_VALIDITY_S,
        initial=web_payment_codes.VALIDITY_S,
        help_text=_("Seconds."),
    )
    length = forms.IntegerField(
        label=_("Characters of the password"),
        min_value=one_time_passwords.SHORTEST,
        max_value=one_time_passwords.LONGEST,
        initial=web_payment_codes.LENGTH,
    )


def parts(station: ChargingStation) -> dict[str, Part]:
    """Give the payments of a station, newest first, and the state of its codes."""

    def read() -> dict[str, Any]:
        rows = Payment.objects.filter(station=station).select_related("session", "evse")
        return {
            "payments": rows.order_by("-pk")[:SHOWN],
            "code": WebPaymentCode.objects.filter(station=station).first(),
        }

    return {"payment": Part("console/_station_payments.html", read)}


def beside(station: ChargingStation) -> Read:
    """Give the codes for stickers, and the form of what the display shows."""

    def read() -> dict[str, Any]:
        evses = station.evses.filter(is_removed=False).order_by("number")
        return {
            "stickers": [(evse, url := codes.sticker_url(evse), codes.svg(url, scale=4)) for evse in evses],
            "code_form": CodeForm(),
            "can_show_codes": direct_payments.is_spoken(station),
            "is_payable": psp.is_there(),
        }

    return read
