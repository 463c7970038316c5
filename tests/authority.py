"""A certificate authority for tests: server and client certificates of every sort, good and bad."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def save(self, folder: Path, name: str) -> Path:
        """Write certificate and key into one file."""
        file = folder / f"{name}.pem"
        file.write_text(self.pem + self.key_pem)
        return file


def new_key(kind: str = "ec") -> Key:
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def name(common_name: str, organization: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


class Authority:
    """A root with its key. `issue` signs whatever it is asked to."""

    def __init__(self, common_name: str = "Root of the tests", organization: str = "") -> None:
        self.root = self._make(name(common_name, organization), new_key(), issuer=None, is_ca=True)

    def issue(
        self,
        common_name: str,
        organization: str = "",
        *,
        kind: str = "ec",
        days: tuple[float, float] = (-1, 30),
        is_server: bool = False,
    ) -> Issued:
        """Sign a leaf that is valid from and to so many days from now."""
        subject = name(common_name, organization)
        return self._make(subject, new_key(kind), issuer=self.root, days=days, is_server=is_server)

    def _make(
        self,
        subject: x509.Name,
        key: Key,
        *,
        issuer: Issued | None,
        days: tuple[float, float] = (-10, 3650),
        is_ca: bool = False,
        is_server: bool = False,
    ) -> Issued:
        now = datetime.datetime.now(datetime.UTC)
        signer = issuer.key if issuer else key
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * DAY)
            .not_valid_after(now + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
            )
        )
        if not is_ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if is_server:
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            host = subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
            names = x509.SubjectAlternativeName([x509.DNSName(str(host)), address])
            builder = builder.add_extension(names, critical=False)
        return Issued(builder.sign(signer, hashes.SHA256()), key)


def self_signed(common_name: str, organization: str = "") -> Issued:
    """Give a certificate that nobody else has signed."""
    return Authority(common_name, organization).root
