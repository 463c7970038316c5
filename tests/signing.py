"""A maker of stations who signs firmware: root, signing certificate, signatures; by default of elliptic curves."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


@dataclass(frozen=True)
class Maker:
    """`root` and `certificate` are PEM; `sign` gives base64."""

    root: str
    certificate: str
    key: Any

    def sign(self, image: bytes, *, by: Any = None) -> str:
        """Sign as the key's kind does; `by` is another padding for RSA."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            raw = self.key.sign(image, by or PSS, hashes.SHA256())
        else:
            raw = self.key.sign(image, ec.ECDSA(hashes.SHA256()))
        return base64.b64encode(raw).decode()


def maker(
    name: str = "OpenCPO maker", *, key: Any = None, days: int = 30, can_sign: bool = True, began: int = -1
) -> Maker:
    """Make a maker whose signing certificate runs for `days` from `began` days from now."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = _certificate(f"{name} root", root_key, f"{name} root", root_key, is_authority=True)
    key = key or ec.generate_private_key(ec.SECP256R1())
    leaf = _certificate(name, key, f"{name} root", root_key, days=days, can_sign=can_sign, began=began)
    return Maker(_pem(root), _pem(leaf), key)


def _certificate(
    name: str,
    key: Any,
    issuer: str,
    issuer_key: Any,
    *,
    is_authority: bool = False,
    days: int = 30,
    can_sign: bool = True,
    began: int = -1,
) -> x509.Certificate:
    start = datetime.now(UTC) + timedelta(days=began)
    usage = x509.KeyUsage(
        can_sign, False, not can_sign, False, False, is_authority, is_authority, False, False
    )
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
