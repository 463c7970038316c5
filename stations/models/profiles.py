"""Charging profiles: the operator's library, what shall lie on each station, what stations say about it.

Words are those of OCPP 2.1. Limits are in the schedule's rate unit: W for all phases together, A for each phase.
"""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from stations.models.locations import ChargingStation, Operator, new_uid
from stations.models.sessions import ChargingSession


class ProfileTemplate(models.Model):
    """A charging profile of the library, without a station: what an operator installs again and again.

    `periods` is a list of `{"start_s", "limit", "number_phases"}`, ordered; `start_s` counts from the start of the
    schedule: of the transaction (Relative), from `start_at` (Absolute), from midnight (Daily) or from Monday midnight
    (Weekly), by the site's wall clock if `is_local_time`, else in UTC.
    """

    class Purpose(models.TextChoices):
        STATION_MAX = "ChargingStationMaxProfile", "Maximum of the station"
        TX_DEFAULT = "TxDefaultProfile", "Default of transactions"
        TX = "TxProfile", "One transaction"

    class Kind(models.TextChoices):
        RELATIVE = "Relative", "From the start of charging"
        ABSOLUTE = "Absolute", "From a moment on"
        RECURRING = "Recurring", "Every day or week"

    class Recurrency(models.TextChoices):
        DAILY = "Daily", "every day"
        WEEKLY = "Weekly", "every week"

    class RateUnit(models.TextChoices):
        A = "A", "A on each phase"
        W = "W", "W on all phases"

    uid = models.CharField(max_length=36, unique=True, default=new_uid)
    operator = models.ForeignKey(Operator, on_delete=models.CASCADE, related_name="profile_templates")
    name = models.CharField(max_length=100)
    purpose = models.CharField(max_length=40, choices=Purpose.choices, default=Purpose.TX_DEFAULT)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.RELATIVE)
    recurrency = models.CharField(max_length=8, choices=Recurrency.choices, blank=True)
    rate_unit = models.CharField(max_length=1, choices=RateUnit.choices, default=RateUnit.A)
    stack_level = models.PositiveSmallIntegerField(default=0)
    periods = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    start_at = models.DateTimeField(null=True, blank=True)  # Absolute only; none: when it is installed
    duration_s = models.PositiveIntegerField(null=True, blank=True)
    min_charging_rate = models.DecimalField(max_digits=12, decimal_places=1, null=True, blank=True)
    is_local_time = models.BooleanField(default=True)  # Recurring only
    valid_from = models.DateTimeField(null=True, blank=True)
    valid_to = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    last_updated = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["operator", "name"], name="profile_template_name")]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class InstalledProfile(models.Model):
    """One charging profile of one station: what is wished for, what was sent, what is known to lie there.

    `wish` is the profile as it was asked for, `profile` as it was fitted to this station and sent, `on_station` as it
    lies there (all ChargingProfileType of OCPP 2.1); `adaptations` says in words what was fitted. `evse_number` 0 is
    the whole station. While `is_wanted`, it is sent again after a boot and after an answer that never came.
    """

    class State(models.TextChoices):
        WANTED = "wanted", "to be sent"
        SENT = "sent", "sent, not answered yet"
        INSTALLED = "installed", "installed"
        UNKNOWN = "unknown", "sent, never answered"
        DISPLACED = "displaced", "set aside by another profile"
        STANDING = "standing", "given to each transaction"
        REFUSED = "refused", "refused by the station"
        CLEARED = "cleared", "cleared"
        ENDED = "ended", "over"

    LIVE = (State.WANTED, State.SENT, State.INSTALLED, State.UNKNOWN, State.DISPLACED, State.STANDING)

    uid = models.CharField(max_length=36, unique=True, default=new_uid)
    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="charging_profiles")
    evse_number = models.PositiveIntegerField(default=0)  # 0: the whole station
    session = models.ForeignKey(
        ChargingSession, on_delete=models.CASCADE, null=True, blank=True, related_name="charging_profiles"
    )
    template = models.ForeignKey(
        ProfileTemplate, on_delete=models.SET_NULL, null=True, blank=True, related_name="installed"
    )
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="parts")
    source = models.CharField(max_length=32, default="operator")  # who manages it: operator, load_balancer, …
    profile_id = models.IntegerField()  # chargingProfileId on the station; its own may be negative
    purpose = models.CharField(max_length=40)  # as on the station; `wish` holds the one asked for
    stack_level = models.PositiveSmallIntegerField(default=0)
    wish = models.JSONField(encoder=DjangoJSONEncoder)
    profile = models.JSONField(encoder=DjangoJSONEncoder)
    on_station = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)  # what was accepted last
    adaptations = models.JSONField(default=list, blank=True)
    valid_to = models.DateTimeField(null=True, blank=True)
    utc_offset_s = models.IntegerField(null=True, blank=True)  # of the site's clock, laid into `profile`

    is_wanted = models.BooleanField(default=True)
    may_fall_back = models.BooleanField(default=True)
    state = models.CharField(max_length=9, choices=State.choices, default=State.WANTED)
    answers = models.JSONField(default=list, blank=True)  # what the station said to each rung of the ladder
    detail = models.CharField(max_length=255, blank=True)  # last error or reason
    command = models.CharField(max_length=36, blank=True)  # uid of the last command about it
    tries = models.PositiveSmallIntegerField(default=0)  # without an answer
    next_try_at = models.DateTimeField(null=True, blank=True)
    is_verified = models.BooleanField(null=True)  # by GetCompositeSchedule; None: not known
    epoch = models.BigIntegerField(default=0)  # of the connection on which it was last confirmed
    boot_count = models.PositiveIntegerField(default=0)  # of the station when it was last confirmed

    requested_by = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    installed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    last_updated = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["station", "profile_id"],
                name="profile_id_once",
                condition=Q(state__in=["wanted", "sent", "installed", "unknown", "displaced", "standing"]),
            )
        ]
        indexes = [
            models.Index(fields=["station", "-id"], name="profile_of_station"),
            models.Index(
                fields=["station"],
                name="profile_live",
                condition=Q(state__in=["wanted", "sent", "installed", "unknown", "displaced", "standing"]),
            ),
            models.Index(fields=["session"], name="profile_of_session", condition=Q(session__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.station_id}/{self.profile_id}"

    @property
    def is_live(self) -> bool:
        """Tell whether it lies on the station, may lie there or shall."""
        return self.state in self.LIVE


class CompositeReport(models.Model):
    """What a station last said about the composite schedule of an EVSE, 0 for its grid connection."""

    class Status(models.TextChoices):
        ASKED = "asked", "asked"
        ACCEPTED = "Accepted", "answered"
        REJECTED = "Rejected", "refused"
        UNANSWERED = "unanswered", "no answer"

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="composite_reports")
    evse_number = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ASKED)
    duration_s = models.PositiveIntegerField()
    command = models.CharField(max_length=36, blank=True)
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    schedule = models.JSONField(
        null=True, blank=True, encoder=DjangoJSONEncoder
    )  # CompositeScheduleType of 2.1
    detail = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "evse_number"], name="composite_report_once")
        ]

    def __str__(self) -> str:
        return f"{self.station_id}/{self.evse_number}"


class LearnedCapability(models.Model):
    """What a station's refusals taught us, until its firmware changes or an operator forgets it."""

    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, related_name="learned_capabilities"
    )
    flag = models.CharField(max_length=64)  # a flag of smart charging, see services/capabilities.py
    firmware_version = models.CharField(max_length=255, blank=True)  # which it was learned of
    reason = models.CharField(max_length=255, blank=True)
    learned_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "flag"], name="capability_once")]

    def __str__(self) -> str:
        return f"{self.station_id}: {self.flag}"
