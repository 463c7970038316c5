"""Does this certificate lead to one of our roots? Path validation of RFC 5280 section 6, as far as stations need it.

Issuers must be valid now, be authorities, be allowed to sign certificates and keep their path length; signatures must
be good and of strong algorithms and keys. What limits names (name constraints) or is critical and unknown here is
refused, for it cannot be obeyed.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from stations.pki import certificates

MAX_DEPTH = 6  # issuers above a leaf
_TRIES = 100  # signatures that are checked for one path: a heap of look-alike issuers must not keep us busy
_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.CERTIFICATE_POLICIES,  # no policy is asked for
}
_WEAK_HASHES = {"md2", "md5", "sha1", "sha224"}


T = TypeVar("T", bound=x509.ExtensionType)


class Untrusted(Exception):
    """No path to a root; the text says why and may be shown."""


def path(
    leaf: x509.Certificate,
    *,
    intermediates: Iterable[x509.Certificate],
    roots: Iterable[x509.Certificate],
    at: datetime,
) -> list[x509.Certificate]:
    """Return the certificates from the leaf to a root, both included; raise `Untrusted`.

    The leaf's own validity and purpose are not looked at: see `is_within_validity` and `may_be_client`. A leaf that is
    itself one of the roots is no leaf.
    """
    anchors = {certificates.fingerprint(root): root for root in roots}
    if certificates.fingerprint(leaf) in anchors:
        raise Untrusted("a root is no station's certificate")
    _check_own(leaf)
    search = _Search(list(intermediates), anchors, at)
    found = search.up([leaf])
    if found is None:
        raise Untrusted(search.reason)
    return found


def is_within_validity(certificate: x509.Certificate, at: datetime) -> bool:
    """Tell whether the moment lies within the certificate's validity."""
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def may_be_client(certificate: x509.Certificate) -> bool:
    """Tell whether a leaf may be shown by a TLS client: not an authority, purposes (if any are named) fit."""
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        return False
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.key_agreement):
        return False
    purposes = _extension(certificate, x509.ExtendedKeyUsage)
    wanted = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    return purposes is None or bool(wanted & set(purposes))


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate may sign others."""
    constraints = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    return constraints is not None and constraints.ca and (usage is None or usage.key_cert_sign)


class _Search:
    """A walk upwards that remembers why the nearest try failed."""

    def __init__(
        self,
        intermediates: list[x509.Certificate],
        anchors: dict[str, x509.Certificate],
        at: datetime,
    ) -> None:
        self.intermediates, self.anchors, self.at = intermediates, anchors, at
        self.tries = 0
        self.reason = "no root that is trusted here signed it"

    def up(self, walked: list[x509.Certificate]) -> list[x509.Certificate] | None:
        child = walked[-1]
        for root in self.anchors.values():
            if self._signed(child, root) and self._may_sign(root, below=len(walked) - 1, is_root=True):
                return [*walked, root]
        if len(walked) > MAX_DEPTH:
            return None
        for issuer in self.intermediates:
            if issuer in walked or certificates.fingerprint(issuer) in self.anchors:
                continue
            if self._signed(child, issuer) and self._may_sign(issuer, below=len(walked) - 1):
                found = self.up([*walked, issuer])
                if found is not None:
                    return found
        return None

    def _signed(self, child: x509.Certificate, issuer: x509.Certificate) -> bool:
        if child.issuer != issuer.subject or self.tries >= _TRIES:
            return False
        self.tries += 1
        try:
            child.verify_directly_issued_by(issuer)
        except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
            self.reason = "its signature is not that of its issuer"
            return False
        return True

    def _may_sign(self, issuer: x509.Certificate, *, below: int, is_root: bool = False) -> bool:
        """Tell whether an issuer with so many authorities below it may sign; remember why not."""
        name = certificates.label(issuer.subject)
        try:
            _check_own(issuer, is_root=is_root)
            constraints = _extension(issuer, x509.BasicConstraints)
            usage = _extension(issuer, x509.KeyUsage)
        except Untrusted as error:
            self.reason = f"{name}: {error}"
            return False
        if not is_within_validity(issuer, self.at):
            self.reason = f"{name} is not valid at this time"
        elif constraints is None or not constraints.ca:
            self.reason = f"{name} is no certificate authority"
        elif constraints.path_length is not None and constraints.path_length < below:
            self.reason = f"the path below {name} is too long"
        elif usage is not None and not usage.key_cert_sign:
            self.reason = f"{name} may not sign certificates"
        else:
            return True
        return False


def _check_own(certificate: x509.Certificate, *, is_root: bool = False) -> None:
    """Raise `Untrusted` for a weak key or hash and for what must be understood and is not.

    A root is trusted by itself: how its own signature was made says nothing.
    """
    try:
        key = certificate.public_key()
        digest = certificate.signature_hash_algorithm
        extensions = list(certificate.extensions)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise Untrusted("cannot be read") from error
    if not certificates.is_strong(key):
        raise Untrusted(f"its key is too weak: {certificates.key_label(key)}")
    if digest is not None and digest.name in _WEAK_HASHES and not is_root:
        raise Untrusted(f"signed with {digest.name.upper()}")
    for extension in extensions:
        if extension.oid == ExtensionOID.NAME_CONSTRAINTS or (
            extension.critical and extension.oid not in _UNDERSTOOD
        ):
            raise Untrusted(f"its extension {extension.oid.dotted_string} cannot be obeyed")


def _extension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
