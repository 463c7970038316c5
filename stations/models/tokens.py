"""Id tokens: what a driver shows to a charger, the groups that tokens form, and those that nobody knows."""

from django.db import models
from django.db.models.functions import Left, Length, Upper
from django.db.models.lookups import GreaterThan

from stations.models.locations import ChargingStation, Location, Operator


class TokenGroup(models.Model):
    """Own drivers' tokens that belong together: what OCPP 1.6 calls parentIdTag (section 3.6 and 7.27).

    Tokens name it in `group_id`, without regard to case; a partner's tokens have groups of the partner's own.
    """

    class Status(models.TextChoices):
        ACCEPTED = "Accepted"
        BLOCKED = "Blocked"

    uid = models.CharField(max_length=36)
    name = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACCEPTED)
    max_sessions = models.PositiveSmallIntegerField(
        null=True, blank=True
    )  # of its tokens together, at one time
    created_at = models.DateTimeField(auto_now_add=True)
    last_updated = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(Upper("uid"), name="token_group_key")]

    def __str__(self) -> str:
        return self.name or self.uid


class IdToken(models.Model):
    """An RFID card, app user or contract id. Our own drivers' tokens have no party; a partner's carry his.

    Compared without regard to case (OCPP CiString, OCPI CiString). `whitelist`, `contract_id` and the rest follow OCPI
    2.3.0 mod_tokens#Token; for our own tokens they may stay empty.
    """

    class Status(models.TextChoices):
        ACCEPTED = "Accepted"
        BLOCKED = "Blocked"
        EXPIRED = "Expired"
        INVALID = "Invalid"

    class Whitelist(models.TextChoices):
        ALWAYS = "ALWAYS"
        ALLOWED = "ALLOWED"
        ALLOWED_OFFLINE = "ALLOWED_OFFLINE"
        NEVER = "NEVER"

    uid = models.CharField(max_length=36)
    type = models.CharField(max_length=16, default="RFID")  # OCPI TokenType
    country_code = models.CharField(max_length=2, blank=True)  # '' means: our own driver
    party_id = models.CharField(max_length=3, blank=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACCEPTED)
    expires_at = models.DateTimeField(null=True, blank=True)
    contract_id = models.CharField(max_length=36, blank=True)
    visual_number = models.CharField(max_length=64, blank=True)
    issuer = models.CharField(max_length=64, blank=True)
    group_id = models.CharField(max_length=36, blank=True)  # OCPP 1.6 parentIdTag
    whitelist = models.CharField(max_length=16, choices=Whitelist.choices, default=Whitelist.ALWAYS)
    language = models.CharField(max_length=2, blank=True)
    default_profile_type = models.CharField(max_length=16, blank=True)
    energy_contract = models.JSONField(null=True, blank=True)
    name = models.CharField(max_length=100, blank=True)  # for the operator: whose it is
    max_sessions = models.PositiveSmallIntegerField(null=True, blank=True)  # at one time; null: any number
    # When power is short: -9 to 9, above others with a higher one (OCPP 2.1 IdTokenInfoType); null: as everybody.
    charging_priority = models.SmallIntegerField(null=True, blank=True)
    locations = models.ManyToManyField(Location, blank=True, related_name="+")  # both empty: charges anywhere
    operators = models.ManyToManyField(Operator, blank=True, related_name="+")
    # Kept by `authorization`: more than status and expiry decides (places, limits, its group). A plain start looks at
    # this one column only.
    is_restricted = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_updated = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Upper("uid"), "type", Upper("country_code"), Upper("party_id"), name="id_token_key"
            ),
            models.CheckConstraint(
                name="id_token_priority",
                condition=models.Q(charging_priority=None) | models.Q(charging_priority__range=(-9, 9)),
            ),
        ]
        indexes = [
            models.Index(fields=["country_code", "party_id", "id"], name="id_token_party"),
            models.Index(Upper("group_id"), name="id_token_group", condition=~models.Q(group_id="")),
            # A station may cut off a long one: it is found again by its beginning.
            models.Index(
                Upper(Left("uid", 16)),
                name="id_token_beginning",
                condition=models.Q(GreaterThan(Length("uid"), 16)),
            ),
        ]

    def __str__(self) -> str:
        return self.uid


class UnknownToken(models.Model):
    """A token that somebody showed and nobody knows: accept it, or ignore it. One row, however often it is shown."""

    uid = models.CharField(max_length=255)
    count = models.PositiveIntegerField(default=1)
    station = models.ForeignKey(
        ChargingStation, on_delete=models.SET_NULL, null=True, blank=True, related_name="unknown_tokens"
    )  # where it was shown last
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    is_ignored = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(Upper("uid"), name="unknown_token_key")]
        indexes = [models.Index(fields=["-last_at"], name="unknown_token_newest")]

    def __str__(self) -> str:
        return self.uid
