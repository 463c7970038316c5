"""Is this certificate on its issuer's revocation list? (RFC 5280 section 5; OCPP 2.1 M07.FR.04 to .07)

The list is fetched at an address that the station names: through the guard, and what it said is remembered. Where the
issuer's certificate is known here, the list must bear its signature; of others the issuer's name must be right.
"""

import hashlib
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from django.core.cache import cache as remembered

from cpo.lib import clock
from stations.models import RootCertificate
from stations.pki import certificates as x
from stations.pki import hash_data
from stations.pki.hash_data import HashData
from stations.services import guarded_http
from stations.services.certificate_status import (
    GOOD,
    REMEMBERED_AT_MOST,
    REVOKED,
    TIMEOUT_S,
    NoStatus,
    check_address,
)

LIMIT = 4 * 1024 * 1024  # bytes of a list
UNDATED = timedelta(days=1)  # how long a list without a next update is believed


def status(asked: HashData, *, url: str) -> tuple[str, datetime]:
    """Return GOOD or REVOKED as the list at this address tells, and until when; raise `NoStatus`."""
    if asked.hash_algorithm not in hash_data.ALGORITHMS or not asked.is_readable:
        raise NoStatus("the hashes cannot be read")
    check_address(url)
    name = "crl:" + hashlib.sha256(f"{asked}{url}".encode()).hexdigest()
    found: tuple[str, datetime] | None = remembered.get(name)
    if found is None:
        found = _looked_up(asked, _fetched(url))
        seconds = min(found[1] - clock.now(), REMEMBERED_AT_MOST).total_seconds()
        remembered.set(name, found, seconds)
    return found


def _fetched(url: str) -> x509.CertificateRevocationList:
    try:
        answer = guarded_http.ask(guarded_http.GUARDED, "GET", url, timeout_s=TIMEOUT_S, limit=LIMIT)
    except guarded_http.Unreachable as error:
        raise NoStatus(f"the list cannot be fetched: {error}") from error
    if answer.status != 200:
        raise NoStatus(f"its server answered {answer.status}")
    try:
        load = x509.load_pem_x509_crl if answer.body[:5] == b"-----" else x509.load_der_x509_crl
        return load(answer.body)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NoStatus("the list cannot be read") from error


def _looked_up(asked: HashData, crl: x509.CertificateRevocationList) -> tuple[str, datetime]:
    """Say what the list tells of this certificate, if it is its issuer's, whole, and of today."""
    now = clock.now()
    try:
        _check_issuer(asked, crl)
        if any(extension.oid == x509.DeltaCRLIndicator.oid for extension in crl.extensions):
            raise NoStatus("the list holds changes only")
        until = crl.next_update_utc or now + UNDATED
        entry = crl.get_revoked_certificate_by_serial_number(int(asked.serial_number, 16))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NoStatus("the list cannot be read") from error
    if until <= now:
        raise NoStatus("the list is out of date")
    return (GOOD if entry is None else REVOKED), until


def _check_issuer(asked: HashData, crl: x509.CertificateRevocationList) -> None:
    named = hashes.Hash(hash_data.ALGORITHMS[asked.hash_algorithm])
    named.update(crl.issuer.public_bytes())
    if named.finalize().hex() != asked.issuer_name_hash:
        raise NoStatus("the list is another issuer's")
    known = (x.read_one(text) for text in RootCertificate.objects.values_list("certificate", flat=True))
    issuers = [one for one in known if hash_data.is_issuer(asked, one)]
    if issuers and not any(crl.is_signature_valid(one.public_key()) for one in issuers):  # type: ignore[arg-type]
        raise NoStatus("the list does not bear its issuer's signature")
