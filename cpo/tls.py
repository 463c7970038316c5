"""TLS as chargers need it: versions, cipher suites, an RSA and an EC certificate at once, client certificates.

OCPP 1.6 security white paper A00.FR.311 to 324 and 415 to 428. A client certificate is asked for and never judged here:
a refusal inside the TLS handshake would hide from the operator which station it was and why. Who it belongs to and
whether it is good says `stations.services.certificates.check_client`, before the WebSocket is accepted.
"""

import _ssl
import ctypes
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The four that a central system must offer, and RSA with forward secrecy; TLS 1.3 has its own three.
CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
)


class Unusable(Exception):
    """The certificates cannot be served; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate chain (the leaf first) and its private key, two PEM files; both may be one file."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """What a TLS connection says about itself."""

    version: str
    cipher: str
    certificate_der: bytes  # b"": the client showed none


def pairs_of(words: Sequence[str]) -> tuple[Pair, ...]:
    """Read OCPP_TLS_CERTIFICATES: `chain.pem:key.pem` each, or one file with both."""
    found = []
    for word in words:
        certificate, colon, key = word.partition(":")
        found.append(Pair(Path(certificate), Path(key if colon else certificate)))
    return tuple(found)


def make_context(pairs: Sequence[Pair]) -> ssl.SSLContext:
    """Return a server's context: TLS 1.2 and 1.3, these certificates, any client certificate. Raise `Unusable`."""
    if not pairs:
        raise Unusable("no certificate to serve: set OCPP_TLS_CERTIFICATES")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(CIPHERS))
    context.options |= (
        ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_TICKET
    )
    _load(context, pairs)
    _ask_for_any_client_certificate(context)
    return context


class Certificates:
    """The files behind a context that is in use: when one changes, new handshakes get the new certificate."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = tuple(pairs)
        self.context = make_context(self.pairs)
        self._seen = self._stamps()

    def reload(self) -> bool:
        """Load what changed since the last look; raise `Unusable` and keep the old ones when it cannot be served."""
        stamps = self._stamps()
        if stamps == self._seen:
            return False
        self._seen = stamps
        make_context(self.pairs)  # a half-written file must not get into the context that is in use
        _load(self.context, self.pairs)
        return True

    def _stamps(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_stamp(path) for pair in self.pairs for path in (pair.certificate, pair.key))


def peer_of(ssl_object: Any) -> PeerFacts:
    """Read a finished handshake."""
    cipher = ssl_object.cipher()
    return PeerFacts(
        version=ssl_object.version() or "",
        cipher=cipher[0] if cipher else "",
        certificate_der=ssl_object.getpeercert(True) or b"",
    )


def _load(context: ssl.SSLContext, pairs: Sequence[Pair]) -> None:
    for pair in pairs:
        try:
            context.load_cert_chain(pair.certificate, pair.key, password=_no_password)
        except (OSError, ValueError) as error:
            raise Unusable(f"{pair.certificate} with {pair.key}: {error}") from error


def _no_password() -> str:
    raise ValueError("the private key has a password")  # else OpenSSL would ask at the terminal


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


_VERIFY_PEER = 1  # openssl/ssl.h
_Verdict = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)


@_Verdict
def _accept(_is_good: int, _store: int | None) -> int:
    return 1


def _ask_for_any_client_certificate(context: ssl.SSLContext) -> None:
    """Ask for a client certificate and take any, as nginx does with `ssl_verify_client optional_no_ca`.

    Python's `ssl` knows only "verify it now" or "do not ask", so OpenSSL is told itself; the context's first member is
    OpenSSL's own. `verify_mode` reads back what was set: a Python that is built otherwise is noticed.
    """
    try:
        library = ctypes.CDLL(_ssl.__file__)
        library.SSL_CTX_set_verify.argtypes = [ctypes.c_void_p, ctypes.c_int, _Verdict]
        library.SSL_CTX_get_verify_mode.argtypes = [ctypes.c_void_p]
    except (AttributeError, OSError) as error:
        raise Unusable(f"this Python's OpenSSL cannot be asked for client certificates: {error}") from error
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    library.SSL_CTX_set_verify(pointer, _VERIFY_PEER, _accept)
    if context.verify_mode is not ssl.CERT_OPTIONAL:
        raise Unusable("this Python's ssl module is built in an unknown way: let nginx end TLS")
