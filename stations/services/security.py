"""What stations tell about their security (2.1 A04 and appendix 1, 1.6 security white paper A04 and section 8)."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from cpo.lib import events
from stations.events import SecurityEventRecorded
from stations.models import ChargingStation, Command, ReviewItem, SecurityEvent
from stations.services import alerts, certificates

# Event type -> whether it is critical. The list is open: other types are stored too. Where two versions spell one event
# in two ways both are here; what 1.6 thinks of an event otherwise, its handler says.
IS_CRITICAL = {
    "AttemptedReplayAttacks": False,
    "CentralSystemFailedToAuthentication": False,
    "CsmsFailedToAuthenticate": False,
    "CsmsFailedToAuthentication": False,
    "DiscardedRenewedClientCertificate": True,
    "FailedToAuthenticateAtCsms": False,
    "FailedToAuthenticationAtCentralSystem": False,
    "FailedToAuthenticationAtCsms": False,
    "FirmwareUpdated": True,
    "InvalidCentralSystemCertificate": False,
    "InvalidChargePointCertificate": False,
    "InvalidChargingStationCertificate": True,
    "InvalidCsmsCertificate": True,
    "InvalidFirmwareSignature": True,
    "InvalidFirmwareSigningCertificate": True,
    "InvalidMessages": False,
    "InvalidTLSCipherSuite": True,
    "InvalidTLSVersion": True,
    "MaintenanceLoginAccepted": True,
    "MaintenanceLoginFailed": True,
    "MemoryExhaustion": True,
    "ReconfigurationOfSecurityParameters": False,
    "ResetOrReboot": True,
    "SecurityLogWasCleared": True,
    "SettingSystemTime": True,
    "StartupOfTheDevice": True,
    "TamperDetectionActivated": True,
}
MAX_TYPE, MAX_TECH_INFO = 50, 255  # characters
INVALID_CERTIFICATE = frozenset(  # as 1.6 and as 2.x say it (A02.FR.07)
    {"InvalidChargePointCertificate", "InvalidChargingStationCertificate"}
)

# What may cause an event: these requests of ours with one of these answers (None: any), so long before it.
RESTARTS = (("Reset",), ("Accepted", "Scheduled"), timedelta(minutes=15))
SETTINGS = (("ChangeConfiguration", "SetVariables"), ("RebootRequired",), timedelta(minutes=15))
ONE_OF_MANY = "result__setVariableResult__contains"  # SetVariables has an answer for each variable
SIGNED_UPDATES = (("SignedUpdateFirmware",), ("Accepted", "AcceptedCanceled"), timedelta(days=1))
UPDATES = (("UpdateFirmware",), None, timedelta(days=1))  # UpdateFirmware.conf of 1.6 is empty
ORDERED_BY = {
    "FirmwareUpdated": (UPDATES, SIGNED_UPDATES),
    "ResetOrReboot": (RESTARTS, SETTINGS, UPDATES, SIGNED_UPDATES),
    "StartupOfTheDevice": (RESTARTS, SETTINGS, UPDATES, SIGNED_UPDATES),
}
SLACK = timedelta(minutes=1)  # a station may tell of it before it answers
BOOTING = timedelta(minutes=5)


@transaction.atomic(savepoint=False)
def record(
    station: ChargingStation,
    *,
    type: str,
    at: datetime,
    tech_info: str,
    now: datetime,
    is_critical: bool | None = None,
) -> SecurityEvent:
    """Store what the station reports, once: a repetition returns the first row and changes nothing.

    A critical one waits for an operator, all of one type that come while he has not looked as one item. Restarts and
    updates that we ordered wait for nobody. What is longer than the specification allows is cut. `is_critical` is what
    the station's version thinks of it; by default what the newest one does.
    """
    event, created = SecurityEvent.objects.get_or_create(
        station=station,
        type=type[:MAX_TYPE],
        at=at,
        tech_info=tech_info[:MAX_TECH_INFO],
        defaults={
            "is_critical": IS_CRITICAL.get(type, False) if is_critical is None else is_critical,
            "received_at": now,
        },
    )
    if not created:
        return event
    if event.type in INVALID_CERTIFICATE:
        certificates.found_invalid(station, why=event.tech_info)
    if event.is_critical and not _is_expected(event) and not _is_clock_of_boot(event, station):
        alerts.alert(
            ReviewItem.Kind.SECURITY_EVENT,
            f"security:{station.pk}:{event.type}",
            summary=f"{station.identity}: {event.type}",
            station=station,
            facts={"type": event.type, "at": at.isoformat(), "tech_info": event.tech_info},
        )
    events.publish(SecurityEventRecorded(station.pk, event.pk))
    return event


def _is_expected(event: SecurityEvent) -> bool:
    """Tell whether the event is what somebody ordered from here: a restart, new firmware, a key that needs a restart.

    A station dates it by its own clock, so the moment it came counts as well.
    """
    orders = Q(pk=None)
    for actions, answers, before in ORDERED_BY.get(event.type, ()):
        said = Q()
        if answers is not None:
            said = Q(result__status__in=answers)
            said |= Q(**{ONE_OF_MANY: [{"attributeStatus": answers[0]}]})
        order = Q(action__in=actions) & said
        for moment in (event.at, event.received_at):
            orders |= order & Q(answered_at__range=(moment - before, moment + SLACK))
    answered = Command.objects.filter(station_id=event.station_id, status=Command.Status.ANSWERED)
    return answered.filter(orders).exists()


def _is_clock_of_boot(event: SecurityEvent, station: ChargingStation) -> bool:
    """Tell whether a clock was set because we told the time in our answer to a boot (section 4.2)."""
    boot = station.last_boot_at
    return event.type == "SettingSystemTime" and boot is not None and abs(event.received_at - boot) < BOOTING
