"""Ad hoc payment at stations: what a terminal settled, whose VAT number was asked about (OCPP 2.1 C20 to C25)."""

from django.db import models

from cpo.lib.exact import ExactEncoder
from stations.models.locations import ChargingStation, new_uid
from stations.models.sessions import ChargingSession


class DirectPayment(models.Model):
    """A payment with which a driver charges once, under the id that the station shows as its token.

    Of a terminal (C18) it is made when the station tells of it; of a web page or a kiosk (C24, C25) beforehand, with
    the limits that were paid for. `is_over`: it lets nobody charge any more.
    """

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="direct_payments")
    id_token = models.CharField(max_length=255)  # DirectPayment: the provider's reference
    reference = models.CharField(max_length=36, blank=True)  # what our books call it
    session = models.OneToOneField(
        ChargingSession, on_delete=models.SET_NULL, null=True, blank=True, related_name="direct_payment"
    )
    details = models.JSONField(default=dict, encoder=ExactEncoder)  # of the card, masked
    authorized_amount = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    max_energy_wh = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    max_time_s = models.PositiveIntegerField(null=True, blank=True)
    max_cost = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)  # with taxes
    is_ours = models.BooleanField(
        default=False
    )  # paid on our page or at a kiosk, not at the station's terminal
    is_over = models.BooleanField(default=False)
    first_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "id_token"], name="direct_payment_once")]

    def __str__(self) -> str:
        return f"{self.station_id}/{self.id_token}"


class WebPaymentCode(models.Model):
    """What a station makes its dynamic QR codes of (C25, WebPaymentsCtrlr)."""

    class State(models.TextChoices):
        ASKED = "asked"
        IN_FORCE = "in_force"
        REFUSED = "refused"

    station = models.OneToOneField(ChargingStation, on_delete=models.CASCADE, related_name="web_payment_code")
    secret = models.TextField()  # encrypted (cpo.lib.keyring)
    older_secret = models.TextField(blank=True)  # still on the display until the station has the new one
    validity_s = models.PositiveIntegerField()
    length = models.PositiveSmallIntegerField()
    url_template = models.CharField(max_length=2000)
    state = models.CharField(max_length=8, choices=State.choices, default=State.ASKED)
    reason = models.CharField(max_length=255, blank=True)
    requested_by = models.CharField(max_length=100, blank=True)
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"QR code of {self.station_id}"


class VatNumber(models.Model):
    """What a register said of a VAT number, kept so that nobody is asked twice a day."""

    number = models.CharField(max_length=20, primary_key=True)
    is_valid = models.BooleanField()
    company = models.JSONField(default=dict)  # fields of `vat_numbers.Company`; {}: not told
    checked_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.number


class Settlement(models.Model):
    """One settlement at a payment terminal, as the station told it. Its business key is the provider's reference.

    Further words about the same one change the row: a rejected settlement may succeed later (C22).
    """

    class Status(models.TextChoices):
        SETTLED = "Settled"
        CANCELED = "Canceled"
        REJECTED = "Rejected"
        FAILED = "Failed"

    uid = models.CharField(max_length=36, unique=True, default=new_uid)
    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="settlements")
    session = models.ForeignKey(
        ChargingSession, on_delete=models.SET_NULL, null=True, blank=True, related_name="settlements"
    )
    transaction_id = models.CharField(max_length=36, blank=True)  # '' when canceled before one began
    psp_reference = models.CharField(max_length=255)
    status = models.CharField(max_length=8, choices=Status.choices)
    info = models.CharField(max_length=500, blank=True)
    amount = models.DecimalField(max_digits=20, decimal_places=6)
    settled_at = models.DateTimeField()
    receipt_id = models.CharField(max_length=50, blank=True)
    receipt_url = models.CharField(max_length=2000, blank=True)
    vat_number = models.CharField(max_length=20, blank=True)
    company = models.JSONField(default=dict, encoder=ExactEncoder)
    received_at = models.DateTimeField()
    is_compared = models.BooleanField(default=False)  # with our bill; False again when the terminal says more

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "psp_reference"], name="settlement_once"),
        ]
        indexes = [
            models.Index(fields=["station", "-settled_at"], name="settlement_newest"),
            models.Index(
                fields=["received_at"], name="settlement_to_compare", condition=models.Q(is_compared=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.amount}"
