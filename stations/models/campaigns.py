"""Firmware campaigns: one image for many stations, a few at a time."""

from django.db import models

from stations.models.firmware import FirmwareImage, FirmwareUpdate
from stations.models.locations import ChargingStation, new_uid


class FirmwareCampaign(models.Model):
    """An image on its way to a list of stations: some canaries first, then few at once, halted by failures."""

    class State(models.TextChoices):
        DRAFT = "draft", "Not started"
        RUNNING = "running", "Running"
        HALTED = "halted", "Halted"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"

    uid = models.CharField(max_length=36, unique=True, default=new_uid)
    name = models.CharField(max_length=100)
    image = models.ForeignKey(FirmwareImage, on_delete=models.PROTECT, related_name="campaigns")
    canaries = models.PositiveSmallIntegerField(
        default=1
    )  # stations that must succeed before the others begin
    at_once = models.PositiveSmallIntegerField(default=5)  # updates under way at most
    max_failed = models.PositiveSmallIntegerField(default=3)  # so many failures halt it; 1: the first
    state = models.CharField(max_length=9, choices=State.choices, default=State.DRAFT)
    reason = models.CharField(max_length=255, blank=True)  # why it was halted
    created_by = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["id"], name="campaign_running", condition=models.Q(state="running"))]
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name


class CampaignStation(models.Model):
    """A station's place in a campaign, and its update once it has begun."""

    campaign = models.ForeignKey(FirmwareCampaign, on_delete=models.CASCADE, related_name="stations")
    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="campaigns")
    position = models.PositiveIntegerField()  # canaries come first
    update = models.ForeignKey(FirmwareUpdate, on_delete=models.SET_NULL, null=True, blank=True)
    skipped = models.CharField(max_length=255, blank=True)  # why it gets no update

    class Meta:
        constraints = [models.UniqueConstraint(fields=["campaign", "station"], name="campaign_station_once")]
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.station_id}"
