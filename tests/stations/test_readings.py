"""Readings of the wire: timestamps, units, words and numbers (OCPP 1.6 section 7.43, 2.1 SampledValueType)."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations import readings
from stations.readings import Fault, LivePoint, Reading

NOW = datetime(2026, 11, 20, 10, 0, 30, tzinfo=UTC)
AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
REGISTER = "Energy.Active.Import.Register"


def parse(*samples: object, timestamp: object = "2026-11-20T10:00:00Z") -> readings.ParsedReadings:
    meter_value = {"timestamp": timestamp, "sampledValue": list(samples)}
    return readings.parse_v16_meter_values([meter_value], received_at=NOW)


def one(**sample: object) -> Reading:
    parsed = parse(sample)
    assert parsed.faults == []
    return parsed.readings[0]


def fault(value: object) -> str:
    parsed = parse({"value": value})
    assert parsed.readings == []
    return parsed.faults[0].reason


def reading(measurand: str, value: object, unit: str, *, at: datetime = AT, **words: str) -> Reading:
    words = {"phase": "", "location": "Outlet", "context": "Sample.Periodic"} | words
    return Reading(sampled_at=at, measurand=measurand, value=D(str(value)), unit=unit, **words)


# --- timestamps


@pytest.mark.parametrize(
    "text",
    ["2026-11-20T10:00:00Z", "2026-11-20T10:00:00.000Z", "2026-11-20T12:00:00+02:00", "2026-11-20T04:30:00-05:30",
     "2026-11-20t10:00:00z", "2026-11-20T10:00:00.0000000Z", "20261120T100000Z", "2026-11-20T10:00:00,000Z",
     "2026-11-20 10:00:00Z", "2026-11-20T10:00Z", "2026-11-20T10:00:00 UTC", "2026-11-20T10:00:00 +0000",
     "2026-11-20T12:00:00+02"],
)  # fmt: skip
def test_a_moment_is_read_in_every_spelling(text):
    assert readings.parse_timestamp(text, received_at=NOW) == (AT, ())


@pytest.mark.parametrize(
    "text", ["2026-11-20T10:00:00", "20261120T100000", "2026-11-20 10:00:00", "2026-11-20_10:00"]
)
def test_a_moment_without_a_zone_is_utc_and_flagged(text):
    assert readings.parse_timestamp(text, received_at=NOW) == (AT, ("timestamp_no_zone",))


def test_fractions_of_a_second_are_kept_to_the_microsecond():
    at, flags = readings.parse_timestamp("2026-11-20t10:00:00.1234567z", received_at=NOW)

    assert (at, flags) == (AT + timedelta(microseconds=123456), ())


def test_a_leap_second_is_the_next_minute():
    at, flags = readings.parse_timestamp("2026-11-20T09:59:60Z", received_at=NOW)

    assert (at, flags) == (AT, ("timestamp_leap_second",))
    at, flags = readings.parse_timestamp("2026-11-20T09:59:60", received_at=NOW)
    assert (at, flags) == (AT, ("timestamp_leap_second", "timestamp_no_zone"))


@pytest.mark.parametrize("text", ["1795168800", "1795168800000", 1795168800])
def test_seconds_since_1970_are_understood(text):
    assert readings.parse_timestamp(text, received_at=NOW) == (AT, ("timestamp_epoch",))


@pytest.mark.parametrize("text", [None, ""])
def test_a_missing_moment_is_the_moment_of_receipt(text):
    assert readings.parse_timestamp(text, received_at=NOW) == (NOW, ("timestamp_missing",))


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2026-02-30T00:00:00Z", "2026-11-20T10:00:00+25:00", "2026-11-20T10:00:61Z", "20261120T100099",
     " ", "2026-13-01", "2026-11-20T10:00:99z", [], {}, True, 5, "x" * 10_000,
     "２０２６-11-20t10:00:00z", "2026-11-20T10:00:00Zulu"],
)  # fmt: skip
def test_what_is_no_moment_is_the_moment_of_receipt(text):
    assert readings.parse_timestamp(text, received_at=NOW) == (NOW, ("timestamp_unreadable",))


@pytest.mark.parametrize(
    "text",
    ["1970-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2026-11-21T10:01:00Z", "2036-01-01T00:00:00Z",
     "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:60Z", "0000000000"],
)  # fmt: skip
def test_a_moment_that_cannot_be_is_the_moment_of_receipt(text):
    assert readings.parse_timestamp(text, received_at=NOW) == (NOW, ("timestamp_implausible",))


def test_how_far_ahead_a_clock_may_be_is_a_choice():
    ahead = {"received_at": NOW, "max_ahead": timedelta(minutes=5)}

    assert readings.parse_timestamp("2026-11-20T10:05:00Z", **ahead)[1] == ()
    assert readings.parse_timestamp("2026-11-20T10:06:00Z", **ahead)[1] == ("timestamp_implausible",)


@given(st.text(max_size=40) | st.text("0123456789-:TtZz+., ", max_size=30) | st.none() | st.integers())
def test_no_timestamp_raises(text):
    at, _ = readings.parse_timestamp(text, received_at=NOW)

    assert at.utcoffset() == timedelta(0)
    assert datetime(2000, 1, 1, tzinfo=UTC) <= at <= NOW + timedelta(days=1)


@given(st.timedeltas(timedelta(0), NOW - datetime(2000, 1, 2, tzinfo=UTC)), st.integers(-840, 840))
def test_every_well_formed_moment_comes_back(age, offset_minutes):
    moment = (NOW - age).astimezone(timezone(timedelta(minutes=offset_minutes)))

    assert readings.parse_timestamp(moment.isoformat(), received_at=NOW) == (moment, ())


# --- values


def test_a_bare_value_is_the_import_register_in_wh():
    expected = Reading(AT, REGISTER, "", "Outlet", "Sample.Periodic", D("1234567.8"), "Wh")

    assert one(value="1234567.8") == expected


def test_all_words_of_a_sample_are_kept():
    found = one(
        value="16.1",
        measurand="Current.Import",
        phase="L2",
        location="Inlet",
        context="Sample.Clock",
        unit="A",
    )

    assert found == reading(
        "Current.Import", "16.1", "A", phase="L2", location="Inlet", context="Sample.Clock"
    )


@pytest.mark.parametrize(
    ("unit", "measurand", "value", "base"),
    [("kWh", REGISTER, "12.345", "12345 Wh"), ("Wh", REGISTER, "7", "7 Wh"), ("MWh", REGISTER, "1.5", "1500000 Wh"),
     ("kW", "Power.Active.Import", "11.04", "11040 W"), ("kvarh", "Energy.Reactive.Import.Register", "2", "2000 varh"),
     ("kvar", "Power.Reactive.Import", "2", "2000 var"), ("mA", "Current.Import", "16000", "16 A"),
     ("Hertz", "Frequency", "50", "50 Hz"), ("Celcius", "Temperature", "21.5", "21.5 Celsius"),
     ("Celsius", "Temperature", "21.5", "21.5 Celsius"), ("Fahrenheit", "Temperature", "212", "100 Celsius"),
     ("K", "Temperature", "273.15", "0 Celsius"), ("Percent", "SoC", "57", "57 Percent"),
     ("kVAh", "Energy.Apparent.Import", "1", "1000 VAh")],
)  # fmt: skip
def test_every_unit_becomes_its_base_unit(unit, measurand, value, base):
    found = one(value=value, unit=unit, measurand=measurand)
    number, unit = base.split()

    assert (found.value, found.unit) == (D(number), unit)


@pytest.mark.parametrize(
    ("unit", "factor"), [("kwh", 1000), ("KWH", 1000), ("wh", 1), ("kw.h", 1000), (" Wh ", 1)]
)
def test_units_are_understood_in_any_case_and_flagged(unit, factor):
    found = one(value="2", unit=unit)

    assert (found.value, found.unit) == (2 * factor, "Wh")
    assert found.flags in ((), ("unit_spelling",))


@pytest.mark.parametrize(
    ("measurand", "unit", "flags"),
    [(REGISTER, "Wh", ()), ("Power.Active.Import", "W", ("unit_missing",)), ("SoC", "Percent", ()),
     ("Frequency", "Hz", ()), ("Power.Factor", "", ()), ("Voltage", "V", ("unit_missing",)),
     ("Energy.Reactive.Import.Register", "varh", ("unit_missing",)),
     ("Vendor.Thing", "", ("unknown_measurand", "unit_missing"))],
)  # fmt: skip
def test_a_missing_unit_follows_from_the_measurand(measurand, unit, flags):
    found = one(value="1", measurand=measurand)

    assert (found.unit, found.flags) == (unit, flags)


@pytest.mark.parametrize(
    ("measurand", "sent", "read"),
    [("Power.Active.Import", "Wh", "W"), (REGISTER, "W", "Wh"), (REGISTER, "A", "A"), ("SoC", "Wh", "Wh")],
)
def test_a_unit_that_does_not_fit_is_flagged(measurand, sent, read):
    found = one(value="1", measurand=measurand, unit=sent)

    assert (found.unit, found.flags) == (read, ("unit_mismatch",))


def test_kw_where_kwh_is_meant_counts_thousands():
    assert one(value="1.5", unit="kW").value == 1500


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("measurand", "Vendor.Thing"),
        ("phase", "L9"),
        ("location", "Moon"),
        ("context", "bad"),
        ("unit", "furlong"),
    ],
)
def test_unknown_words_are_kept_and_flagged(word, value):
    found = one(**{"value": "1", "measurand": "Voltage", "unit": "V"} | {word: value})

    assert getattr(found, word) == value
    assert f"unknown_{word}" in found.flags


@pytest.mark.parametrize(
    ("word", "sent", "read"),
    [("measurand", "soc", "SoC"), ("measurand", "Voltage\n", "Voltage"), ("phase", "l1", "L1"),
     ("location", "ev", "EV"), ("context", "transaction.begin", "Transaction.Begin")],
)  # fmt: skip
def test_misspelt_words_are_mended_and_flagged(word, sent, read):
    found = one(**{"value": "1", "measurand": "Voltage", "unit": "V"} | {word: sent})

    assert getattr(found, word) == read
    assert f"{word}_spelling" in found.flags


@pytest.mark.parametrize("word", ["measurand", "phase", "location", "context", "unit"])
def test_empty_words_are_as_good_as_none(word):
    assert one(**{"value": "1", word: ""}) == one(value="1")


@pytest.mark.parametrize(("text", "value"), [("12,5", "12.5"), (" -0,25 ", "-0.25")])
def test_a_comma_decimal_is_read_and_flagged(text, value):
    found = one(value=text)

    assert (found.value, found.flags) == (D(value), ("comma_decimal",))


@pytest.mark.parametrize(
    ("value", "number"), [(12, 12), (D("12.5"), D("12.5")), (" 7 ", 7), ("+7", 7), ("1.5E3", 1500)]
)
def test_numbers_are_read_as_exactly_as_texts(value, number):
    assert one(value=value).value == number


def test_floating_point_noise_survives_but_not_without_end():
    assert one(value="230.10000000000002").value == D("230.10000000000002")
    found = one(value="0.1000000000000000055511151231257827")
    assert (found.value, found.flags) == (D("0.1"), ("value_rounded",))


@pytest.mark.parametrize("value", ["", " ", None])
def test_an_empty_value_is_missing_and_never_zero(value):
    assert fault(value) == "value_empty"


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "Infinity",
        "-inf",
        "sNaN",
        "NaN; DROP",
        "1_000",
        "١٢",
        "1,234.5",
        "12 kWh",
        "0x10",
        True,
        [],
        {},
        "-",
        "9" * 400,
    ],
)
def test_what_is_no_number_is_a_fault(value):
    assert fault(value) in ("value_not_a_number", "value_out_of_range")


@pytest.mark.parametrize("value", ["1e15", "-1e15", "9999999999999999", "1e400", 10**400])
def test_numbers_beyond_all_meters_are_a_fault(value):
    assert fault(value) in ("value_out_of_range", "value_not_a_number")


def test_a_faulty_sample_does_not_harm_its_neighbours():
    parsed = parse({"value": "1"}, {"value": ""}, "x", {"value": "2", "unit": []}, {"value": "3"})

    assert [found.value for found in parsed.readings] == [1, 3]
    assert parsed.faults == [
        Fault("meterValue[0].sampledValue[1]", "value_empty"),
        Fault("meterValue[0].sampledValue[2]", "not_an_object"),
        Fault("meterValue[0].sampledValue[3]", "words_unreadable"),
    ]


def test_a_single_object_counts_as_a_list_of_one():
    meter_value = {"timestamp": "2026-11-20T10:00:00Z", "sampledValue": {"value": "5"}}

    assert readings.parse_v16_meter_values(meter_value, received_at=NOW).readings == [
        reading(REGISTER, 5, "Wh")
    ]


@pytest.mark.parametrize("wire", [None, [], {}, [{}], {"sampledValue": []}])
def test_nothing_gives_nothing(wire):
    assert readings.parse_v16_meter_values(wire, received_at=NOW) == ([], [], [])


def test_what_is_no_meter_value_is_a_fault():
    assert readings.parse_v2_meter_values([5], received_at=NOW).faults == [
        Fault("meterValue[0]", "not_an_object")
    ]


def test_an_odd_timestamp_flags_each_of_its_readings():
    found = parse({"value": "1"}, {"value": "2,5"}, timestamp="2026-11-20T10:00:00").readings

    assert [r.flags for r in found] == [("timestamp_no_zone",), ("timestamp_no_zone", "comma_decimal")]


def test_signed_data_stays_text():
    parsed = parse({"value": "0123", "format": "SignedData", "context": "Transaction.End"})

    assert parsed.readings == []
    assert (parsed.signed[0].text, parsed.signed[0].context) == ("0123", "Transaction.End")


def test_raw_is_a_number():
    assert one(value="0123", format="Raw").value == 123


# --- 2.x


def v2(**sample: object) -> Reading:
    meter_value = {"timestamp": "2026-11-20T10:00:00Z", "sampledValue": [sample]}
    parsed = readings.parse_v2_meter_values([meter_value], received_at=NOW)
    assert parsed.faults == []
    return parsed.readings[0]


@pytest.mark.parametrize(
    ("unit_of_measure", "energy_wh"),
    [({}, "12.5"), ({"unit": "kWh"}, "12500"), ({"unit": "Wh", "multiplier": 3}, "12500"),
     ({"unit": "kWh", "multiplier": -1}, "1250"), ({"multiplier": 0}, "12.5")],
)  # fmt: skip
def test_2x_values_follow_unit_and_multiplier(unit_of_measure, energy_wh):
    found = v2(value=D("12.5"), unitOfMeasure=unit_of_measure)

    assert (found.value, found.unit, found.flags) == (D(energy_wh), "Wh", ())


@pytest.mark.parametrize("multiplier", [13, "3", -99, D("1.5")])
def test_a_multiplier_beyond_reason_is_left_out_and_flagged(multiplier):
    found = v2(value=1, unitOfMeasure={"multiplier": multiplier})

    assert (found.value, found.flags) == (1, ("unknown_multiplier",))


def test_a_2x_value_keeps_its_signature_beside_it():
    found = v2(value=5, signedMeterValue={"signedMeterData": "AA==", "publicKey": ""})

    assert (found.value, found.raw) == (5, '{"signedMeterData":"AA==","publicKey":""}')


def test_words_of_2_1_are_known():
    assert v2(value=80, measurand="Display.TargetSOC", unitOfMeasure={"unit": "Percent"}).flags == ()


# --- properties


WIRE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.sampled_from(["12.5", "1,5", "kWh", "SoC"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["timestamp", "sampledValue", "value", "unit", "measurand", "phase", "format", "unitOfMeasure",
                         "multiplier", "signedMeterValue", "context"]), inner, max_size=5),
    max_leaves=15,
)  # fmt: skip


@given(WIRE)
def test_no_wire_raises_and_every_reading_is_finite(wire):
    for found in readings.parse_v16_meter_values(wire, received_at=NOW).readings:
        assert found.value.is_finite()
        assert found.sampled_at.utcoffset() == timedelta(0)


@given(st.decimals(-(10**11), 10**11, places=6))
def test_kilo_is_exact(value):
    assert one(value=str(value), unit="kWh").value == value * 1000


# --- the live point


def test_totals_are_taken_as_they_are():
    point = readings.latest(
        [reading("Power.Active.Import", 11040, "W"), reading("SoC", 57, "Percent", location="EV"),
         reading("Current.Import", 16, "A"), reading("Voltage", 230, "V"), reading(REGISTER, 5000, "Wh"),
         reading("Power.Offered", 22000, "W"), reading("Current.Offered", 32, "A")]
    )  # fmt: skip

    assert point == LivePoint(D(11040), D(57), D(16), D(230), D(5000), D(22000), D(32))


def test_the_newest_reading_wins_in_any_order():
    early, late = reading("SoC", 50, "Percent"), reading("SoC", 51, "Percent", at=AT + timedelta(seconds=1))

    assert readings.latest([late, early]) == readings.latest([early, late]) == LivePoint(soc_percent=D(51))


def test_phases_add_up_to_power_but_not_to_current():
    phases = [("L1", 10), ("L2", 12), ("L3", 11)]
    power = [reading("Power.Active.Import", amps * 230, "W", phase=phase) for phase, amps in phases]
    current = [reading("Current.Import", amps, "A", phase=phase) for phase, amps in phases]

    assert readings.latest(power + current) == LivePoint(power_w=D(33 * 230), current_a=D(12))


def test_a_total_beats_its_phases():
    found = [reading("Current.Import", 16, "A", phase="L1"), reading("Current.Import", 15, "A")]

    assert readings.latest(found).current_a == 15


def test_a_phase_that_went_silent_no_longer_counts():
    old = reading("Power.Active.Import", 3000, "W", phase="L2")
    new = reading("Power.Active.Import", 2000, "W", phase="L1", at=AT + timedelta(minutes=1))

    assert readings.latest([old, new]).power_w == 2000


def test_voltage_is_the_mean_to_neutral():
    found = [reading("Voltage", 230, "V", phase="L1-N"), reading("Voltage", 231, "V", phase="L2-N"),
             reading("Voltage", 400, "V", phase="L1-L2")]  # fmt: skip

    assert readings.latest(found).voltage_v == D("230.5")


def test_the_inlet_counts_only_where_nothing_is_nearer():
    inlet = reading("Power.Active.Import", 50_000, "W", location="Inlet")
    outlet = reading("Power.Active.Import", 11_000, "W")

    assert readings.latest([inlet, outlet]).power_w == 11_000
    assert readings.latest([inlet]).power_w == 50_000


@pytest.mark.parametrize(
    "found",
    [reading("SoC", 5, "Wh"), reading("RPM", 5, "RPM"), reading("SoC", 5, "Percent", location="Upstream")],
)
def test_what_does_not_belong_is_not_shown(found):
    assert readings.latest([found]) == LivePoint()


def test_a_phase_that_means_nothing_gives_nothing():
    assert readings.latest([reading("Power.Active.Import", 5, "W", phase="N")]) == LivePoint()


def test_the_car_itself_beats_what_a_display_shows():
    found = [reading("SoC", 50, "Percent"), reading("Display.PresentSOC", 51, "Percent")]

    assert readings.latest(found).soc_percent == readings.latest(found[::-1]).soc_percent == 50
    assert readings.latest(found[1:]).soc_percent == 51
