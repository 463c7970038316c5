"""Our own certificate authority: a root, an issuing certificate below it, keys encrypted under FIELD_KEYS.

Made at first use and kept in the database, so that all workers sign with the same keys. EC P-256 for stations with EC
keys and for vehicles, P-521 for vehicles of ISO 15118-20, RSA for stations with RSA keys, which may know no other
signatures (white paper A00.FR.317).
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max

from cpo.lib import clock, keyring
from stations.models import AuthorityCertificate, RevokedCertificate, SigningUse
from stations.pki import certificates, requests
from stations.services.certificate_authority import (
    AuthorityRefused,
    AuthorityUnavailable,
    Issued,
    Pending,
    Revocation,
    Wish,
)

Role = AuthorityCertificate.Role
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
LOCK = 0x0CB0CA  # advisory lock: one process makes the keys
BACKDATED = timedelta(hours=1)  # stations' clocks are never quite right
CRL_VALID = timedelta(days=7)
RSA_BITS = 3072
ABOVE = {
    Role.STATIONS: Role.ROOT, Role.RSA: Role.RSA_ROOT, Role.V2G: Role.V2G_ROOT, Role.V2G20: Role.V2G20_ROOT,
}  # fmt: skip
ROLES = {
    SigningUse.CHARGING_STATION: (Role.STATIONS, Role.RSA),
    SigningUse.V2G: (Role.V2G,),
    SigningUse.V2G20: (Role.V2G20,),
    SigningUse.COMBINED: (Role.V2G,),  # vehicles must trust it
}
NAMES = {
    Role.ROOT: "Root CA", Role.STATIONS: "Station CA", Role.RSA_ROOT: "RSA Root CA", Role.RSA: "RSA Station CA",
    Role.V2G_ROOT: "V2G Root CA", Role.V2G: "CPO V2G CA",
    Role.V2G20_ROOT: "V2G20 Root CA", Role.V2G20: "CPO V2G20 CA",
}  # fmt: skip
CPO_DOMAIN = "CPO"  # domain component of an operator's certificates, ISO 15118-2 annex F


class Signer(NamedTuple):
    """An issuing certificate and its key."""

    certificate: x509.Certificate
    key: Key


class LocalAuthority:
    """The embedded authority. Its keys are made at first use."""

    name = "local"

    def sign(self, wish: Wish) -> Issued | Pending:
        """Sign with the issuing key that fits the request; raise `AuthorityRefused` for a key that vehicles refuse."""
        csr = requests.read(wish.csr).csr
        key = csr.public_key()
        signer = self.signer(_role(wish.use, key))
        return Issued(chain=(_leaf(wish, key, signer, now=clock.now()), signer.certificate))

    def collect(self, wish: Wish, *, reference: str) -> Issued | Pending:
        """Sign: nothing is ever promised for later."""
        return self.sign(wish)

    def revoke(self, certificate: x509.Certificate, *, reason: str) -> None:
        """Nothing to tell: the table of revoked certificates is this authority's own record."""

    def revocations(self) -> Iterable[Revocation]:
        """Give nothing new, for the same reason."""
        return ()

    def refresh(self) -> None:
        """Nothing to ask for: all is here."""

    def roots(self, use: str) -> list[x509.Certificate]:
        """Give the roots of all generations that were made so far."""
        return self._stored([ABOVE[role] for role in ROLES[SigningUse(use)]])

    def intermediates(self, use: str) -> list[x509.Certificate]:
        """Give the issuing certificates of all generations that were made so far."""
        return self._stored(list(ROLES[SigningUse(use)]))

    def signer(self, role: str) -> Signer:
        """Return the newest issuing certificate of a role with its key, made now if there is none."""
        row = _newest(role)
        if row is None or _is_ageing(row):
            row = _make(role)
        return opened(row)

    def _stored(self, roles: list[str]) -> list[x509.Certificate]:
        rows = AuthorityCertificate.objects.filter(role__in=roles).order_by("role", "-generation")
        return [certificates.read_one(row.certificate) for row in rows]


