"""Signatures of notices: `t=<unix time>,v1=<hex HMAC-SHA256 of "t.body">`, as Stripe and our gateway write them."""

import hashlib
import hmac

from billing.psp import BadSignature
from cpo.lib import clock

TOLERANCE_S = 300  # between the signature's time and ours


def sign(body: bytes, *, secret: str, at: int) -> str:
    """Return the header's value."""
    return f"t={at},v1={_digest(body, secret, str(at))}"


def check(header: str, body: bytes, *, secret: str) -> None:
    """Raise `BadSignature` unless one of the signatures is right and of these minutes; compares in constant time."""
    parts = [part.partition("=") for part in header.split(",")]
    at = next((value for name, _, value in parts if name.strip() == "t"), "")
    if not secret:
        raise BadSignature("no secret is set (PAYMENT_WEBHOOK_SECRET)")
    if not at.isascii() or not at.isdigit() or len(at) > 12:
        raise BadSignature("no time in the signature")
    expected = _digest(body, secret, at).encode()
    given = [value for name, _, value in parts if name.strip() == "v1"]
    if not any([hmac.compare_digest(expected, value.encode("utf-8", "replace")) for value in given]):
        raise BadSignature("the signature is wrong")
    if abs(clock.now().timestamp() - int(at)) > TOLERANCE_S:
        raise BadSignature("the signature is too old")


def _digest(body: bytes, secret: str, at: str) -> str:
    return hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
