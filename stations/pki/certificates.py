"""Certificates as they are read, told apart and shown."""

import hashlib
import re

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

MAX_CHAIN = 10  # certificates that are read of one text
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


class Unreadable(Exception):
    """This is no X.509 certificate; the text may be shown."""


def read(text: str | bytes) -> list[x509.Certificate]:
    """Return the certificates of a PEM text or of one DER, in their order; raise `Unreadable` if there is none."""
    raw = text.encode("ascii", "replace") if isinstance(text, str) else text
    try:
        if raw[:1] == b"\x30":
            return [x509.load_der_x509_certificate(raw)]
        found = [x509.load_pem_x509_certificate(part) for part in _PEM.findall(raw)[:MAX_CHAIN]]
        for (
            certificate
        ) in found:  # extensions are parsed only when somebody looks: a broken one must show here
            certificate.extensions  # noqa: B018
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Unreadable("not a certificate") from error
    if not found:
        raise Unreadable("no PEM certificate in it")
    return found


def read_one(text: str | bytes) -> x509.Certificate:
    """Return the first certificate of the text; raise `Unreadable`."""
    return read(text)[0]


def pem(*certificates: x509.Certificate) -> str:
    """Return the certificates as one PEM text, in this order."""
    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in certificates)


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the DER, in hex: the certificate's name in our tables."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def serial_hex(certificate: x509.Certificate) -> str:
    """Return the serial number in lower-case hex without leading zeroes (white paper section 6.1)."""
    return format(certificate.serial_number, "x")


def common_names(name: x509.Name) -> list[str]:
    """Return the CN values of a name."""
    return _values(name, NameOID.COMMON_NAME)


def organizations(name: x509.Name) -> list[str]:
    """Return the O values of a name."""
    return _values(name, NameOID.ORGANIZATION_NAME)


def label(name: x509.Name) -> str:
    """Return a name as people read it, such as `CN=ADA-1, O=Ada`."""
    return ", ".join(
        f"{attribute.rfc4514_attribute_name}={_text(attribute)}" for attribute in name if _text(attribute)
    )


def same_text(one: str, other: str) -> bool:
    """Compare two names as X.520 does: case and runs of spaces make no difference."""
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()


def is_strong(key: object) -> bool:
    """Tell whether a public key is worth 112 bits (A00.FR.501 to .503): RSA from 2048, elliptic curves from 224."""
    if isinstance(key, rsa.RSAPublicKey):
        return 2048 <= key.key_size <= 16384
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.key_size >= 224
    return isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey))


def key_label(key: object) -> str:
    """Name a public key, such as `EC secp256r1` or `RSA 2048`."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    return type(key).__name__.removesuffix("PublicKey")


def _values(name: x509.Name, oid: x509.ObjectIdentifier) -> list[str]:
    return [_text(attribute) for attribute in name.get_attributes_for_oid(oid)]


def _text(attribute: x509.NameAttribute[str | bytes]) -> str:
    return attribute.value if isinstance(attribute.value, str) else attribute.value.hex()
