"""What stations are set to: OCPP 1.6 configuration keys and 2.x variables, in one table; and reports of them."""

from django.db import models

from stations.models.configuration import ConfigurationTemplate
from stations.models.locations import ChargingStation


class Variable(models.Model):
    """One setting of a station as it last reported it.

    OCPP 1.6 configuration keys have no component and no EVSE (section 5.8, GetConfiguration); a 2.x variable has a row
    for each of its attributes (2.1 part 2, chapter 4 of block B). `desired` is what the operator wants, for this
    station alone or by a `template`; a value that differs is drift.
    """

    class Attribute(models.TextChoices):
        ACTUAL = "Actual"
        TARGET = "Target"
        MIN_SET = "MinSet"
        MAX_SET = "MaxSet"

    KEY = (
        "component", "component_instance", "evse_number", "connector_number", "name", "instance", "attribute",
    )  # fmt: skip

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="variables")
    component = models.CharField(max_length=50, blank=True)  # OCPP 2.x, as all of the key but the name
    component_instance = models.CharField(max_length=50, blank=True, default="")
    evse_number = models.IntegerField(default=0)  # 0: of no EVSE
    connector_number = models.IntegerField(default=0)  # 0: of no connector
    instance = models.CharField(max_length=50, blank=True)  # of the variable
    name = models.CharField(max_length=255)
    attribute = models.CharField(max_length=6, choices=Attribute.choices, default=Attribute.ACTUAL)
    value = models.TextField(null=True, blank=True)  # None: known without a value; secrets are never stored
    is_readonly = models.BooleanField(default=False)
    is_writeonly = models.BooleanField(default=False)
    is_supported = models.BooleanField(default=True)  # False: the station said that it does not know this key
    is_persistent = models.BooleanField(default=False)  # it outlives a reboot
    is_constant = models.BooleanField(default=False)  # it never changes at run time
    data_type = models.CharField(max_length=12, blank=True, default="")  # DataEnumType; '' when not told
    unit = models.CharField(max_length=16, blank=True, default="")
    min_limit = models.DecimalField(max_digits=30, decimal_places=10, null=True, blank=True)
    max_limit = models.DecimalField(max_digits=30, decimal_places=10, null=True, blank=True)
    values_list = models.TextField(blank=True, default="")  # comma separated, as the station tells it
    is_monitorable = models.BooleanField(default=False)
    answer = models.CharField(max_length=40, blank=True, default="")  # what it said to the last change of it
    answer_reason = models.CharField(max_length=255, blank=True, default="")
    desired = models.TextField(null=True, blank=True)
    template = models.ForeignKey(
        ConfigurationTemplate, on_delete=models.SET_NULL, null=True, blank=True, related_name="variables"
    )  # whose wish it is; None: somebody's for this station alone
    is_drifting = models.BooleanField(default=False)  # reported otherwise than desired; kept by the service
    reported_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)  # when the value was last another one

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "station", "component", "component_instance", "evse_number", "connector_number", "name",
                    "instance", "attribute",
                ],
                name="variable_once",
            )
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["station"], name="variable_drift", condition=models.Q(is_drifting=True))
        ]
        ordering = [
            "component", "evse_number", "connector_number", "component_instance", "name", "instance",
            "attribute",
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


class DeviceReport(models.Model):
    """A report that we asked a 2.x station for: of its variables (B07, B08) or of its monitors (N02).

    Its id is the request id. The parts may come in any order and doubled; `parts` are the numbers that came.
    """

    class Kind(models.TextChoices):
        VARIABLES = "variables"
        MONITORS = "monitors"

    class State(models.TextChoices):
        ASKED = "asked"
        RECEIVING = "receiving"  # accepted, or the first part was faster than the answer
        COMPLETE = "complete"
        INCOMPLETE = "incomplete"  # parts are missing, and none came for a while
        EMPTY = "empty"  # nothing fits the question
        NOT_SUPPORTED = "not_supported"
        REFUSED = "refused"
        UNANSWERED = "unanswered"

    OPEN = (State.ASKED, State.RECEIVING)

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="device_reports")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    base = models.CharField(max_length=24, blank=True)  # ReportBaseEnumType; '' for a report by criteria
    is_whole = models.BooleanField(default=False)  # what it does not name, the station has not
    state = models.CharField(max_length=13, choices=State.choices, default=State.ASKED)
    parts = models.JSONField(default=list)
    last_part = models.IntegerField(null=True, blank=True)  # number of the part after which none follows
    generated_at = models.DateTimeField(null=True, blank=True)  # the earliest of its parts
    count = models.IntegerField(default=0)  # variables or monitors told
    requested_by = models.CharField(max_length=100, blank=True)
    asked_at = models.DateTimeField()
    heard_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["station", "kind", "-id"], name="device_report_newest"),
            models.Index(
                fields=["asked_at"],
                name="device_report_open",
                condition=models.Q(state__in=["asked", "receiving"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.station_id}"


class NetworkProfile(models.Model):
    """A slot of a station with what we set it to (B09). Passwords are not kept."""

    class State(models.TextChoices):
        ASKED = "asked"
        ACCEPTED = "accepted"
        REJECTED = "rejected"
        FAILED = "failed"  # the station could not store it
        UNKNOWN = "unknown"  # no answer that can be read

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="network_profiles")
    slot = models.IntegerField()
    url = models.CharField(max_length=2000)
    security_profile = models.IntegerField()
    interface = models.CharField(max_length=20)
    data = models.JSONField(default=dict)  # NetworkConnectionProfileType, secrets blanked
    state = models.CharField(max_length=8, choices=State.choices)
    reason = models.CharField(max_length=255, blank=True)
    requested_by = models.CharField(max_length=100, blank=True)
    told_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "slot"], name="network_profile_once")]
        ordering = ["slot"]

    def __str__(self) -> str:
        return f"slot {self.slot} of {self.station_id}"


class SecurityEvent(models.Model):
    """A security event that a station reported (1.6 security white paper section 4.10, OCPP 2.x A04).

    The list of types is not exhaustive: unknown ones are stored too.
    """

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="security_events")
    type = models.CharField(max_length=50)
    at = models.DateTimeField()  # as the station dated it
    tech_info = models.CharField(max_length=255, blank=True)
    is_critical = models.BooleanField(default=False)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "type", "at", "tech_info"], name="security_event_once")
        ]
        indexes = [models.Index(fields=["-received_at"], name="security_event_newest")]

    def __str__(self) -> str:
        return self.type
