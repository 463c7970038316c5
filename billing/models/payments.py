"""Ad hoc payments that we settle ourselves: what a driver paid in advance, what was captured and given back."""

import secrets
from datetime import datetime
from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from billing.models.cdrs import Cdr
from billing.models.tariffs import TariffVersion
from cpo.lib.exact import ExactEncoder
from stations.models import ChargingSession, ChargingStation, Command, Evse
from stations.models.locations import new_uid


def new_link() -> str:
    """Return the part of a URL that nobody can guess."""
    return secrets.token_urlsafe(24)


class PaymentQuerySet(models.QuerySet["Payment"]):
    def due(self, now: datetime) -> "PaymentQuerySet":
        """Give payments on which something is to be done by now, oldest first."""
        return self.filter(state__in=Payment.OPEN, next_try_at__lte=now).order_by("next_try_at")


class Payment(models.Model):
    """One ad hoc payment (OCPP 2.1 C21, C24, C25): authorised first, captured when the session's CDR is there.

    Amounts in `currency`, taxes included. `capture_amount` is decided once: every try captures the same amount under
    the same key, so that a provider who was asked twice does it once. `reference` is the provider's.
    """

    class State(models.TextChoices):
        OPENED = "opened", "The driver is at the payment service"
        AUTHORISED = "authorised", "Authorised"
        STARTING = "starting", "The station was asked to start"
        CHARGING = "charging", "Charging, or waiting for the bill"
        CAPTURING = "capturing", "The amount is being captured"
        CAPTURED = "captured", "Captured"
        CANCELLING = "cancelling", "The authorisation is being released"
        CANCELLED = "cancelled", "Nothing was charged"
        FAILED = "failed", "Needs somebody"

    class Source(models.TextChoices):
        STATIC = "static", "QR code on a sticker"
        DYNAMIC = "dynamic", "QR code on the display"
        KIOSK = "kiosk", "Payment kiosk"
        TERMINAL = "terminal", "Terminal of the station"

    OPEN = ("opened", "authorised", "starting", "charging", "capturing", "cancelling")

    uid = models.CharField(max_length=36, unique=True, default=new_uid)
    link = models.CharField(max_length=43, unique=True, default=new_link)  # the driver's pages
    source = models.CharField(max_length=8, choices=Source.choices)
    station = models.ForeignKey(ChargingStation, on_delete=models.PROTECT, related_name="payments")
    evse = models.ForeignKey(Evse, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    session = models.OneToOneField(
        ChargingSession, on_delete=models.SET_NULL, null=True, blank=True, related_name="payment"
    )
    command = models.ForeignKey(Command, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    tariff = models.ForeignKey(TariffVersion, on_delete=models.PROTECT, null=True, blank=True)  # as shown
    cdr = models.ForeignKey(Cdr, on_delete=models.PROTECT, null=True, blank=True, related_name="payments")

    provider = models.CharField(max_length=30)
    reference = models.CharField(max_length=255, blank=True)
    checkout_url = models.CharField(max_length=2000, blank=True)
    id_token = models.CharField(max_length=255, blank=True)  # under which the station charges
    details = models.JSONField(default=dict, encoder=ExactEncoder)  # of the card, masked
    ticket = models.CharField(max_length=100, null=True, blank=True, unique=True)  # one-time password used
    nonce = models.CharField(max_length=32, blank=True)  # which page used it

    currency = models.CharField(max_length=3)
    amount = models.DecimalField(max_digits=20, decimal_places=4)  # to authorise
    authorised_amount = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    capture_amount = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    captured_amount = models.DecimalField(max_digits=20, decimal_places=4, default=0)
    refunded_amount = models.DecimalField(max_digits=20, decimal_places=4, default=0)
    max_energy_wh = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    max_time_s = models.PositiveIntegerField(null=True, blank=True)
    max_cost = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)

    state = models.CharField(max_length=10, choices=State.choices, default=State.OPENED)
    reason = models.CharField(max_length=100, blank=True)  # why it was cancelled or failed
    last_error = models.CharField(max_length=255, blank=True)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    email = models.EmailField(blank=True)  # where the receipt goes; gone once it is sent
    mailed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    authorised_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    last_updated = models.DateTimeField()

    objects = PaymentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "reference"], condition=~Q(reference=""), name="payment_reference"
            ),
            models.CheckConstraint(
                name="payment_within",
                condition=Q(captured_amount=0) | Q(captured_amount__lte=F("authorised_amount")),
            ),
            models.CheckConstraint(
                name="payment_refunded", condition=Q(refunded_amount__lte=F("captured_amount"))
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                name="payment_due",
                condition=Q(
                    state__in=["opened", "authorised", "starting", "charging", "capturing", "cancelling"]
                ),
            ),
            models.Index(fields=["-created_at", "-id"], name="payment_newest"),
            models.Index(fields=["station", "id_token"], name="payment_token"),
        ]

    def __str__(self) -> str:
        return f"{self.uid}: {self.state}"

    @property
    def kept_amount(self) -> Decimal:
        """What we have of it: captured and not given back."""
        return self.captured_amount - self.refunded_amount


class PaymentNotice(models.Model):
    """A notice of a provider that was signed; its id comes once, however often it is sent."""

    provider = models.CharField(max_length=30)
    event_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=100)
    payment = models.ForeignKey(Payment, on_delete=models.CASCADE, null=True, related_name="notices")
    received_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "event_id"], name="payment_notice_once")]

    def __str__(self) -> str:
        return f"{self.provider} {self.event_id}"


class Refund(models.Model):
    """Money that somebody gave back. Its `uid` is the key under which the provider is asked."""

    class State(models.TextChoices):
        ASKED = "asked", "Asked for"
        DONE = "done", "Given back"
        REFUSED = "refused", "Refused by the payment service"

    uid = models.CharField(max_length=36, unique=True, default=new_uid)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount = models.DecimalField(max_digits=20, decimal_places=4)
    state = models.CharField(max_length=7, choices=State.choices, default=State.ASKED)
    reason = models.CharField(max_length=255, blank=True)
    asked_by = models.CharField(max_length=100)
    last_error = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(name="refund_positive", condition=Q(amount__gt=0))]
        indexes = [models.Index(fields=["created_at"], name="refund_asked", condition=Q(state="asked"))]

    def __str__(self) -> str:
        return f"{self.amount} of {self.payment_id}"
