"""The language of each OCPP version: frames and JSON out, the schema check in, error codes as the version spells them.

The only importer of the `ocpp` package (for its schemas) and of `jsonschema_rs`. Outgoing JSON is compact and
exact: a Decimal is written as the number that it is, a moment as RFC 3339 in UTC. Incoming payloads are checked
against the official schema first; only what fails goes through the tolerances. OCPP-J 1.6 section 4.2.3 with
errata 5.1 and 5.2, OCPP 2.1 part 4 section 4.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import islice
from typing import Any, NamedTuple

import jsonschema_rs
import orjson

from stations.ocpp import gate, tolerance
from stations.ocpp.frames import CALL, CALL_ERROR, CALL_RESULT, CALL_RESULT_ERROR, SEND, Frame, FrameRefused
from stations.ocpp.tolerance import Fault

Payload = dict[str, Any]

MAX_DESCRIPTION = 255  # OCPP 2.x ErrorDescription


class _Version(NamedTuple):
    folder: str  # of the schemas in the ocpp package
    request_suffix: str
    spellings: Mapping[
        str, str | None
    ]  # error codes that differ from those of 2.x; None: the version has none
    types: frozenset[int]
    answers_the_unreadable: bool  # with message id "-1"


VERSIONS: dict[str, _Version] = {
    "1.6": _Version(
        "v16",
        "",
        {
            "FormatViolation": "FormationViolation",
            "OccurrenceConstraintViolation": "OccurenceConstraintViolation",
            "RpcFrameworkError": "ProtocolError",
            "MessageTypeNotSupported": None,
        },
        frozenset({CALL, CALL_RESULT, CALL_ERROR}),
        answers_the_unreadable=False,
    ),
    "2.0.1": _Version("v201", "Request", {}, frozenset({CALL, CALL_RESULT, CALL_ERROR}), True),
    "2.1": _Version(
        "v21", "Request", {}, frozenset({CALL, CALL_RESULT, CALL_ERROR, CALL_RESULT_ERROR, SEND}), True
    ),
}

# Keyword of the schema -> error code and what to tell the station. A missing member is a broken cardinality.
_CODES: dict[str, tuple[str, str]] = {
    "required": ("OccurrenceConstraintViolation", "is required"),
    "minItems": ("OccurrenceConstraintViolation", "has too few elements"),
    "maxItems": ("OccurrenceConstraintViolation", "has too many elements"),
    "type": ("TypeConstraintViolation", "has the wrong type"),
    "additionalProperties": ("FormatViolation", "has a member that the schema does not know"),
    "enum": ("PropertyConstraintViolation", "is none of the allowed values"),
    "maxLength": ("PropertyConstraintViolation", "is too long"),
    "format": ("PropertyConstraintViolation", "is not in the required format"),
    "minimum": ("PropertyConstraintViolation", "is too small"),
    "maximum": ("PropertyConstraintViolation", "is too large"),
    "multipleOf": ("PropertyConstraintViolation", "has too many decimals"),
}
_OTHER = ("PropertyConstraintViolation", "is not valid")
_WORST_FIRST = {keyword: rank for rank, keyword in enumerate(_CODES)}


class CallFault(NamedTuple):
    """What a CALLERROR says: the code in the version's spelling, words for a human, the JSON path."""

    code: str
    description: str = ""
    path: str = ""


class CheckResult(NamedTuple):
    """A checked payload. `flags` names what was tolerated; with a `fault` the message is to be refused."""

    payload: Payload
    flags: tuple[str, ...] = ()
    fault: CallFault | None = None


def decode(version: str, text: str) -> Frame:
    """Return the frame in `text` if its type exists in this version; FrameRefused otherwise."""
    frame = gate.check(text)
    if type(frame) not in (gate.Call, gate.CallResult, gate.CallError):
        kind = SEND if type(frame) is gate.Send else CALL_RESULT_ERROR
        if kind not in VERSIONS[version].types:
            raise FrameRefused("message_type", frame.message_id, kind)
    return frame


