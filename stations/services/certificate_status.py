"""Is this certificate still good? Answers of OCSP (RFC 6960), for vehicles and for contracts (OCPP 2.1 M06, C07).

About what our own authority issued we answer ourselves, signed with the issuer's key. About others' certificates their
responder is asked, at an address that the certificate names: through the guard, and remembered while it holds.
`settings.CERTIFICATE_STATUS` may name another class with these methods.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Protocol

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.conf import settings
from django.core.cache import cache as remembered
from django.utils.module_loading import import_string

from cpo.lib import clock, guard
from stations.models import AuthorityCertificate, RevokedCertificate, RootCertificate, StationCertificate
from stations.pki import certificates as x
from stations.pki import hash_data
from stations.pki.hash_data import HashData
from stations.services import guarded_http, local_ca
from stations.services.certificate_authority import AuthorityUnavailable
from stations.services.client_certificates import issuer_name_hash

OWN_VALID = timedelta(days=7)  # a station asks at least once a week (M06.FR.10)
REMEMBERED_AT_MOST = timedelta(hours=1)
TIMEOUT_S = 4  # seconds; a vehicle waits
PORTS = (80, 443, 8443)
GOOD, REVOKED, UNKNOWN = "good", "revoked", "unknown"
WORDS = {
    ocsp.OCSPCertStatus.GOOD: GOOD,
    ocsp.OCSPCertStatus.REVOKED: REVOKED,
    ocsp.OCSPCertStatus.UNKNOWN: UNKNOWN,
}


class NoStatus(Exception):
    """Nobody could say; the text says why and may be shown."""


@dataclass(frozen=True, slots=True)
class Status:
    """What a responder says. `is_proven`: its signature is that of the issuer who is named, or its host is listed."""

    word: str  # good, revoked, unknown
    response: bytes  # OCSPResponse, DER
    is_proven: bool
    until: datetime  # when it must be asked again


class StatusSource(Protocol):
    """Who answers for the status of certificates."""

    def status(self, asked: HashData, *, responder_url: str) -> Status:
        """Return the status; raise `NoStatus`."""
        ...


@cache
def _load(path: str) -> StatusSource:
    source: StatusSource = import_string(path)()
    return source


def current() -> StatusSource:
    """Return the source that the settings name."""
    return _load(settings.CERTIFICATE_STATUS)


class Responders:
    """Ourselves for our own certificates, else the responder that the certificate names."""

    def status(self, asked: HashData, *, responder_url: str) -> Status:
        """Return the status; raise `NoStatus`."""
        if asked.hash_algorithm not in hash_data.ALGORITHMS:
            raise NoStatus(f"hashes of {asked.hash_algorithm!r} are not known")
        if not asked.is_readable:
            raise NoStatus("the hashes cannot be read")
        return own(asked) or _of_others(asked, responder_url)


def own(asked: HashData) -> Status | None:
    """Answer about a certificate of our own authority; None when another one issued it."""
    issuer = _own_issuer(asked)
    if issuer is None:
        return None
    certificate, key = issuer
    serial = int(asked.serial_number, 16)
    revoked = RevokedCertificate.objects.filter(
        issuer_name_hash=issuer_name_hash(certificate.subject), serial_number=asked.serial_number
    ).first()
    word = REVOKED if revoked else GOOD if _is_issued(asked.serial_number) else UNKNOWN
    now = clock.now()
    response = (
        ocsp.OCSPResponseBuilder()
        .add_response_by_hash(
            bytes.fromhex(asked.issuer_name_hash),
            bytes.fromhex(asked.issuer_key_hash),
            serial,
            hash_data.ALGORITHMS[asked.hash_algorithm],
            next(status for status, name in WORDS.items() if name == word),
            now,
            now + OWN_VALID,
            revoked.revoked_at if revoked else None,
            None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, certificate)
        .sign(key, local_ca.digest(key))
    )
    return Status(word, response.public_bytes(local_ca.Encoding.DER), is_proven=True, until=now + OWN_VALID)


def _own_issuer(asked: HashData) -> local_ca.Signer | None:
    """Return the certificate of ours that is named as the issuer, with its key."""
    for row in AuthorityCertificate.objects.exclude(private_key=""):
        certificate = x.read_one(row.certificate)
        if hash_data.is_issuer(asked, certificate):
            try:
                return local_ca.opened(row)
            except AuthorityUnavailable as error:
                raise NoStatus(str(error)) from error
    return None


def _is_issued(serial_number: str) -> bool:
    if StationCertificate.objects.filter(serial_number=serial_number).exists():
        return True
    rows = AuthorityCertificate.objects.values_list("certificate", flat=True)
    return any(x.serial_hex(x.read_one(text)) == serial_number for text in rows)


def _of_others(asked: HashData, url: str) -> Status:
    """Ask the responder, or remember what it said."""
    check_address(url)
    name = "ocsp:" + hashlib.sha256(f"{asked}{url}".encode()).hexdigest()
    der = remembered.get(name)
    if der is None:
        der = _asked(asked, url)
    response, single = _read(der, asked)
    now = clock.now()
    if single.this_update_utc > now + timedelta(hours=1):
        raise NoStatus("its answer is of a time to come")
    until = single.next_update_utc or now + REMEMBERED_AT_MOST
    if until <= now:
        raise NoStatus("its answer is out of date")
    remembered.set(name, der, min((until - now).total_seconds(), REMEMBERED_AT_MOST.total_seconds()))
    is_listed = httpx.URL(url).host in settings.CERTIFICATE_STATUS_HOSTS
    is_proven = is_listed or _is_signed(response, asked)
    return Status(WORDS[single.certificate_status], der, is_proven=is_proven, until=until)


def check_address(url: str) -> None:
    """Raise `NoStatus` unless we may ask there. OCSP speaks plain http as a rule: its answers are signed."""
    try:
        parsed = httpx.URL(url)
        if parsed.scheme == "https":
            guard.check_url(url)
    except (httpx.InvalidURL, guard.ForbiddenUrl, ValueError, TypeError) as error:
        raise NoStatus("its address is not allowed") from error
    lenient = settings.INTEGRATIONS_ALLOW_PRIVATE_IPS
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    if (
        parsed.scheme not in ("http", "https")
        or not parsed.host
        or parsed.userinfo
        or len(url) > guard.MAX_URL
    ):
        raise NoStatus("its address is not allowed")
    if port not in PORTS and not lenient:
        raise NoStatus(f"port {port} is not allowed")
    hosts = settings.CERTIFICATE_STATUS_HOSTS
    if hosts and parsed.host not in hosts:
        raise NoStatus(f"{parsed.host} is not among CERTIFICATE_STATUS_HOSTS")


def _asked(asked: HashData, url: str) -> bytes:
    try:
        request = (
            ocsp.OCSPRequestBuilder()
            .add_certificate_by_hash(
                bytes.fromhex(asked.issuer_name_hash),
                bytes.fromhex(asked.issuer_key_hash),
                int(asked.serial_number, 16),
                hash_data.ALGORITHMS[asked.hash_algorithm],
            )
            .build()
        )
    except ValueError as error:
        raise NoStatus("the hashes cannot be read") from error
    headers = {"content-type": "application/ocsp-request", "accept": "application/ocsp-response"}
    content = request.public_bytes(local_ca.Encoding.DER)
    try:
        answer = guarded_http.ask(
            guarded_http.GUARDED, "POST", url, content=content, headers=headers, timeout_s=TIMEOUT_S
        )
    except guarded_http.Unreachable as error:
        raise NoStatus(f"the responder cannot be asked: {error}") from error
    if answer.status != 200:
        raise NoStatus(f"the responder answered {answer.status}")
    return answer.body


def _read(der: bytes, asked: HashData) -> tuple[ocsp.OCSPResponse, ocsp.OCSPSingleResponse]:
    """Return the response and what it says of this certificate."""
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise NoStatus(f"the responder said {response.response_status.name}")
        for single in response.responses:
            if (
                single.issuer_name_hash.hex() == asked.issuer_name_hash
                and single.issuer_key_hash.hex() == asked.issuer_key_hash
                and format(single.serial_number, "x") == asked.serial_number
            ):
                return response, single
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NoStatus("the responder's answer cannot be read") from error
    raise NoStatus("the responder spoke of another certificate")


def _is_signed(response: ocsp.OCSPResponse, asked: HashData) -> bool:
    """Tell whether the issuer of the certificate signed, or somebody whom it let sign (RFC 6960 section 4.2.2.2)."""
    now = clock.now()
    for issuer in _issuers(response, asked):
        if _verifies(response, issuer):
            return True
        for delegate in response.certificates:
            try:
                delegate.verify_directly_issued_by(issuer)
                purposes = delegate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound):
                continue
            is_valid = delegate.not_valid_before_utc <= now <= delegate.not_valid_after_utc
            if is_valid and ExtendedKeyUsageOID.OCSP_SIGNING in purposes and _verifies(response, delegate):
                return True
    return False


def _issuers(response: ocsp.OCSPResponse, asked: HashData) -> list[x509.Certificate]:
    """Return the issuer's certificate, from our roots or from the answer: the hash of its key says that it is it."""
    roots = [x.read_one(text) for text in RootCertificate.objects.values_list("certificate", flat=True)]
    return [one for one in (*roots, *response.certificates) if hash_data.is_issuer(asked, one)]


def _verifies(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    key, digest = signer.public_key(), response.signature_hash_algorithm
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey) and digest is not None:
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), digest)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def as_text(response: bytes) -> str:
    """Return a response as OCPP carries it: Base64 of the DER."""
    return base64.b64encode(response).decode()
