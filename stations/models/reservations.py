"""Reservations: an EVSE held for one driver for a while (OCPP 2.1 block H, 1.6 sections 3.11 and 5.13)."""

from django.db import models

from stations.models.locations import ChargingStation, Evse, new_uid
from stations.models.sessions import ChargingSession


class Reservation(models.Model):
    """One reservation with its whole life; `number` is its id on the wire, unique for the station and never 0.

    Without `evse` it holds any EVSE (of the connector type, if one is named) and is bound to none until it is used.
    `previous` is what held before a change that the station has not answered yet.
    """

    class Status(models.TextChoices):
        REQUESTED = "requested"  # on its way to the station
        RESERVED = "reserved"  # the station has accepted it
        REFUSED = "refused"  # it has not: `reason` is its word
        UNKNOWN = "unknown"  # no answer: nobody knows whether the station holds it
        USED = "used"  # a session began with it
        EXPIRED = "expired"
        CANCELLED = "cancelled"
        REMOVED = "removed"  # the station let it go by itself, see `reason`

    OPEN = (Status.REQUESTED, Status.RESERVED, Status.UNKNOWN)

    uid = models.CharField(max_length=36, unique=True, default=new_uid)
    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="reservations")
    number = models.PositiveIntegerField()
    evse = models.ForeignKey(
        Evse, on_delete=models.CASCADE, null=True, blank=True, related_name="reservations"
    )
    connector_type = models.CharField(max_length=20, blank=True)  # OCPP 2.x connectorType, with any EVSE
    id_token = models.CharField(max_length=255)
    id_token_type = models.CharField(max_length=20, default="RFID")  # OCPI TokenType
    group_id = models.CharField(max_length=36, blank=True)  # whose tokens may use it too; 1.6 parentIdTag
    expires_at = models.DateTimeField()
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.REQUESTED)
    reason = models.CharField(
        max_length=40, blank=True
    )  # why it is refused or removed, or what is odd about it
    previous = models.JSONField(null=True, blank=True)
    session = models.OneToOneField(
        ChargingSession, on_delete=models.SET_NULL, null=True, blank=True, related_name="reservation"
    )
    party = models.CharField(max_length=6, blank=True)  # 'NL*ABC': the roaming partner who reserved
    external_id = models.CharField(max_length=36, blank=True)  # the partner's own id (OCPI ReserveNow)
    requested_by = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField()
    reserved_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    last_updated = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "number"], name="reservation_number"),
            models.UniqueConstraint(
                fields=["party", "external_id"],
                name="reservation_external_id",
                condition=~models.Q(external_id=""),
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                name="reservation_open",
                condition=models.Q(status__in=["requested", "reserved", "unknown"]),
            ),
            models.Index(fields=["station", "-id"], name="reservation_of_station"),
        ]

    def __str__(self) -> str:
        return f"{self.station_id}/{self.number}"

    @property
    def is_open(self) -> bool:
        """True while the station holds it, or may hold it."""
        return self.status in self.OPEN
