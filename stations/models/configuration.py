"""What stations of one model or site shall be set to: templates of desired values, for every OCPP version."""

from django.db import models

from stations.models.locations import Location, Operator


class ConfigurationTemplate(models.Model):
    """Desired values for the stations that it fits; an empty criterion fits every station.

    Of several that fit, the more particular one wins: location before model before vendor before operator. A wish for
    a single station wins over all. `applied_at` and `applied_through` say how far the stations' rows follow it.
    """

    name = models.CharField(max_length=100, unique=True)
    operator = models.ForeignKey(Operator, on_delete=models.CASCADE, null=True, blank=True)
    location = models.ForeignKey(Location, on_delete=models.CASCADE, null=True, blank=True)
    vendor = models.CharField(max_length=255, blank=True)  # as the station says at boot, case aside
    model = models.CharField(max_length=255, blank=True)
    is_enforced = models.BooleanField(default=False)  # drift is corrected by itself, guarded keys excepted
    updated_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True, blank=True)
    applied_through = models.BigIntegerField(
        default=0
    )  # id of the last station that follows the newest version

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def rank(self) -> tuple[bool, bool, bool, bool, int]:
        """How particular it is: the highest that fits wins."""
        return (
            self.location_id is not None,
            bool(self.model),
            bool(self.vendor),
            self.operator_id is not None,
            self.pk,
        )


class TemplateValue(models.Model):
    """One desired value of a template; 1.6 keys have no component."""

    template = models.ForeignKey(ConfigurationTemplate, on_delete=models.CASCADE, related_name="values")
    component = models.CharField(max_length=50, blank=True)
    component_instance = models.CharField(max_length=50, blank=True, default="")
    evse_number = models.IntegerField(default=0)
    connector_number = models.IntegerField(default=0)
    instance = models.CharField(max_length=50, blank=True)
    name = models.CharField(max_length=50)
    value = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "template", "component", "component_instance", "evse_number", "connector_number",
                    "instance", "name",
                ],
                name="template_value_once",
            )
        ]  # fmt: skip
        ordering = ["component", "evse_number", "connector_number", "component_instance", "instance", "name"]

    def __str__(self) -> str:
        return self.name
