"""What became of an ended session afterwards: its figures before and after, and on whose word."""

from django.db import models

from stations.models.sessions import ChargingSession


class SessionCorrection(models.Model):
    """A change of an ended session's figures. Energies in Wh; `by` is 'station' or whoever did it by hand."""

    session = models.ForeignKey(ChargingSession, on_delete=models.CASCADE, related_name="corrections")
    at = models.DateTimeField()
    by = models.CharField(max_length=100)
    reason = models.CharField(max_length=255)
    energy_before_wh = models.DecimalField(max_digits=20, decimal_places=4)
    energy_after_wh = models.DecimalField(max_digits=20, decimal_places=4)
    ended_before = models.DateTimeField()
    ended_after = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"session {self.session_id}: {self.energy_before_wh} to {self.energy_after_wh} Wh by {self.by}"