class FileAuthority(LocalAuthority):
    """An authority whose issuing keys lie in the folder CERTIFICATE_AUTHORITY_FOLDER: `stations.pem` with
    `stations.key`, and where they are wanted `rsa` and `v2g`. A `.pem` holds the issuing certificate, then its root.
    """

    name = "files"

    def signer(self, role: str) -> Signer:
        """Return the issuing certificate of a role with its key; raise `AuthorityUnavailable` without the files."""
        found = self._chain(role)
        path = _folder() / f"{role}.key"
        password = settings.CERTIFICATE_AUTHORITY_PASSWORD.encode() or None
        try:
            key = load_pem_private_key(path.read_bytes(), password)
        except (OSError, ValueError, TypeError) as error:
            raise AuthorityUnavailable(f"{path.name} cannot be read") from error
        if not found or not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
            raise AuthorityUnavailable(f"no issuing certificate for {role}")
        return Signer(found[0], key)

    def _stored(self, roles: list[str]) -> list[x509.Certificate]:
        """Take roots and issuing certificates from the chains in the folder."""
        found: list[x509.Certificate] = []
        for issuing, root in ABOVE.items():
            chain = self._chain(issuing)
            found += chain[-1:] if root in roles else []
            found += chain[:-1] if issuing in roles else []
        return found

    def _chain(self, role: str) -> list[x509.Certificate]:
        try:
            return certificates.read((_folder() / f"{role}.pem").read_bytes())
        except (OSError, certificates.Unreadable):
            return []


def _role(use: str, key: object) -> str:
    """Choose who signs: by the use, for stations' own connections by the kind of their key."""
    curve = key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else ""
    if use == SigningUse.CHARGING_STATION:
        return Role.RSA if isinstance(key, rsa.RSAPublicKey) else Role.STATIONS
    if use == SigningUse.V2G20:
        if curve != "secp521r1" and not isinstance(key, ed448.Ed448PublicKey):
            raise AuthorityRefused("ISO 15118-20 wants a key on the curve P-521, or Ed448")
    elif curve != "secp256r1":
        raise AuthorityRefused("a V2G certificate needs a key on the curve P-256")
    return ROLES[SigningUse(use)][0]


def digest(key: object) -> hashes.SHA256 | hashes.SHA512:
    """Return the hash with which a key of ours signs: that of its curve's strength (ISO 15118-20 wants SHA-512)."""
    is_long = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size > 500
    return hashes.SHA512() if is_long else hashes.SHA256()


def _folder() -> Path:
    return Path(settings.CERTIFICATE_AUTHORITY_FOLDER)


def _newest(role: str) -> AuthorityCertificate | None:
    mine = AuthorityCertificate.objects.filter(role=role).exclude(private_key="")
    return mine.order_by("-generation").first()


def _is_ageing(row: AuthorityCertificate) -> bool:
    """Tell whether a new issuing certificate is due: this one ends before what it would sign, and its root does not."""
    days = settings.CERTIFICATE_V2G_DAYS if is_v2g(row.role) else settings.CERTIFICATE_STATION_DAYS
    if row.not_after >= clock.now() + timedelta(days=days):
        return False
    root = _newest(ABOVE[Role(row.role)])
    return root is not None and root.not_after > row.not_after + timedelta(days=1)


