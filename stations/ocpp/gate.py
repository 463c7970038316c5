"""Turn one text message of a charger into a checked frame, or refuse it.

`check(text)` returns one of the frames of `frames.py` or raises `FrameRefused`; no other exception leaves
this module, whatever the text. What passes is bounded (size, depth, nodes, numbers, lengths) and clean: no
NUL, no lone surrogate, no control or direction character that a log, a terminal or PostgreSQL would mind.
The caller keeps the raw text for the journal. Fractions arrive as exact Decimal, whole numbers as int.

The common frame is proved harmless by a few counts at C speed; only a suspicious one is walked. Known
deviations of real chargers (BOM, stray commas, raw line breaks, NaN, null payload) are repaired after strict
parsing has failed, and flagged. Attack cases F1 to F13 and P1 of the threat model.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from stations.ocpp import frames
from stations.ocpp.frames import Call, CallError, CallResult, CallResultError, Frame, FrameRefused, Send

__all__ = ["Call", "CallError", "CallResult", "CallResultError", "Frame", "FrameRefused", "Send", "check"]

MAX_FRAME_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 20_000
MAX_NUMBER = 1 << 53  # magnitude; beyond it JSON peers no longer agree on whole numbers
MAX_NUMBER_CHARS = 40
SHORT_NUMBER = 16  # characters that, with a point among them, stay below MAX_NUMBER
MIN_EXPONENT = -30
MAX_STRING = 10_000
MAX_LONG_STRING = 100_000
MAX_REPAIR_CHARS = 65_536  # repair costs more than parsing: not for a megabyte

# Certificates, logs and signed values are long, and their line breaks mean something.
LONG_FIELDS = frozenset({
    "certificate", "certificateChain", "csr", "data", "encodedMessage", "exiRequest", "exiResponse",
    "message", "ocspResult", "payload", "publicKey", "signature", "signedMeterData", "signingCertificate", "techInfo",
    "value",
})  # fmt: skip

_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_SIXTEEN_DIGITS = b"0" * 16  # the shortest run of digits that can exceed 2^53
_WHOLE_TYPE = re.compile(r"[\s\ufeff\x00]*\[[\s,]*\d+\s*[,\]]")
_START = re.compile(r"[\s\ufeff\x00]*\[\s*(\d)\s*,\s*\"([ !#-\[\]-~]{1,36})\"\s*[,\]]")
_HOSTILE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_LINE_BREAKS = "\t\n\r\u2028\u2029"
# A string (kept; an unfinished one runs to the end, which keeps this linear) or stray commas.
_STRAY_COMMA = re.compile(
    r'("(?:[^"\\]|\\.)*+(?:"|\\?\Z))|(?<=[\[{])[\s,]*,|,[\s,]*(?=[\]}])|,(?:\s*,)+', re.DOTALL
)


class _BadNumber(ValueError):
    """A number that no field of OCPP can carry."""


def _fraction(token: str) -> Decimal | int:
    """Read a JSON number with a fraction or exponent exactly; whole values (12.0, 1e3) become int."""
    if len(token) <= SHORT_NUMBER and token[-1] != "0" and "e" not in token and "E" not in token:
        return Decimal(token)  # nearly always: small, and no whole value
    if len(token) > MAX_NUMBER_CHARS:
        raise _BadNumber
    try:
        value = Decimal(token)
    except InvalidOperation:  # an exponent of twenty digits
        raise _BadNumber from None
    if not value:
        return 0
    if not -MAX_NUMBER <= value <= MAX_NUMBER or value.adjusted() < MIN_EXPONENT:
        raise _BadNumber
    return int(value) if value == value.to_integral_value() else value


def _whole(token: str) -> int:
    if len(token) > MAX_NUMBER_CHARS:
        raise _BadNumber
    return int(token)


_decode = msgspec.json.Decoder(float_hook=_fraction).decode


def check(text: str) -> Frame:
    """Return the frame in `text`, bounded and clean, or raise FrameRefused."""
    if len(text) > MAX_FRAME_BYTES // 4 and len(text.encode("utf-8", "surrogatepass")) > MAX_FRAME_BYTES:
        raise FrameRefused("too_large")
    try:
        document = _decode(text)
    except RecursionError:
        raise _refusal("too_deep", text) from None
    except ValueError:  # not JSON, a number out of range, a lone surrogate
        return _repaired(text)
    if _harmless(text):
        return _frame(document, document, text, ())
    inspector = _Inspector()
    return _frame(inspector.inspect(document, text), document, text, tuple(inspector.flags))


def _harmless(text: str) -> bool:
    """Prove by counting alone that a parsed text is within all limits and clean."""
    return (
        text.count("{") + text.count("[") <= MAX_DEPTH
        and len(text) <= MAX_STRING
        and text.isascii()
        and "\\" not in text
        and "\x7f" not in text
        and _SIXTEEN_DIGITS not in text.encode().translate(_DIGITS_TO_ZERO)
    )


def _frame(document: Any, raw: Any, text: str, flags: tuple[str, ...]) -> Frame:
    raw_id = raw[1] if type(raw) is list and len(raw) > 1 else None
    whole_type = text.startswith("[2,") or _WHOLE_TYPE.match(text) is not None
    return frames.read(document, raw_id, flags, whole_type=whole_type)


def _refusal(reason: str, text: str) -> FrameRefused:
    """A refusal that names type and id as far as the beginning of the text shows them."""
    start = _START.match(text, 0, 200)
    if start is None:
        return FrameRefused(reason)
    return FrameRefused(reason, start[2], int(start[1]))


def _repaired(text: str) -> Frame:
    """Parse what strict parsing refused, if it is one of the known deviations; flag what was done."""
    inspector = _Inspector()
    flags = inspector.flags
    trimmed = text.strip("\ufeff\x00 \t\r\n")
    if not trimmed:
        raise FrameRefused("empty")
    if "\ufeff" in text[:4]:
        flags["bom"] = None

    def no_number(_constant: str) -> None:
        flags["nan"] = None

    decoder = json.JSONDecoder(
        parse_float=_fraction, parse_int=_whole, parse_constant=no_number, strict=False
    )
    try:
        document = _first_that_parses(decoder, trimmed)
    except _BadNumber:
        raise _refusal("number", text) from None
    except RecursionError:
        raise _refusal("too_deep", text) from None
    except ValueError:
        raise _refusal("not_json", text) from None
    clean = inspector.inspect(document, text)
    if not flags:
        flags["json_repaired"] = None
    return _frame(clean, document, text, tuple(flags))


def _first_that_parses(decoder: json.JSONDecoder, text: str) -> Any:
    try:
        return decoder.decode(text)
    except json.JSONDecodeError:
        if len(text) > MAX_REPAIR_CHARS:
            raise
    return decoder.decode(_STRAY_COMMA.sub(_comma, text))


def _comma(match: re.Match[str]) -> str:
    """What remains of a match: strings whole, one comma between elements, none beside a bracket."""
    if match[1] is not None:
        return match[1]
    before = match.string[match.start() - 1 : match.start()]
    after = match.string[match.end() : match.end() + 1]
    return "" if before in "[{" or after in "]}" else ","


class _Inspector:
    """Walk a parsed document once: enforce the limits exactly, clean texts, remember what was cleaned."""

    __slots__ = ("flags", "nodes")

    def __init__(self) -> None:
        self.flags: dict[str, None] = {}
        self.nodes = 0

    def inspect(self, document: Any, text: str) -> Any:
        try:
            return self._value(document, 0, False)
        except FrameRefused as refused:
            raise _refusal(refused.reason, text) from None

    def _value(self, value: Any, depth: int, is_long: bool) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise FrameRefused("too_many_nodes")
        kind = type(value)
        if kind is str:
            return self._text(value, is_long)
        if kind is int and not -MAX_NUMBER <= value <= MAX_NUMBER:
            raise FrameRefused("number")
        if kind is not dict and kind is not list:
            return value
        if depth == MAX_DEPTH:
            raise FrameRefused("too_deep")
        if kind is list:
            return [self._value(item, depth + 1, is_long) for item in value]
        return {
            self._text(key, False): self._value(item, depth + 1, is_long or key in LONG_FIELDS)
            for key, item in value.items()
        }

    def _text(self, text: str, is_long: bool) -> str:
        if len(text) > (MAX_LONG_STRING if is_long else MAX_STRING):
            raise FrameRefused("string_too_long")
        if _HOSTILE.search(text) is None:
            return text

        def clean(match: re.Match[str]) -> str:
            character = match[0]
            if "\ud800" <= character <= "\udfff":
                self.flags["surrogates"] = None
                return "\ufffd"
            if character in _LINE_BREAKS:
                return character if is_long else " "
            self.flags["control_characters"] = None
            return ""

        return _HOSTILE.sub(clean, text)
