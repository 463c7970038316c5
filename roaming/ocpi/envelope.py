"""The envelope around every answer, and the only place where exceptions become OCPI and HTTP status codes.

OCPI 2.2.1 transport_and_format#Response format, status_codes. What reached the OCPI layer is HTTP 200 with a 2xxx or
3xxx code; HTTP errors are for tokens, paths, methods and documents that cannot be read.
"""

from typing import Any

import structlog
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from cpo.lib import clock

log = structlog.get_logger(__name__)

SUCCESS = 1000
CLIENT_ERROR, INVALID, NOT_ENOUGH, UNKNOWN_LOCATION, UNKNOWN_TOKEN = 2000, 2001, 2002, 2003, 2004
SERVER_ERROR, CANNOT_USE_API, UNSUPPORTED_VERSION, MISSING_ENDPOINTS = 3000, 3001, 3002, 3003
NOTHING: Any = object()


class Refusal(Exception):
    """A request that we understood and do not do: OCPI code, words, HTTP status."""

    def __init__(self, code: int, message: str, *, http: int = 200) -> None:
        super().__init__(message)
        self.code, self.message, self.http = code, message, http


class Missing(Refusal):
    """The object does not exist, or not for this partner (HTTP 404, status_codes)."""

    def __init__(self, code: int = CLIENT_ERROR, message: str = "no such object") -> None:
        super().__init__(code, message, http=404)


def answer(
    data: Any = NOTHING,
    *,
    code: int = SUCCESS,
    message: str = "",
    http: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return the response around `data`; without data the member is left out."""
    body: dict[str, Any] = {} if data is NOTHING else {"data": data}
    body["status_code"] = code
    if message:
        body["status_message"] = message[:255]
    body["timestamp"] = clock.now()
    return Response(body, status=http, headers=headers)


def translate(error: Exception, _context: dict[str, Any]) -> Response:
    """Turn any exception of a view into an envelope; what nobody expected is logged and becomes HTTP 500."""
    set_rollback()
    if isinstance(error, Refusal):
        return answer(code=error.code, message=error.message, http=error.http)
    if isinstance(error, Http404):
        return answer(code=CLIENT_ERROR, message="no such object", http=404)
    if isinstance(error, RequestDataTooBig):
        return answer(code=INVALID, message="document too large", http=413)
    if isinstance(error, SuspiciousOperation):
        return answer(code=INVALID, message="request refused", http=400)
    if isinstance(error, exceptions.ValidationError):
        return answer(code=INVALID, message=first_fault(error.detail))
    if isinstance(error, exceptions.APIException):
        return answer(
            code=INVALID, message=str(error.detail), http=error.status_code, headers=_headers(error)
        )
    log.error("ocpi view failed", exc_info=error)
    return answer(code=SERVER_ERROR, message="internal error", http=500)


def first_fault(detail: Any, path: str = "") -> str:
    """Say in one line what is wrong with a document: `roles[0].party_id: too long`."""
    if isinstance(detail, dict):
        name, member = next(iter(detail.items()))
        inner = path if name == "non_field_errors" else f"{path}.{name}" if path else str(name)
        return first_fault(member, inner)
    if isinstance(detail, list):
        for index, member in enumerate(detail):
            if isinstance(member, dict) and member:
                return first_fault(member, f"{path}[{index}]")
        return f"{path}: {detail[0]}" if path else str(detail[0])
    return f"{path}: {detail}" if path else str(detail)


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        headers["WWW-Authenticate"] = "Token"
    wait = getattr(error, "wait", None)
    if wait:
        headers["Retry-After"] = str(int(wait))
    return headers
