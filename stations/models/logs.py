"""Logs and diagnostics that stations upload."""

from django.db import models

from stations.models.files import FileLink, StoredFile
from stations.models.locations import ChargingStation, new_uid


class LogUpload(models.Model):
    """One log that a station was asked for, from the request to the file."""

    class Kind(models.TextChoices):
        DIAGNOSTICS = "DiagnosticsLog", "Diagnostics"
        SECURITY = "SecurityLog", "Security log"

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

    uid = models.CharField(max_length=36, unique=True, default=new_uid)
    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="log_uploads")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    request_id = models.PositiveIntegerField()  # OCPP requestId, at most 31 bits
    location = models.CharField(max_length=512, blank=True)  # of a server that is not ours
    link = models.ForeignKey(FileLink, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    file = models.ForeignKey(
        StoredFile, on_delete=models.SET_NULL, null=True, blank=True, related_name="log_uploads"
    )
    file_name = models.CharField(max_length=255, blank=True)  # as the station announced it
    oldest = models.DateTimeField(null=True, blank=True)  # of the entries asked for
    latest = models.DateTimeField(null=True, blank=True)
    retries = models.PositiveSmallIntegerField(null=True, blank=True)
    retry_interval_s = models.PositiveIntegerField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.REQUESTED)
    status = models.CharField(max_length=40, blank=True)  # the station's newest word
    reason = models.CharField(max_length=255, blank=True)  # why there is no file
    requested_by = models.CharField(max_length=100, blank=True)
    requested_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

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

    @property
    def is_open(self) -> bool:
        """True while something is still to be expected."""
        return self.state in self.OPEN


class LogStatus(models.Model):
    """One thing that was said about a log upload, or that happened to it."""

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="log_statuses")
    upload = models.ForeignKey(
        LogUpload, on_delete=models.CASCADE, null=True, blank=True, related_name="history"
    )  # None: belongs to no request of ours
    request_id = models.BigIntegerField(null=True, blank=True)
    status = models.CharField(max_length=40)
    remark = models.CharField(max_length=255, blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["station", "-id"], name="log_status_of_station")]
        ordering = ["id"]

    def __str__(self) -> str:
        return self.status
