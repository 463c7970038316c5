"""Meter data with a meter's signature, untouched: evidence under calibration law."""

from django.db import models

from stations.models.locations import ChargingStation, Evse
from stations.models.sessions import ChargingSession


class SignedReading(models.Model):
    """One signed value as the station sent it. `text` is never changed: one character less breaks the signature.

    `encoding` names the format in the words of the meter's maker ('OCMF'); '' when nobody said and nothing shows it.
    """

    key = models.CharField(
        max_length=32, unique=True
    )  # a digest of session, context and text: sent twice, kept once
    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="signed_readings")
    evse = models.ForeignKey(Evse, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    session = models.ForeignKey(
        ChargingSession, on_delete=models.CASCADE, null=True, blank=True, related_name="signed_readings"
    )
    sampled_at = models.DateTimeField()
    received_at = models.DateTimeField()
    context = models.CharField(max_length=32)
    measurand = models.CharField(max_length=64)
    location = models.CharField(max_length=32, blank=True)
    phase = models.CharField(max_length=16, blank=True)
    encoding = models.CharField(max_length=50, blank=True)
    text = models.TextField()

    class Meta:
        ordering = ["sampled_at", "id"]

    def __str__(self) -> str:
        return f"{self.context} of session {self.session_id}"
