"""Who calls: `Authorization: Bearer <token>` (RFC 6750)."""

from django.core.cache import cache
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from cpo import api_tokens, audit
from cpo.access import Principal

FAILURES_PER_MINUTE = 30  # wrong tokens from one address; a right one is never refused for its neighbours
_WINDOW_S = 60


class TokenAuthentication(BaseAuthentication):
    """Sets `request.auth` to the `Principal` of the API token; `request.user` is None: a program is no user."""

    def authenticate(self, request: Request) -> tuple[None, Principal] | None:
        """Return (None, principal), or None without credentials; 401 for wrong ones, 429 for many wrong ones."""
        scheme, _, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if not scheme:
            return None
        token = api_tokens.find(text.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            count_failure(audit.address(request))
            raise AuthenticationFailed("The token is not valid, or it has expired or was revoked.")
        return None, Principal.of_token(token)

    def authenticate_header(self, request: Request) -> str:
        """Give WWW-Authenticate of a 401."""
        return 'Bearer realm="opencpo"'


def count_failure(address: str) -> None:
    """Count a wrong token from this address in this process; raise Throttled beyond the limit."""
    key = f"api-auth-failures:{address}"
    cache.add(key, 0, timeout=_WINDOW_S)
    try:
        failures = cache.incr(key)
    except ValueError:  # the minute ended between the two lines
        return
    if failures > FAILURES_PER_MINUTE:
        raise Throttled(wait=_WINDOW_S, detail="Too many wrong tokens.")


class TokenScheme(OpenApiAuthenticationExtension):
    """Names the authentication in the OpenAPI document."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """Give the security scheme."""
        return {"type": "http", "scheme": "bearer", "description": "From `manage.py create_api_token NAME`."}
