"""Sockets: who connected when, who was refused and why, who knocks without being known."""

from django.db import models

from stations.models.locations import ChargingStation


class ConnectionEvent(models.Model):
    """One authenticated connection of a station, from its opening to its end."""

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="connections")
    epoch = models.BigIntegerField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    close_code = models.PositiveIntegerField(null=True, blank=True)
    closed_by = models.CharField(max_length=16, blank=True)  # peer, us, takeover, restart
    close_reason = models.CharField(max_length=128, blank=True)
    remote_address = models.CharField(max_length=64, blank=True)
    subprotocol = models.CharField(max_length=16, blank=True)
    offered_subprotocols = models.CharField(max_length=255, blank=True)
    user_agent = models.CharField(max_length=255, blank=True)
    is_tls = models.BooleanField(default=False)
    security_profile = models.PositiveSmallIntegerField(null=True, blank=True)  # with which it came in
    tls_version = models.CharField(
        max_length=16, blank=True
    )  # empty behind a proxy, which keeps it to itself
    tls_cipher = models.CharField(max_length=64, blank=True)
    certificate = models.CharField(
        max_length=64, blank=True
    )  # SHA-256 of the client certificate's DER, in hex
    frames_in = models.PositiveBigIntegerField(default=0)
    frames_out = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "epoch"], name="connection_epoch")]


class HandshakeRejection(models.Model):
    """Refused handshakes, one row per identity, address and reason, with a count."""

    class Reason(models.TextChoices):
        UNKNOWN_IDENTITY = "unknown_identity"
        BAD_IDENTITY = "bad_identity"
        NO_AUTH = "no_auth"
        BAD_AUTH_HEADER = "bad_auth_header"
        USERNAME_MISMATCH = "username_mismatch"
        BAD_PASSWORD = "bad_password"  # noqa: S105 - a reason, not a password
        PROFILE = "profile"
        SUBPROTOCOL = "subprotocol"
        RATE_LIMITED = "rate_limited"
        REGISTRATION = "registration_rejected"
        NO_CERTIFICATE = "no_certificate"
        BAD_CERTIFICATE = "bad_certificate"
        CERTIFICATE_EXPIRED = "certificate_expired"
        CERTIFICATE_REVOKED = "certificate_revoked"
        CERTIFICATE_IDENTITY = "certificate_identity"  # its CN is not the station's, its O not ours
        DUPLICATE = "duplicate_connection"
        OVERLOAD = "overload"

    identity = models.CharField(max_length=255)
    remote_address = models.CharField(max_length=64)
    reason = models.CharField(max_length=24, choices=Reason.choices)
    user_agent = models.CharField(max_length=255, blank=True)
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["identity", "remote_address", "reason"], name="rejection_kind")
        ]
        indexes = [models.Index(fields=["-last_at"], name="rejection_newest")]


class OnboardingStation(models.Model):
    """A station that knocked with an identity nobody registered: accept it with one click, or ignore it."""

    identity = models.CharField(max_length=48, unique=True)
    remote_address = models.CharField(max_length=64)
    user_agent = models.CharField(max_length=255, blank=True)
    subprotocols = models.CharField(max_length=255, blank=True)
    attempts = models.PositiveIntegerField(default=1)
    had_password = models.BooleanField(default=False)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    is_ignored = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["-last_at"], name="onboarding_newest")]

    def __str__(self) -> str:
        return self.identity
