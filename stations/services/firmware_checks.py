"""Is this firmware what its maker made? Hash, signature, signing certificate, signer: all before it is offered.

White paper A00.FR.706: what a station gets was checked here first. L01.FR.04 names RSA-PSS and ECSchnorr over SHA-256;
the field also signs with ECDSA and PKCS #1 v1.5, which are accepted and named. ECSchnorr cannot be checked here.
"""

import base64
import binascii
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from cpo.lib import clock
from stations.models import TrustedSigner
from stations.services.errors import UntrustedFirmware

MAX_CERTIFICATE = 5500  # characters that a station takes, white paper section 6.9
MAX_SIGNATURE = 800  # characters of base64, the same section
MIN_RSA, MIN_EC = 2048, 224  # bits, white paper A00.FR.503
LONGEST_CHAIN = 4  # certificates from the signing one to a trusted one
WEAK_HASHES = ("md5", "sha1")

Certificates = list[x509.Certificate]


def read_certificates(pem: str) -> Certificates:
    """Return the certificates of a PEM text, the signing one first; raise `UntrustedFirmware`."""
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UntrustedFirmware(["The certificate is not a PEM certificate that can be read."]) from error
    if len(found) > LONGEST_CHAIN:
        raise UntrustedFirmware([f"More than {LONGEST_CHAIN} certificates."])
    return found


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the certificate in hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def check_signer(vendor: str, pem: str) -> TrustedSigner:
    """Return who vouches for this signing certificate of the vendor; raise `UntrustedFirmware` if nobody does."""
    chain = read_certificates(pem)
    if len(pem) > MAX_CERTIFICATE:
        raise UntrustedFirmware([f"The certificate is longer than {MAX_CERTIFICATE} characters."])
    now = clock.now()
    faults = [fault for certificate in chain for fault in _faults(certificate, now)]
    if faults:
        raise UntrustedFirmware(faults)
    if not _may_sign(chain[0]):
        raise UntrustedFirmware(["The certificate is not one for digital signatures."])
    signer = _trusted(vendor, chain, now)
    if signer is None:
        raise UntrustedFirmware(
            [f"Nobody who is trusted for {vendor or 'this vendor'} vouches for the signer."]
        )
    return signer


def check_signature(digest: bytes, *, signature: str, pem: str) -> str:
    """Return how the SHA-256 digest is signed; raise `UntrustedFirmware` when it is not, by this certificate's key."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UntrustedFirmware(["The signature is not base64."]) from error
    if not raw or len(signature) > MAX_SIGNATURE:
        raise UntrustedFirmware([f"The signature has 1 to {MAX_SIGNATURE} characters of base64."])
    scheme = _scheme(read_certificates(pem)[0].public_key(), raw, digest)
    if not scheme:
        raise UntrustedFirmware(["The signature is not one of this file by this certificate."])
    return scheme


def _scheme(key: object, signature: bytes, digest: bytes) -> str:
    """Name the scheme by which the signature is right, or ''."""
    prehashed = utils.Prehashed(hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePublicKey):
        try:
            key.verify(signature, digest, ec.ECDSA(prehashed))
        except InvalidSignature:
            return ""
        return "ECDSA"
    if not isinstance(key, rsa.RSAPublicKey):
        return ""
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.AUTO)
    for name, filling in (("RSA-PSS", pss), ("RSA-PKCS1", padding.PKCS1v15())):
        try:
            key.verify(signature, digest, filling, prehashed)
        except InvalidSignature:
            continue
        return name
    return ""


def _faults(certificate: x509.Certificate, now: datetime) -> list[str]:
    name = certificate.subject.rfc4514_string() or "The certificate"
    faults = []
    if certificate.not_valid_before_utc > now:
        faults.append(f"{name} is not valid yet.")
    if certificate.not_valid_after_utc < now:
        faults.append(f"{name} has expired.")
    key = certificate.public_key()
    least = MIN_RSA if isinstance(key, rsa.RSAPublicKey) else MIN_EC
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        faults.append(f"{name} has a key that is neither RSA nor of an elliptic curve.")
    elif key.key_size < least:
        faults.append(f"{name} has a key of {key.key_size} bits, fewer than {least}.")
    algorithm = certificate.signature_hash_algorithm
    if algorithm is not None and algorithm.name in WEAK_HASHES:
        faults.append(f"{name} is signed over {algorithm.name}, which is broken.")
    return faults


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except x509.ExtensionNotFound:
        return True


def _trusted(vendor: str, chain: Certificates, now: datetime) -> TrustedSigner | None:
    """Follow the chain upwards until a trusted certificate is met, or one that a trusted one has signed."""
    signers = TrustedSigner.objects.filter(vendor__iexact=vendor, is_active=True, not_after__gt=now)
    trusted = [(signer, read_certificates(signer.certificate)[0]) for signer in signers]
    for index, certificate in enumerate(chain):
        if index and not _issued(chain[index - 1], by=certificate):
            return None
        for signer, known in trusted:
            if fingerprint(known) == fingerprint(certificate) or _issued(certificate, by=known):
                return signer
    return None


def _issued(certificate: x509.Certificate, *, by: x509.Certificate) -> bool:
    try:
        is_authority = by.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        certificate.verify_directly_issued_by(by)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return is_authority
