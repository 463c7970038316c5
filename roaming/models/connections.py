"""Partners: the platform that we talk to, the parties behind it, and the tokens that it shows us.

Authentication belongs to the platform (OCPI 2.2.1 transport_and_format#Authorization header), contracts and visibility
to the party: one platform may serve many parties.
"""

from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper

from roaming import keyring


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def registered(self) -> "ConnectionQuerySet":
        """Give the connections over which both sides may ask."""
        return self.filter(status=Connection.Status.REGISTERED)

    def sendable(self, moment: datetime) -> "ConnectionQuerySet":
        """Give those that we may send to now: neither paused, suspended nor waiting after failures."""
        open_again = Q(retry_at=None) | Q(retry_at__lte=moment)
        return self.registered().filter(open_again, is_paused=False, suspended_at=None)


class Connection(models.Model):
    """One OCPI connection to a platform: a partner's, or a hub's.

    `token_we_send_them` is stored encrypted; what they send us is in `InboundToken`. `endpoints` is their list for the
    negotiated version. `failures` and `retry_at` are the circuit breaker of everything that we send.
    """

    class Status(models.TextChoices):
        INVITED = "invited", "Token A given: waits for the partner to register"
        PREPARED = "prepared", "Partner's token A entered: waits for us to register"
        REGISTERED = "registered", "Registered"
        ENDED = "ended", "Unregistered"

    class Encoding(models.TextChoices):
        AUTO = "auto", "Find out"
        BASE64 = "base64", "Base64, as OCPI 2.2 says"
        RAW = "raw", "As it is, like many 2.1.1 platforms"

    name = models.CharField(max_length=100, unique=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.INVITED)
    version = models.CharField(max_length=8, blank=True)  # negotiated OCPI version
    versions_url = models.CharField(max_length=255, blank=True)
    endpoints = models.JSONField(default=list, blank=True)  # [{identifier, role, url}]
    push_modules = ArrayField(models.CharField(max_length=32), default=list, blank=True)  # they receive these
    is_hub = models.BooleanField(default=False)
    profile = models.CharField(max_length=32, default="standard")  # quirks: roaming.profiles
    auth_encoding = models.CharField(max_length=6, choices=Encoding.choices, default=Encoding.AUTO)
    token_out = models.TextField(blank=True)  # encrypted; use `token_we_send_them`
    created_at = models.DateTimeField()
    registered_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    credentials_at = models.DateTimeField(null=True, blank=True)  # of the last exchange of tokens

    is_paused = models.BooleanField(default=False)  # by an operator: rows stay due
    suspended_at = models.DateTimeField(null=True, blank=True)  # they refuse our token
    failures = models.PositiveIntegerField(default=0)  # in a row
    refusals = models.PositiveIntegerField(default=0)  # HTTP 401 or 403 in a row
    retry_at = models.DateTimeField(null=True, blank=True)  # nothing is sent before
    last_success_at = models.DateTimeField(null=True, blank=True)
    last_failure_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=255, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)  # their last request
    clock_skew_s = models.IntegerField(default=0)  # their clock minus ours, seconds

    tokens_pulled_at = models.DateTimeField(
        null=True, blank=True
    )  # watermark: their tokens up to then are here
    tokens_tried_at = models.DateTimeField(null=True, blank=True)
    network_swept_at = models.DateTimeField(null=True, blank=True)  # locations up to then have been looked at
    session_watermark = models.BigIntegerField(default=0)  # sessions up to this id have been looked at
    cdr_watermark = models.BigIntegerField(default=0)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def token_we_send_them(self) -> str:
        """The credentials token for our requests, in clear; raises keyring.UnreadableSecret."""
        return keyring.decrypt(self.token_out)

    @token_we_send_them.setter
    def token_we_send_them(self, token: str) -> None:
        self.token_out = keyring.encrypt(token)

    @property
    def is_registered(self) -> bool:
        return self.status == self.Status.REGISTERED

    def endpoint(self, identifier: str, role: str) -> str | None:
        """Return the partner's URL of a module in that role, or None; credentials have no role that counts."""
        for endpoint in self.endpoints:
            if endpoint["identifier"] == identifier and (
                endpoint["role"] == role or identifier == "credentials"
            ):
                url: str = endpoint["url"]
                return url
        return None

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save, with `push_modules` following `endpoints`."""
        self.push_modules = sorted(
            {e["identifier"] for e in self.endpoints if e["role"] == "RECEIVER"}
            & {"locations", "tariffs", "sessions", "cdrs"}
        )
        if kwargs.get("update_fields") is not None and "endpoints" in kwargs["update_fields"]:
            kwargs["update_fields"] = [*kwargs["update_fields"], "push_modules"]
        super().save(*args, **kwargs)


class InboundToken(models.Model):
    """A credentials token that the partner shows us: only its keyed hash and first characters are kept.

    Purpose `registration` is OCPI's CREDENTIALS_TOKEN_A: good for versions and credentials only, gone once its
    successor is used. `pending` is a token that we offer in a request of ours: the partner shows it while he answers.
    Several `access` tokens live side by side while one replaces another.
    """

    class Purpose(models.TextChoices):
        REGISTRATION = "registration"
        PENDING = "pending"
        ACCESS = "access"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="inbound_tokens")
    purpose = models.CharField(max_length=12, choices=Purpose.choices)
    digest = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(max_length=keyring.PREFIX_LENGTH)
    encoding = models.CharField(max_length=6, blank=True)  # as they send it: base64 or raw
    created_at = models.DateTimeField()
    spent_at = models.DateTimeField(null=True, blank=True)  # a registration was completed with it
    expires_at = models.DateTimeField(null=True, blank=True)
    first_used_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_from = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.purpose} {self.prefix}…"


class PartyQuerySet(models.QuerySet["RemoteParty"]):
    def active(self) -> "PartyQuerySet":
        return self.filter(is_active=True)

    def of_drivers(self) -> "PartyQuerySet":
        """Give the parties whose drivers charge: they own tokens, and so sessions and CDRs."""
        return self.active().filter(role=RemoteParty.EMSP)


class RemoteParty(models.Model):
    """A party behind a connection, in one role (OCPI 2.3.0 credentials#CredentialsRole); codes in upper case."""

    EMSP = "EMSP"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="parties")
    role = models.CharField(max_length=16)
    country_code = models.CharField(max_length=2)
    party_id = models.CharField(max_length=3)
    key = models.CharField(max_length=6)  # 'NL*ABC', as in ChargingSession.party and Cdr.party
    name = models.CharField(max_length=100, blank=True)
    website = models.CharField(max_length=255, blank=True)
    is_active = models.BooleanField(default=True)

    objects = PartyQuerySet.as_manager()

    class Meta:
        ordering = ["role", "key"]
        constraints = [
            # Two platforms that claim one party would both see its drivers' sessions.
            models.UniqueConstraint(
                "role", Upper("key"), name="remote_party_active", condition=Q(is_active=True)
            ),
            models.UniqueConstraint(
                fields=["connection", "role", "country_code", "party_id"], name="remote_party_once"
            ),
        ]
        indexes = [models.Index(fields=["key"], name="remote_party_key")]

    def __str__(self) -> str:
        return f"{self.key} ({self.role})"
