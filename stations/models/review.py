"""What needs a human: facts that were stored and answered, but make no sense by themselves."""

from django.db import models

from stations.models.locations import ChargingStation
from stations.models.sessions import ChargingSession


class ReviewItem(models.Model):
    """One thing for an operator to look at, with what to do next told by its kind."""

    class Kind(models.TextChoices):
        UNMATCHED_STOP = "unmatched_stop", "Stop for an unknown transaction"
        UNAUTHORISED_ENERGY = "unauthorised_energy", "Energy without authorisation"
        ODD_READINGS = "odd_readings", "Readings that make no sense"
        STALE_SESSION = "stale_session", "Session without a sign of life"
        BAD_FRAME = "bad_frame", "Frame that could not be understood"
        BILLING_FAILED = "billing_failed", "Session that could not be billed"
        PARTNER_REFUSED = "partner_refused", "Partner refused an object"
        SECURITY_EVENT = "security_event", "Critical security event"
        CERTIFICATE_WANTED = "certificate_wanted", "Station asks for a certificate"
        CERTIFICATE_EXPIRES = "certificate_expires", "Certificate expires soon"
        CHARGING_PROFILE = "charging_profile", "Charging profile not in force"
        DUPLICATE_CONNECTION = "duplicate_connection", "Two connections with one identity"
        FIRMWARE = "firmware", "Firmware update failed"
        FLOOD = "flood", "Station sends too much"
        LOCAL_LIST = "local_list", "Local list not in step"
        SECURITY_PROFILE = "security_profile", "Change of security profile or password failed"
        STATION_ALERT = "station_alert", "Station reports a fault"
        SILENT_STATION = "silent_station", "Station without a sign of life"
        COMMAND_OUTCOME = "command_outcome", "Outcome of a command not acted upon"

    kind = models.CharField(max_length=24, choices=Kind.choices)
    key = models.CharField(max_length=100, unique=True)  # business key: the same fact raises one item
    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, null=True, blank=True, related_name="review_items"
    )
    session = models.ForeignKey(
        ChargingSession, on_delete=models.CASCADE, null=True, blank=True, related_name="review_items"
    )
    summary = models.CharField(max_length=255)
    facts = models.JSONField(default=dict)
    count = models.PositiveIntegerField(default=1)
    raised_at = models.DateTimeField()
    last_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=100, blank=True)
    resolution = models.CharField(max_length=255, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["-raised_at"], name="review_open", condition=models.Q(resolved_at=None))
        ]

    def __str__(self) -> str:
        return self.summary
