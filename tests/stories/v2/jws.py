"""Signed messages as a station makes and reads them, with nothing but a cipher library (RFC 7515; 2.1 part 4)."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from stations.pki import certificates as pki
from tests.authority import Issued

Jws = dict[str, str]
P256 = ec.ECDSA(hashes.SHA256())


def encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def thumbprint(signer: Issued) -> str:
    return encoded(bytes.fromhex(pki.fingerprint(signer.certificate)))


def wrapped(
    signer: Issued, action: str, content: str | dict[str, Any], *, kind: int = 2, **header: Any
) -> Jws:
    """Sign a payload; a header of None is left out."""
    is_ec = isinstance(signer.key, ec.EllipticCurvePrivateKey)
    named = {
        "alg": "ES256" if is_ec else "RS256", "OCPPAction": action, "OCPPMessageTypeId": kind,
        "x5t#S256": thumbprint(signer),
    } | {name.replace("__", "#"): value for name, value in header.items()}  # fmt: skip
    clean = {name: value for name, value in named.items() if value is not None}
    text = content if isinstance(content, str) else json.dumps(content, default=float)
    protected, payload = encoded(json.dumps(clean).encode()), encoded(text.encode())
    signed = f"{protected}.{payload}".encode()
    return {"protected": protected, "payload": payload, "signature": encoded(_sign(signer, signed))}


def _sign(signer: Issued, octets: bytes) -> bytes:
    if isinstance(signer.key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(signer.key.sign(octets, P256))
        return r.to_bytes(32) + s.to_bytes(32)
    return signer.key.sign(octets, padding.PKCS1v15(), hashes.SHA256())


def opened(signer: Issued, found: Jws) -> tuple[dict[str, Any], Any]:
    """Check a signature with a P-256 key and return header and payload; raise InvalidSignature."""
    octets = decoded(found["signature"])
    r, s = (int.from_bytes(part) for part in (octets[:32], octets[32:]))
    key = signer.certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(encode_dss_signature(r, s), f"{found['protected']}.{found['payload']}".encode(), P256)
    return json.loads(decoded(found["protected"])), json.loads(decoded(found["payload"]))
