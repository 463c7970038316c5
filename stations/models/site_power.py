"""The power of a site: its fuses as a tree, which outlets hang on them, what the building draws."""

from django.db import models

from stations.models.locations import Evse, Location, new_uid


class PowerNode(models.Model):
    """One fuse of a site; currents in A per phase. Each tree has one node without a parent: its grid connection."""

    class Rule(models.TextChoices):
        FAIR = "fair", "Evenly"
        PRIORITY = "priority", "By priority"

    uid = models.CharField(max_length=36, unique=True, default=new_uid)
    location = models.ForeignKey(Location, on_delete=models.CASCADE, related_name="power_nodes")
    parent = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="children"
    )
    name = models.CharField(max_length=100)
    limit_l1_a = models.DecimalField(max_digits=7, decimal_places=1)
    limit_l2_a = models.DecimalField(max_digits=7, decimal_places=1)
    limit_l3_a = models.DecimalField(max_digits=7, decimal_places=1)
    rule = models.CharField(max_length=8, choices=Rule.choices, default=Rule.FAIR)  # of the topmost node
    is_active = models.BooleanField(default=True)  # of the topmost node: whether the site is balanced
    meter_l1_a = models.DecimalField(max_digits=7, decimal_places=1, null=True, blank=True)
    meter_l2_a = models.DecimalField(max_digits=7, decimal_places=1, null=True, blank=True)
    meter_l3_a = models.DecimalField(max_digits=7, decimal_places=1, null=True, blank=True)
    metered_at = models.DateTimeField(
        null=True, blank=True
    )  # what the building draws there, without vehicles
    balanced_at = models.DateTimeField(null=True, blank=True)
    last_updated = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["location", "name"], name="power_node_name")]
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class PowerOutlet(models.Model):
    """An EVSE on a fuse: how it is wired there and what it may ask for."""

    evse = models.OneToOneField(Evse, on_delete=models.CASCADE, related_name="power_outlet")
    node = models.ForeignKey(PowerNode, on_delete=models.CASCADE, related_name="outlets")
    rotation = models.CharField(
        max_length=3, default="123"
    )  # phases of the grid behind L1, L2, L3 of the outlet
    priority = models.SmallIntegerField(default=0)  # the higher is served first
    minimum_a = models.DecimalField(max_digits=5, decimal_places=1, default=6)
    maximum_a = models.DecimalField(max_digits=5, decimal_places=1, default=32)
    safe_a = models.DecimalField(
        max_digits=5, decimal_places=1, null=True, blank=True
    )  # installed as default
    given_a = models.DecimalField(
        max_digits=5, decimal_places=1, null=True, blank=True
    )  # its share last time
    until = models.DateTimeField(null=True, blank=True)  # the limit that was told ends then
    below_since = models.DateTimeField(null=True, blank=True)  # it draws less than its share since then

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.node_id}: {self.evse_id}"
