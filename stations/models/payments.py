"""Ad hoc payment at stations: what a terminal settled, whose VAT number was asked about (OCPP 2.1 C20 to C25)."""

from django.db import models

from cpo.lib.exact import ExactEncoder
from stations.models.locations import ChargingStation, new_uid
from stations.models.sessions import ChargingSession


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

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "psp_reference"], name="settlement_once"),
        ]
        indexes = [models.Index(fields=["station", "-settled_at"], name="settlement_newest")]

    def __str__(self) -> str:
        return f"{self.status} {self.amount}"
