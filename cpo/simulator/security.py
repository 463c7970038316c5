"""Certificates of a simulated station: keys and requests of its own, chains and roots that it really looks at
(1.6 security white paper A02, M03 to M05; the application note on ISO 15118).

`charger.vault` holds what lies in the station's key store; tests change its habits. Private keys never leave it.
"""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from cpo.simulator.answers import Answer, Payload, Reaction
from cpo.simulator.configuration import Key

if TYPE_CHECKING:
    from cpo.simulator.charger import Charger

VENDOR = "org.openchargealliance.iso15118pnc"
TLS, V2G = "ChargePointCertificate", "V2GCertificate"
OWN_CHAIN = "V2GCertificateChain"
INSTALLED_AT_ONCE = ("V2GRootCertificate", "MORootCertificate")
FACTORY_ORGANIZATION = "OpenCPO"  # in requests of a station whose CpoName nobody set


@dataclass
class Own:
    """A key of the station and the chain that belongs to it."""

    key: Any
    chain: list[x509.Certificate] = field(default_factory=list)

    @property
    def key_pem(self) -> str:
        pem: bytes = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return pem.decode()

    @property
    def chain_pem(self) -> str:
        return "".join(_pem(certificate) for certificate in self.chain)


@dataclass
class Vault:
    """The station's key store, and its habits."""

    is_rsa: bool = False  # which keys it makes
    common_name: str = ""  # in its requests; empty: its identity
    organization: str = ""  # in its requests; empty: its CpoName
    algorithm: str = "SHA256"  # of the hashes that it tells
    tells_events: bool = True
    own: dict[str, Own] = field(default_factory=dict)  # by use: what it shows
    pending: dict[str, Own] = field(default_factory=dict)  # by use: keys that were sent to be signed
    roots: list[tuple[str, x509.Certificate]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)  # statuses of SignCertificate.conf
    request_ids: dict[str, int] = field(default_factory=dict)  # of SignCertificate in 2.1, by type
    statuses: dict[str, str] = field(default_factory=dict)  # OCSP answers in Base64, by serial number


def keys() -> dict[str, Key]:
    """The configuration keys of chapter 7, and those of the application note."""
    return {
        "AdditionalRootCertificateCheck": Key("false", readonly=True),
        "CertificateSignedMaxChainSize": Key("10000", readonly=True, number=True),
        "CertificateStoreMaxLength": Key("10", readonly=True, number=True),
        "CpoName": Key(""),
        "ContractValidationOffline": Key("false"),
        "ISO15118PnCEnabled": Key("true"),
    }


# --- asking for a certificate


async def ask_for_certificate(charger: "Charger", use: str = TLS) -> str:
    """Make a key, send its request, return the answer's status (A02.FR.02, .03)."""
    vault = charger.vault
    own = Own(
        rsa.generate_private_key(65537, 2048)
        if vault.is_rsa and use == TLS
        else ec.generate_private_key(ec.SECP256R1())
    )
    csr = request(charger, own)
    vault.pending[use] = own
    if use == TLS:
        answer = await charger.call("SignCertificate", {"csr": csr})
    else:
        answer = await _wrapped(charger, "SignCertificate", {"csr": csr})
    vault.answers.append(str(answer.get("status")))
    return vault.answers[-1]


def request(charger: "Charger", own: Own) -> str:
    """Return the PEM of a request with the station's name."""
    vault = charger.vault
    organization = vault.organization or charger.configuration["CpoName"].value or FACTORY_ORGANIZATION
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, vault.common_name or charger.station_id),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
        ]
    )
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(own.key, hashes.SHA256())
    return csr.public_bytes(Encoding.PEM).decode()


async def _wrapped(charger: "Charger", message: str, payload: Payload) -> Payload:
    """Send a message inside DataTransfer and return the message inside the answer."""
    answer = await charger.call(
        "DataTransfer", {"vendorId": VENDOR, "messageId": message, "data": json.dumps(payload)}
    )
    found: Payload = json.loads(answer["data"]) if answer.get("data") else {}
    return found if answer["status"] == "Accepted" else {"status": answer["status"]}


