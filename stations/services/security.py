"""What stations tell about their security (1.6 security white paper A04 and section 8)."""

from datetime import datetime

from django.db import transaction

from cpo.lib import events
from stations.events import SecurityEventRecorded
from stations.models import ChargingStation, ReviewItem, SecurityEvent
from stations.services import review

# Event type -> whether the white paper calls it critical (section 8). The list is open: other types are stored too.
IS_CRITICAL = {
    "AttemptedReplayAttacks": False,
    "CentralSystemFailedToAuthentication": False,
    "FailedToAuthenticationAtCentralSystem": False,
    "FirmwareUpdated": True,
    "InvalidCentralSystemCertificate": False,
    "InvalidChargePointCertificate": False,
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


@transaction.atomic(savepoint=False)
def record(
    station: ChargingStation, *, type: str, at: datetime, tech_info: str, now: datetime
) -> SecurityEvent:
    """Store what the station reports, once: a repetition returns the first row and changes nothing.

    A critical one waits for an operator. What is longer than the white paper allows is cut.
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
    if event.is_critical:
        _alert(
            ReviewItem.Kind.SECURITY_EVENT,
            f"security:{station.pk}:{event.type}:",
            event.pk,
            summary=f"{station.identity}: {event.type}",
            station=station,
            facts={"type": event.type, "at": at.isoformat(), "tech_info": event.tech_info},
        )
    events.publish(SecurityEventRecorded(station.pk, event.pk))
    return event


@transaction.atomic(savepoint=False)
def certificate_wanted(station: ChargingStation, *, now: datetime) -> ReviewItem:
    """Tell an operator that the station asks for a certificate, which nobody here can sign (A02.FR.12)."""
    return _alert(
        ReviewItem.Kind.CERTIFICATE_WANTED,
        f"certificate:{station.pk}:",
        int(now.timestamp()),
        summary=f"{station.identity} asks for a certificate",
        station=station,
    )


def _alert(
    kind: str,
    about: str,
    first: int,
    *,
    summary: str,
    station: ChargingStation,
    facts: dict[str, str] | None = None,
) -> ReviewItem:
    """Count up the open item about this, or raise a new one: what was resolved says nothing about what comes later."""
    open_key = (
        ReviewItem.objects.filter(key__startswith=about, resolved_at=None)
        .values_list("key", flat=True)
        .first()
    )
    return review.raise_item(
        kind, key=open_key or f"{about}{first}", summary=summary, station=station, facts=facts
    )
