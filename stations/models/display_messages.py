"""Messages on the displays of stations: what shall lie there, what does, and what was asked about (2.1 block O)."""

from django.db import models

from stations.models.locations import ChargingStation


class DisplayMessage(models.Model):
    """A message that an operator wrote for one station's display, or one that only the station told of.

    The columns up to `display_connector` are what is wished; `shown` is what lies there as far as anybody knows, in
    the same words, and None where nothing does. A message that a refused one should have replaced stays there.
    """

    class Priority(models.TextChoices):
        ALWAYS_FRONT = "AlwaysFront"
        IN_FRONT = "InFront"
        NORMAL_CYCLE = "NormalCycle"

    class When(models.TextChoices):
        CHARGING = "Charging"
        FAULTED = "Faulted"
        IDLE = "Idle"
        UNAVAILABLE = "Unavailable"
        SUSPENDED = "Suspended"
        DISCHARGING = "Discharging"

    class Format(models.TextChoices):
        UTF8 = "UTF8"
        ASCII = "ASCII"
        HTML = "HTML"
        URI = "URI"
        QRCODE = "QRCODE"

    class State(models.TextChoices):
        WANTED = "wanted"  # asked for, no answer yet
        ACCEPTED = "accepted"
        REFUSED = "refused"
        UNKNOWN = "unknown"  # no answer that can be read
        GONE = "gone"  # cleared, replaced, over

    class Drift(models.TextChoices):
        MISSING = "missing"  # accepted once, and not there any more
        DIFFERENT = "different"
        STILL_THERE = "still_there"  # it should be gone
        UNASKED = "unasked"  # the station has it, and nobody here wrote it

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="display_messages")
    message_id = models.BigIntegerField()  # ours, for the station: never used twice
    batch = models.CharField(
        max_length=36, blank=True
    )  # shared by what was written for several stations at once
    is_ours = models.BooleanField(default=True)
    priority = models.CharField(max_length=11, choices=Priority.choices)
    when = models.CharField(max_length=11, choices=When.choices, blank=True)  # '': in every state
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    transaction_id = models.CharField(max_length=36, blank=True)  # as the station calls it; '': of none
    contents = models.JSONField(default=list)  # [{format, language, content}]; the first is the main one
    display = models.CharField(max_length=50, blank=True)  # component; '': the station's main display
    display_instance = models.CharField(max_length=50, blank=True)
    display_evse = models.IntegerField(default=0)
    display_connector = models.IntegerField(default=0)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WANTED)
    reason = models.CharField(max_length=64, blank=True)
    shown = models.JSONField(null=True, blank=True)
    drift = models.CharField(max_length=11, choices=Drift.choices, blank=True)
    requested_by = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    reported_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "message_id"], name="display_message_once")]
        indexes = [
            models.Index(
                fields=["ends_at"],
                name="display_message_to_end",
                condition=models.Q(ends_at__isnull=False) & ~models.Q(state="gone"),
            ),
            models.Index(
                fields=["station", "transaction_id"],
                name="display_message_of_session",
                condition=~models.Q(transaction_id="") & ~models.Q(state="gone"),
            ),
        ]
        ordering = ["-changed_at", "-id"]

    def __str__(self) -> str:
        return f"message {self.message_id} of {self.station_id}"


class DisplayReport(models.Model):
    """A question which messages lie on a station (O03, O04); its id is the request id.

    Without ids, priority and state it is about all of them. What it was about and did not name is not there.
    """

    class State(models.TextChoices):
        ASKED = "asked"
        RECEIVING = "receiving"
        COMPLETE = "complete"
        INCOMPLETE = "incomplete"
        EMPTY = "empty"
        UNANSWERED = "unanswered"

    OPEN = (State.ASKED, State.RECEIVING)

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="display_reports")
    message_ids = models.JSONField(default=list)
    priority = models.CharField(max_length=11, blank=True)
    when = models.CharField(max_length=11, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    seen = models.JSONField(default=list)  # message ids that were told
    requested_by = models.CharField(max_length=100, blank=True)
    asked_at = models.DateTimeField()
    heard_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["station", "-id"], name="display_report_newest"),
            models.Index(
                fields=["asked_at"],
                name="display_report_open",
                condition=models.Q(state__in=["asked", "receiving"]),
            ),
        ]

    def __str__(self) -> str:
        return f"display messages of {self.station_id}"
