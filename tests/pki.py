"""Certificates for tests, made with `cryptography` alone: authorities, leaves, requests, good and bad ones."""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

VECTORS = Path(__file__).parent / "vectors" / "certificates"  # what `cryptography` will not make
OPERATOR = "Ada's chargers"


class Pair(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()  # type: ignore[no-any-return]


def name(common_name: str | None = None, organization: str | None = OPERATOR) -> x509.Name:
    parts = []
    if common_name is not None:
        parts.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    if organization is not None:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def ec_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve or ec.SECP256R1())


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """One key per size: they take long to make."""
    return rsa.generate_private_key(65537, bits)


def certificate(
    subject: x509.Name,
    *,
    issuer: Pair | None = None,
    key: Any = None,
    ca: bool | None = None,
    path_length: int | None = None,
    days: tuple[int, int] = (-1, 365),
    digest: hashes.HashAlgorithm | None = None,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    now: datetime | None = None,
) -> Pair:
    """A certificate valid from `days[0]` to `days[1]` from now; without an issuer it signs itself."""
    key = key or ec_key()
    moment = now or datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment + timedelta(days=days[0]))
        .not_valid_after(moment + timedelta(days=days[1]))
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return Pair(builder.sign(issuer.key if issuer else key, digest or hashes.SHA256()), key)


def authority(common_name: str = "Root", *, issuer: Pair | None = None, **options: Any) -> Pair:
    """A certificate that may sign others."""
    return certificate(name(common_name), issuer=issuer, **{"ca": True} | options)


def leaf(
    issuer: Pair, common_name: str = "ADA-1", organization: str | None = OPERATOR, **options: Any
) -> Pair:
    """A station's certificate."""
    return certificate(name(common_name, organization), issuer=issuer, **options)


def usage(**true: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{word: true.get(word, False) for word in names})


def csr(
    common_name: str | None = "ADA-1",
    organization: str | None = OPERATOR,
    *,
    key: Any = None,
    digest: hashes.HashAlgorithm | None = None,
) -> str:
    """A certificate request in PEM."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(name(common_name, organization))
    return builder.sign(key or ec_key(), digest or hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def stored(file_name: str) -> x509.Certificate:
    """A certificate of tests/vectors/certificates."""
    return x509.load_pem_x509_certificate((VECTORS / file_name).read_bytes())