@transaction.atomic(savepoint=False)
def _make(role: str) -> AuthorityCertificate:
    """Make an issuing certificate and its root, unless another process was faster."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [LOCK])
    row = _newest(role)
    if row is not None and not _is_ageing(row):
        return row
    root_role = ABOVE[Role(role)]
    root = _newest(root_role) or _authority(root_role, signer=None)
    return _authority(role, signer=opened(root))


def _authority(role: str, *, signer: Signer | None) -> AuthorityCertificate:
    """Make and store a certificate that may sign: a root by itself, an issuing one below its root."""
    is_rsa = role in (Role.RSA_ROOT, Role.RSA)
    curve = ec.SECP521R1() if role in (Role.V2G20_ROOT, Role.V2G20) else ec.SECP256R1()
    key: Key = rsa.generate_private_key(65537, RSA_BITS) if is_rsa else ec.generate_private_key(curve)
    now = clock.now()
    days = settings.CERTIFICATE_ROOT_DAYS if signer is None else settings.CERTIFICATE_ISSUING_DAYS
    subject = _name(
        f"{settings.OPERATOR_NAME} {NAMES[Role(role)]}"[:64], settings.OPERATOR_NAME, v2g=is_v2g(role)
    )
    usage = x509.KeyUsage(
        digital_signature=signer is not None, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    until = now + timedelta(days=days)
    if signer is not None:
        until = min(until, signer.certificate.not_valid_after_utc)
    last = AuthorityCertificate.objects.filter(role=role).aggregate(last=Max("generation"))["last"] or 0
    builder = (
        _builder(subject, key.public_key(), signer, now=now, until=until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1 if signer is None else 0), critical=True)
        .add_extension(usage, critical=True)
    )
    if signer is not None:
        builder = _with_responder(
            builder
        )  # a station asks about what stands between its leaf and the root (M06)
    by = signer.key if signer else key
    certificate = builder.sign(by, digest(by))
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return AuthorityCertificate.objects.create(
        role=role,
        generation=last + 1,
        certificate=certificates.pem(certificate),
        private_key=keyring.encrypt(text),
        fingerprint=certificates.fingerprint(certificate),
        subject=certificates.label(subject)[:255],
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def crl(role: str) -> bytes:
    """Return the revocation list (DER) of the newest certificate of a role that signs; raise `AuthorityUnavailable`."""
    row = _newest(role)
    if row is None:
        raise AuthorityUnavailable("nothing was signed under this name yet")
    signer, now = opened(row), clock.now()
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(signer.certificate.subject)
        .last_update(now)
        .next_update(now + CRL_VALID)
        .add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
    )
    issuer = hashlib.sha256(signer.certificate.subject.public_bytes()).hexdigest()
    for revoked in RevokedCertificate.objects.filter(issuer_name_hash=issuer).order_by("id"):
        entry = x509.RevokedCertificateBuilder().serial_number(int(revoked.serial_number, 16))
        builder = builder.add_revoked_certificate(entry.revocation_date(revoked.revoked_at).build())
    return builder.sign(signer.key, digest(signer.key)).public_bytes(Encoding.DER)


def is_v2g(role: str) -> bool:
    """Tell whether a role belongs to a hierarchy of vehicles."""
    return role in (Role.V2G_ROOT, Role.V2G, Role.V2G20_ROOT, Role.V2G20)


def _leaf(wish: Wish, key: object, signer: Signer, *, now: datetime) -> x509.Certificate:
    """Sign a station's certificate: only the checked subject and the key are taken from the request."""
    v2g = wish.use != SigningUse.CHARGING_STATION
    days = settings.CERTIFICATE_V2G_DAYS if v2g else settings.CERTIFICATE_STATION_DAYS
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=isinstance(key, rsa.RSAPublicKey),
        data_encipherment=False, key_agreement=v2g, key_cert_sign=False, crl_sign=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        _builder(
            _name(wish.common_name, wish.organization, v2g=v2g),
            key,
            signer,
            now=now,
            until=min(now + timedelta(days=days), signer.certificate.not_valid_after_utc),
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
    )
    if not v2g:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
    return _with_responder(builder).sign(signer.key, digest(signer.key))


def _with_responder(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    """Name our OCSP responder in what is signed."""
    if not settings.CERTIFICATE_OCSP_URL:
        return builder
    responder = x509.UniformResourceIdentifier(settings.CERTIFICATE_OCSP_URL)
    access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, responder)
    return builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)


def _builder(
    subject: x509.Name, key: object, signer: Signer | None, *, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    """Give what all our certificates share: a random serial number, the validity, the key identifiers."""
    issuer_key = signer.certificate.public_key() if signer else key
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key)  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)  # type: ignore[arg-type]
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key),  # type: ignore[arg-type]
            critical=False,
        )
    )


def _name(common_name: str, organization: str, *, v2g: bool) -> x509.Name:
    parts = [
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization[:64]),
    ]
    if v2g:
        parts.append(x509.NameAttribute(NameOID.DOMAIN_COMPONENT, CPO_DOMAIN))
    return x509.Name(parts)


def opened(row: AuthorityCertificate) -> Signer:
    """Return a stored certificate with its key; raise `AuthorityUnavailable`."""
    return _opened(row.certificate, row.private_key)


@lru_cache(maxsize=16)
def _opened(certificate: str, private_key: str) -> Signer:
    """Decrypt a stored key; raise `AuthorityUnavailable` when the key of FIELD_KEYS is gone."""
    try:
        key = load_pem_private_key(keyring.decrypt(private_key).encode(), None)
    except keyring.UnreadableSecret as error:
        raise AuthorityUnavailable(
            "the authority's key was encrypted with a FIELD_KEY that is gone"
        ) from error
    assert isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey))
    return Signer(certificates.read_one(certificate), key)
