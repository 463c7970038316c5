"""What came of remote control: an answer says what a station will try, the outcome is what then happened."""

from django.db import models

from stations.models.commands import Command
from stations.models.locations import ChargingStation, Evse
from stations.models.sessions import ChargingSession


class RemoteRequest(models.Model):
    """The outcome of one request to start, to stop or to restart (OCPP 2.1 blocks B and F, 1.6 chapter 5).

    Its row is made when the command's answer, or its absence, is known. `accepted` and `unknown` wait for the session
    or the boot; at `due_at` somebody decides why nothing came.
    """

    class Kind(models.TextChoices):
        START = "start"
        STOP = "stop"
        RESET = "reset"

    class State(models.TextChoices):
        ACCEPTED = "accepted"  # the station said that it will try
        UNKNOWN = "unknown"  # no answer, or the station is away: nobody knows yet
        SUCCEEDED = "succeeded"
        REFUSED = "refused"  # the station said no
        FAILED = "failed"

    class Reason(models.TextChoices):
        CANCELLED = "cancelled"  # never sent: somebody took it back
        ERROR = "error"  # the station answered with an error
        FAULTED = "faulted"
        NEVER_SENT = "never_sent"
        NO_ANSWER = "no_answer"
        NO_CAR = "no_car"  # no cable was plugged in in time
        NOT_RESTARTED = "not_restarted"
        NOT_STARTED = "not_started"  # a cable was there, yet no session began
        NOT_STOPPED = "not_stopped"
        OCCUPIED = "occupied"
        OFFLINE = "offline"
        OTHER_TOKEN = "other_token"  # noqa: S105 - somebody else charges there
        OUT_OF_SERVICE = "out_of_service"
        RESERVED = "reserved"
        SESSION_UNKNOWN = "session_unknown"  # the station knows no such transaction
        TOKEN_REFUSED = "token_refused"  # noqa: S105 - a word, no secret

    OPEN = (State.ACCEPTED, State.UNKNOWN)

    command = models.OneToOneField(Command, on_delete=models.CASCADE, related_name="remote")
    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="remote_requests")
    kind = models.CharField(max_length=5, choices=Kind.choices)
    evse = models.ForeignKey(Evse, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    id_token = models.CharField(max_length=255, blank=True)
    session = models.ForeignKey(
        ChargingSession, on_delete=models.SET_NULL, null=True, blank=True, related_name="remote_requests"
    )
    remote_start_id = models.BigIntegerField(null=True, blank=True)  # 2.x: what its transaction will name
    transaction_id = models.CharField(max_length=36, blank=True, default="")  # 2.x: as its answer named it
    state = models.CharField(max_length=9, choices=State.choices)
    reason = models.CharField(max_length=16, choices=Reason.choices, blank=True)
    answered_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["due_at"],
                name="remote_open",
                condition=models.Q(state__in=["accepted", "unknown"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.station_id}"


class AvailabilityWish(models.Model):
    """What the operator wants an EVSE, or without one the whole station, to be (OCPP 2.1 G03, 1.6 section 5.2).

    With a `connector_number` it is about that connector of the EVSE alone (2.x).

    It is kept after it took effect: a station must keep it over a restart, and what it reports otherwise is drift.
    """

    class State(models.TextChoices):
        REQUESTED = "requested"
        SCHEDULED = "scheduled"  # the station does it after the running session
        ACCEPTED = "accepted"  # done, the station says; its status does not yet
        IN_FORCE = "in_force"  # its status said so
        REFUSED = "refused"
        UNKNOWN = "unknown"  # no answer

    OPEN = (State.SCHEDULED, State.ACCEPTED, State.UNKNOWN)

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="availability_wishes")
    evse = models.ForeignKey(Evse, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    connector_number = models.PositiveIntegerField(default=0)  # 0: the whole EVSE
    is_operative = models.BooleanField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.REQUESTED)
    command = models.ForeignKey(Command, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    requested_by = models.CharField(max_length=100, blank=True)
    wished_at = models.DateTimeField()
    in_force_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["station", "evse", "connector_number"],
                name="availability_wish_once",
                nulls_distinct=False,
            )
        ]
        indexes = [
            models.Index(
                fields=["station"],
                name="availability_wish_open",
                condition=models.Q(state__in=["scheduled", "accepted", "unknown"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.station_id}/{self.evse_id}"
