"""Plug & Charge: contracts judged by their certificate and their token (OCPP 2.1 C07)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from cpo.lib import clock
from stations import contract_ids
from stations.models import ChargingStation, RootCertificate, RootUse
from stations.pki import certificates as x
from stations.pki import chains, hash_data
from stations.pki.hash_data import HashData
from stations.ports import Decision
from stations.services import authorization, certificate_status
from stations.services.certificate_status import GOOD, REVOKED, NoStatus
from stations.services.client_certificates import is_revoked

ACCEPTED, EXPIRED, REVOKED_WORD = "Accepted", "CertificateExpired", "CertificateRevoked"
CHAIN_ERROR, CANCELLED = "CertChainError", "ContractCancelled"
# What the token comes to where its certificate is no good (C07.FR.15 to .17).
TOKEN_STATUS = {EXPIRED: "Expired", REVOKED_WORD: "Invalid", CHAIN_ERROR: "Invalid"}
NO_CONTRACT = frozenset({"Blocked", "Expired", "Invalid", "Unknown"})  # C07.FR.13
CONTRACT_ROOTS = (RootUse.MO, RootUse.V2G)


class Asked(NamedTuple):
    """A certificate by its hash data, and the responder that may be asked about it (OCSPRequestDataType).

    None names no certificate.
    """

    hash_data: HashData | None
    responder_url: str


@dataclass(frozen=True, slots=True)
class Contract:
    """What a contract comes to. `certificate_status` is an AuthorizeCertificateStatusEnumType."""

    decision: Decision
    certificate_status: str


def authorize(
    emaid: str, *, station: ChargingStation, certificate: str = "", asked: Iterable[Asked] = ()
) -> Contract:
    """Judge a contract: its certificate (PEM chain) or what its hash data is said to be worth, and its token.

    Without either there is no certificate to judge, and the token alone decides (the station checked it itself).
    """
    status = _status_of_chain(certificate, emaid) if certificate else ACCEPTED
    if status == ACCEPTED:
        status = _status_of_hashes(list(asked))
    decision = authorization.authorize(emaid, station=station, type=authorization.CONTRACT)
    if status in TOKEN_STATUS:
        return Contract(replace(decision, status=TOKEN_STATUS[status]), status)
    return Contract(decision, CANCELLED if decision.status in NO_CONTRACT else ACCEPTED)


def _status_of_chain(text: str, emaid: str) -> str:
    """Verify a contract's chain to a root of mobility operators or vehicles that we know (C07.FR.06)."""
    now = clock.now()
    try:
        chain = x.read(text)
        leaf = chain[0]
        if not _names(leaf, emaid):
            return CHAIN_ERROR
        path = chains.path(leaf, intermediates=chain[1:], roots=_roots(), at=now)
    except x.Unreadable:
        return CHAIN_ERROR
    except chains.Untrusted:
        return EXPIRED if _was_valid(chain, now) else CHAIN_ERROR
    if now > leaf.not_valid_after_utc:
        return EXPIRED
    if now < leaf.not_valid_before_utc:
        return CHAIN_ERROR
    return REVOKED_WORD if is_revoked(path) else _status_of_hashes(_named(path))


def _was_valid(chain: list[x509.Certificate], now: datetime) -> bool:
    """Tell whether the chain led to a root until one of its certificates expired (C07.FR.15)."""
    end = min(certificate.not_valid_after_utc for certificate in chain)
    if end >= now:
        return False
    try:
        chains.path(chain[0], intermediates=chain[1:], roots=_roots(), at=end)
    except chains.Untrusted:
        return False
    return True


def _named(path: list[x509.Certificate]) -> list[Asked]:
    """Give the certificates of a verified chain that name a responder, as it is asked about them (C07.FR.05)."""
    return [
        Asked(hash_data.of(certificate, issuer=issuer), url)
        for certificate, issuer in pairwise(path)
        for url in _responders(certificate)[:1]
    ]


def _responders(certificate: x509.Certificate) -> list[str]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    found = [one.access_location for one in access if one.access_method == AuthorityInformationAccessOID.OCSP]
    return [name.value for name in found if isinstance(name, x509.UniformResourceIdentifier)]


def _names(leaf: x509.Certificate, emaid: str) -> bool:
    """Tell whether a contract certificate is that of this eMAID (its CN), separators and check digit aside."""
    return any(contract_ids.plain(name) == contract_ids.plain(emaid) for name in x.common_names(leaf.subject))


def _roots() -> list[x509.Certificate]:
    texts = RootCertificate.objects.filter(use__in=CONTRACT_ROOTS).values_list("certificate", flat=True)
    return [x.read_one(text) for text in texts]


def _status_of_hashes(asked: list[Asked]) -> str:
    """Ask about each certificate of the chain; one that is revoked decides, one that nobody can prove is an error."""
    found = set()
    for one in asked:
        if one.hash_data is None:
            found.add(CHAIN_ERROR)
            continue
        try:
            status = certificate_status.current().status(one.hash_data, responder_url=one.responder_url)
        except NoStatus:
            found.add(CHAIN_ERROR)
            continue
        if status.word == REVOKED:
            return REVOKED_WORD
        found.add(ACCEPTED if status.word == GOOD and status.is_proven else CHAIN_ERROR)
    return CHAIN_ERROR if CHAIN_ERROR in found else ACCEPTED
