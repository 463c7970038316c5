"""What stations tell about their security (1.6 security white paper A04 and section 8)."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from cpo.lib import events
from stations.events import SecurityEventRecorded
from stations.models import ChargingStation, Command, ReviewItem, SecurityEvent
from stations.services import alerts, certificates

# Event type -> whether the white paper calls it critical (section 8). The list is open: other types are stored too.
IS_CRITICAL = {
    "AttemptedReplayAttacks": False,
    "CentralSystemFailedToAuthentication": False,
    "FailedToAuthenticationAtCentralSystem": False,
    "FirmwareUpdated": True,
    "InvalidCentralSystemCertificate": False,
    "InvalidChargePointCertificate": False,
    "InvalidChargingStationCertificate": False,
    "InvalidFirmwareSignature": False,
    "InvalidFirmwareSigningCertificate": False,
    "InvalidMessages": False,
    "InvalidTLSCipherSuite": False,
    "InvalidTLSVersion": False,
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
    station: ChargingStation, *, type: str, at: datetime, tech_info: str, now: datetime
) -> SecurityEvent:
    """Store what the station reports, once: a repetition returns the first row and changes nothing.

    A critical one waits for an operator, all of one type that come while he has not looked as one item. Restarts and
    updates that we ordered wait for nobody. What is longer than the white paper allows is cut.
    """
    event, created = SecurityEvent.objects.get_or_create(
        station=station,
        type=type[:MAX_TYPE],
        at=at,
        tech_info=tech_info[:MAX_TECH_INFO],
        defaults={"is_critical": IS_CRITICAL.get(type, False), "received_at": now},
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
        order = Q(action__in=actions) & (Q() if answers is None else Q(result__status__in=answers))
        for moment in (event.at, event.received_at):
            orders |= order & Q(answered_at__range=(moment - before, moment + SLACK))
    answered = Command.objects.filter(station_id=event.station_id, status=Command.Status.ANSWERED)
    return answered.filter(orders).exists()


def _is_clock_of_boot(event: SecurityEvent, station: ChargingStation) -> bool:
    """Tell whether a clock was set because we told the time in our answer to a boot (section 4.2)."""
    boot = station.last_boot_at
    return event.type == "SettingSystemTime" and boot is not None and abs(event.received_at - boot) < BOOTING
