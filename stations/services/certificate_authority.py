"""The port to a certificate authority: who signs, who revokes, whose roots are trusted.

`settings.CERTIFICATE_AUTHORITY` names a class that keeps this promise: our own authority (`local_ca`), one whose keys
lie in files, or one that is asked over HTTP (`external_ca`). Only workers sign: no socket waits for an authority.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Protocol

from cryptography import x509
from django.conf import settings
from django.utils.module_loading import import_string

from stations.services.errors import StationsError


class AuthorityRefused(StationsError):
    """The authority will not sign this request; asking again changes nothing."""


class AuthorityUnavailable(StationsError):
    """The authority cannot be asked now; asking again may help."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be signed, checked already: the subject is ours, whatever else the request holds."""

    csr: str  # PEM
    use: str  # SigningUse
    common_name: str
    organization: str
    identity: str  # of the station
    root: dict[str, str] | None = (
        None  # hash data of the root under which the station wants it (2.1 A02.FR.27)
    )


@dataclass(frozen=True, slots=True)
class Issued:
    """The leaf first, then what leads to the root, without the root."""

    chain: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class Pending:
    """The authority decides later: ask it again with this reference."""

    reference: str
    retry_after_s: int = 60  # seconds


@dataclass(frozen=True, slots=True)
class Revocation:
    """One line of a revocation list. `issuer_name_hash`: SHA-256 of the DER of the issuer's name, in hex."""

    issuer_name_hash: str
    serial_number: str  # lower-case hex
    revoked_at: datetime
    reason: str = ""


class CertificateAuthority(Protocol):
    """What an authority must be able to do. Each call may raise `AuthorityRefused` or `AuthorityUnavailable`."""

    name: str

    def sign(self, wish: Wish) -> Issued | Pending:
        """Sign the request, or promise to."""
        ...

    def collect(self, wish: Wish, *, reference: str) -> Issued | Pending:
        """Ask for what was promised."""
        ...

    def revoke(self, certificate: x509.Certificate, *, reason: str) -> None:
        """Declare a certificate of this authority invalid from now on."""
        ...

    def revocations(self) -> Iterable[Revocation]:
        """Give the authority's revocation list; empty where there is none."""
        ...

    def refresh(self) -> None:
        """Ask again for what is kept of it here: its own certificates."""
        ...

    def roots(self, use: str) -> list[x509.Certificate]:
        """Give the roots under which it signs for this use. Asks nobody, makes no key."""
        ...

    def intermediates(self, use: str) -> list[x509.Certificate]:
        """Give the certificates between those roots and the leaves."""
        ...


class NoAuthority:
    """What stands in where the settings name no authority: nothing is signed, nothing is trusted by itself."""

    name = "none"

    def sign(self, wish: Wish) -> Issued | Pending:
        """Refuse."""
        raise AuthorityRefused("there is no certificate authority here")

    def collect(self, wish: Wish, *, reference: str) -> Issued | Pending:
        """Refuse."""
        raise AuthorityRefused("there is no certificate authority here")

    def revoke(self, certificate: x509.Certificate, *, reason: str) -> None:
        """Nobody is to be told."""

    def revocations(self) -> Iterable[Revocation]:
        """Give none."""
        return ()

    def refresh(self) -> None:
        """Nobody is to be asked."""

    def roots(self, use: str) -> list[x509.Certificate]:
        """Give none."""
        return []

    def intermediates(self, use: str) -> list[x509.Certificate]:
        """Give none."""
        return []


@cache
def _load(path: str) -> CertificateAuthority:
    authority: CertificateAuthority = import_string(path)()
    return authority


def current() -> CertificateAuthority:
    """Return the authority that the settings name."""
    if not settings.CERTIFICATE_AUTHORITY:
        return NoAuthority()
    return _load(settings.CERTIFICATE_AUTHORITY)
