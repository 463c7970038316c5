"""Measurands, phases, locations, contexts and units: the words of OCPP 2.1, and what chargers make of them.

OCPP 2.1 part 2 section 3 (MeasurandEnumType and its neighbours) and appendix 2 (units); OCPP 1.6 sections 7.30 to
7.45, with the errata on Celsius and Hertz. What 1.6 alone has (RPM, Temperature) keeps its name.
"""

from decimal import Decimal
from typing import NamedTuple

REGISTER = "Energy.Active.Import.Register"  # the one that bills; also the default measurand
INTERVAL = "Energy.Active.Import.Interval"

# Measurand -> the base unit that its values are in; '' for a bare number.
MEASURANDS: dict[str, str] = {
    **dict.fromkeys(
        ["Current.Export", "Current.Export.Offered", "Current.Export.Minimum", "Current.Import",
         "Current.Import.Offered", "Current.Import.Minimum", "Current.Offered"], "A"),
    **dict.fromkeys(
        ["Energy.Active.Export.Interval", "Energy.Active.Export.Register", INTERVAL, REGISTER,
         "Energy.Active.Import.CableLoss", "Energy.Active.Import.LocalGeneration.Register", "Energy.Active.Net",
         "Energy.Active.Setpoint.Interval", "EnergyRequest.Target", "EnergyRequest.Minimum",
         "EnergyRequest.Maximum", "EnergyRequest.Minimum.V2X", "EnergyRequest.Maximum.V2X",
         "EnergyRequest.Bulk", "Display.BatteryEnergyCapacity"], "Wh"),
    **dict.fromkeys(
        ["Energy.Reactive.Export.Interval", "Energy.Reactive.Export.Register", "Energy.Reactive.Import.Interval",
         "Energy.Reactive.Import.Register", "Energy.Reactive.Net"], "varh"),
    **dict.fromkeys(["Energy.Apparent.Export", "Energy.Apparent.Import", "Energy.Apparent.Net"], "VAh"),
    **dict.fromkeys(
        ["Power.Active.Export", "Power.Active.Import", "Power.Active.Setpoint", "Power.Active.Residual",
         "Power.Export.Minimum", "Power.Export.Offered", "Power.Import.Offered", "Power.Import.Minimum",
         "Power.Offered"], "W"),
    **dict.fromkeys(["Power.Reactive.Export", "Power.Reactive.Import"], "var"),
    **dict.fromkeys(["Voltage", "Voltage.Minimum", "Voltage.Maximum"], "V"),
    **dict.fromkeys(
        ["SoC", "Display.PresentSOC", "Display.MinimumSOC", "Display.TargetSOC", "Display.MaximumSOC"],
        "Percent"),
    **dict.fromkeys(
        ["Display.RemainingTimeToMinimumSOC", "Display.RemainingTimeToTargetSOC",
         "Display.RemainingTimeToMaximumSOC"], "s"),
    **dict.fromkeys(["Display.ChargingComplete", "Display.InletHot", "Power.Factor"], ""),
    "Frequency": "Hz",
    "RPM": "RPM",
    "Temperature": "Celsius",
}  # fmt: skip

# Only one unit is possible, or 1.6 had no word for it: saying none is no fault.
UNIT_GOES_WITHOUT_SAYING = frozenset({"Frequency", "RPM", "SoC"})

PHASES = ("L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1")
LOCATIONS = ("Body", "Cable", "EV", "Inlet", "Outlet", "Upstream")
CONTEXTS = (
    "Interruption.Begin", "Interruption.End", "Other", "Sample.Clock", "Sample.Periodic", "Transaction.Begin",
    "Transaction.End", "Trigger",
)  # fmt: skip

_ONE, _KILO, _MEGA, _MILLI = Decimal(1), Decimal(1000), Decimal(1_000_000), Decimal("0.001")

# Unit as the standards spell it -> base unit and factor.
UNITS: dict[str, tuple[str, Decimal]] = {
    **{
        prefix + base: (base, factor)
        for base in ("Wh", "varh", "VAh", "W", "var", "VA", "A", "V", "Hz")
        for prefix, factor in (("", _ONE), ("k", _KILO), ("M", _MEGA), ("m", _MILLI))
    },
    **{
        word: (word, _ONE)
        for word in ("Celsius", "Percent", "RPM", "ASU", "B", "dB", "dBm", "Deg", "lx", "m", "ms2", "N", "Ohm",
                     "kPa", "RH", "s", "Fahrenheit", "K")
    },
}  # fmt: skip

