"""The values that the other modules of this package pass around."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class Reading(
    NamedTuple
):  # a tuple: thousands are made a second, and frozen dataclasses cost four times as much
    """One sampled value in a base unit.

    `sampled_at` is UTC; `phase` is '' for the whole; words are those of OCPP 2.1 (SampledValueType), a word we do
    not know is kept as it came. `raw` carries the signed form of the value, if the station sent one beside it.
    `flags` names what was odd and how it was read: 'comma_decimal', 'unit_missing', 'timestamp_no_zone' and others.
    """

    sampled_at: datetime
    measurand: str
    phase: str
    location: str
    context: str
    value: Decimal
    unit: str
    raw: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedReading:
    """A value that exists only as signed data (OCPP 1.6 format SignedData): kept as text, never as a number."""

    sampled_at: datetime
    measurand: str
    phase: str
    location: str
    context: str
    text: str
    flags: tuple[str, ...] = ()


class Fault(NamedTuple):
    """A part of the wire that gave no reading: `where` is its path, `reason` a word such as 'value_empty'."""

    where: str
    reason: str


class ParsedReadings(NamedTuple):
    """What a message's meter values amount to."""

    readings: list[Reading]
    faults: list[Fault]
    signed: list[SignedReading]
