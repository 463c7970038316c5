"""The time-based one-time password in a dynamic QR code (OCPP 2.1 C25, "TOTP algorithm, version 1").

It is not that of RFC 6238: SHA-256 over the number of the interval, its bytes written as characters from an offset
that the last byte gives. Pure.
"""

import hashlib
import hmac
from datetime import datetime

CHARACTERS = "0123456789abcdefghijklmnpqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # no small o
VERSION = "v1"
NEIGHBOURS = (0, -1, 1)  # the interval before and the one after are good too: clocks differ, people are slow
SHORTEST, LONGEST = 6, 32
LEAST_VALIDITY_S, MOST_VALIDITY_S = 6, 3600


def interval(at: datetime, *, validity_s: int) -> int:
    """Return the number of the interval that holds this moment."""
    return int(at.timestamp()) // validity_s


def password(secret: str, number: int, *, length: int) -> str:
    """Return the password of an interval."""
    digest = hmac.new(secret.encode(), number.to_bytes(8, "big"), hashlib.sha256).digest()
    offset = digest[-1] & 0x0F
    return "".join(
        CHARACTERS[digest[(offset + place) % len(digest)] % len(CHARACTERS)] for place in range(length)
    )


def matching(secret: str, given: str, *, at: datetime, validity_s: int, length: int) -> int | None:
    """Return the interval whose password was given, None when it is none of the three that are good now.

    All three are compared, each in constant time.
    """
    now, found = interval(at, validity_s=validity_s), None
    for step in NEIGHBOURS:
        expected = password(secret, now + step, length=length)
        is_same = hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))
        found = now + step if is_same and found is None else found
    return found