# --- what the central system asks


async def extended_trigger_message(charger: "Charger", payload: Payload) -> Answer | Payload:
    """Ask for a certificate, after the answer (5.5); what else may be triggered is told as TriggerMessage does it."""
    if payload["requestedMessage"] == "SignChargePointCertificate":
        return Answer({"status": "Accepted"}, then=lambda: ask_for_certificate(charger))
    return await charger.reactions["TriggerMessage"](charger, payload)


async def certificate_signed(charger: "Charger", payload: Payload) -> Answer | Payload:
    """Keep a chain that fits a key of ours and leads to our root (A02.FR.06 to .08)."""
    return _take(charger, TLS, payload)


async def install_certificate(charger: "Charger", payload: Payload) -> Payload:
    """Keep a root, if it is one and there is room (M05.FR.02 to .06)."""
    return install(charger, payload)


async def delete_certificate(charger: "Charger", payload: Payload) -> Payload:
    """Delete the root of these hashes (M04.FR.02, .04)."""
    return _delete(charger, payload)


async def get_installed_certificate_ids(charger: "Charger", payload: Payload) -> Payload:
    """Tell the roots of one use (M03.FR.02 to .04)."""
    data = [
        hash_data(charger, root) for use, root in charger.vault.roots if use == payload["certificateType"]
    ]
    return {"status": "Accepted", "certificateHashData": data} if data else {"status": "NotFound"}


async def data_transfer(charger: "Charger", payload: Payload) -> Answer | Payload:
    """Answer a message of the application note."""
    inner = json.loads(payload.get("data") or "{}")
    message = payload.get("messageId")
    if message == "TriggerMessage":
        return _inside({"status": "Accepted"}, lambda: ask_for_certificate(charger, V2G))
    if message == "CertificateSigned":
        taken = _take(charger, V2G, inner)
        return _inside(taken) if isinstance(taken, dict) else _inside(taken.payload, taken.then)
    if message == "InstallCertificate":
        return _inside(install(charger, inner))
    if message == "DeleteCertificate":
        return _inside(_delete(charger, inner))
    if message == "GetInstalledCertificateIds":
        return _inside(_chains(charger, inner.get("certificateType") or []))
    return {"status": "UnknownMessageId"}


def _inside(payload: Payload, then: Any = None) -> Answer:
    return Answer({"status": "Accepted", "data": json.dumps(payload)}, then=then)


def _take(charger: "Charger", use: str, payload: Payload) -> Answer | Payload:
    vault, fault = charger.vault, ""
    own = vault.pending.get(use)
    try:
        chain = x509.load_pem_x509_certificates(payload["certificateChain"].encode())
    except ValueError:
        chain, fault = [], "not a certificate"
    if len(payload["certificateChain"]) > int(charger.configuration["CertificateSignedMaxChainSize"].value):
        fault = "too long"
    elif chain:
        fault = fault_of(vault, own, chain, use)
    if fault:
        return Answer({"status": "Rejected"}, then=lambda: _tell_invalid(charger, fault))
    assert own is not None
    own.chain = chain
    vault.own[use] = vault.pending.pop(use)
    return {"status": "Accepted"}


def fault_of(vault: Vault, own: Own | None, chain: list[x509.Certificate], use: str) -> str:
    """Say what is wrong with a chain: not for our key, not valid now, not under a root of ours."""
    leaf, now = chain[0], datetime.now(UTC)
    if own is None or leaf.public_key() != own.key.public_key():
        return "not for a key of this station"
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        return "not valid now"
    wanted = "CentralSystemRootCertificate" if use == TLS else "V2GRootCertificate"
    roots = [root for root_use, root in vault.roots if root_use == wanted]
    if roots and not any(leads_to(chain, root) for root in roots):
        return "not under a root of this station"
    return ""


