"""What 2.x stations watch by themselves: monitors, what they reported, incidents, event streams (N02 to N15)."""

from django.db import models

from stations.models.locations import ChargingStation
from stations.models.review import ReviewItem


class VariableMonitor(models.Model):
    """A monitor of a station's variable, as it reported or accepted it (N02, N04). Its id is the station's."""

    class Type(models.TextChoices):
        UPPER_THRESHOLD = "UpperThreshold"
        LOWER_THRESHOLD = "LowerThreshold"
        DELTA = "Delta"
        PERIODIC = "Periodic"
        PERIODIC_CLOCK_ALIGNED = "PeriodicClockAligned"
        TARGET_DELTA = "TargetDelta"  # 2.1
        TARGET_DELTA_RELATIVE = "TargetDeltaRelative"  # 2.1

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="monitors")
    monitor_id = models.BigIntegerField()
    component = models.CharField(max_length=50)
    component_instance = models.CharField(max_length=50, blank=True)
    evse_number = models.IntegerField(default=0)
    connector_number = models.IntegerField(default=0)
    name = models.CharField(max_length=50)  # of the variable
    instance = models.CharField(max_length=50, blank=True)  # of the variable
    type = models.CharField(max_length=20, choices=Type.choices)
    value = models.DecimalField(max_digits=30, decimal_places=10)  # threshold, difference, or seconds
    severity = models.SmallIntegerField()  # 0 danger to 9 debug
    is_transaction = models.BooleanField(default=False)  # only while a transaction runs
    origin = models.CharField(max_length=24, blank=True)  # EventNotificationEnumType; '' when not told
    reported_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "monitor_id"], name="monitor_once")]
        ordering = ["component", "evse_number", "connector_number", "name", "severity", "monitor_id"]

    def __str__(self) -> str:
        return f"monitor {self.monitor_id} of {self.station_id}"


class MonitoringState(models.Model):
    """What a station's monitoring is set to as a whole: base (N03) and level (N05). '' and None: never set by us."""

    station = models.OneToOneField(ChargingStation, on_delete=models.CASCADE, related_name="monitoring")
    base = models.CharField(max_length=16, blank=True)
    base_answer = models.CharField(max_length=20, blank=True)
    level = models.SmallIntegerField(null=True, blank=True)
    level_answer = models.CharField(max_length=20, blank=True)
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"monitoring of {self.station_id}"


class DeviceEvent(models.Model):
    """One event of a 2.x station's device model (N07, N08), or a value of an event stream (N15).

    Partitioned by `at`, one part a month; no foreign keys. The primary key is the business key: a repeated message
    adds nothing. A value of a stream has the negative of the stream's id less one as its event id.
    """

    pk = models.CompositePrimaryKey("station_id", "event_id", "at")
    station_id = models.BigIntegerField()
    event_id = models.BigIntegerField()
    at = models.DateTimeField()  # as the station dated it, corrected when it cannot be true
    received_at = models.DateTimeField()
    trigger = models.CharField(max_length=8)  # EventTriggerEnumType
    origin = models.CharField(max_length=24)  # EventNotificationEnumType
    component = models.CharField(max_length=50)
    component_instance = models.CharField(max_length=50)
    evse_number = models.IntegerField()
    connector_number = models.IntegerField()
    name = models.CharField(max_length=50)
    instance = models.CharField(max_length=50)
    value = models.TextField()
    severity = models.SmallIntegerField(null=True)  # None: neither the event nor its monitor says
    is_cleared = models.BooleanField()
    monitor_id = models.BigIntegerField(null=True)
    cause = models.BigIntegerField(null=True)  # id of the event that brought this one about
    tech_code = models.CharField(max_length=50)
    tech_info = models.CharField(max_length=500)
    transaction_id = models.CharField(max_length=36)

    class Meta:
        managed = False  # made by a migration: Django cannot declare partitions
        db_table = "stations_deviceevent"

    def __str__(self) -> str:
        return f"{self.component}/{self.name}"


class StationIncident(models.Model):
    """Something grave that a station reported, from its first event until the station says that it is over.

    `key` names the variable and the monitor: while an incident of a key is open, further events count up.
    """

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="incidents")
    key = models.CharField(max_length=255)
    title = models.CharField(max_length=255)
    severity = models.SmallIntegerField()
    value = models.CharField(max_length=255, blank=True)
    tech_code = models.CharField(max_length=50, blank=True)
    tech_info = models.CharField(max_length=500, blank=True)
    transaction_id = models.CharField(max_length=36, blank=True)
    count = models.PositiveIntegerField(default=1)
    began_at = models.DateTimeField()
    last_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)
    review = models.ForeignKey(ReviewItem, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["station", "key"], name="incident_open", condition=models.Q(cleared_at=None)
            )
        ]
        indexes = [models.Index(fields=["station", "-began_at"], name="incident_newest")]

    def __str__(self) -> str:
        return self.title


class EventStream(models.Model):
    """A periodic event stream that a 2.1 station opened for one of its monitors (N11 to N15)."""

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="event_streams")
    stream_id = models.BigIntegerField()
    monitor_id = models.BigIntegerField()
    interval_s = models.IntegerField(null=True, blank=True)  # seconds between two messages
    values_at_once = models.IntegerField(null=True, blank=True)
    pending = models.IntegerField(default=0)  # values that the station had not sent yet with its last message
    opened_at = models.DateTimeField()
    last_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "stream_id"], name="event_stream_once")]
        ordering = ["stream_id"]

    def __str__(self) -> str:
        return f"stream {self.stream_id} of {self.station_id}"
