"""Other spellings under which a station knocks (field notes, quirk 21)."""

from django.db import models
from django.db.models.functions import Upper

from stations.models.locations import ChargingStation


class StationAlias(models.Model):
    """A spelling that a station sends although it is registered under another: written once, by an operator."""

    alias = models.CharField(max_length=255)  # the path below /ocpp/, as it arrives, percent-decoded
    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="aliases")
    added_by = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(Upper("alias"), name="alias_once")]

    def __str__(self) -> str:
        return self.alias
