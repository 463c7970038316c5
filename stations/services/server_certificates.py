"""Certificates for our own TLS port, from our own authority: for the demo and for closed networks.

One with an EC and one with an RSA key, each under the root whose kind a station of that kind can check (white paper
A00.FR.317). A public authority's are as good: name their files in OCPP_TLS_CERTIFICATES.
"""

import ipaddress
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.conf import settings

from cpo.lib import clock
from cpo.lib.embedded.secrets import write_private
from stations.models import AuthorityCertificate, SigningUse
from stations.pki import certificates
from stations.services import root_certificates
from stations.services.local_ca import Key, LocalAuthority, Signer

Role = AuthorityCertificate.Role
VALID = timedelta(days=365)
RENEW_BEFORE = timedelta(days=60)
RSA_BITS = 2048
KINDS = {"ec": Role.STATIONS, "rsa": Role.RSA}


def ensure(folder: Path, *, names: Sequence[str]) -> list[Path]:
    """Return a file per kind of key, each a chain with its key, for these host names and addresses.

    What is there stays while it is valid for another two months, for the same names and under the authority of today.
    `roots.pem` beside them is what stations must trust.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    names = [name.strip("[]") for name in names if "*" not in name] or ["localhost"]
    files = []
    for kind, role in KINDS.items():
        file = folder / f"server-{kind}.pem"
        signer = LocalAuthority().signer(role)
        if not _serves(file, names, signer):
            write_private(file, _issue(kind, names, signer))
        files.append(file)
    root_certificates.keep_own()
    write_private(
        folder / "roots.pem", certificates.pem(*LocalAuthority().roots(SigningUse.CHARGING_STATION))
    )
    return files


def _serves(file: Path, names: Sequence[str], signer: Signer) -> bool:
    try:
        chain = certificates.read(file.read_text())
    except (OSError, certificates.Unreadable):
        return False
    is_fresh = chain[0].not_valid_after_utc - clock.now() > RENEW_BEFORE
    return is_fresh and chain[-1] == signer.certificate and _names(chain[0]) == set(names)


def _names(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = found.get_values_for_type(x509.IPAddress)
    return {*found.get_values_for_type(x509.DNSName), *(str(address) for address in addresses)}


def _issue(kind: str, names: Sequence[str], signer: Signer) -> str:
    key: Key = (
        rsa.generate_private_key(65537, RSA_BITS)
        if kind == "rsa"
        else ec.generate_private_key(ec.SECP256R1())
    )
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64]),  # A00.FR.510: the name that stations dial
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, settings.OPERATOR_NAME[:64]),
        ]
    )
    now = clock.now()
    leaf = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False
        )
        .sign(signer.key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return certificates.pem(leaf, signer.certificate) + secret


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
