"""Charging sessions: what a charger calls a transaction."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from stations.models.locations import ChargingStation, Evse, new_uid
from stations.models.tokens import IdToken


class SessionQuerySet(models.QuerySet["ChargingSession"]):
    def active(self) -> "SessionQuerySet":
        return self.filter(status=ChargingSession.Status.ACTIVE)

    def ended(self) -> "SessionQuerySet":
        return self.filter(status=ChargingSession.Status.ENDED)

    def unbilled(self) -> "SessionQuerySet":
        """Give ended sessions that billing has not taken over yet; billed ones cost nothing (partial index)."""
        return self.filter(status=ChargingSession.Status.ENDED, billed_at=None)


class ChargingSession(models.Model):
    """One charging session: a function of the set of messages that a charger sent about it.

    Energies in Wh, powers in W, exact decimals. `started_at` and `ended_at` are the charger's times (corrected when
    they cannot be true, then flagged). `start_key` is the start's business key: a repeated one finds its row.
    """

    class Status(models.TextChoices):
        ACTIVE = "active"
        ENDED = "ended"

    uid = models.CharField(
        max_length=36, unique=True, default=new_uid
    )  # id for the outside world (OCPI, API)
    station = models.ForeignKey(ChargingStation, on_delete=models.PROTECT, related_name="sessions")
    evse = models.ForeignKey(Evse, on_delete=models.PROTECT, related_name="sessions")
    connector_number = models.PositiveIntegerField(default=1)  # within the EVSE
    transaction_id = models.CharField(max_length=36)  # what the charger calls it
    start_key = models.CharField(max_length=64)
    id_token = models.CharField(max_length=255)  # as presented
    token = models.ForeignKey(
        IdToken, on_delete=models.SET_NULL, null=True, blank=True, related_name="sessions"
    )
    party = models.CharField(max_length=6, blank=True)  # 'NL*ABC': the roaming partner whose driver charges
    authorization_status = models.CharField(
        max_length=20, default="Accepted"
    )  # what was decided at the start
    authorization_reference = models.CharField(max_length=36, blank=True)
    auth_method = models.CharField(max_length=16, default="WHITELIST")  # OCPI AuthMethod
    reservation_id = models.CharField(max_length=36, blank=True)

    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACTIVE)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.CharField(max_length=40, blank=True)
    stop_id_token = models.CharField(max_length=255, blank=True)
    meter_start_wh = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    meter_stop_wh = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    register_wh = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)  # last reading
    energy_wh = models.DecimalField(max_digits=20, decimal_places=4, default=0)
    power_w = models.DecimalField(max_digits=14, decimal_places=3, null=True, blank=True)
    soc_percent = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)
    last_reading_at = models.DateTimeField(null=True, blank=True)

    needs_review = models.BooleanField(default=False)
    flags = models.JSONField(
        default=list, blank=True
    )  # why: words such as 'energy_estimated', 'unauthorised'
    billed_at = models.DateTimeField(
        null=True, blank=True
    )  # when billing took the ended session over; null: to do
    created_at = models.DateTimeField()  # when we first heard of it
    last_updated = models.DateTimeField()

    objects = SessionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "transaction_id"], name="session_transaction"),
            models.UniqueConstraint(fields=["station", "start_key"], name="session_start"),
        ]
        indexes = [
            models.Index(fields=["evse", "started_at"], name="session_of_evse"),
            models.Index(fields=["started_at"], name="session_active", condition=models.Q(status="active")),
            models.Index(fields=["station"], name="session_open", condition=models.Q(status="active")),
            models.Index(
                fields=["id"], name="session_unbilled", condition=models.Q(status="ended", billed_at=None)
            ),
            models.Index(fields=["party", "id"], name="session_party", condition=~models.Q(party="")),
            models.Index(fields=["id_token"], name="session_id_token"),
            # Not a B-tree: that would cost every reading a new entry in each index of the row.
            BrinIndex(fields=["last_updated"], name="session_changed", pages_per_range=16),
        ]

    def __str__(self) -> str:
        return f"{self.station_id}/{self.transaction_id}"

    @property
    def is_ad_hoc(self) -> bool:
        """True when a payment of its own lets it charge, and nobody's token: only that has a reference and no party."""
        return bool(self.authorization_reference) and not self.party and self.token_id is None
