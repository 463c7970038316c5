"""Operators, locations, charging stations, EVSEs and connectors.

The words are those of OCPI 2.3.0 (mod_locations) and OCPP 2.1 (device hierarchy): a location holds stations, a station
holds EVSEs, an EVSE holds connectors. OCPP 1.6 knows only connectors: each one becomes an EVSE with one connector.
"""

import uuid

from django.db import models
from django.db.models.functions import Upper


def new_uid() -> str:
    """Return an identifier for the outside world: immutable, unguessable, at most 36 characters (OCPI CiString)."""
    return str(uuid.uuid4())


class Operator(models.Model):
    """An own party: the charge point operator in whose name locations are published and CDRs are written."""

    country_code = models.CharField(max_length=2)  # ISO 3166 alpha-2
    party_id = models.CharField(max_length=3)  # ISO 15118
    name = models.CharField(max_length=100)
    legal_name = models.CharField(max_length=100, blank=True)
    vat_id = models.CharField(max_length=32, blank=True)
    website = models.URLField(max_length=255, blank=True)
    currency = models.CharField(max_length=3, default="EUR")  # ISO 4217

    class Meta:
        constraints = [models.UniqueConstraint(fields=["country_code", "party_id"], name="operator_party")]

    def __str__(self) -> str:
        return f"{self.country_code}*{self.party_id}"


class Location(models.Model):
    """A site: address, place and time zone. Shape of OCPI 2.3.0 mod_locations#Location."""

    uid = models.CharField(max_length=36, unique=True, default=new_uid)
    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="locations")
    name = models.CharField(max_length=255)
    address = models.CharField(max_length=255, blank=True)
    city = models.CharField(max_length=255, blank=True)
    postal_code = models.CharField(max_length=10, blank=True)
    state = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=3, default="NLD")  # ISO 3166 alpha-3
    latitude = models.DecimalField(max_digits=10, decimal_places=7, default=0)
    longitude = models.DecimalField(max_digits=10, decimal_places=7, default=0)
    time_zone = models.CharField(max_length=255, default="Europe/Amsterdam")  # IANA name
    publish = models.BooleanField(default=True)
    parking_type = models.CharField(max_length=32, blank=True)
    facilities = models.JSONField(default=list, blank=True)
    opening_times = models.JSONField(default=dict, blank=True)
    energy_mix = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_updated = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.name


