"""The outbox towards partners: one row per object and connection, the latest state wins."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q

from roaming.models.connections import Connection


class PushQuerySet(models.QuerySet["Push"]):
    def waiting(self) -> "PushQuerySet":
        """Give the rows that are not delivered yet, dead ones excepted."""
        return self.filter(state__in=Push.OPEN)

    def due(self, moment: datetime) -> "PushQuerySet":
        """Give the rows that may be sent now, and those whose sender vanished."""
        ready = Q(state__in=["due", "failed"], next_try_at__lte=moment)
        return self.filter(ready | Q(state="sent", lease_until__lte=moment))


class Push(models.Model):
    """That a partner does not know the present state of an object yet, or that he does.

    Versions are instants of the object's `last_updated` in microseconds: `dirty_version` is the newest that we heard
    of, `acked_version` what the partner has acknowledged. The payload is built from the current row when it is sent, so
    changes coalesce; a CDR never changes and is sent until it is acknowledged.
    """

    class State(models.TextChoices):
        DUE = "due", "To be sent"
        SENT = "sent", "Being sent"
        ACKED = "acked", "Acknowledged"
        FAILED = "failed", "Failed, tried again"
        DEAD = "dead", "Refused by the partner"

    OPEN = (State.DUE, State.SENT, State.FAILED)

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="pushes")
    module = models.CharField(max_length=16)  # locations, tariffs, sessions, cdrs
    object_key = models.CharField(
        max_length=120
    )  # in the partner's URL: location[/evse], tariff, session, CDR
    object_id = models.BigIntegerField()  # primary key of our row
    parent_key = models.CharField(max_length=120, blank=True)  # an object that the partner must know first
    party = models.CharField(max_length=6, blank=True)  # whose driver, for sessions and CDRs
    state = models.CharField(max_length=6, choices=State.choices, default=State.DUE)
    dirty_version = models.BigIntegerField()
    acked_version = models.BigIntegerField(default=0)  # 0: the partner never had it
    is_final = models.BooleanField(default=False)  # the object will not change any more
    sent_digest = models.CharField(max_length=32, blank=True)  # of the last acknowledged content
    tries = models.PositiveIntegerField(default=0)  # since it became due
    next_try_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    marked_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    acked_at = models.DateTimeField(null=True, blank=True)
    last_http = models.PositiveSmallIntegerField(null=True, blank=True)
    last_code = models.PositiveIntegerField(null=True, blank=True)
    last_error = models.CharField(max_length=255, blank=True)
    remote_url = models.CharField(max_length=1000, blank=True)  # Location header of a CDR's answer

    objects = PushQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "pushes"
        constraints = [
            models.UniqueConstraint(fields=["connection", "module", "object_key"], name="push_once"),
            models.CheckConstraint(
                name="push_acked", condition=~Q(state="acked") | Q(acked_version__gte=F("dirty_version"))
            ),
        ]
        indexes = [
            models.Index(
                fields=["connection", "next_try_at", "id"],
                name="push_open",
                condition=Q(state__in=["due", "sent", "failed"]),
            ),
            models.Index(fields=["module", "object_id"], name="push_of_object"),
            models.Index(
                fields=["connection", "marked_at"],
                name="push_running",
                condition=Q(module="sessions", is_final=False),
            ),
            models.Index(fields=["connection", "id"], name="push_dead", condition=Q(state="dead")),
        ]

    def __str__(self) -> str:
        return f"{self.module} {self.object_key}: {self.state}"
