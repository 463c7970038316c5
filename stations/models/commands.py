"""Commands to chargers: the outbox towards the south."""

from django.conf import settings
from django.db import models

from cpo.lib.exact import ExactEncoder
from stations.models.locations import ChargingStation, new_uid


class Command(models.Model):
    """One CALL that we want a station to answer, from the wish to the answer.

    The row is the truth: whichever process holds the station's socket claims it, sends it and writes the answer. A
    charger's "Rejected" is an answer, not a failure. An answer after the timeout is kept and marked late.
    """

    class Status(models.TextChoices):
        QUEUED = "queued"  # waits for the station or for the CALL before it
        SENT = "sent"  # on the wire, not answered yet
        ANSWERED = "answered"  # CALLRESULT received: see `result`
        FAILED = "failed"  # CALLERROR received, or the answer breaks the schema: see `error_code`
        TIMED_OUT = "timed_out"  # sent, no answer in time; a later one is kept in `result`
        EXPIRED = "expired"  # never sent: nobody to send it to in time
        CANCELLED = "cancelled"

    uid = models.CharField(max_length=36, unique=True, default=new_uid)  # also the OCPP message id
    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="commands")
    action = models.CharField(max_length=64)
    payload = models.JSONField(default=dict, encoder=ExactEncoder)
    priority = models.SmallIntegerField(default=0)  # higher goes first; what nobody asked for is below zero
    subject = models.CharField(max_length=64, blank=True)  # the row it is about, such as `reservation:12`
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    result = models.JSONField(null=True, blank=True, encoder=ExactEncoder)
    error_code = models.CharField(max_length=64, blank=True)
    error_description = models.CharField(max_length=255, blank=True)
    answered_late = models.BooleanField(default=False)
    requested_by = models.CharField(max_length=100, blank=True)  # user, API token or partner
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    sent_epoch = models.BigIntegerField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["station", "-priority", "id"],
                name="command_queued",
                condition=models.Q(status="queued"),
            ),
            models.Index(
                fields=["expires_at"], name="command_open", condition=models.Q(status__in=["queued", "sent"])
            ),
            models.Index(fields=["station", "-id"], name="command_of_station"),
            models.Index(
                fields=["subject", "-id"], name="command_of_subject", condition=~models.Q(subject="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} to {self.station_id}"

    @property
    def is_open(self) -> bool:
        """True until there is an answer, a failure or an expiry."""
        return self.status in (self.Status.QUEUED, self.Status.SENT)
