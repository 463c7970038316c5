"""Logs and diagnostics that stations upload."""

from django.db import models

from stations.models.files import StoredFile
from stations.models.locations import ChargingStation
from stations.models.transfers import Transfer, TransferStatus


class LogUpload(Transfer):
    """One log that a station was asked for, from the request to the file."""

    class Kind(models.TextChoices):
        DIAGNOSTICS = "DiagnosticsLog", "Diagnostics"
        SECURITY = "SecurityLog", "Security log"
        DATA_COLLECTOR = "DataCollectorLog", "Collected readings"  # 2.1 alone

    class State(models.TextChoices):
        REQUESTED = "requested", "On its way to the station"
        ACCEPTED = "accepted", "Accepted"
        UPLOADING = "uploading", "Being uploaded"
        UPLOADED = "uploaded", "Uploaded"
        NOTHING = "nothing", "Nothing to send"
        FAILED = "failed", "Failed"
        REJECTED = "rejected", "Rejected"
        UNANSWERED = "unanswered", "No answer"
        STALLED = "stalled", "Never arrived"
        CANCELLED = "cancelled", "Cancelled"

    OPEN = (State.REQUESTED, State.ACCEPTED, State.UPLOADING)
    MAY_GO_ON = (*OPEN, State.UNANSWERED, State.STALLED, State.FAILED)

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="log_uploads")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    file = models.ForeignKey(
        StoredFile, on_delete=models.SET_NULL, null=True, blank=True, related_name="log_uploads"
    )
    file_name = models.CharField(max_length=255, blank=True)  # as the station announced it
    oldest = models.DateTimeField(null=True, blank=True)  # of the entries asked for
    latest = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.REQUESTED)
    requested_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "request_id"], name="log_request_once")]
        indexes = [
            models.Index(fields=["station", "-id"], name="log_of_station"),
            models.Index(
                fields=["changed_at"],
                name="log_open",
                condition=models.Q(state__in=["requested", "accepted", "uploading"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.station_id}"


class LogStatus(TransferStatus):
    """One thing that was said about a log upload, or that happened to it."""

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="log_statuses")
    upload = models.ForeignKey(
        LogUpload, on_delete=models.CASCADE, null=True, blank=True, related_name="history"
    )  # None: belongs to no request of ours

    class Meta(TransferStatus.Meta):
        indexes = [models.Index(fields=["station", "-id"], name="log_status_of_station")]