class ConnectorStatus(models.TextChoices):
    """OCPP 1.6 ChargePointStatus, the finer one; OCPP 2.x `Occupied` is told apart by the transaction."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"
    OCCUPIED = "Occupied"
    UNKNOWN = "Unknown"


class StationQuerySet(models.QuerySet["ChargingStation"]):
    def online(self) -> "StationQuerySet":
        return self.filter(is_online=True)


class ChargingStation(models.Model):
    """A charging station as the operator registered it and as it described itself.

    `identity` is the last part of the OCPP URL. `epoch` counts authenticated connections: the newest owns the station,
    and what an older one still says about its state changes nothing. `owner` names the process with the socket.
    """

    class SecurityProfile(models.IntegerChoices):
        NONE = 0, "0: no authentication"
        BASIC = 1, "1: Basic authentication"
        TLS = 2, "2: TLS and Basic authentication"
        CLIENT_CERTIFICATE = 3, "3: TLS with client certificate"

    class Registration(models.TextChoices):
        ACCEPTED = "Accepted"
        PENDING = "Pending"
        REJECTED = "Rejected"

    identity = models.CharField(max_length=48, unique=True)
    location = models.ForeignKey(
        Location, on_delete=models.PROTECT, related_name="stations", null=True, blank=True
    )
    name = models.CharField(max_length=100, blank=True)
    security_profile = models.PositiveSmallIntegerField(
        choices=SecurityProfile.choices, default=SecurityProfile.BASIC
    )
    secret_salt = models.BinaryField(max_length=16, default=b"")
    secret_hash = models.BinaryField(max_length=32, default=b"")  # HMAC-SHA256(salt, password)
    secret_changed_at = models.DateTimeField(null=True, blank=True)
    # While a change is under way either is accepted, the old and the new.
    next_security_profile = models.PositiveSmallIntegerField(null=True, blank=True)
    next_secret_salt = models.BinaryField(max_length=16, default=b"")
    next_secret_hash = models.BinaryField(max_length=32, default=b"")
    registration = models.CharField(max_length=8, choices=Registration.choices, default=Registration.ACCEPTED)
    ocpp_version = models.CharField(max_length=8, blank=True)  # negotiated at the last connect

    vendor = models.CharField(max_length=255, blank=True)
    model = models.CharField(max_length=255, blank=True)
    serial_number = models.CharField(max_length=255, blank=True)
    firmware_version = models.CharField(max_length=255, blank=True)
    iccid = models.CharField(max_length=255, blank=True)
    imsi = models.CharField(max_length=255, blank=True)
    meter_type = models.CharField(max_length=255, blank=True)
    meter_serial_number = models.CharField(max_length=255, blank=True)

    epoch = models.BigIntegerField(default=0)
    owner = models.CharField(max_length=64, blank=True)
    is_online = models.BooleanField(default=False)
    online_changed_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    last_boot_at = models.DateTimeField(null=True, blank=True)
    boot_count = models.PositiveIntegerField(default=0)
    status = models.CharField(max_length=16, choices=ConnectorStatus.choices, default=ConnectorStatus.UNKNOWN)
    status_at = models.DateTimeField(null=True, blank=True)  # of connector 0, the station as a whole
    firmware_status = models.CharField(max_length=40, blank=True)
    diagnostics_status = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = StationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["owner"], name="station_owner", condition=models.Q(is_online=True)),
            models.Index(fields=["last_seen_at"], name="station_silent", condition=models.Q(is_online=True)),
            models.Index(Upper("identity"), name="station_identity_upper"),
        ]

    def __str__(self) -> str:
        return self.identity


class Evse(models.Model):
    """One independently operated part of a station that charges one vehicle at a time."""

    uid = models.CharField(max_length=36, unique=True, default=new_uid)  # OCPI evse_uid, immutable
    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="evses")
    number = models.PositiveIntegerField()  # OCPP 2.x evseId; OCPP 1.6 connectorId
    evse_id = models.CharField(max_length=48, blank=True)  # eMI3, printed on the station
    physical_reference = models.CharField(max_length=16, blank=True)
    capabilities = models.JSONField(default=list, blank=True)
    is_removed = models.BooleanField(default=False)  # published as REMOVED, never deleted
    last_updated = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "number"], name="evse_number")]
        ordering = ["station", "number"]

    def __str__(self) -> str:
        return f"{self.station}/{self.number}"


class Connector(models.Model):
    """A socket or cable of an EVSE, with what it last said about itself. Powers in W, currents in A, voltages in V."""

    evse = models.ForeignKey(Evse, on_delete=models.CASCADE, related_name="connectors")
    number = models.PositiveIntegerField(default=1)  # within the EVSE
    standard = models.CharField(max_length=32, default="IEC_62196_T2")
    format = models.CharField(max_length=8, default="SOCKET")
    power_type = models.CharField(max_length=16, default="AC_3_PHASE")
    max_voltage_v = models.PositiveIntegerField(default=230)
    max_amperage_a = models.PositiveIntegerField(default=32)
    max_power_w = models.PositiveIntegerField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=ConnectorStatus.choices, default=ConnectorStatus.UNKNOWN)
    status_at = models.DateTimeField(null=True, blank=True)  # as the station dated it
    error_code = models.CharField(max_length=64, blank=True)
    vendor_error_code = models.CharField(max_length=255, blank=True)
    status_info = models.CharField(max_length=255, blank=True)
    last_updated = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["evse", "number"], name="connector_number")]
        ordering = ["evse", "number"]

    def __str__(self) -> str:
        return f"{self.evse}/{self.number}"


class StatusChange(models.Model):
    """What a connector became, and when: the history from which parking time and uptime are computed."""

    evse = models.ForeignKey(
        Evse, on_delete=models.CASCADE, related_name="status_changes", db_constraint=False
    )
    connector_number = models.PositiveIntegerField(default=1)
    at = models.DateTimeField()  # as the station dated it, in UTC
    status = models.CharField(max_length=16)
    error_code = models.CharField(max_length=64, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["evse", "at", "connector_number", "status"], name="status_change_once"
            )
        ]
