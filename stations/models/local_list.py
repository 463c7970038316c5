"""Local authorization lists: what each station may decide without asking, and how far it is in step.

Contents are shared: stations that shall have the same list point to the same row, so that a thousand stations and a
hundred thousand tokens make a handful of rows.
"""

from django.db import models

from stations.models.locations import ChargingStation, Location


class LocalListContent(models.Model):
    """The entries of a list by uid, each `[uid, type, expires at (ISO 8601) or "", group id]`."""

    digest = models.CharField(max_length=64, unique=True)  # of entries and counts
    entries = models.JSONField(default=list)
    size = models.PositiveIntegerField(default=0)
    left_out = models.PositiveIntegerField(default=0)  # did not fit into the station
    too_long = models.PositiveIntegerField(default=0)  # have a uid that the station cannot be told
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.size} entries"


class LocalList(models.Model):
    """One station's list (OCPP 1.6 section 3.5.2, 2.x block D): what it has, what it shall have, what is going on."""

    class Mode(models.TextChoices):
        BY_SITE = "", "as its site"
        ON = "on"
        OFF = "off"

    class State(models.TextChoices):
        OFF = "off"  # not wanted, and none is there
        STALE = "stale"  # something is to be asked or sent
        ASKING = "asking"  # its version is being asked for
        SENDING = "sending"
        IN_STEP = "in_step"
        FAILED = "failed"  # the station did not take it; tried again at `next_try_at`
        UNSUPPORTED = "unsupported"  # the station says that it has no such list

    station = models.OneToOneField(ChargingStation, on_delete=models.CASCADE, related_name="local_list")
    mode = models.CharField(max_length=3, choices=Mode.choices, default=Mode.BY_SITE, blank=True)
    is_on = models.BooleanField(default=False)  # what mode, site and installation come to
    state = models.CharField(max_length=12, choices=State.choices, default=State.OFF)
    max_entries = models.PositiveIntegerField(null=True, blank=True)  # as the station says; null: it does not
    wanted = models.ForeignKey(
        LocalListContent, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    content = models.ForeignKey(
        LocalListContent, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )  # what the station has accepted; null: not known, so it gets a whole list
    target = models.ForeignKey(
        LocalListContent, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )  # what is being sent
    version = models.BigIntegerField(default=0)  # of what the station accepted last, or is being sent
    reported_version = models.BigIntegerField(null=True, blank=True)  # -1: not supported, 0: empty
    reported_at = models.DateTimeField(null=True, blank=True)
    position = models.PositiveIntegerField(default=0)  # entries of the update that the station has accepted
    part = models.PositiveIntegerField(default=0)  # entries in the request under way
    command_uid = models.CharField(max_length=36, blank=True)  # whose outcome is awaited
    tries = models.PositiveSmallIntegerField(default=0)  # in a row that came to nothing
    next_try_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=255, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)  # when the last update was accepted whole
    changed_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["next_try_at"],
                name="local_list_due",
                condition=models.Q(state__in=["stale", "failed", "in_step"]),
            )
        ]

    def __str__(self) -> str:
        return f"local list of {self.station_id}"


class LocalListSite(models.Model):
    """Whether the stations of a site get a local list; without a row the installation's setting decides."""

    location = models.OneToOneField(
        Location, on_delete=models.CASCADE, primary_key=True, related_name="local_list_rule"
    )
    is_on = models.BooleanField()


class LocalListMark(models.Model):
    """Something that lists are made of has changed: written with the change, taken away when lists are made anew."""

    at = models.DateTimeField(auto_now_add=True)
