"""Credentials tokens at rest: hashed when partners show them to us, encrypted when we show them to partners.

An inbound token is looked up by a keyed SHA-256, so neither the database nor the time of a comparison gives it away.
An outbound token must be readable to be sent: Fernet with the keys of `settings.FIELD_KEYS`, newest first.
"""

import hashlib
import hmac
import secrets
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

TOKEN_BYTES = 32  # of randomness; 43 characters, and OCPI allows 64 printable ones
PREFIX_LENGTH = 6  # characters that a page may show, to tell tokens apart


class UnreadableSecret(Exception):
    """None of the keys in FIELD_KEYS opens this secret: it was written with a key that is gone."""


def new_token() -> str:
    """Return a fresh credentials token (OCPI 2.2.1 credentials#Credentials object: printable, at most 64)."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> str:
    """Return the keyed SHA-256 of a token under the newest key, in hex."""
    return digests(token)[0]


def digests(token: str) -> list[str]:
    """Return the keyed SHA-256 of a token under every key, so that tokens survive the rotation of keys."""
    return [hmac.new(key.encode(), token.encode(), hashlib.sha256).hexdigest() for key in settings.FIELD_KEYS]


def encrypt(text: str) -> str:
    """Return the text encrypted under the newest key; the empty text stays empty."""
    return _box(tuple(settings.FIELD_KEYS)).encrypt(text.encode()).decode() if text else ""


def decrypt(text: str) -> str:
    """Return the text that `encrypt` was given; raises UnreadableSecret."""
    try:
        return _box(tuple(settings.FIELD_KEYS)).decrypt(text.encode()).decode() if text else ""
    except InvalidToken as error:
        raise UnreadableSecret from error


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
