"""Id tokens: what a driver shows to a charger."""

from django.db import models
from django.db.models.functions import Upper


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
    created_at = models.DateTimeField(auto_now_add=True)
    last_updated = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Upper("uid"), "type", Upper("country_code"), Upper("party_id"), name="id_token_key"
            )
        ]
        indexes = [models.Index(fields=["country_code", "party_id", "id"], name="id_token_party")]

    def __str__(self) -> str:
        return self.uid
