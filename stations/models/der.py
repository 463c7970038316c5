"""Distributed energy resources: how a 2.1 station that feeds the grid shall react to it (OCPP 2.1 block R)."""

from django.db import models

from cpo.lib.exact import ExactEncoder
from stations.models.commands import Command
from stations.models.locations import ChargingStation
from stations.models.review import ReviewItem


class DERControl(models.Model):
    """One DER control of a station with its whole life; `control_id` is its id on the wire.

    A default control holds whenever no scheduled one of its type does; a lower `priority` goes first. `settings` are
    the fields of its type (a curve, a set point, a droop) without the priority and the time.
    """

    class Type(models.TextChoices):
        ENTER_SERVICE = "EnterService"
        FREQ_DROOP = "FreqDroop"
        FREQ_WATT = "FreqWatt"
        FIXED_PF_ABSORB = "FixedPFAbsorb"
        FIXED_PF_INJECT = "FixedPFInject"
        FIXED_VAR = "FixedVar"
        GRADIENTS = "Gradients"
        HF_MUST_TRIP = "HFMustTrip"
        HF_MAY_TRIP = "HFMayTrip"
        HV_MUST_TRIP = "HVMustTrip"
        HV_MOM_CESS = "HVMomCess"
        HV_MAY_TRIP = "HVMayTrip"
        LIMIT_MAX_DISCHARGE = "LimitMaxDischarge"
        LF_MUST_TRIP = "LFMustTrip"
        LV_MUST_TRIP = "LVMustTrip"
        LV_MOM_CESS = "LVMomCess"
        LV_MAY_TRIP = "LVMayTrip"
        POWER_MONITORING_MUST_TRIP = "PowerMonitoringMustTrip"
        VOLT_VAR = "VoltVar"
        VOLT_WATT = "VoltWatt"
        WATT_PF = "WattPF"
        WATT_VAR = "WattVar"

    class State(models.TextChoices):
        WANTED = "wanted"  # on its way to the station
        ACCEPTED = "accepted"  # lies there
        REFUSED = "refused"  # see `reason`
        UNKNOWN = "unknown"  # no answer
        STARTED = "started"  # a scheduled one whose time has come
        SUPERSEDED = "superseded"  # one with a lower priority value took its place
        ENDED = "ended"  # its time is over
        CLEARED = "cleared"  # taken back, or not there any more when the station reported
        LOST = "lost"  # ours, taken back by nobody, and not there any more when the station reported

    OPEN = (State.WANTED, State.ACCEPTED, State.UNKNOWN, State.STARTED, State.SUPERSEDED)

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="der_controls")
    control_id = models.CharField(max_length=36)
    type = models.CharField(max_length=24, choices=Type.choices)
    is_default = models.BooleanField()
    priority = models.IntegerField(default=0)
    settings = models.JSONField(default=dict, encoder=ExactEncoder)
    starts_at = models.DateTimeField(null=True, blank=True)
    duration_s = models.DecimalField(max_digits=14, decimal_places=3, null=True, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WANTED)
    reason = models.CharField(max_length=64, blank=True)
    superseded_by = models.CharField(
        max_length=36, blank=True
    )  # a control_id; '' when the station did not say
    requested_by = models.CharField(max_length=100, blank=True)  # '' when we learnt of it from the station
    wanted_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    reported_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "control_id"], name="der_control_once")]
        ordering = ["type", "-is_default", "priority", "id"]

    def __str__(self) -> str:
        return f"{self.type} {self.control_id}"


class DERReport(models.Model):
    """One request for the controls that lie on a station, filled by reports in parts (R04)."""

    class State(models.TextChoices):
        ASKED = "asked"
        AWAITED = "awaited"  # the station said that it will report
        COMPLETE = "complete"
        EMPTY = "empty"  # it has none of these
        REFUSED = "refused"
        UNANSWERED = "unanswered"

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="der_reports")
    request_id = models.BigIntegerField()
    is_default = models.BooleanField(null=True, blank=True)  # None: both kinds
    type = models.CharField(max_length=24, blank=True)
    control_id = models.CharField(max_length=36, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    seen = models.JSONField(default=list)  # control_ids so far
    boot_count = models.PositiveIntegerField(default=0)  # of the station when it was asked
    command = models.ForeignKey(Command, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    asked_at = models.DateTimeField()
    last_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "request_id"], name="der_report_once")]

    def __str__(self) -> str:
        return f"DER report {self.request_id} of {self.station_id}"


class DERAlarm(models.Model):
    """A time in which a station deviates because of the grid (R05). A station has one open alarm at most."""

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="der_alarms")
    type = models.CharField(max_length=24, choices=DERControl.Type.choices)  # of the control that acts
    fault = models.CharField(max_length=20, blank=True)  # GridEventFaultEnumType
    info = models.CharField(max_length=200, blank=True)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    review = models.ForeignKey(ReviewItem, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["station"], name="der_alarm_open", condition=models.Q(ended_at=None)
            ),
            models.UniqueConstraint(fields=["station", "type", "fault", "began_at"], name="der_alarm_once"),
        ]
        indexes = [models.Index(fields=["station", "-began_at"], name="der_alarm_newest")]

    def __str__(self) -> str:
        return f"{self.type} {self.fault}"
