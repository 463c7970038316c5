"""The power of a site: its fuses as a tree, which outlets hang on them, what the building draws."""

from decimal import Decimal

from django.db import models

from stations.models.locations import Evse, Location, new_uid


class PowerNode(models.Model):
    """One fuse of a site; currents in A per phase. Each tree has one node without a parent: its grid connection."""

    class Rule(models.TextChoices):
        FAIR = "fair", "Evenly"
        PRIORITY = "priority", "By priority"

    class Meter(models.TextChoices):
        BUILDING = "building", "The building without vehicles"
        TOTAL = "total", "All that flows through the fuse"

    uid = models.CharField(max_length=36, unique=True, default=new_uid)
    location = models.ForeignKey(Location, on_delete=models.CASCADE, related_name="power_nodes")
    parent = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="children"
    )
    name = models.CharField(max_length=100)
    limit_l1_a = models.DecimalField(max_digits=7, decimal_places=1)
    limit_l2_a = models.DecimalField(max_digits=7, decimal_places=1)
    limit_l3_a = models.DecimalField(max_digits=7, decimal_places=1)
    # The next four are those of the topmost node and hold for the whole site.
    rule = models.CharField(max_length=8, choices=Rule.choices, default=Rule.FAIR)
    is_active = models.BooleanField(default=True)  # whether shares are given; safe limits lie there anyway
    voltage_v = models.DecimalField(max_digits=5, decimal_places=1, default=Decimal(230))  # phase to neutral
    safe_at = models.DateTimeField(null=True, blank=True)  # safe limits were computed; None: they must be

    meter = models.CharField(max_length=8, choices=Meter.choices, default=Meter.BUILDING)  # what it measures
    assumed_a = (
        models.DecimalField(  # of the building on each phase, while no meter tells; None: see `building`
            max_digits=7, decimal_places=1, null=True, blank=True
        )
    )
    meter_l1_a = models.DecimalField(max_digits=7, decimal_places=1, null=True, blank=True)
    meter_l2_a = models.DecimalField(max_digits=7, decimal_places=1, null=True, blank=True)
    meter_l3_a = models.DecimalField(max_digits=7, decimal_places=1, null=True, blank=True)
    metered_at = models.DateTimeField(null=True, blank=True)
    balanced_at = models.DateTimeField(null=True, blank=True)
    last_updated = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["location", "name"], name="power_node_name")]
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class PowerOutlet(models.Model):
    """An EVSE on a fuse: how it is wired there, what it may ask for, and what it was given last (A per phase)."""

    evse = models.OneToOneField(Evse, on_delete=models.CASCADE, related_name="power_outlet")
    node = models.ForeignKey(PowerNode, on_delete=models.CASCADE, related_name="outlets")
    rotation = models.CharField(
        max_length=3, default="123"
    )  # phases of the grid behind L1, L2, L3 of the outlet
    priority = models.SmallIntegerField(default=0)  # the higher is served first
    minimum_a = models.DecimalField(max_digits=5, decimal_places=1, default=6)
    maximum_a = models.DecimalField(max_digits=5, decimal_places=1, default=32)
    safe_wanted_a = models.DecimalField(  # by the operator; None: an even share
        max_digits=5, decimal_places=1, null=True, blank=True
    )
    efficiency_percent = models.DecimalField(max_digits=4, decimal_places=1, default=Decimal(94))  # DC only
    power_factor = models.DecimalField(max_digits=3, decimal_places=2, default=Decimal("0.98"))  # DC only

    safe_a = models.DecimalField(
        max_digits=5, decimal_places=1, null=True, blank=True
    )  # installed as default
    given_a = models.DecimalField(
        max_digits=5, decimal_places=1, null=True, blank=True
    )  # its share last time
    until = models.DateTimeField(null=True, blank=True)  # the limit that was told ends then
    drawn_a = models.DecimalField(max_digits=5, decimal_places=1, null=True, blank=True)  # measured last
    why = models.JSONField(default=dict, blank=True)  # what decided: {why, fuse, phase, …}, see `balancing`
    below_since = models.DateTimeField(null=True, blank=True)  # it draws less than its share since then
    above_since = models.DateTimeField(null=True, blank=True)  # it draws more than it may since then
    session_id = models.BigIntegerField(null=True, blank=True)  # whom the next two are about
    used = models.CharField(
        max_length=3, blank=True
    )  # its own phases that the vehicle draws from; '' unknown
    served_s = models.PositiveIntegerField(default=0)  # for so long it was given anything

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.node_id}: {self.evse_id}"


class MeterReading(models.Model):
    """What a building's meter told, one a minute at the most: for days that are replayed. A on each phase."""

    node = models.ForeignKey(PowerNode, on_delete=models.CASCADE, related_name="readings")
    at = models.DateTimeField()
    l1_a = models.DecimalField(max_digits=7, decimal_places=1)
    l2_a = models.DecimalField(max_digits=7, decimal_places=1)
    l3_a = models.DecimalField(max_digits=7, decimal_places=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node", "at"], name="meter_reading_once")]

    def __str__(self) -> str:
        return f"{self.node_id} {self.at}"
