"""API tokens: how they are made, kept and found again.

A token is `opencpo_<prefix>_<secret>`. The prefix finds the row and may be shown; of the whole text the row keeps an
HMAC-SHA256 under a key derived from SECRET_KEY, so that neither the database nor a log can be used to log in.
"""

import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from cpo.lib import clock
from cpo.models import ApiToken, Role
from stations.models import Location, Operator

_FORM = re.compile(r"opencpo_([0-9a-f]{12})_[0-9a-f]{64}")
LAST_USED_STEP = timedelta(minutes=1)  # a busy token costs one write in this time


@transaction.atomic
def issue(
    name: str,
    *,
    role: str = Role.ADMIN,
    operators: Iterable[Operator] = (),
    locations: Iterable[Location] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a token; return its row and its text, which cannot be had again. Raise ValueError for an unknown role."""
    prefix, secret = secrets.token_hex(6), secrets.token_hex(32)
    text = f"opencpo_{prefix}_{secret}"
    token: ApiToken = ApiToken.objects.create(
        name=name,
        role=Role(role),
        prefix=prefix,
        digest=_digest(text, settings.SECRET_KEY),
        created_at=clock.now(),
        expires_at=expires_at,
    )
    token.operators.set(operators)
    token.locations.set(locations)
    return token, text


def revoke(token: ApiToken) -> None:
    """End a token at once, in all processes."""
    token.revoked_at = clock.now()
    token.save(update_fields=["revoked_at"])


def find(text: str) -> ApiToken | None:
    """Return the valid token with this text, with its scope; None when unknown, wrong, expired or revoked."""
    form = _FORM.fullmatch(text)
    token: ApiToken | None = ApiToken.objects.with_scope().filter(prefix=form[1]).first() if form else None
    if token is None or not _matches(text, bytes(token.digest)):
        return None
    now = clock.now()
    if token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= now):
        return None
    if token.last_used_at is None or now - token.last_used_at >= LAST_USED_STEP:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def _matches(text: str, digest: bytes) -> bool:
    """Compare in constant time under the key and, while it is being changed, under the former ones."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return any(constant_time_compare(_digest(text, key), digest) for key in keys)


def _digest(text: str, key: str) -> bytes:
    return salted_hmac("cpo.api_tokens", text, secret=key, algorithm="sha256").digest()
