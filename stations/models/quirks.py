"""What is odd about one station: seen on its own frames, or said by an operator."""

from django.db import models

from stations.models.locations import ChargingStation


class StationQuirk(models.Model):
    """A flag of a station and where it comes from; what its make is known for stands in `stations/quirks/`."""

    class Source(models.TextChoices):
        PROFILE = "profile", "known of the make"  # never a row: read from the profiles
        DETECTED = "detected", "seen on the station"
        OPERATOR = "operator", "set by an operator"

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="quirks")
    flag = models.CharField(max_length=64)
    source = models.CharField(max_length=8, choices=Source.choices)
    value = models.JSONField(null=True, blank=True)  # None: seen, without a value
    count = models.PositiveIntegerField(default=1)
    set_by = models.CharField(max_length=100, blank=True)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "flag", "source"], name="quirk_once")]

    def __str__(self) -> str:
        return f"{self.station_id}: {self.flag}"
