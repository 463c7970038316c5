"""What stations are set to: OCPP 1.6 configuration keys and, later, 2.x variables, in one table."""

from django.db import models

from stations.models.configuration import ConfigurationTemplate
from stations.models.locations import ChargingStation


class Variable(models.Model):
    """One setting of a station as it last reported it.

    OCPP 1.6 configuration keys have no component and no EVSE (section 5.8, GetConfiguration). `desired` is what the
    operator wants, for this station alone or by a `template`; a value that differs is drift.
    """

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="variables")
    component = models.CharField(max_length=50, blank=True)  # OCPP 2.x
    instance = models.CharField(max_length=50, blank=True)  # OCPP 2.x
    name = models.CharField(max_length=255)
    value = models.TextField(null=True, blank=True)  # None: known without a value; secrets are never stored
    is_readonly = models.BooleanField(default=False)
    is_supported = models.BooleanField(default=True)  # False: the station said that it does not know this key
    desired = models.TextField(null=True, blank=True)
    template = models.ForeignKey(
        ConfigurationTemplate, on_delete=models.SET_NULL, null=True, blank=True, related_name="variables"
    )  # whose wish it is; None: somebody's for this station alone
    is_drifting = models.BooleanField(default=False)  # reported otherwise than desired; kept by the service
    reported_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)  # when the value was last another one

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "component", "instance", "name"], name="variable_once")
        ]
        indexes = [
            models.Index(fields=["station"], name="variable_drift", condition=models.Q(is_drifting=True))
        ]
        ordering = ["component", "name"]

    def __str__(self) -> str:
        return self.name


class SecurityEvent(models.Model):
    """A security event that a station reported (1.6 security white paper section 4.10, OCPP 2.x A04).

    The list of types is not exhaustive: unknown ones are stored too.
    """

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="security_events")
    type = models.CharField(max_length=50)
    at = models.DateTimeField()  # as the station dated it
    tech_info = models.CharField(max_length=255, blank=True)
    is_critical = models.BooleanField(default=False)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "type", "at", "tech_info"], name="security_event_once")
        ]
        indexes = [models.Index(fields=["-received_at"], name="security_event_newest")]

    def __str__(self) -> str:
        return self.type
