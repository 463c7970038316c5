"""What stations know about customers, asked for or cleared (OCPP 2.x N09, N10): personal data, sealed and forgotten."""

from django.db import models

from stations.models.locations import ChargingStation, new_uid


class CustomerRequest(models.Model):
    """One question to one station about one customer.

    Who is meant and what the station told are encrypted under FIELD_KEYS; both go after
    CUSTOMER_INFORMATION_RETENTION_DAYS, and what stays is that somebody asked.
    """

    class Reference(models.TextChoices):
        ID_TOKEN = "id_token", "Token"
        CERTIFICATE = "certificate", "Certificate"
        IDENTIFIER = "identifier", "Identifier of the vendor"

    class State(models.TextChoices):
        REQUESTED = "requested", "On its way to the station"
        ACCEPTED = "accepted", "Accepted"
        RECEIVING = "receiving", "Being told"
        DONE = "done", "Told"
        INCOMPLETE = "incomplete", "Parts are missing"
        REJECTED = "rejected", "Rejected"
        FAILED = "failed", "Failed"
        UNANSWERED = "unanswered", "No answer"
        CANCELLED = "cancelled", "Cancelled"

    OPEN = (State.REQUESTED, State.ACCEPTED, State.RECEIVING)

    uid = models.CharField(max_length=36, unique=True, default=new_uid)
    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="customer_requests")
    request_id = models.PositiveIntegerField()  # OCPP requestId, at most 31 bits
    reference_kind = models.CharField(max_length=11, choices=Reference.choices)
    reference = models.TextField(blank=True)  # encrypted JSON; '' once it is forgotten
    is_report = models.BooleanField(default=True)  # tell what you know
    is_clear = models.BooleanField(default=False)  # and forget it
    state = models.CharField(max_length=10, choices=State.choices, default=State.REQUESTED)
    reason = models.CharField(max_length=255, blank=True)  # why there is no answer
    last_part = models.IntegerField(null=True, blank=True)  # number of the part after which none follows
    generated_at = models.DateTimeField(null=True, blank=True)  # the earliest of its parts
    requested_by = models.CharField(max_length=100, blank=True)
    requested_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    forgotten_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "request_id"], name="customer_request_once")
        ]
        indexes = [
            models.Index(fields=["station", "-id"], name="customer_request_of_station"),
            models.Index(
                fields=["requested_at"],
                name="customer_request_kept",
                condition=models.Q(forgotten_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"customer request {self.request_id} of {self.station_id}"

    @property
    def is_open(self) -> bool:
        """True while something is still to be expected."""
        return self.state in self.OPEN


class CustomerPart(models.Model):
    """One part of what a station told about a customer; parts come in any order and doubled."""

    request = models.ForeignKey(CustomerRequest, on_delete=models.CASCADE, related_name="parts")
    seq_no = models.IntegerField()
    text = models.TextField(blank=True)  # encrypted
    received_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "seq_no"], name="customer_part_once")]
        ordering = ["seq_no"]

    def __str__(self) -> str:
        return f"part {self.seq_no} of {self.request_id}"


class UnlistedToken(models.Model):
    """A token whose data were cleared from a station: it stays off that station's local list (N10.FR.02)."""

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="unlisted_tokens")
    uid = models.CharField(max_length=255)  # of the token, in capitals
    since = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "uid"], name="unlisted_token_once")]

    def __str__(self) -> str:
        return f"a token not listed at {self.station_id}"