def leads_to(chain: list[x509.Certificate], root: x509.Certificate) -> bool:
    for certificate, issuer in zip(chain, [*chain[1:], root], strict=True):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (InvalidSignature, ValueError, TypeError):
            return False
    return True


async def _tell_invalid(charger: "Charger", fault: str) -> None:
    """Report the certificate that was refused (A02.FR.07)."""
    if charger.vault.tells_events:
        moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        event = {"type": "InvalidChargePointCertificate", "timestamp": moment, "techInfo": fault}
        await charger.call("SecurityEventNotification", event)


def install(charger: "Charger", payload: Payload) -> Payload:
    vault = charger.vault
    try:
        root = x509.load_pem_x509_certificate(payload["certificate"].encode())
        is_authority = root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, x509.ExtensionNotFound):
        return {"status": "Rejected"}
    entry = (payload["certificateType"], root)
    if not is_authority or root.not_valid_after_utc < datetime.now(UTC):
        return {"status": "Rejected"}
    if entry not in vault.roots:
        if len(vault.roots) >= int(charger.configuration["CertificateStoreMaxLength"].value):
            return {"status": "Rejected"}
        vault.roots.append(entry)
    return {"status": "Accepted"}


def _delete(charger: "Charger", payload: Payload) -> Payload:
    wanted = {name: value.lower() for name, value in payload["certificateHashData"].items()}
    for entry in charger.vault.roots:
        data = hash_data(charger, entry[1], algorithm=payload["certificateHashData"]["hashAlgorithm"])
        if {name: value.lower() for name, value in data.items()} == wanted:
            charger.vault.roots.remove(entry)
            return {"status": "Accepted"}
    return {"status": "NotFound"}


def _chains(charger: "Charger", uses: list[str]) -> Payload:
    wanted = uses or [*INSTALLED_AT_ONCE, OWN_CHAIN]
    found: list[Payload] = [
        {"certificateType": use, "certificateHashData": hash_data(charger, root)}
        for use, root in charger.vault.roots
        if use in wanted
    ]
    own = charger.vault.own.get(V2G)
    if own is not None and own.chain and OWN_CHAIN in wanted:
        issuers = [
            *own.chain[1:],
            *(root for use, root in charger.vault.roots if use == "V2GRootCertificate"),
        ]
        named = [
            hash_data(charger, certificate, issuer=issuer)
            for certificate in own.chain
            for issuer in issuers[:]
            if issuer.subject == certificate.issuer
        ]
        if named:
            chain: Payload = {"certificateType": OWN_CHAIN, "certificateHashData": named[0]}
            found.append(chain | ({"childCertificateHashData": named[1:]} if named[1:] else {}))
    return {"status": "Accepted", "certificateHashDataChain": found} if found else {"status": "NotFound"}


def hash_data(
    charger: "Charger",
    certificate: x509.Certificate,
    *,
    issuer: x509.Certificate | None = None,
    algorithm: str = "",
) -> Payload:
    """Hash the issuer's name and key as OCSP does (6.1)."""
    name = algorithm or charger.vault.algorithm
    digest = getattr(hashlib, name.lower())
    return {
        "hashAlgorithm": name,
        "issuerNameHash": digest(certificate.issuer.public_bytes()).hexdigest(),
        "issuerKeyHash": digest(_key_bits(issuer or certificate)).hexdigest(),
        "serialNumber": format(certificate.serial_number, "x"),
    }


def _key_bits(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    raise ValueError("a kind of key that this station does not know")


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


REACTIONS: dict[str, Reaction] = {
    "CertificateSigned": certificate_signed,
    "DeleteCertificate": delete_certificate,
    "ExtendedTriggerMessage": extended_trigger_message,
    "GetInstalledCertificateIds": get_installed_certificate_ids,
    "InstallCertificate": install_certificate,
}
