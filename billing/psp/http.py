"""How providers are asked: through the guarded client, bounded in time, with a verdict for every answer."""

import json
from typing import Any

from django.conf import settings

from billing.psp import ProviderRefused, ProviderUnavailable
from stations.services import guarded_http

AGAIN = frozenset({408, 409, 425, 429})  # "not now": the same may be asked again


def ask(
    method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """Ask the provider of the settings and return its JSON object; raise `ProviderUnavailable`, `ProviderRefused`."""
    try:
        answer = guarded_http.ask(
            guarded_http.GUARDED,
            method,
            settings.PAYMENT_PROVIDER_URL.rstrip("/") + path,
            content=body,
            headers={"accept": "application/json", **(headers or {})},
            timeout_s=settings.PAYMENT_TIMEOUT_S,
        )
    except guarded_http.Unreachable as error:
        raise ProviderUnavailable(str(error)) from error
    told = _object(answer.body)
    if 200 <= answer.status < 300 and told is not None:
        return told
    if 400 <= answer.status < 500 and answer.status not in AGAIN and told is not None:
        raise ProviderRefused(_why(told) or f"it answered {answer.status}")
    raise ProviderUnavailable(f"it answered {answer.status}")


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _why(told: dict[str, Any]) -> str:
    """Read `{"error": "…"}` and Stripe's `{"error": {"message": …, "decline_code": …}}`."""
    error = told.get("error")
    if isinstance(error, dict):
        error = error.get("decline_code") or error.get("code") or error.get("message")
    return str(error or "").replace("\0", "")[:200]
