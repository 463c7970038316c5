"""Changes of a station's security: of its profile, step by step, and of its password."""

from typing import Any

from django.db import models

from stations.models.locations import ChargingStation


class SecurityProfileChange(models.Model):
    """One rise of a station's security profile, from the wish until it has come back (2.1 A05, 1.6 white paper A05).

    While it is under way the station may connect with either profile; `ChargingStation.next_security_profile` says so.
    """

    class Status(models.TextChoices):
        RUNNING = "running", "In progress"  # a request is on its way, or waits for the station
        RETURNING = "returning", "Waiting for the station to come back"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    class Step(models.TextChoices):
        ROOT = "root", "Our root certificate in the station"
        ORGANIZATION = "organization", "Our name in the station"
        CERTIFICATE = "certificate", "A certificate of its own"
        SLOT = "slot", "The connection in a free slot"  # a network profile of 2.x (B09)
        PROFILE = "profile", "The new profile"  # of 2.x: its slot comes first
        RESTART = "restart", "A restart"
        RETURN = "return", "Back with the new profile"

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="profile_changes")
    from_profile = models.PositiveSmallIntegerField()
    to_profile = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RUNNING)
    steps = models.JSONField(
        default=list
    )  # of {step, state, note, at}; state: waiting running done skipped failed
    reason = models.CharField(max_length=255, blank=True)  # why it failed
    requested_by = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField()
    return_until = models.DateTimeField(null=True, blank=True)  # both profiles are accepted until then
    finished_at = models.DateTimeField(null=True, blank=True)

    OPEN = (Status.RUNNING, Status.RETURNING)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["station"],
                name="profile_change_open",
                condition=models.Q(status__in=["running", "returning"]),
            )
        ]
        indexes = [
            models.Index(
                fields=["status"],
                name="profile_change_due",
                condition=models.Q(status__in=["running", "returning"]),
            ),
            models.Index(fields=["station", "-id"], name="profile_change_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.station_id}: profile {self.from_profile} to {self.to_profile}"

    @property
    def is_open(self) -> bool:
        """True until it is done, failed or cancelled."""
        return self.status in self.OPEN

    @property
    def step(self) -> dict[str, Any] | None:
        """Give the first step that is not over; None when all are."""
        return next((step for step in self.steps if step["state"] in ("waiting", "running")), None)


class PasswordChange(models.Model):
    """One new password of a station, from being sent until the station has used it (2.1 A01, 1.6 white paper A01).

    The secret is kept, encrypted under FIELD_KEYS, only while it may have to be sent again.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "Waiting to be sent"
        SENT = "sent", "Sent"
        UNKNOWN = "unknown", "Answer lost: both are accepted"
        REBOOT = "reboot", "Taken at the next boot: both are accepted"
        DONE = "done", "Changed"
        FAILED = "failed", "Not changed"

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="password_changes")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    form = models.CharField(max_length=5)  # how it is written to the station: hex or plain
    secret = models.TextField(blank=True)  # as it is sent, encrypted; empty once it is over
    reason = models.CharField(max_length=255, blank=True)  # why it failed
    tries = models.PositiveSmallIntegerField(default=0)
    requested_by = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    OPEN = (Status.QUEUED, Status.SENT, Status.UNKNOWN, Status.REBOOT)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["station"],
                name="password_change_open",
                condition=models.Q(status__in=["queued", "sent", "unknown", "reboot"]),
            )
        ]
        indexes = [models.Index(fields=["station", "-id"], name="password_change_newest")]

    def __str__(self) -> str:
        return f"{self.station_id}: password {self.status}"

    @property
    def is_open(self) -> bool:
        """True until the new password is in force or forgotten."""
        return self.status in self.OPEN
