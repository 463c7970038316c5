"""Firmware that local controllers offer to the stations behind them (OCPP 2.x L03, L04)."""

from django.db import models

from stations.models.firmware import FirmwareImage
from stations.models.locations import ChargingStation
from stations.models.transfers import Transfer, TransferStatus


class FirmwarePublication(Transfer):
    """One image at one local controller, from the request to the day on which it is offered no longer."""

    class State(models.TextChoices):
        REQUESTED = "requested", "On its way to the controller"
        ACCEPTED = "accepted", "Accepted"
        RUNNING = "running", "Being fetched"
        PUBLISHED = "published", "Published"
        UNPUBLISHED = "unpublished", "Published no longer"
        FAILED = "failed", "Failed"
        REJECTED = "rejected", "Rejected"
        UNANSWERED = "unanswered", "No answer"
        STALLED = "stalled", "Came to a halt"
        CANCELLED = "cancelled", "Cancelled"

    OPEN = (State.REQUESTED, State.ACCEPTED, State.RUNNING)

    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, related_name="firmware_publications"
    )  # the local controller
    image = models.ForeignKey(FirmwareImage, on_delete=models.PROTECT, related_name="publications")
    checksum = models.CharField(max_length=32)  # MD5 of the file, hexadecimal: its name for the controller
    locations = models.JSONField(default=list)  # URLs from which stations fetch it, as the controller said
    state = models.CharField(max_length=11, choices=State.choices, default=State.REQUESTED)
    requested_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "request_id"], name="publication_request_once")
        ]
        indexes = [
            models.Index(fields=["station", "-id"], name="publication_of_station"),
            models.Index(
                fields=["changed_at"],
                name="publication_open",
                condition=models.Q(state__in=["requested", "accepted", "running"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.image_id} at {self.station_id}"


class PublicationStatus(TransferStatus):
    """One thing that was said about a publication."""

    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, related_name="publication_statuses"
    )
    publication = models.ForeignKey(
        FirmwarePublication, on_delete=models.CASCADE, null=True, blank=True, related_name="history"
    )  # None: belongs to no request of ours

    class Meta(TransferStatus.Meta):
        indexes = [models.Index(fields=["station", "-id"], name="publication_word_of_station")]
