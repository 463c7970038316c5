"""Certificate signing requests: read and judged before any authority sees them (A02, RFC 2986)."""

import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stations.pki import certificates

MAX_CSR = 5500  # characters of SignCertificate.req
_BEGIN = ("-----BEGIN CERTIFICATE REQUEST-----", "-----BEGIN NEW CERTIFICATE REQUEST-----")
_WEAK_HASHES = {"md5", "sha1", "sha224"}


class BadRequest(Exception):
    """The request cannot be signed; the text says why and may be shown."""


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """A request whose signature is good: what it wants, and the key that it proves to hold."""

    pem: str
    common_name: str
    organization: str
    key_label: str
    key_fingerprint: str  # SHA-256 of the public key: the same key again is the same wish again
    csr: x509.CertificateSigningRequest


def read(text: str) -> SigningRequest:
    """Return what the PEM text asks for; raise `BadRequest` if it is none, badly signed, weak or without one CN."""
    if len(text) > MAX_CSR:
        raise BadRequest(f"longer than {MAX_CSR} characters")
    if not any(begin in text for begin in _BEGIN):
        raise BadRequest("not a PEM certificate request")
    try:
        csr = x509.load_pem_x509_csr(text.strip().encode("ascii"))
        key = csr.public_key()
        is_signed = csr.is_signature_valid
        hash_name = csr.signature_hash_algorithm.name if csr.signature_hash_algorithm else ""
        common_names = certificates.common_names(csr.subject)
        organizations = certificates.organizations(csr.subject)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise BadRequest("cannot be read") from error
    if not certificates.is_strong(key):
        raise BadRequest(f"its key is too weak: {certificates.key_label(key)}")
    if hash_name in _WEAK_HASHES:  # cannot even be verified any more
        raise BadRequest(f"signed with {hash_name.upper()}")
    if not is_signed:
        raise BadRequest("its signature is wrong")
    if len(common_names) != 1:
        raise BadRequest("it must hold one common name (CN)")
    if len(organizations) > 1:
        raise BadRequest("it holds several organisations (O)")
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SigningRequest(
        pem=csr.public_bytes(Encoding.PEM).decode(),
        common_name=common_names[0],
        organization=organizations[0] if organizations else "",
        key_label=certificates.key_label(key),
        key_fingerprint=hashlib.sha256(der).hexdigest(),
        csr=csr,
    )
