"""Errors in one shape: `{"error": {"code": "station_offline", "message": "…", "fields": {"payload.idTag": ["…"]}}}`.

`code` is a word for programs, `message` a sentence for people, `fields` says which inputs are wrong ({} when none is).
Domain errors are translated here and nowhere else.
"""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, inline_serializer
from rest_framework import exceptions, serializers
from rest_framework.response import Response

from billing.errors import NotBillable, UnknownOperator
from billing.psp import NoProvider
from billing.services.exports import InvalidStyle
from billing.services.payments import PaymentTaken
from billing.services.refunds import NotRefundable
from billing.tariff.errors import CannotExpress, CannotPrice, FaultAt
from roaming.handshake import HandshakeFailed
from roaming.registration import AlreadyRegistered, NotRegistered
from stations.services.errors import (
    AliasTaken,
    ChangeUnderWay,
    DoesNotFit,
    ImplausibleEnergy,
    InvalidIdentity,
    InvalidPassword,
    InvalidPayload,
    LowerProfile,
    NoRoot,
    NoSlot,
    NotConfirmed,
    NotDisplayable,
    NotEnded,
    NotOpen,
    SecretKey,
    StationOffline,
    UnknownAction,
    UnsuitableFirmware,
    UnsuitedProfile,
    UntrustedFirmware,
    UpdateUnderWay,
)


class Conflict(exceptions.APIException):
    """The request is right, but the object is in no state for it."""

    status_code = 409
    default_detail = "The object is in no state for this."
    default_code = "conflict"


# Domain error -> HTTP status, code, field that is wrong.
DOMAIN: dict[type[Exception], tuple[int, str, str]] = {
    InvalidIdentity: (400, "invalid_identity", "id"),
    InvalidPassword: (400, "invalid_password", "password"),
    UnknownAction: (400, "unknown_action", "action"),
    StationOffline: (409, "station_offline", ""),
    NotConfirmed: (409, "not_confirmed", "confirmed"),
    SecretKey: (400, "secret_key", "desired"),
    NotOpen: (409, "not_open", ""),
    AliasTaken: (409, "alias_taken", "alias"),
    ChangeUnderWay: (409, "change_under_way", ""),
    LowerProfile: (409, "lower_profile", "profile"),
    NoRoot: (409, "no_root", "root"),
    NoSlot: (409, "no_slot", "slot"),
    NotDisplayable: (409, "not_displayable", "anyway"),
    NotEnded: (409, "not_ended", ""),
    DoesNotFit: (409, "does_not_fit", ""),
    ImplausibleEnergy: (400, "implausible_energy", "energy_wh"),
    NotBillable: (409, "not_billable", ""),
    UpdateUnderWay: (409, "update_under_way", ""),
    UntrustedFirmware: (422, "untrusted_firmware", ""),
    UnsuitableFirmware: (422, "unsuitable_firmware", ""),
    UnknownOperator: (400, "unknown_operator", "country_code"),
    InvalidStyle: (400, "invalid_style", ""),
    AlreadyRegistered: (409, "already_registered", ""),
    NotRegistered: (409, "not_registered", ""),
    HandshakeFailed: (422, "handshake_failed", ""),
    CannotPrice: (422, "cannot_price", ""),
    CannotExpress: (422, "cannot_express", ""),
    NoProvider: (409, "no_provider", ""),
    NotRefundable: (409, "not_refundable", "amount"),
    PaymentTaken: (409, "payment_taken", "reference"),
}


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Translate an exception into a response; None for what nobody expected (500, logged by Django)."""
    if isinstance(error, UnsuitedProfile):
        return _response(400, "unsuited_profile", str(error), {error.path: [error.message]})
    if isinstance(error, InvalidPayload):
        place = f"payload.{error.path}" if error.path else "payload"
        return _response(400, "invalid_payload", str(error), {place: [error.message]})
    if isinstance(error, FaultAt) and not isinstance(error, CannotExpress):
        return _response(400, "invalid", str(error), {error.path: [error.reason]})
    for kind, (status, code, field) in DOMAIN.items():
        if isinstance(error, kind):
            return _response(status, code, str(error), {field: [str(error)]} if field else {})
    if isinstance(error, Http404):
        error = exceptions.NotFound("There is no such object, or it is out of your scope.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    return _of_api_exception(error)


def _of_api_exception(error: exceptions.APIException) -> Response:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(round(wait))
    if isinstance(error, exceptions.ValidationError):
        fields: dict[str, list[str]] = {}
        for path, text in _flatten(error.detail, ""):
            fields.setdefault(path, []).append(text)
        message = "; ".join(
            f"{path}: {text}" if path else text for path, texts in fields.items() for text in texts
        )
        return _response(error.status_code, "invalid", message[:1000], fields, headers)
    code = getattr(error.detail, "code", error.default_code)
    return _response(error.status_code, str(code), str(error.detail), {}, headers)


def _flatten(detail: Any, path: str) -> Iterator[tuple[str, str]]:
    """Give (dotted path, message) for DRF's nested lists and dictionaries."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            own = "" if key == "non_field_errors" else str(key)
            yield from _flatten(value, ".".join(part for part in (path, own) if part))
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            nested = isinstance(value, dict | list)
            yield from _flatten(value, f"{path}.{index}".lstrip(".") if nested else path)
    else:
        yield path, str(detail)


def _response(
    status: int, code: str, message: str, fields: dict[str, list[str]], headers: dict[str, str] | None = None
) -> Response:
    body = {"error": {"code": code, "message": message, "fields": fields}}
    return Response(body, status=status, headers=headers)


SCHEMA = inline_serializer(
    "Error",
    {
        "error": inline_serializer(
            "ErrorDetail",
            {
                "code": serializers.CharField(help_text="A word for programs."),
                "message": serializers.CharField(help_text="A sentence for people."),
                "fields": serializers.DictField(
                    child=serializers.ListField(child=serializers.CharField()),
                    help_text="Wrong inputs by dotted path; empty when no input is wrong.",
                ),
            },
        )
    },
)
OFFLINE_EXAMPLE = OpenApiExample(
    "station offline",
    value={"error": {"code": "station_offline", "message": "ADA-1 is not connected", "fields": {}}},
    status_codes=["409"],
    response_only=True,
)


def refusals(*statuses: int) -> dict[int, Any]:
    """Give the error responses of an operation for OpenAPI: 401 and 403 always, and these."""
    words = {
        400: "An input is wrong; `fields` says which.",
        401: "No token, or one that is not valid.",
        403: "The token's role or scope does not allow this.",
        404: "There is no such object in the token's scope.",
        409: "The object is in no state for this.",
        422: "It cannot be done: OCPI leaves the price open, or the partner's platform did not do its part.",
        429: "Too many wrong tokens from this address.",
    }
    return {status: OpenApiResponse(SCHEMA, words[status]) for status in sorted({401, 403, 429, *statuses})}
