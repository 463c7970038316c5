"""Who may use the console and the API, and what they did.

`Membership` gives a console user a role and a scope, `ApiToken` does the same for a program, `AuditEvent` remembers
each change that either made. What a role may do and what a scope shows is decided in `cpo.access` alone.
"""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.aggregates import ArrayAgg
from django.db import models


class Role(models.TextChoices):
    """What somebody is here for; the table of actions is `cpo.access.ACTIONS`."""

    VIEWER = "viewer"
    SUPPORT = "support"
    OPERATOR = "operator"
    PRICING = "pricing"
    FINANCE = "finance"
    ROAMING = "roaming"
    ADMIN = "admin"
    AUDITOR = "auditor"


class GrantQuerySet(models.QuerySet[Any]):
    def with_scope(self) -> "GrantQuerySet":
        """Add `scope_operators` and `scope_locations` (lists of ids), so that a grant is read in one query."""
        rows: GrantQuerySet = self.annotate(
            scope_operators=ArrayAgg("operators", distinct=True, default=models.Value([])),
            scope_locations=ArrayAgg("locations", distinct=True, default=models.Value([])),
        )
        return rows


class Grant(models.Model):
    """A role and a scope. No operator and no location means the whole network; both together mean both must fit."""

    role = models.CharField(max_length=8, choices=Role.choices)
    operators = models.ManyToManyField("stations.Operator", blank=True)
    locations = models.ManyToManyField("stations.Location", blank=True)

    objects = GrantQuerySet.as_manager()

    class Meta:
        abstract = True


class Membership(Grant):
    """The grant of a console user. A superuser needs none: he is admin of the whole network."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="membership")

    def __str__(self) -> str:
        return f"{self.user_id}: {self.role}"


class ApiToken(Grant):
    """The grant of a program. The secret is shown once; the row keeps its HMAC-SHA256 (`cpo.api.authentication`)."""

    name = models.CharField(max_length=100)
    prefix = models.CharField(
        max_length=12, unique=True
    )  # the part of the token that may be shown and logged
    digest = models.BinaryField(max_length=32)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)  # written at most once a minute

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class AuditEvent(models.Model):
    """One change that somebody asked for, whether it was made or refused. Append-only: a trigger refuses the rest.

    Actor and object are named by words and ids without foreign keys, so that the record outlives both.
    """

    class Channel(models.TextChoices):
        API = "api"
        CONSOLE = "console"
        SHELL = "shell"

    at = models.DateTimeField()
    channel = models.CharField(max_length=8, choices=Channel.choices)
    actor = models.CharField(max_length=150)  # 'user:ada', 'token:billing export'
    actor_id = models.BigIntegerField(null=True)  # of the user or API token
    role = models.CharField(max_length=8, blank=True)
    address = models.CharField(max_length=64, blank=True)  # of the network peer
    action = models.CharField(max_length=64)  # 'station.write', 'command.dangerous', …
    object_type = models.CharField(max_length=32, blank=True)  # 'station', 'token', …
    object_id = models.CharField(max_length=255, blank=True)
    outcome = models.PositiveSmallIntegerField(default=200)  # HTTP status that the actor was given
    facts = models.JSONField(default=dict)  # never a secret

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["-at", "-id"], name="audit_newest"),
            models.Index(fields=["object_type", "object_id", "-id"], name="audit_of_object"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object_type}:{self.object_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store a new event; raise TypeError for one that is already stored."""
        if self.pk is not None:
            raise TypeError("an audit event cannot be changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Raise TypeError: the record stays."""
        raise TypeError("an audit event cannot be deleted")
