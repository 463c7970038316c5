"""What stations tell about smart charging by themselves: limits from outside, needs of vehicles (2.x K09 to K22)."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from stations.models.locations import ChargingStation
from stations.models.profiles import InstalledProfile
from stations.models.sessions import ChargingSession


class ExternalLimit(models.Model):
    """A limit that somebody else than we has put on a station or an EVSE (K11 to K14, K23, K27).

    `schedules` are ChargingScheduleType of 2.1; empty: the station told that there is one, not which.
    """

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="external_limits")
    evse_number = models.PositiveIntegerField(default=0)  # 0: the whole station
    source = models.CharField(max_length=20)  # ChargingLimitSourceEnumType: EMS, SO, CSO, Other, …
    is_grid_critical = models.BooleanField(null=True)
    is_local_generation = models.BooleanField(default=False)
    schedules = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    told_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)  # None: in force

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "evse_number", "source"], name="external_limit_once")
        ]

    def __str__(self) -> str:
        return f"{self.station_id}/{self.evse_number}: {self.source}"


class ProfileReport(models.Model):
    """One question for the profiles that lie on a station, and the parts that came (K09)."""

    class State(models.TextChoices):
        ASKED = "asked", "asked"
        RECEIVING = "receiving", "receiving"
        COMPLETE = "complete", "complete"
        REFUSED = "refused", "refused"
        UNANSWERED = "unanswered", "no answer"

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="profile_reports")
    request_id = models.PositiveIntegerField()
    evse_number = models.PositiveIntegerField(null=True, blank=True)  # None: of all
    criteria = models.JSONField(default=dict)  # purpose, stack_level, ids, sources: what was asked for
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    parts = models.PositiveIntegerField(default=0)
    told = models.JSONField(default=list, encoder=DjangoJSONEncoder)  # of {evse, source, profile}
    unknown = models.JSONField(default=list)  # ids of profiles that we did not put there
    missing = models.JSONField(default=list)  # ids of ours that do not lie there
    command = models.CharField(max_length=36, blank=True)
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "request_id"], name="profile_report_once")]

    def __str__(self) -> str:
        return f"{self.station_id}/{self.request_id}"


class ChargingNeeds(models.Model):
    """What the vehicle at an EVSE last asked for, and what became of it (K15 to K20, ISO 15118-2 and -20).

    `told` is ChargingNeedsType as it came; the other fields are what our rules read from it (W, Wh, A per phase).
    """

    class Status(models.TextChoices):
        ACCEPTED = "Accepted", "answered with a schedule"
        PROCESSING = "Processing", "a schedule follows"
        REJECTED = "Rejected", "refused"
        NO_PROFILE = "NoChargingProfile", "no schedule"

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="charging_needs")
    evse_number = models.PositiveIntegerField()
    session = models.ForeignKey(
        ChargingSession, on_delete=models.CASCADE, null=True, blank=True, related_name="charging_needs"
    )
    status = models.CharField(max_length=17, choices=Status.choices)
    told = models.JSONField(encoder=DjangoJSONEncoder)
    transfer = models.CharField(max_length=20)  # EnergyTransferModeEnumType
    is_dynamic = models.BooleanField(default=False)  # ISO 15118-20 dynamic control mode
    departure_at = models.DateTimeField(null=True, blank=True)
    energy_wh = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    max_tuples = models.PositiveIntegerField(null=True, blank=True)
    told_at = models.DateTimeField()
    profile = models.ForeignKey(
        InstalledProfile, on_delete=models.SET_NULL, null=True, blank=True, related_name="needs"
    )
    detail = models.CharField(max_length=255, blank=True)
    renegotiations = models.PositiveSmallIntegerField(default=0)  # by us, since these needs came (K16)
    max_w = models.DecimalField(
        max_digits=14, decimal_places=3, null=True, blank=True
    )  # what we allow at the most
    begun_wh = models.DecimalField(
        max_digits=20, decimal_places=4, default=0
    )  # of the session when they came
    schedule = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)  # what the vehicle will do
    schedule_base = models.DateTimeField(null=True, blank=True)
    schedule_is_within = models.BooleanField(null=True)  # our limits

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "evse_number"], name="charging_needs_once")]
        indexes = [
            models.Index(fields=["id"], name="charging_needs_open", condition=models.Q(status="Processing"))
        ]

    def __str__(self) -> str:
        return f"{self.station_id}/{self.evse_number}: {self.status}"


class PriorityCharging(models.Model):
    """Whether a session has priority over its limits (2.1 K21, K22)."""

    session = models.OneToOneField(
        ChargingSession, on_delete=models.CASCADE, related_name="priority_charging"
    )
    is_active = models.BooleanField(default=False)  # as the station told last
    is_wanted = models.BooleanField(null=True)  # as we asked last; None: never asked
    answer = models.CharField(max_length=20, blank=True)
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.session_id}: {self.is_active}"
