"""MeterValues, transactionData and TransactionEvent on the wire -> readings in base units.

OCPP 1.6 section 7.43 (SampledValue: the value is text, the unit a word), OCPP 2.1 part 2 (SampledValueType: the
value is a number with unitOfMeasure). One loop reads both, because stations exist that mix them. Field notes,
quirks 10, 11, 14, 15 and 20.
"""

import json
import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from stations.readings.reading import Fault, ParsedReadings, Reading, SignedReading
from stations.readings.timestamps import parse_timestamp
from stations.readings.words import Shape, Words, is_plain, shape

LARGEST = 10**15
MAX_VALUE = Decimal(LARGEST)
MAX_CHARS = 64
EXACT_CHARS = 27  # this many digits survive every sum and every factor in Decimal's 28
PLACES = Decimal("1e-12")
MAX_SHAPES = 8192

_is_plain_number = re.compile(r"-?\d{1,15}(?:\.\d{1,12})?", re.ASCII).fullmatch
_COMMA_DECIMAL = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_FREEZING = Decimal("273.15")

_shapes: dict[Words, Shape] = {}  # of words spelt as the standards spell them: chargers repeat theirs all day


def parse_v16_meter_values(meter_values: Any, *, received_at: datetime) -> ParsedReadings:
    """Read `meterValue` of MeterValues or `transactionData` of StopTransaction (OCPP 1.6); never raises.

    An empty value is missing, never zero. A single object counts as a list of one.
    """
    return _parse(meter_values, received_at)


def parse_v2_meter_values(meter_values: Any, *, received_at: datetime) -> ParsedReadings:
    """Read `meterValue` of MeterValues or TransactionEvent (OCPP 2.0.1 and 2.1); never raises."""
    return _parse(meter_values, received_at)


def _parse(meter_values: Any, received_at: datetime) -> ParsedReadings:
    parsed = ParsedReadings([], [], [])
    for index, meter_value in enumerate(_as_list(meter_values)):
        if type(meter_value) is not dict:
            parsed.faults.append(Fault(f"meterValue[{index}]", "not_an_object"))
            continue
        sampled_at, flags = parse_timestamp(meter_value.get("timestamp"), received_at=received_at)
        for position, sample in enumerate(_as_list(meter_value.get("sampledValue"))):
            fault = _read(sample, sampled_at, flags, parsed)
            if fault:
                parsed.faults.append(Fault(f"meterValue[{index}].sampledValue[{position}]", fault))
    return parsed


def _as_list(value: Any) -> list[Any]:
    if type(value) is list:
        return value
    return [] if value is None else [value]


def _read(sample: Any, sampled_at: datetime, flags: tuple[str, ...], parsed: ParsedReadings) -> str:
    """Add what the sample says to `parsed`; return the fault where it says nothing."""
    if type(sample) is not dict:
        return "not_an_object"
    get = sample.get
    unit_of_measure = get("unitOfMeasure")
    if type(unit_of_measure) is dict:
        unit, multiplier = unit_of_measure.get("unit"), unit_of_measure.get("multiplier")
    else:
        unit, multiplier = get("unit"), None
    words = (get("measurand"), get("phase"), get("location"), get("context"), unit, multiplier)
    try:
        measurand, phase, location, context, unit, factor, odd = _shapes.get(words) or _remembered(words)
    except TypeError:  # a list or an object where a word belongs
        return "words_unreadable"
    if odd:
        flags += odd
    value: Any = get("value")
    if get("format") == "SignedData":
        parsed.signed.append(
            SignedReading(sampled_at, measurand, phase, location, context, _as_text(value), flags)
        )
        return ""
    kind = type(value)
    if kind is str and _is_plain_number(value):
        number: Decimal = Decimal(value)
    elif kind is int and -LARGEST < value < LARGEST:
        number = Decimal(value)
    elif kind is Decimal and _is_plain_number(str(value)):
        number = value
    else:
        found, remark = _number_written_oddly(value)
        if found is None:
            return remark
        number = found
        if remark:
            flags += (remark,)
    if factor is not None:
        number *= factor
        if not -MAX_VALUE < number < MAX_VALUE:
            return "value_out_of_range"
    if unit == "Fahrenheit" or unit == "K":
        number, unit = _celsius(number, unit), "Celsius"
    signed = get("signedMeterValue")
    raw = "" if signed is None else _as_text(signed)
    parsed.readings.append(Reading(sampled_at, measurand, phase, location, context, number, unit, raw, flags))
    return ""


def _remembered(words: Words) -> Shape:
    found = shape(words)
    if is_plain(found) and len(_shapes) < MAX_SHAPES:
        _shapes[words] = found
    return found


def _number_written_oddly(value: Any) -> tuple[Decimal | None, str]:
    """Return the exact number and a remark on how it was written, or None and the fault."""
    text = "" if value is None else str(value).strip()
    if not text:
        return None, "value_empty"
    if type(value) is bool or len(text) > MAX_CHARS or not text.isascii() or "_" in text:
        return None, "value_not_a_number"
    remark = ""
    if _COMMA_DECIMAL.fullmatch(text):
        text, remark = text.replace(",", "."), "comma_decimal"
    try:
        number = Decimal(text)
        if not -MAX_VALUE < number < MAX_VALUE:
            return None, "value_out_of_range"
        if len(text) > EXACT_CHARS or "E" in text or "e" in text:
            rounded = number.quantize(PLACES)
            number, remark = (number, remark) if rounded == number else (rounded, "value_rounded")
    except InvalidOperation:
        return None, "value_not_a_number"
    return number, remark


def _celsius(degrees: Decimal, unit: str) -> Decimal:
    """To two places: no thermometer of a charger knows more."""
    if unit == "K":
        return (degrees - _FREEZING).quantize(Decimal("0.01"))
    return ((degrees - 32) * 5 / 9).quantize(Decimal("0.01"))


def _as_text(value: Any) -> str:
    """Signed data unchanged; an object (OCPP 2.x SignedMeterValueType) as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)