# --- out


def encode_call(message_id: str, action: str, payload: Payload) -> str:
    """Return a CALL frame."""
    return to_json([CALL, message_id, action, payload])


def encode_send(message_id: str, action: str, payload: Payload) -> str:
    """Return a SEND frame (OCPP 2.1)."""
    return to_json([SEND, message_id, action, payload])


def encode_result(message_id: str, payload: Payload) -> str:
    """Return a CALLRESULT frame."""
    return to_json([CALL_RESULT, message_id, payload])


def encode_error(message_id: str, fault: CallFault, details: Payload | None = None) -> str:
    """Return a CALLERROR frame."""
    return to_json([CALL_ERROR, message_id, fault.code, fault.description[:MAX_DESCRIPTION], details or {}])


def encode_result_error(message_id: str, fault: CallFault, details: Payload | None = None) -> str:
    """Return a CALLRESULTERROR frame (OCPP 2.1): the answer to our CALL could not be used."""
    return to_json(
        [CALL_RESULT_ERROR, message_id, fault.code, fault.description[:MAX_DESCRIPTION], details or {}]
    )


def refusal(version: str, refused: FrameRefused) -> str | None:
    """Return the CALLERROR for a frame that the gate refused; None where nothing may be answered.

    2.x answers the unreadable with id "-1". 1.6 ignores it, except for a CALL whose id is there but unusable.
    """
    if refused.code_word is None:
        return None
    message_id = refused.message_id
    if message_id is None:
        if not VERSIONS[version].answers_the_unreadable and refused.reason != "message_id":
            return None
        message_id = "-1"
    code = VERSIONS[version].spellings.get(refused.code_word, refused.code_word)
    return None if code is None else encode_error(message_id, CallFault(code, refused.description))


