"""Prices at the station: what tariffs lie there, what it calculated, what its driver was told (OCPP 2.1 block I)."""

from django.db import models

from cpo.lib.exact import ExactEncoder
from stations.models.locations import ChargingStation
from stations.models.sessions import ChargingSession


class StationTariff(models.Model):
    """A tariff that lies, or shall lie, on a station (I07 to I10). `evse_number` 0: the whole station."""

    class State(models.TextChoices):
        WANTED = "wanted"
        ACCEPTED = "accepted"
        REFUSED = "refused"
        UNKNOWN = "unknown"
        CLEARED = "cleared"

    class Kind(models.TextChoices):
        DEFAULT = "DefaultTariff"
        DRIVER = "DriverTariff"

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="station_tariffs")
    evse_number = models.IntegerField(default=0)
    tariff_id = models.CharField(max_length=60)
    kind = models.CharField(max_length=13, choices=Kind.choices, default=Kind.DEFAULT)
    document = models.JSONField(default=dict, encoder=ExactEncoder)  # as sent; {} when only reported
    state = models.CharField(max_length=8, choices=State.choices, default=State.WANTED)
    reason = models.CharField(max_length=64, blank=True)
    valid_from = models.DateTimeField(null=True, blank=True)
    requested_by = models.CharField(max_length=100, blank=True)
    changed_at = models.DateTimeField()
    reported_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["station", "evse_number", "tariff_id", "kind"], name="station_tariff_once"
            )
        ]
        ordering = ["evse_number", "kind", "-changed_at"]

    def __str__(self) -> str:
        return f"{self.tariff_id} at {self.station_id}"


class SessionCost(models.Model):
    """What a session's station knows about its cost, in amounts of `currency`; only sessions with such a thing."""

    session = models.OneToOneField(ChargingSession, on_delete=models.CASCADE, related_name="station_cost")
    tariff_id = models.CharField(
        max_length=60, blank=True
    )  # by which the station calculates; '' when not told
    changed_to = models.CharField(max_length=60, blank=True)  # by ChangeTransactionTariff (I11)
    change_answer = models.CharField(max_length=64, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    before_taxes = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    after_taxes = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    details = models.JSONField(default=dict, encoder=ExactEncoder)  # CostDetailsType as told
    is_final = models.BooleanField(default=False)
    failure = models.CharField(max_length=500, blank=True)  # why the station could not calculate
    is_compared = models.BooleanField(default=False)  # with our bill
    told_cost = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)  # to the driver
    told_at = models.DateTimeField(null=True, blank=True)
    # News for the driver: with the answer to the transaction's next event (I06), as long as it is untold.
    personal_message = models.TextField(blank=True, default="")
    message_language = models.CharField(max_length=8, blank=True, default="")
    is_untold = models.BooleanField(default=False, db_default=False)
    changed_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["session"], name="session_cost_untold", condition=models.Q(is_untold=True)),
            models.Index(
                fields=["id"],
                name="session_cost_to_compare",
                condition=models.Q(is_final=True, is_compared=False),
            ),
        ]

    def __str__(self) -> str:
        return f"cost of {self.session_id} at its station"
