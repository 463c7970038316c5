"""Does this certificate prove to be that station? (1.6 security white paper A00.FR.403 to .408, .427, 2.6.3)

Used while a TLS handshake waits: it reads a few rows and asks nobody. What other authorities revoked lies in a table
that a sweep keeps (A00.FR.702, A00.FR.704).
"""

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime

from cryptography import x509
from django.conf import settings
from django.db.models import Q

from cpo.lib import clock
from stations.models import (
    ChargingStation,
    HandshakeRejection,
    RevokedCertificate,
    RootCertificate,
    SigningUse,
    StationCertificate,
)
from stations.pki import certificates, chains
from stations.services import certificate_authority

Reason = HandshakeRejection.Reason
State = StationCertificate.State


def check_client(certificate_pem: bytes | str, *, station: ChargingStation) -> str | None:
    """Return None if the certificate is good and this station's, else a word of `HandshakeRejection.Reason`.

    Takes PEM, the leaf first, or one DER. A good one that is seen for the first time takes the place of the former.
    """
    try:
        presented = certificates.read(certificate_pem)
    except certificates.Unreadable:
        return Reason.BAD_CERTIFICATE
    leaf, now = presented[0], clock.now()
    path, reason = _path(presented, now)
    if path is None:
        return reason
    if not is_of(leaf, station):
        return Reason.CERTIFICATE_IDENTITY
    _seen(leaf, station, now)
    return None


def find_valid(certificate_pem: bytes | str) -> tuple[ChargingStation | None, str | None]:
    """Return the station that a certificate proves to be, or None and the reason why it proves nothing."""
    try:
        leaf = certificates.read_one(certificate_pem)
    except certificates.Unreadable:
        return None, Reason.BAD_CERTIFICATE
    names = certificates.common_names(leaf.subject)
    row = StationCertificate.objects.filter(fingerprint=certificates.fingerprint(leaf)).first()
    found = ChargingStation.objects.filter(
        Q(pk=row.station_id) if row else Q(identity__in=names) | Q(serial_number__in=names)
    )
    for station in found[:2]:
        reason = check_client(certificate_pem, station=station)
        if reason != Reason.CERTIFICATE_IDENTITY:
            return (None, reason) if reason else (station, None)
    return None, Reason.CERTIFICATE_IDENTITY


def is_of(leaf: x509.Certificate, station: ChargingStation) -> bool:
    """Tell whether the subject names this station and an operator that we believe.

    A certificate that was issued to one station is no other's, whatever both say of themselves later.
    """
    issued_to = StationCertificate.objects.filter(fingerprint=certificates.fingerprint(leaf)).values_list(
        "station_id", "use"
    )
    if any(pk != station.pk or use not in StationCertificate.CONNECTING for pk, use in issued_to):
        return False  # of another station, or for vehicles only
    names = certificates.common_names(leaf.subject)
    if len(names) != 1 or not names_station(names[0], station):
        return False
    return any(
        certificates.same_text(told, ours)
        for told in certificates.organizations(leaf.subject)
        for ours in organizations(station)
    )


def names_station(name: str, station: ChargingStation) -> bool:
    """Tell whether a common name is the station's identity, or the serial number that no other station goes by.

    A station tells its serial number itself: it must not take another one's name by telling that one's.
    """
    if name == station.identity:
        return True
    if not name or name != station.serial_number:
        return False
    others = ChargingStation.objects.exclude(pk=station.pk)
    return not others.filter(Q(identity__iexact=name) | Q(serial_number=name)).exists()


def organizations(station: ChargingStation) -> list[str]:
    """Return the names (O) under which this station's operator may appear, the one for new certificates first."""
    found: list[str] = []
    if station.location is not None:
        operator = station.location.operator
        found += [operator.name, operator.legal_name]
    found += [settings.OPERATOR_NAME, *settings.CERTIFICATE_ORGANIZATIONS]
    return list(dict.fromkeys(name for name in found if name))


def issuer_name_hash(name: x509.Name) -> str:
    """Return the SHA-256 of the DER of an issuer's name: its name in the table of revoked certificates."""
    return hashlib.sha256(name.public_bytes()).hexdigest()


def is_revoked(path: Iterable[x509.Certificate]) -> bool:
    """Tell whether one of the certificates was revoked."""
    wanted = Q(pk=None)
    for certificate in path:
        wanted |= Q(
            issuer_name_hash=issuer_name_hash(certificate.issuer),
            serial_number=certificates.serial_hex(certificate),
        )
    return RevokedCertificate.objects.filter(wanted).exists()


def trusted_roots() -> list[x509.Certificate]:
    """Return the roots under which client certificates open connections: our authority's, and those marked so.

    That of vehicles is one of them as soon as a station has a certificate for both (2.x A02, combined certificate).
    """
    ours = _of_authority(certificate_authority.current().roots)
    marked = RootCertificate.objects.filter(is_trusted=True).values_list("certificate", flat=True)
    return ours + [certificates.read_one(text) for text in marked]


def _of_authority(certificates_for: Callable[[str], list[x509.Certificate]]) -> list[x509.Certificate]:
    found = certificates_for(SigningUse.CHARGING_STATION)
    if StationCertificate.objects.filter(use=SigningUse.COMBINED).exclude(fingerprint="").exists():
        found += certificates_for(SigningUse.COMBINED)
    return found


def _path(presented: list[x509.Certificate], now: datetime) -> tuple[list[x509.Certificate] | None, str]:
    """Return the path to a root, or None and why there is none."""
    leaf = presented[0]
    issuing = _of_authority(certificate_authority.current().intermediates)
    try:
        path = chains.path(leaf, intermediates=[*presented[1:], *issuing], roots=trusted_roots(), at=now)
    except chains.Untrusted:
        return None, Reason.BAD_CERTIFICATE
    if not chains.may_be_client(leaf) or now < leaf.not_valid_before_utc:
        return None, Reason.BAD_CERTIFICATE
    if now > leaf.not_valid_after_utc:
        return None, Reason.CERTIFICATE_EXPIRED
    if is_revoked(path):
        return None, Reason.CERTIFICATE_REVOKED
    return path, ""


def _seen(leaf: x509.Certificate, station: ChargingStation, now: datetime) -> None:
    """Note that a certificate of ours is in use; those before it are replaced. Writes only the first time."""
    mark = certificates.fingerprint(leaf)
    fresh = StationCertificate.objects.filter(station=station, fingerprint=mark, seen_at=None)
    if not fresh.update(seen_at=now, state=State.IN_USE):
        return
    former = StationCertificate.objects.filter(
        station=station, use__in=StationCertificate.CONNECTING, state__in=StationCertificate.VALID
    )
    former.exclude(fingerprint=mark).update(state=State.REPLACED)
