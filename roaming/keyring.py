"""Credentials tokens at rest: hashed when partners show them to us, encrypted when we show them to partners.

An inbound token is looked up by a keyed SHA-256, so neither the database nor the time of a comparison gives it away.
An outbound token must be readable to be sent: `cpo.lib.keyring` encrypts it with the keys of `settings.FIELD_KEYS`.
"""

import hashlib
import hmac
import secrets

from django.conf import settings

from cpo.lib.keyring import UnreadableSecret, decrypt, encrypt

__all__ = ["PREFIX_LENGTH", "UnreadableSecret", "decrypt", "digest", "digests", "encrypt", "new_token"]

TOKEN_BYTES = 32  # of randomness; 43 characters, and OCPI allows 64 printable ones
PREFIX_LENGTH = 6  # characters that a page may show, to tell tokens apart


def new_token() -> str:
    """Return a fresh credentials token (OCPI 2.2.1 credentials#Credentials object: printable, at most 64)."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> str:
    """Return the keyed SHA-256 of a token under the newest key, in hex."""
    return digests(token)[0]


def digests(token: str) -> list[str]:
    """Return the keyed SHA-256 of a token under every key, so that tokens survive the rotation of keys."""
    return [hmac.new(key.encode(), token.encode(), hashlib.sha256).hexdigest() for key in settings.FIELD_KEYS]