def to_json(value: Any) -> str:
    """Return compact, exact JSON; TypeError for what has no JSON form."""
    return orjson.dumps(value, default=_plainly, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def _plainly(value: Any) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(format(value, "f"))
    if isinstance(value, datetime) and value.tzinfo is not None:
        return timestamp(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def timestamp(at: datetime) -> str:
    """Return RFC 3339 in UTC, with milliseconds where there are any (OCPP 2.1 part 2, dateTime)."""
    at = at.astimezone(UTC)
    precision = "milliseconds" if at.microsecond >= 1000 else "seconds"
    return at.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


# --- error codes


def fault(version: str, word: str, description: str, path: str = "") -> CallFault:
    """Return a fault with the code in the version's spelling; `word` is spelt as in 2.x."""
    return CallFault(VERSIONS[version].spellings.get(word, word) or "GenericError", description, path)


def unknown_action(version: str, action: str, *, offered: bool = False) -> CallFault:
    """Return why an action is not served: NotSupported if the version has it, NotImplemented if nobody knows it."""
    if offered or action in actions(version):
        return fault(version, "NotSupported", "action is not supported")
    return fault(version, "NotImplemented", "action is not known")


# --- schemas


@cache
def _schemas(version: str, is_response: bool) -> dict[str, Traversable]:
    """Action -> schema file. The names come from the package, never from a message."""
    found = {
        entry.name.removesuffix(".json"): entry
        for entry in files("ocpp").joinpath(VERSIONS[version].folder, "schemas").iterdir()
        if entry.name.endswith(".json")
    }
    if is_response:
        return {
            name.removesuffix("Response"): entry for name, entry in found.items() if name.endswith("Response")
        }
    suffix = VERSIONS[version].request_suffix
    return {
        name.removesuffix(suffix): entry for name, entry in found.items() if not name.endswith("Response")
    }


def actions(version: str) -> frozenset[str]:
    """Return all actions of a version, in both directions, with those that are sent unconfirmed."""
    return frozenset(_schemas(version, False))


def is_confirmed(version: str, action: str) -> bool:
    """Whether the action is a CALL with an answer; False for SEND (OCPP 2.1 NotifyPeriodicEventStream)."""
    return action in _schemas(version, True)


_validators: dict[tuple[str, str, bool], Any] = {}


def _validator(version: str, action: str, is_response: bool) -> Any:
    """The compiled schema, made when it is first needed; None for an action that the version has not."""
    entry = _schemas(version, is_response).get(action)
    if entry is None:
        return None
    made = jsonschema_rs.validator_for(_load(entry), validate_formats=True)
    _validators[version, action, is_response] = made
    return made


def _load(entry: Traversable) -> Payload:
    schema: Payload = orjson.loads(entry.read_text(encoding="utf-8-sig"))  # some begin with a byte order mark
    return schema


def check_request(version: str, action: str, payload: Payload) -> CheckResult:
    """Check a request against the official schema, then tolerantly; `fault` says why it must be refused."""
    validator = _validators.get((version, action, False)) or _validator(version, action, False)
    if validator is None:
        return CheckResult(payload, (), unknown_action(version, action))
    if validator.is_valid(payload):
        return CheckResult(payload)
    return tolerate(version, action, payload)


def check_response(version: str, action: str, payload: Payload) -> CheckResult:
    """Check the answer to a CALL of ours, tolerantly where it deviates."""
    validator = _validators.get((version, action, True)) or _validator(version, action, True)
    if validator is None:
        return CheckResult(payload, (), unknown_action(version, action))
    if validator.is_valid(payload):
        return CheckResult(payload)
    return tolerate(version, action, payload, is_response=True)


def request_fault(version: str, action: str, payload: Payload) -> CallFault | None:
    """Return what the schema says against a request of ours, without any tolerance; None if it is right."""
    validator = _validators.get((version, action, False)) or _validator(version, action, False)
    if validator is None:
        return unknown_action(version, action)
    if validator.is_valid(payload):
        return None
    return _worst(version, _faults(validator)(payload))


def response_fault(version: str, action: str, payload: Payload) -> CallFault | None:
    """Return why the answer to a CALL of ours cannot be used; None if it can, tolerances included."""
    return check_response(version, action, payload).fault


def request_schema(version: str, action: str) -> Payload:
    """Return the JSON schema of a request; KeyError for an action that the version has not."""
    return _load(_schemas(version, False)[action])


def tolerate(version: str, action: str, payload: Payload, *, is_response: bool = False) -> CheckResult:
    """Mend what the schema refuses, as far as a named tolerance allows; the payload given stays as it is."""
    validator = _validators.get((version, action, is_response)) or _validator(version, action, is_response)
    mended = tolerance.mend(action, payload, _faults(validator), is_response=is_response)
    if mended.fault is None:
        return CheckResult(mended.payload, mended.flags)
    return CheckResult(payload, mended.flags, _worst(version, [mended.fault]))


def _faults(validator: Any) -> Callable[[Payload], list[Fault]]:
    def find(payload: Payload) -> list[Fault]:
        return [
            Fault(tuple(error.instance_path), error.kind.name, _detail(error.kind))
            for error in islice(validator.iter_errors(payload), tolerance.MAX_FAULTS + 1)
        ]

    return find


def _detail(kind: Any) -> Any:
    return kind.value if kind.name in ("required", "additionalProperties", "type", "enum") else None


def _worst(version: str, faults: list[Fault]) -> CallFault:
    """The fault to name in a CALLERROR: path and words of ours, nothing of what was sent."""
    worst = min(faults, key=lambda found: _WORST_FIRST.get(found.keyword, len(_WORST_FIRST)))
    word, phrase = _CODES.get(worst.keyword, _OTHER)
    steps = (*worst.path, worst.detail) if worst.keyword == "required" else worst.path
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
    return fault(version, word, f"{path or 'payload'} {phrase}"[:MAX_DESCRIPTION], path)
