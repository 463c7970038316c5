"""What may be wrong with a payload and be accepted all the same: named tolerances, each leaving a flag.

`mend` looks at every fault that the schema finds and repairs it, keeps it, or refuses the message. Messages about
money (a transaction's start, stop and values) are refused only if nothing can be made of them: a charger keeps
and repeats what we refuse, forever. What a charger sent is in the journal in any case. Field notes, quirks 10 to
15 and demand 18; OCPP 1.6 section 4.10 on why sanity checks must not refuse a StopTransaction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

MAX_ROUNDS = 8  # each round may uncover faults below the ones it mended
MAX_FLAGS = 40
MAX_FAULTS = 200  # a fault costs some 15 µs to look at, and a hostile message could have thousands

# What a message about money must keep to be of use: all members of one alternative. The rest may be missing.
VITAL: dict[str, tuple[tuple[str, ...], ...]] = {
    "StartTransaction": (("connectorId", "idTag"),),
    "StopTransaction": (("transactionId",), ("meterStop", "timestamp")),
    "MeterValues": (("connectorId", "meterValue"), ("evseId", "meterValue")),
    "TransactionEvent": (("eventType", "seqNo", "transactionInfo"),),
}
METER_PARTS = (
    "meterValue",
    "transactionData",
)  # read member by member in stations.readings, which knows faults

# Words that decide what happens next: an unknown one is refused, never guessed.
DECISIONS = {"TransactionEvent": ("eventType",)}

# member -> spelling in lower case -> the standard's word
ALIASES: dict[str, dict[str, str]] = {
    "errorCode": {"error": "OtherError", "other": "OtherError", "none": "NoError", "no error": "NoError"},
    "unit": {"celcius": "Celcius", "hz": "Hertz", "%": "Percent"},
    "reason": {"evdisconnect": "EVDisconnected", "deauthorised": "DeAuthorized"},
}
FRACTIONS = ("meterStart", "meterStop")  # whole Wh by the schema, fractions in the field: kept exactly
BOOLEANS = {"true": True, "false": False, "1": True, "0": False}

_NUMBER = re.compile(r"[+-]?\d{1,20}(?:[.,]\d{1,20})?", re.ASCII)


class Fault(NamedTuple):
    """A fault of the schema check: where, which keyword, and what the keyword says."""

    path: tuple[str | int, ...]
    keyword: str
    detail: Any = None


class Mended(NamedTuple):
    """The payload after mending; `fault` is the first one that could not be tolerated."""

    payload: dict[str, Any]
    flags: tuple[str, ...]
    fault: Fault | None


def mend(
    action: str,
    payload: dict[str, Any],
    find: Callable[[dict[str, Any]], list[Fault]],
    *,
    is_response: bool = False,
) -> Mended:
    """Tolerate what can be tolerated; `find` lists the faults of a payload. The original stays as it is."""
    mender = _Mender(action, _copy(payload), is_response)
    for _ in range(MAX_ROUNDS):
        mender.changed = False
        mender.refused = None
        faults = find(mender.payload)
        if len(faults) > MAX_FAULTS:
            faults = mender.too_many(faults)
        for fault in faults:
            mender.take(fault)
        if not mender.changed:
            break
    else:  # still unsettled: whatever it is, it is no honest mistake
        mender.refused = mender.refused or next(iter(find(mender.payload)), None)
    mended = {**mender.payload, **mender.aside}
    return Mended(mended, tuple(mender.flags)[:MAX_FLAGS], mender.refused)


def _copy(value: Any) -> Any:
    """A deep copy of JSON, many times faster than the general one."""
    if type(value) is dict:
        return {key: _copy(member) for key, member in value.items()}
    if type(value) is list:
        return [_copy(member) for member in value]
    return value


class _Mender:
    """One payload on its way through the rounds."""

    def __init__(self, action: str, payload: dict[str, Any], is_response: bool) -> None:
        self.action = action
        self.payload = payload
        self.is_response = is_response
        self.vital = () if is_response else VITAL.get(action, ())
        self.aside: dict[str, Any] = {}
        self.flags: dict[str, None] = {}
        self.dropped: dict[tuple[str | int, ...], Fault] = {}  # odd members, and what was odd about them
        self.changed = False
        self.refused: Fault | None = None

    def too_many(self, faults: list[Fault]) -> list[Fault]:
        """Set the meter values aside as they are, for the readings to judge; elsewhere refuse."""
        if self.vital and not self.aside:
            self.aside = {part: self.payload.pop(part) for part in METER_PARTS if part in self.payload}
            self.changed = bool(self.aside)
            self.flags["many_faults"] = None
        if not self.changed:
            self.refused = faults[0]
        return []

    def take(self, fault: Fault) -> None:
        """Mend, keep or refuse one fault."""
        holder = self._holder(fault.path)
        if holder is None:
            return  # mended together with its parent; the next round looks again
        treatment = _TREATMENTS.get(fault.keyword, _Mender._no_mercy)
        if not treatment(self, fault, holder):
            self._at_least_keep(fault, holder)

    def _holder(self, path: tuple[str | int, ...]) -> Any:
        """The object or list that holds the faulty value; for the payload itself, the payload."""
        holder: Any = self.payload
        try:
            for step in path[:-1]:
                holder = holder[step]
            if path:
                holder[path[-1]]
        except (KeyError, IndexError, TypeError):
            return None
        return holder

    def _at_least_keep(self, fault: Fault, holder: Any) -> None:
        """Money: leave what the readings judge by themselves, drop another odd member; else refuse."""
        if self.vital and fault.path and fault.path[0] in METER_PARTS and len(fault.path) > 1:
            self._flag("kept", fault)
        elif self.vital and isinstance(holder, list):  # the list goes as a whole: its places must not move
            self._at_least_keep(Fault(fault.path[:-1], *fault[1:]), self._holder(fault.path[:-1]))
        elif self.vital and fault.path and isinstance(holder, dict):
            self.dropped[fault.path] = fault
            self._drop(fault, holder, "dropped")
        elif self.refused is None:
            self.refused = fault

    def _no_mercy(self, fault: Fault, holder: Any) -> bool:
        return False

    def _type(self, fault: Fault, holder: Any) -> bool:
        if not fault.path:
            return False
        value, key = holder[fault.path[-1]], fault.path[-1]
        if value is None or (isinstance(value, str) and not value.strip()):
            return isinstance(holder, dict) and self._drop(
                fault, holder, "null" if value is None else "empty"
            )
        expected = fault.detail[0] if fault.detail else ""
        if expected == "integer" and isinstance(value, Decimal) and key in FRACTIONS:
            return self._flag("fraction", fault)
        convert = _CONVERSIONS.get(expected)
        word, better = convert(value, str(key)) if convert else ("", None)
        if not word:
            return False
        holder[key] = better
        self.changed = True
        return self._flag(word, fault)

    def _required(self, fault: Fault, holder: Any) -> bool:
        if not fault.path and fault.detail in self.aside:
            return True
        inside_meter_part = bool(fault.path) and fault.path[0] in METER_PARTS
        if not self.vital or not (inside_meter_part or self._is_of_use(fault)):
            self.refused = self.refused or self.dropped.get((*fault.path, fault.detail), fault)
        else:
            self._flag("missing", Fault((*fault.path, str(fault.detail)), ""))
        return True

    def _is_of_use(self, fault: Fault) -> bool:
        if fault.path:
            return (fault.path, fault.detail) != (("transactionInfo",), "transactionId")
        known = {*self.payload, *self.aside}
        return any(known.issuperset(members) for members in self.vital)

    def _enum(self, fault: Fault, holder: Any) -> bool:
        key = fault.path[-1]
        value = holder[key]
        if not isinstance(value, str):
            return True  # its type is another fault, and decides
        wanted = value.strip().lower()
        if not wanted and isinstance(holder, dict):
            return self._drop(fault, holder, "empty")
        alias = ALIASES.get(str(key), {}).get(wanted, wanted)
        for word in fault.detail:
            if isinstance(word, str) and word.lower() == alias.lower():
                holder[key] = word
                self.changed = True
                return self._flag("enum_spelling", fault)
        if self._decides(fault):
            self.refused = self.refused or fault
            return True
        return self._flag("unknown_enum", fault)

    def _decides(self, fault: Fault) -> bool:
        if len(fault.path) != 1:
            return False
        if self.is_response:
            return fault.path[0] == "status"
        return fault.path[0] in DECISIONS.get(self.action, ())

    def _too_long(self, fault: Fault, holder: Any) -> bool:
        return self._flag("too_long", fault)

    def _format(self, fault: Fault, holder: Any) -> bool:
        value = holder[fault.path[-1]]
        if isinstance(value, str) and not value.strip() and isinstance(holder, dict):
            return self._drop(fault, holder, "empty")
        return self._flag("format", fault)

    def _multiple_of(self, fault: Fault, holder: Any) -> bool:
        return True  # 0.1 steps are ours to keep, not the charger's

    def _range(self, fault: Fault, holder: Any) -> bool:
        """Keep what is only odd in a message about money; the sequence number is its key and must be right."""
        if self.vital and fault.path != ("seqNo",):
            return self._flag("out_of_range", fault)
        self.refused = self.refused or fault
        return True

    def _too_few(self, fault: Fault, holder: Any) -> bool:
        if self.vital:
            return self._flag("empty_list", fault)
        return isinstance(holder, dict) and self._drop(fault, holder, "empty_list")

    def _unknown_members(self, fault: Fault, holder: Any) -> bool:
        if not self.vital and not self.is_response:
            return False
        target = holder[fault.path[-1]] if fault.path else holder
        for name in fault.detail:
            target.pop(name, None)
        self.changed = True
        return self._flag("unknown_member", fault)

    def _drop(self, fault: Fault, holder: dict[Any, Any], word: str) -> bool:
        del holder[fault.path[-1]]
        self.changed = True
        return self._flag(word, fault)

    def _flag(self, word: str, fault: Fault) -> bool:
        where = ".".join(step for step in fault.path if isinstance(step, str))
        self.flags[f"{word}:{where}" if where else word] = None
        return True


_TREATMENTS: dict[str, Callable[[_Mender, Fault, Any], bool]] = {
    "type": _Mender._type,
    "required": _Mender._required,
    "enum": _Mender._enum,
    "maxLength": _Mender._too_long,
    "format": _Mender._format,
    "multipleOf": _Mender._multiple_of,
    "minimum": _Mender._range,
    "maximum": _Mender._range,
    "minItems": _Mender._too_few,
    "maxItems": _Mender._range,
    "additionalProperties": _Mender._unknown_members,
}


def _as_text(value: Any, key: str) -> tuple[str, Any]:
    """A number as text; the data of a DataTransfer may be an object, which becomes its JSON."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return "number_for_text", format(value, "f") if isinstance(value, Decimal) else str(value)
    if key == "data" and isinstance(value, (dict, list)):
        return "object_for_text", json.dumps(value, separators=(",", ":"), default=str)
    return "", None


def _as_number(value: Any, key: str) -> tuple[str, Any]:
    if not isinstance(value, str) or _NUMBER.fullmatch(value.strip()) is None:
        return "", None
    number = Decimal(value.strip().replace(",", "."))
    if abs(number) > 1 << 53:
        return "", None
    return "text_for_number", int(number) if number == number.to_integral_value() else number


def _as_boolean(value: Any, key: str) -> tuple[str, Any]:
    found = BOOLEANS.get(str(value).strip().lower())
    return ("", None) if found is None else ("text_for_boolean", found)


def _as_list(value: Any, key: str) -> tuple[str, Any]:
    return "not_a_list", [value]


def _as_object(value: Any, key: str) -> tuple[str, Any]:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return "list_for_object", value[0]
    return "", None


_CONVERSIONS: dict[str, Callable[[Any, str], tuple[str, Any]]] = {
    "string": _as_text,
    "integer": _as_number,
    "number": _as_number,
    "boolean": _as_boolean,
    "array": _as_list,
    "object": _as_object,
}
