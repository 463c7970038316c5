"""What a session looked like when it started."""

from django.db import models

from billing.models.tariffs import TariffVersion
from stations.models import ChargingSession, Operator


class SessionSnapshot(models.Model):
    """Location, EVSE, connector, token and tariff as they were at session start (OCPI 2.3.0 mod_cdrs#CDR).

    Shapes of OCPI 2.3.0, decimals as strings; `{}` where the station had no location or no such connector.
    `operator` is the party in whose name the session is billed; null when nobody can say.
    """

    session = models.OneToOneField(ChargingSession, on_delete=models.CASCADE, related_name="snapshot")
    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, null=True, blank=True)
    tariff_version = models.ForeignKey(TariffVersion, on_delete=models.PROTECT, null=True, blank=True)
    time_zone = models.CharField(max_length=255)  # IANA name, of the location
    location = models.JSONField(default=dict)
    evse = models.JSONField(default=dict)
    connector = models.JSONField(default=dict)
    token = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"snapshot of session {self.session_id}"
