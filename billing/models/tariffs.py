"""Tariffs: the OCPI object, its versions, and where and when it applies."""

from django.db import models
from django.db.models.functions import Upper

from stations.models import Connector, Evse, Location, Operator


class Tariff(models.Model):
    """A tariff as partners and drivers know it (OCPI 2.3.0 mod_tariffs#Tariff); versions hold its content.

    `currency` and `type` repeat the newest version for lists and filters.
    """

    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="tariffs")
    uid = models.CharField(max_length=36)  # OCPI Tariff.id, compared without regard to case
    currency = models.CharField(max_length=3)  # ISO 4217
    type = models.CharField(max_length=16, blank=True)  # OCPI TariffType; '': for every session
    is_active = models.BooleanField(default=True)  # False: withdrawn, no new session gets it
    last_updated = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint("operator", Upper("uid"), name="tariff_uid")]
        indexes = [models.Index(fields=["last_updated", "id"], name="tariff_newest")]

    def __str__(self) -> str:
        return self.uid


class TariffVersion(models.Model):
    """What a tariff said from `valid_from` until the next version. Never changed: a trigger refuses it."""

    tariff = models.ForeignKey(Tariff, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()  # 1, 2, 3, …
    data = models.JSONField()  # OCPI 2.3.0 shape, decimals as strings
    valid_from = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tariff", "number"], name="tariff_version_number"),
        ]
        indexes = [models.Index(fields=["tariff", "valid_from", "number"], name="tariff_version_valid")]

    def __str__(self) -> str:
        return f"{self.tariff} v{self.number}"


class TariffAssignment(models.Model):
    """A tariff applies at one connector, EVSE, location or everywhere at an operator, for a time.

    The most specific one wins. Rows are ended, not deleted: a session that arrives late is priced as it would
    have been at its start.
    """

    tariff = models.ForeignKey(Tariff, on_delete=models.PROTECT, related_name="assignments")
    connector = models.ForeignKey(
        Connector, on_delete=models.CASCADE, null=True, blank=True, related_name="tariff_assignments"
    )
    evse = models.ForeignKey(
        Evse, on_delete=models.CASCADE, null=True, blank=True, related_name="tariff_assignments"
    )
    location = models.ForeignKey(
        Location, on_delete=models.CASCADE, null=True, blank=True, related_name="tariff_assignments"
    )
    operator = models.ForeignKey(
        Operator, on_delete=models.CASCADE, null=True, blank=True, related_name="tariff_assignments"
    )
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="tariff_assignment_one_target",
                condition=(
                    models.Q(connector__isnull=False, evse=None, location=None, operator=None)
                    | models.Q(connector=None, evse__isnull=False, location=None, operator=None)
                    | models.Q(connector=None, evse=None, location__isnull=False, operator=None)
                    | models.Q(connector=None, evse=None, location=None, operator__isnull=False)
                ),
            )
        ]

    def __str__(self) -> str:
        return f"{self.tariff} at {self.target}"

    @property
    def target(self) -> Connector | Evse | Location | Operator | None:
        """Where it applies."""
        return self.connector or self.evse or self.location or self.operator
