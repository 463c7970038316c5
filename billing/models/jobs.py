"""Sessions that could not be billed at once."""

from datetime import datetime

from django.db import models
from django.db.models import Q

from stations.models import ChargingSession


class JobQuerySet(models.QuerySet["BillingJob"]):
    def due(self, now: datetime) -> "JobQuerySet":
        """Give failed jobs whose next try has come, oldest first."""
        return self.filter(state=BillingJob.State.FAILED, next_try_at__lte=now).order_by("next_try_at")


class BillingJob(models.Model):
    """An ended session without a CDR, and why. A session that was billed at the first try never has one."""

    class State(models.TextChoices):
        FAILED = "failed", "Could not be billed; tried again"
        HELD = "held", "Waits for somebody to release it"
        DONE = "done", "Billed later"

    session = models.OneToOneField(ChargingSession, on_delete=models.CASCADE, related_name="billing_job")
    state = models.CharField(max_length=8, choices=State.choices)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()
    last_updated = models.DateTimeField()

    objects = JobQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["next_try_at"], name="billing_job_due", condition=Q(state="failed")),
        ]

    def __str__(self) -> str:
        return f"session {self.session_id}: {self.state}"
