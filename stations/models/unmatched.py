"""Stops that name no transaction of ours: kept until their session is found."""

from django.db import models

from stations.models.locations import ChargingStation
from stations.models.review import ReviewItem
from stations.models.sessions import ChargingSession


class UnmatchedStopQuerySet(models.QuerySet["UnmatchedStop"]):
    def waiting(self) -> "UnmatchedStopQuerySet":
        """Give the stops that nobody has matched or dismissed."""
        return self.filter(matched_at=None).exclude(item__resolved_at__isnull=False)


class UnmatchedStop(models.Model):
    """A stop with a transaction id that we never gave (0, -1, a number of the charger's own), as it was said.

    `session` is the one it was found to end. `key` is made of the words as sent, so a repeated stop is one row.
    """

    key = models.CharField(max_length=64, unique=True)
    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="unmatched_stops")
    transaction_id = models.CharField(max_length=36)
    id_token = models.CharField(max_length=255, blank=True)
    ended_at = models.DateTimeField()  # the charger's time, corrected when it cannot be true
    received_at = models.DateTimeField()
    meter_stop_wh = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    reason = models.CharField(max_length=40, blank=True)
    flags = models.JSONField(default=list, blank=True)
    readings = models.JSONField(
        default=list, blank=True
    )  # transaction data: [time, words of the kind, value]
    session = models.ForeignKey(
        ChargingSession, on_delete=models.SET_NULL, null=True, blank=True, related_name="matched_stops"
    )
    matched_at = models.DateTimeField(null=True, blank=True)
    matched_by = models.CharField(max_length=100, blank=True)
    item = models.OneToOneField(
        ReviewItem, on_delete=models.SET_NULL, null=True, blank=True, related_name="unmatched_stop"
    )

    objects = UnmatchedStopQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["station", "ended_at"],
                name="unmatched_stop_open",
                condition=models.Q(matched_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.station_id}/{self.transaction_id} at {self.ended_at:%Y-%m-%d %H:%M:%S}"