# How chargers spell units, in lower case. Mega and milli differ by case alone, so they are not here.
SPELLINGS: dict[str, str] = {
    **{word.lower(): word for word in UNITS if word[:1] not in "mM" and word != "ms2"},
    "celcius": "Celsius", "c": "Celsius", "°c": "Celsius", "degc": "Celsius", "f": "Fahrenheit",
    "°f": "Fahrenheit", "kelvin": "K", "hertz": "Hz", "%": "Percent", "pct": "Percent", "watt": "W", "watts": "W",
    "amp": "A", "amps": "A", "ampere": "A", "amperes": "A", "volt": "V", "volts": "V", "kilowatt": "kW",
    "kw.h": "kWh", "watthour": "Wh", "ms2": "ms2", "m": "m",
}  # fmt: skip

# Power where energy is meant and the other way round: chargers mix W and Wh.
_MIXED_UP = {"W": "Wh", "Wh": "W", "var": "varh", "varh": "var", "VA": "VAh", "VAh": "VA"}


class Shape(NamedTuple):
    """Everything about a sampled value but its number: the same for all samples of a charger."""

    measurand: str
    phase: str
    location: str
    context: str
    unit: str  # base unit, or the unknown unit as it came
    factor: Decimal | None  # None is one
    flags: tuple[str, ...]


Words = tuple[
    object, object, object, object, object, object
]  # measurand phase location context unit multiplier


def shape(words: Words) -> Shape:
    """Read the words of a sampled value: defaults filled in, spellings mended, unknown words kept and flagged."""
    flags: list[str] = []
    measurand = _word(words[0], MEASURANDS, REGISTER, "measurand", flags)
    phase = _word(words[1], PHASES, "", "phase", flags)
    location = _word(words[2], LOCATIONS, "Outlet", "location", flags)
    context = _word(words[3], CONTEXTS, "Sample.Periodic", "context", flags)
    unit, factor = _unit(words[4], measurand, flags)
    if words[5] is not None:
        factor *= _power_of_ten(words[5], flags)
    return Shape(measurand, phase, location, context, unit, None if factor == _ONE else factor, tuple(flags))


def is_plain(found: Shape) -> bool:
    """Whether all words are spelt as the standards spell them: there are only so many of these."""
    return not any(flag.startswith("unknown_") or flag.endswith("_spelling") for flag in found.flags)


# Characters of a word that is kept although nobody knows it: what the table of reading kinds can hold.
LONGEST = {"measurand": 64, "phase": 16, "location": 32, "context": 32, "unit": 16}


def _text(word: object, name: str) -> str:
    return "" if word is None else str(word)[: LONGEST[name]].strip()


def _word(
    word: object, known: dict[str, str] | tuple[str, ...], default: str, name: str, flags: list[str]
) -> str:
    if word is None:
        return default
    if isinstance(word, str) and word in known:
        return word
    text = _text(word, name)
    if not text:
        return default
    for right in known:
        if right.lower() == text.lower():
            flags.append(f"{name}_spelling")
            return right
    flags.append(f"unknown_{name}")
    return text


def _unit(word: object, measurand: str, flags: list[str]) -> tuple[str, Decimal]:
    expected = MEASURANDS.get(measurand)
    text = _text(word, "unit")
    if not text:
        if expected is None:
            flags.append("unit_missing")
            return "", _ONE
        if expected not in ("", "Wh") and measurand not in UNIT_GOES_WITHOUT_SAYING:
            flags.append("unit_missing")
        return expected, _ONE
    spelt = text if text in UNITS else SPELLINGS.get(text.lower())
    if spelt is None:
        flags.append("unknown_unit")
        return text, _ONE
    if spelt != text:
        flags.append("unit_spelling")
    base, factor = UNITS[spelt]
    if expected in (None, base) or (expected == "Celsius" and base in ("Fahrenheit", "K")):
        return base, factor
    flags.append("unit_mismatch")
    return (expected if _MIXED_UP.get(base) == expected else base), factor


def _power_of_ten(multiplier: object, flags: list[str]) -> Decimal:
    """OCPP 2.x UnitOfMeasureType.multiplier."""
    if isinstance(multiplier, int) and -12 <= multiplier <= 12:
        return Decimal(1).scaleb(multiplier)
    flags.append("unknown_multiplier")
    return _ONE
