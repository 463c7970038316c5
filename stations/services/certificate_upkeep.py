"""What a sweep does for certificates: warn before they expire, renew them in time, keep what authorities revoked."""

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db.models import Q

from cpo.lib import clock, events
from stations.events import CertificatesChanged
from stations.models import (
    AuthorityCertificate,
    InstalledCertificate,
    ReviewItem,
    RevokedCertificate,
    RootCertificate,
    StationCertificate,
)
from stations.services import certificate_authority, certificates, commands, review, root_certificates
from stations.services.certificate_authority import AuthorityRefused, AuthorityUnavailable
from stations.services.errors import StationsError

log = structlog.get_logger(__name__)

State = StationCertificate.State
WARNINGS = (30, 7, 1)  # days before the end at which an operator is told, each once
ASK_AGAIN = timedelta(days=1)  # between two renewals that nobody asked for
AT_ONCE = 200  # stations that are asked in one sweep
RENEWAL = "renewal"  # who asked, where nobody did


def keep() -> int:
    """End what has expired, warn of what will, have it renewed; return how many stations were asked."""
    now = clock.now()
    _expire(now)
    _warn(now)
    return _renew(now)


def refresh() -> int:
    """Ask the authority for its own certificates and its revocation list; return how many revocations are new."""
    authority = certificate_authority.current()
    fresh = 0
    try:
        authority.refresh()
        for entry in authority.revocations():
            _, created = RevokedCertificate.objects.get_or_create(
                issuer_name_hash=entry.issuer_name_hash,
                serial_number=entry.serial_number,
                defaults={"reason": entry.reason[:32], "revoked_at": entry.revoked_at},
            )
            fresh += created
    except (AuthorityRefused, AuthorityUnavailable) as error:
        log.warning("certificate authority not refreshed", authority=authority.name, error=str(error)[:200])
    root_certificates.keep_own()
    return fresh


def _expire(now: datetime) -> None:
    gone = StationCertificate.objects.filter(state__in=StationCertificate.VALID, not_after__lte=now)
    for row in gone.only("pk", "station_id")[:1000]:
        StationCertificate.objects.filter(pk=row.pk, state__in=StationCertificate.VALID).update(
            state=State.EXPIRED
        )
        events.publish(CertificatesChanged(row.station_id))


def _warn(now: datetime) -> None:
    """Tell operators of certificates that end soon: stations' own, our authority's, roots that stations hold."""
    soon = Q(not_after__gt=now, not_after__lte=now + timedelta(days=WARNINGS[0]))
    own = StationCertificate.objects.filter(soon, state__in=StationCertificate.VALID).select_related(
        "station"
    )
    for row in own:
        _tell(
            f"certificate-expires:{row.pk}",
            row.not_after,
            now,
            f"{row.station.identity}: {row.get_use_display()}",
            row,
        )
    for authority in AuthorityCertificate.objects.filter(soon):
        _tell(
            f"authority-expires:{authority.pk}",
            authority.not_after,
            now,
            f"Our authority: {authority.subject}",
        )
    held = InstalledCertificate.objects.exclude(root=None).values("root")
    for root in RootCertificate.objects.filter(soon).filter(Q(pk__in=held) | Q(is_trusted=True)):
        _tell(f"root-expires:{root.pk}", root.not_after, now, f"Root {root}")


def _tell(
    about: str, not_after: datetime | None, now: datetime, what: str, row: StationCertificate | None = None
) -> None:
    """Raise one item per warning; the later one takes the place of the earlier."""
    assert not_after is not None
    days = min(days for days in WARNINGS if not_after - now <= timedelta(days=days))
    key = f"{about}:{days}"
    if ReviewItem.objects.filter(key=key).exists():
        return
    for former in ReviewItem.objects.filter(key__startswith=f"{about}:", resolved_at=None):
        review.resolve(former, by="OpenCPO", resolution="a later warning took its place")
    review.raise_item(
        ReviewItem.Kind.CERTIFICATE_EXPIRES,
        key=key,
        summary=f"{what} expires on {not_after:%Y-%m-%d}",
        station=row.station if row else None,
        facts={"not_after": not_after.isoformat(), "days": days},
    )


def _renew(now: datetime) -> int:
    """Ask stations whose certificate ends soon for a new request, at most once a day each."""
    if not settings.CERTIFICATE_RENEW_DAYS:
        return 0
    horizon = now + timedelta(days=settings.CERTIFICATE_RENEW_DAYS)
    ending = StationCertificate.objects.filter(
        Q(renewal_asked_at=None) | Q(renewal_asked_at__lte=now - ASK_AGAIN),
        state__in=StationCertificate.VALID,
        not_after__lte=horizon,
        station__is_online=True,
    ).select_related("station__location__operator")
    asked = 0
    for row in ending.order_by("not_after")[:AT_ONCE]:
        if not _is_superseded(row) and _ask(row):
            asked += 1
        StationCertificate.objects.filter(pk=row.pk).update(renewal_asked_at=now)
    return asked


def _is_superseded(row: StationCertificate) -> bool:
    """Tell whether a newer certificate is there or on its way already."""
    states = [*StationCertificate.OPEN, *StationCertificate.VALID]
    newer = StationCertificate.objects.filter(
        station_id=row.station_id, use=row.use, state__in=states, pk__gt=row.pk
    )
    return newer.exists()


def _ask(row: StationCertificate) -> bool:
    try:
        certificates.renew(
            row.station, use=row.use, requested_by=RENEWAL, queue_offline=True, priority=commands.AUTOMATIC
        )
    except StationsError as error:
        certificates.renewal_answered(row.station, use=row.use, word=str(error), is_automatic=True)
        return False
    return True
