"""The frames of OCPP-J as values, and the rules of their outer array.

`read(document, raw_id, flags)` makes a frame of a parsed array or raises `FrameRefused`. Error codes are
spelt as in OCPP 2.x; `codec` knows the other spelling. OCPP-J 1.6 section 4.2, OCPP 2.1 part 4 section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CALL, CALL_RESULT, CALL_ERROR, CALL_RESULT_ERROR, SEND = 2, 3, 4, 5, 6
MAX_MESSAGE_ID = 36
MAX_ACTION = 64

ANSWERS = (CALL_RESULT, CALL_ERROR)
_NEVER_ANSWERED = (CALL_RESULT, CALL_ERROR, CALL_RESULT_ERROR, SEND)

# reason -> (error code, close code, words for a human)
REASONS: dict[str, tuple[str | None, int | None, str]] = {
    "too_large": (None, 1009, "message is larger than 1 MiB"),
    "empty": (None, None, "message is empty"),
    "too_deep": ("FormatViolation", 1008, "message is nested too deeply"),
    "too_many_nodes": ("FormatViolation", 1008, "message has too many members"),
    "not_json": ("FormatViolation", None, "message is not valid JSON"),
    "number": ("TypeConstraintViolation", None, "a number is out of range"),
    "string_too_long": ("PropertyConstraintViolation", None, "a text is too long"),
    "not_a_frame": ("RpcFrameworkError", None, "message is not an OCPP-J array"),
    "message_type": ("MessageTypeNotSupported", None, "message type number is not supported"),
    "message_id": ("RpcFrameworkError", None, "message id must be 1 to 36 printable characters"),
    "action": ("NotImplemented", None, "action is not known"),
    "payload": ("FormatViolation", None, "payload must be an object"),
    "frame_length": ("FormatViolation", None, "frame has the wrong number of elements"),
}


class FrameRefused(Exception):
    """The frame cannot be accepted.

    `message_id` is the id of the frame where it can be read. `code_word` is the CALLERROR code, spelt as in
    OCPP 2.x, or None where no answer may be given: results, errors and SENDs are never answered.
    `close_code` is set where the socket should close instead. `codec.refusal` makes the answer.
    """

    def __init__(self, reason: str, message_id: str | None = None, message_type: int | None = None):
        code, close, description = REASONS[reason]
        super().__init__(reason)
        self.reason = reason
        self.description = description
        self.message_id = message_id
        self.message_type = message_type
        self.close_code = close if message_id is None else None
        self.code_word = code
        if self.close_code is not None or message_type in _NEVER_ANSWERED:
            self.code_word = None
        elif message_id is None and code is not None and reason != "message_type":
            self.code_word = "RpcFrameworkError"  # nothing of the call could be read


@dataclass(frozen=True, slots=True)
class Call:
    """A request: [2, id, action, payload]. `flags` names what was tolerated."""

    message_id: str
    action: str
    payload: dict[str, Any]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Send:
    """OCPP 2.1: a request that is never answered: [6, id, action, payload]."""

    message_id: str
    action: str
    payload: dict[str, Any]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallResult:
    """The answer to a request of ours: [3, id, payload]."""

    message_id: str
    payload: dict[str, Any]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallError:
    """The refusal of a request of ours: [4, id, code, description, details]."""

    message_id: str
    code: str
    description: str
    details: dict[str, Any]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallResultError:
    """OCPP 2.1: the station could not use an answer of ours: [5, id, code, description, details]."""

    message_id: str
    code: str
    description: str
    details: dict[str, Any]
    flags: tuple[str, ...] = ()


Frame = Call | CallResult | CallError | Send | CallResultError


def read(document: Any, raw_id: Any, flags: tuple[str, ...], *, whole_type: bool = True) -> Frame:
    """Read the outer array. `raw_id` is the id as it was sent: cleaned, it would match nothing.

    `whole_type` is False where the type was written with a fraction (2.0 is not 2).
    """
    if type(document) is not list or not document:
        raise FrameRefused("not_a_frame")
    kind = document[0]
    usable = type(raw_id) is str and 0 < len(raw_id) <= MAX_MESSAGE_ID and raw_id.isprintable()
    if type(kind) is not int or kind not in _READERS or not whole_type:
        raise FrameRefused("message_type", raw_id if usable else None)
    if not usable:
        raise FrameRefused("message_id" if len(document) > 1 else "not_a_frame", None, kind)
    return _READERS[kind](document, raw_id, flags)


def _call(document: list[Any], message_id: str, flags: tuple[str, ...]) -> Call:
    return Call(message_id, *_action_and_payload(CALL, document, message_id, flags))


def _send(document: list[Any], message_id: str, flags: tuple[str, ...]) -> Send:
    return Send(message_id, *_action_and_payload(SEND, document, message_id, flags))


def _action_and_payload(
    kind: int, document: list[Any], message_id: str, flags: tuple[str, ...]
) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    if not 3 <= len(document) <= 4:
        raise FrameRefused("frame_length", message_id, kind)
    action = document[2]
    if type(action) is not str or not 0 < len(action) <= MAX_ACTION:
        raise FrameRefused("action", message_id, kind)
    if len(document) == 3:
        return action, {}, (*flags, "payload_missing")
    return action, *_payload(document[3], kind, message_id, flags)


def _payload(
    payload: Any, kind: int, message_id: str, flags: tuple[str, ...]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """An object; null is an empty one by OCPP-J 1.6 section 4.2.1."""
    if type(payload) is dict:
        return payload, flags
    if payload is None:
        return {}, (*flags, "payload_null")
    raise FrameRefused("payload", message_id, kind)


def _result(document: list[Any], message_id: str, flags: tuple[str, ...]) -> CallResult:
    if len(document) == 4 and type(document[2]) is str and document[2].endswith("-Signed"):
        document = [*document[:2], document[3]]  # 2.1 part 4 section 7.1 writes the action into answers too
    if not 2 <= len(document) <= 3:
        raise FrameRefused("frame_length", message_id, CALL_RESULT)
    payload = document[2] if len(document) == 3 else None
    return CallResult(message_id, *_payload(payload, CALL_RESULT, message_id, flags))


def _error(document: list[Any], message_id: str, flags: tuple[str, ...]) -> CallError:
    return CallError(message_id, *_code_and_details(document), flags)


def _result_error(document: list[Any], message_id: str, flags: tuple[str, ...]) -> CallResultError:
    return CallResultError(message_id, *_code_and_details(document), flags)


def _code_and_details(document: list[Any]) -> tuple[str, str, dict[str, Any]]:
    """Read an error leniently: whatever it lacks, the call has failed."""
    code, description, details = (*document[2:5], None, None, None)[:3]
    return (
        code[:MAX_ACTION] if type(code) is str else "",
        description if type(description) is str else "",
        details if type(details) is dict else {},
    )


_READERS: dict[int, Callable[[list[Any], str, tuple[str, ...]], Frame]] = {
    CALL: _call,
    CALL_RESULT: _result,
    CALL_ERROR: _error,
    CALL_RESULT_ERROR: _result_error,
    SEND: _send,
}
