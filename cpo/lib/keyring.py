"""Secrets at rest that must be readable again: Fernet under the keys of `settings.FIELD_KEYS`, newest first.

Whoever reads the database without the keys reads nothing; the keys live in the environment, never beside the rows.
"""

from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class UnreadableSecret(Exception):
    """None of the keys in FIELD_KEYS opens this secret: it was written with a key that is gone."""


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
