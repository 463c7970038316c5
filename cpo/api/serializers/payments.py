"""Ad hoc payments and what QR codes are made of."""

from typing import Any

from rest_framework import serializers

from billing.models import Payment, Refund
from stations import one_time_passwords
from stations.models import WebPaymentCode
from stations.services import web_payment_codes


class RefundSerializer(serializers.ModelSerializer[Refund]):
    """Money that was given back, or is to be."""

    id = serializers.CharField(source="uid")

    class Meta:
        model = Refund
        fields = ("id", "amount", "state", "reason", "asked_by", "last_error", "created_at", "done_at")


class RefundWriteSerializer(serializers.Serializer[Any]):
    """Money to give back, in the payment's currency."""

    amount = serializers.DecimalField(max_digits=12, decimal_places=4)
    reason = serializers.CharField(max_length=255, required=False, default="", allow_blank=True)


class PaymentSerializer(serializers.ModelSerializer[Payment]):
    """A payment: what was authorised, captured and given back. `reference` is the payment service's."""

    id = serializers.CharField(source="uid")
    station = serializers.CharField(source="station.identity")
    connector_id = serializers.IntegerField(source="evse.number", default=None, allow_null=True)
    session = serializers.CharField(source="session.uid", default=None, allow_null=True)
    cdr = serializers.CharField(source="cdr.uid", default=None, allow_null=True)

    class Meta:
        model = Payment
        fields = (
            "id", "source", "station", "connector_id", "session", "cdr", "provider", "reference", "details",
            "currency", "amount", "authorised_amount", "capture_amount", "captured_amount", "refunded_amount",
            "max_energy_wh", "max_time_s", "max_cost", "state", "reason", "last_error", "tries", "created_at",
            "authorised_at", "settled_at", "last_updated",
        )  # fmt: skip


class PaymentWriteSerializer(serializers.Serializer[Any]):
    """A payment that a kiosk had authorised: charge at this station for it (OCPP 2.1 C24)."""

    station = serializers.CharField(max_length=48)
    connector_id = serializers.IntegerField(
        min_value=1, max_value=1000, required=False, help_text="EVSE; left out: the driver chooses."
    )
    reference = serializers.CharField(max_length=255, help_text="The payment service's.")
    amount = serializers.DecimalField(max_digits=12, decimal_places=4, min_value=0)
    currency = serializers.RegexField(r"^[A-Z]{3}$")
    max_energy_wh = serializers.DecimalField(max_digits=20, decimal_places=4, min_value=1, required=False)
    max_time_s = serializers.IntegerField(min_value=1, max_value=10**8, required=False)
    max_cost = serializers.DecimalField(max_digits=12, decimal_places=4, min_value=0, required=False)


class WebPaymentCodeSerializer(serializers.ModelSerializer[WebPaymentCode]):
    """What a station makes the QR codes on its display of; the secret is told to nobody."""

    class Meta:
        model = WebPaymentCode
        fields = ("url_template", "validity_s", "length", "state", "reason", "requested_by", "changed_at")


class WebPaymentCodeWriteSerializer(serializers.Serializer[Any]):
    """How long a code is good and how long its password is."""

    validity_s = serializers.IntegerField(
        min_value=one_time_passwords.LEAST_VALIDITY_S,
        max_value=one_time_passwords.MOST_VALIDITY_S,
        default=web_payment_codes.VALIDITY_S,
    )
    length = serializers.IntegerField(
        min_value=one_time_passwords.SHORTEST,
        max_value=one_time_passwords.LONGEST,
        default=web_payment_codes.LENGTH,
    )


class StickerSerializer(serializers.Serializer[Any]):
    """The address in the code on a sticker."""

    connector_id = serializers.IntegerField(source="number")
    url = serializers.CharField()
