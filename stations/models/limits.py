"""Limits of charging sessions: how much, how long, for how much money, how full (OCPP 2.1 E16)."""

from django.db import models

from stations.models.commands import Command
from stations.models.sessions import ChargingSession


class SessionLimit(models.Model):
    """What one session may come to at the most; what is None has no limit.

    A station of 2.1 is told and keeps what it supports; everything else is stopped by us when a limit is reached.
    """

    class Kind(models.TextChoices):
        ENERGY = "energy"
        TIME = "time"
        COST = "cost"
        SOC = "soc"

    session = models.OneToOneField(ChargingSession, on_delete=models.CASCADE, related_name="limit")
    max_energy_wh = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    max_time_s = models.PositiveIntegerField(null=True, blank=True)  # since the start of the session
    max_cost = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)  # taxes included
    max_soc_percent = models.PositiveSmallIntegerField(null=True, blank=True)
    set_by = models.CharField(max_length=100, blank=True)
    set_at = models.DateTimeField()
    is_untold = models.BooleanField(default=True)  # the station has not been told these values
    told = models.JSONField(default=list)  # kinds that the station was ever told: one is changed, never unset
    at_station = models.JSONField(
        default=dict
    )  # kind -> value that the station says it keeps (E16.FR.01, .03)
    reached = models.CharField(max_length=6, choices=Kind.choices, blank=True)
    reached_at = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)  # when we last asked the station to stop
    times_asked = models.PositiveSmallIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["session"], name="session_limit_untold", condition=models.Q(is_untold=True))
        ]

    def __str__(self) -> str:
        return f"limit of {self.session_id}"

    @property
    def is_told(self) -> bool:
        """True once the station was asked to keep what it can of them."""
        return not self.is_untold


class StartLimit(models.Model):
    """Limits of a session that was asked for from afar: they become its own once it has begun."""

    command = models.OneToOneField(Command, on_delete=models.CASCADE, related_name="start_limit")
    max_energy_wh = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    max_time_s = models.PositiveIntegerField(null=True, blank=True)
    max_cost = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    max_soc_percent = models.PositiveSmallIntegerField(null=True, blank=True)
    session = models.ForeignKey(  # whose they became
        ChargingSession, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )

    def __str__(self) -> str:
        return f"limit of a start by {self.command_id}"
