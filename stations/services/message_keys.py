"""Whose signatures of messages we believe, and with which key we sign ours (2.1 part 4 section 7.4).

A station's own certificates count, and those of local controllers, meters and others that the operator names in
OCPP_MESSAGE_SIGNERS. The specification leaves open how a certificate is found by its hash: these tables are how.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from django.conf import settings
from django.db.models import QuerySet

from cpo.lib import clock
from stations.models import ChargingStation, StationCertificate
from stations.pki import certificates as x


@dataclass(frozen=True, slots=True)
class Signer:
    """Our own key, as PEM, and the certificate that vouches for it."""

    key: bytes
    certificate: x509.Certificate


def named(station: ChargingStation, fingerprint: str) -> CertificatePublicKeyTypes | None:
    """Return the key of a certificate by the SHA-256 of its DER in hex; None when it is not one that we believe."""
    certificate = _configured(tuple(settings.OCPP_MESSAGE_SIGNERS)).get(fingerprint)
    if certificate is not None and certificate.not_valid_after_utc > clock.now():
        return certificate.public_key()
    row = _own(station).filter(fingerprint=fingerprint).first()
    return x.read_one(row.chain).public_key() if row is not None and row.chain else None


def of_station(station: ChargingStation) -> list[CertificatePublicKeyTypes]:
    """Return the keys of a station's own certificates, the newest first: for a signature that names none."""
    rows = _own(station).exclude(chain="").order_by("-not_before")
    return [x.read_one(row.chain).public_key() for row in rows[:3]]


def ours() -> Signer | None:
    """Return the key with which we sign; None when there is none (OCPP_SIGNING_KEY)."""
    return _signer(settings.OCPP_SIGNING_KEY) if settings.OCPP_SIGNING_KEY else None


def _own(station: ChargingStation) -> QuerySet[StationCertificate]:
    return StationCertificate.objects.filter(
        station=station, state__in=StationCertificate.VALID, not_after__gt=clock.now()
    )


@cache
def _configured(files: tuple[str, ...]) -> dict[str, x509.Certificate]:
    found = [certificate for file in files for certificate in x.read(Path(file).read_bytes())]
    return {x.fingerprint(certificate): certificate for certificate in found}


@cache
def _signer(files: str) -> Signer:
    chain, _, key = files.partition(":")
    return Signer(Path(key).read_bytes(), x.read_one(Path(chain).read_bytes()))
