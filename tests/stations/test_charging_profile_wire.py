"""Charging profiles on the wire of OCPP 1.6, 2.0.1 and 2.1, there and back (1.6 section 7.8; 2.1 2.17 to 2.20)."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal as D
from pathlib import Path

import jsonschema
import ocpp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.charging_profiles import (
    InvalidProfile,
    Kind,
    OperationMode,
    Purpose,
    RateUnit,
    Recurrency,
    composite,
    composite_from_v2,
    composite_from_v16,
    from_v2,
    from_v16,
    to_v2,
    to_v16,
    to_v201,
)

START = datetime(2026, 6, 1, 10, tzinfo=UTC)
PERIOD = {"startPeriod": 0, "limit": D("16.5"), "numberPhases": 3}
V16 = {
    "chargingProfileId": 7,
    "transactionId": 42,
    "stackLevel": 1,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Recurring",
    "recurrencyKind": "Daily",
    "validFrom": "2026-06-01T00:00:00Z",
    "validTo": "2026-07-01T00:00:00Z",
    "chargingSchedule": {
        "duration": 3600,
        "startSchedule": "2026-06-01T10:00:00Z",
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [PERIOD, {"startPeriod": 60, "limit": D("8.0")}],
        "minChargingRate": D("6.0"),
    },
}
PERIOD_21 = {
    "startPeriod": 0,
    "limit": D(11000),
    "limit_L2": D(3000),
    "limit_L3": D(2000),
    "numberPhases": 3,
    "dischargeLimit": D(-5000),
    "dischargeLimit_L2": D(-1000),
    "dischargeLimit_L3": D(-1500),
    "setpoint": D(4000),
    "setpoint_L2": D(100),
    "setpoint_L3": D(200),
    "setpointReactive": D(10),
    "setpointReactive_L2": D(20),
    "setpointReactive_L3": D(30),
    "preconditioningRequest": True,
    "evseSleep": False,
    "v2xBaseline": D(500),
    "operationMode": "CentralSetpoint",
    "v2xFreqWattCurve": [{"frequency": D("49.9"), "power": D(-1000)}, {"frequency": D(50), "power": D(0)}],
    "v2xSignalWattCurve": [{"signal": D(-1), "power": D(-1000)}, {"signal": D(1), "power": D(1000)}],
}
SCHEDULE_21 = {
    "id": 3,
    "startSchedule": "2026-06-01T10:00:00Z",
    "duration": 3600,
    "chargingRateUnit": "W",
    "minChargingRate": D(1380),
    "useLocalTime": True,
    "randomizedDelay": 300,
    "limitAtSoC": {"soc": 80, "limit": D(3000)},
    "powerTolerance": D(5),
    "signatureId": 1,
    "digestValue": "abc",
    "chargingSchedulePeriod": [PERIOD_21],
}
V21 = {
    "id": 9,
    "stackLevel": 2,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Dynamic",
    "validFrom": "2026-06-01T00:00:00Z",
    "validTo": "2026-07-01T00:00:00Z",
    "transactionId": "T-1",
    "maxOfflineDuration": 600,
    "invalidAfterOfflineDuration": True,
    "dynUpdateInterval": 60,
    "dynUpdateTime": "2026-06-01T09:59:00Z",
    "priceScheduleSignature": "sig",
    "customData": {"vendorId": "org.example"},
    "chargingSchedule": [SCHEDULE_21],
}
V201 = {
    "id": 9,
    "stackLevel": 2,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": [
        {
            "id": 3,
            "startSchedule": "2026-06-01T10:00:00Z",
            "chargingRateUnit": "W",
            "salesTariff": {"id": 1, "salesTariffEntry": [{"relativeTimeInterval": {"start": 0}}]},
            "chargingSchedulePeriod": [
                {"startPeriod": 0, "limit": D(7360), "numberPhases": 1, "phaseToUse": 2}
            ],
        }
    ],
}


def schema_of(folder: str, name: str) -> dict:
    return json.loads((Path(ocpp.__file__).parent / folder / "schemas" / f"{name}.json").read_text())


def plain(value):
    return json.loads(json.dumps(value, default=float))


def without(wire: dict, *names: str) -> dict:
    return {name: value for name, value in wire.items() if name not in names}


def with_period(wire: dict, **members) -> dict:
    schedule = wire["chargingSchedule"][0]
    period = schedule["chargingSchedulePeriod"][0] | members
    return wire | {"chargingSchedule": [schedule | {"chargingSchedulePeriod": [period]}]}


def with_schedule(wire: dict, **members) -> dict:
    if isinstance(wire["chargingSchedule"], dict):
        return wire | {"chargingSchedule": wire["chargingSchedule"] | members}
    return wire | {"chargingSchedule": [wire["chargingSchedule"][0] | members]}


# --- there and back


def test_a_profile_of_ocpp_16_comes_back_as_it_was():
    assert to_v16(from_v16(V16)) == V16


def test_a_profile_of_ocpp_21_comes_back_as_it_was():
    assert to_v2(from_v2(V21)) == V21


def test_a_profile_of_ocpp_201_comes_back_as_it_was():
    assert to_v201(from_v2(V201)) == V201


def test_what_is_written_obeys_the_schemas():
    request = {"evseId": 1, "chargingProfile": plain(to_v2(from_v2(V21)))}
    jsonschema.validate(request, schema_of("v21", "SetChargingProfileRequest"))

    request = {"evseId": 1, "chargingProfile": plain(to_v201(from_v2(V201)))}
    jsonschema.validate(request, schema_of("v201", "SetChargingProfileRequest"))


def test_ocpp_16_is_read_in_the_words_of_21():
    profile = from_v16(V16 | {"chargingProfilePurpose": "ChargePointMaxProfile"}, evse=0)

    schedule = profile.schedules[0]
    assert (profile.id, profile.evse, profile.transaction_id) == (7, 0, "42")
    assert (profile.purpose, profile.kind) == (Purpose.STATION_MAX, Kind.RECURRING)
    assert (profile.recurrency, schedule.rate_unit) == (Recurrency.DAILY, RateUnit.A)
    assert schedule.start_schedule == datetime(2026, 6, 1, 10, tzinfo=UTC)
    assert schedule.periods[0].mode is OperationMode.CHARGING_ONLY


def test_a_profile_of_16_goes_out_as_21():
    wire = to_v2(from_v16(V16, evse=1))

    assert (wire["id"], wire["transactionId"]) == (7, "42")
    assert wire["chargingSchedule"][0]["id"] == 1


# --- tolerance


@pytest.mark.parametrize(
    ("spelling", "value"), [(16, D(16)), (16.1, D("16.1")), ("16.1", D("16.1")), (" 16,5 ", D("16.5"))]
)
def test_a_number_is_read_in_every_spelling_and_exactly(spelling, value):
    profile = from_v2(with_period(V201, limit=spelling))

    assert profile.schedules[0].periods[0].limit == value


def test_words_are_read_in_any_case_and_lists_of_one_without_brackets():
    wire = with_schedule(V16, chargingRateUnit="a", chargingSchedulePeriod=PERIOD)
    profile = from_v16(
        wire | {"chargingProfileKind": "absolute", "chargingSchedule": [wire["chargingSchedule"]]}
    )

    assert (profile.kind, profile.schedules[0].rate_unit) == (Kind.ABSOLUTE, RateUnit.A)
    assert len(profile.schedules[0].periods) == 1


def test_a_null_is_a_member_that_is_not_there():
    assert from_v16(V16 | {"transactionId": None}).transaction_id is None


def test_flags_are_read_as_words_too():
    assert from_v2(with_schedule(V21, useLocalTime="false")).schedules[0].use_local_time is False


@pytest.mark.parametrize("spelling", ["2026-06-01T12:00:00+02:00", "2026-06-01T10:00:00", "20260601T100000Z"])
def test_times_come_to_utc(spelling):
    assert from_v16(V16 | {"validFrom": spelling}).valid_from == datetime(2026, 6, 1, 10, tzinfo=UTC)


def test_local_time_disregards_its_zone():
    profile = from_v2(with_schedule(V21, startSchedule="2026-06-01T10:00:00+09:00"))

    assert profile.schedules[0].start_schedule == datetime(2026, 6, 1, 10, tzinfo=UTC)


# --- what cannot be read


@pytest.mark.parametrize(
    ("wire", "path"),
    [
        ([], ""),
        (without(V16, "chargingProfileId"), "chargingProfileId"),
        (V16 | {"stackLevel": "top"}, "stackLevel"),
        (V16 | {"stackLevel": True}, "stackLevel"),
        (V16 | {"stackLevel": D("1.5")}, "stackLevel"),
        (V16 | {"stackLevel": 10**5000}, "stackLevel"),
        (V16 | {"stackLevel": D("1E+999999")}, "stackLevel"),
        (V16 | {"stackLevel": "9" * 31}, "stackLevel"),
        (V16 | {"stackLevel": D("NaN")}, "stackLevel"),
        (V16 | {"stackLevel": []}, "stackLevel"),
        (V16 | {"transactionId": {}}, "transactionId"),
        (V16 | {"chargingProfilePurpose": "Max"}, "chargingProfilePurpose"),
        (V16 | {"validFrom": "soon"}, "validFrom"),
        (V16 | {"validFrom": 5}, "validFrom"),
        (V16 | {"validFrom": "0001-01-01T00:00:00+09:00"}, "validFrom"),
        (V16 | {"chargingSchedule": 1}, "chargingSchedule[0]"),
        (with_schedule(V16, chargingRateUnit="kW"), "chargingSchedule[0].chargingRateUnit"),
        (
            with_schedule(V16, chargingSchedulePeriod=[PERIOD, {"startPeriod": 60}]),
            "chargingSchedule[0].chargingSchedulePeriod[1].limit",
        ),
    ],
)
def test_what_cannot_be_read_is_named_by_its_path(wire, path):
    with pytest.raises(InvalidProfile) as raised:
        from_v16(wire)

    assert raised.value.path == path


@pytest.mark.parametrize(
    ("wire", "path"),
    [
        (with_schedule(V21, useLocalTime="maybe"), "chargingSchedule[0].useLocalTime"),
        (with_schedule(V21, limitAtSoC={"soc": 80}), "chargingSchedule[0].limitAtSoC.limit"),
        (
            with_period(V21, v2xFreqWattCurve=[{"frequency": 50}]),
            "chargingSchedule[0].chargingSchedulePeriod[0].v2xFreqWattCurve[0].power",
        ),
    ],
)
def test_the_members_of_21_are_named_too(wire, path):
    with pytest.raises(InvalidProfile) as raised:
        from_v2(wire)

    assert raised.value.path == path


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*V16, *V21]), inner, max_size=4)
    ),
)


@given(anything, st.sampled_from(sorted({*V16, *V21})))
def test_no_wire_raises_anything_else(value, name):
    for read, wire in ((from_v16, V16 | {name: value}), (from_v2, V21 | {name: value}), (from_v2, value)):
        with suppress(InvalidProfile):
            found = read(wire, evse=1)
            assert composite(
                [found], evse=1, start=START, duration_s=9_000, unit=RateUnit.A, session_start=START
            )


# --- what an older version cannot say


@pytest.mark.parametrize(
    ("wire", "path"),
    [
        (V201 | {"chargingProfilePurpose": "LocalGeneration"}, "chargingProfilePurpose"),
        (V201 | {"chargingProfileKind": "Dynamic"}, "chargingProfileKind"),
        (V201 | {"chargingSchedule": V201["chargingSchedule"] * 2}, "chargingSchedule"),
        (V201 | {"transactionId": "T-1"}, "transactionId"),
        (with_schedule(V201, useLocalTime=True), "chargingSchedule[0].useLocalTime"),
        (with_schedule(V201, randomizedDelay=5), "chargingSchedule[0].randomizedDelay"),
        (with_schedule(V201, limitAtSoC={"soc": 80, "limit": 1}), "chargingSchedule[0].limitAtSoC"),
        (V201, "chargingSchedule[0].chargingSchedulePeriod[0]"),
        (with_period(V201, phaseToUse=None, limit=None), "chargingSchedule[0].chargingSchedulePeriod[0]"),
        (
            with_period(V201, phaseToUse=None, operationMode="Idle"),
            "chargingSchedule[0].chargingSchedulePeriod[0]",
        ),
    ],
)
def test_ocpp_16_refuses_what_it_cannot_say(wire, path):
    with pytest.raises(InvalidProfile) as raised:
        to_v16(from_v2(wire))

    assert raised.value.path == path


@pytest.mark.parametrize(
    ("wire", "path"),
    [
        (V201 | {"chargingProfilePurpose": "PriorityCharging"}, "chargingProfilePurpose"),
        (V201 | {"chargingProfileKind": "Dynamic"}, "chargingProfilePurpose"),
        (V201 | {"maxOfflineDuration": 5}, "maxOfflineDuration"),
        (with_schedule(V201, useLocalTime=True), "chargingSchedule[0].useLocalTime"),
        (with_period(V201, setpoint=5), "chargingSchedule[0].chargingSchedulePeriod[0].setpoint"),
        (with_period(V201, limit=None), "chargingSchedule[0].chargingSchedulePeriod[0].limit"),
    ],
)
def test_ocpp_201_refuses_what_came_with_21(wire, path):
    with pytest.raises(InvalidProfile) as raised:
        to_v201(from_v2(wire))

    assert raised.value.path == path


def test_plain_charging_needs_no_word_in_older_versions():
    profile = from_v2(with_period(V201, operationMode="ChargingOnly", phaseToUse=None))

    assert "operationMode" not in to_v201(profile)["chargingSchedule"][0]["chargingSchedulePeriod"][0]
    assert to_v16(profile)["chargingSchedule"]["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": D("7360.0"), "numberPhases": 1}
    ]


def test_limits_of_ocpp_16_have_one_digit_and_never_grow():
    wire = with_schedule(
        V16, minChargingRate=D("6.01"), chargingSchedulePeriod=[PERIOD | {"limit": D("15.99")}]
    )

    schedule = to_v16(from_v16(wire))["chargingSchedule"]

    assert schedule["chargingSchedulePeriod"][0]["limit"] == D("15.9")
    assert schedule["minChargingRate"] == D("6.1")


# --- composite schedules that chargers report


def test_a_composite_of_ocpp_16_is_read():
    answer = {"status": "Accepted", "connectorId": 1, "scheduleStart": "2026-06-01T10:00:00Z"}
    found = composite_from_v16(answer | {"chargingSchedule": V16["chargingSchedule"]})

    assert (found.evse, found.duration_s, found.rate_unit) == (1, 3600, RateUnit.A)
    assert found.start == datetime(2026, 6, 1, 10, tzinfo=UTC)
    assert [each.limit for each in found.periods] == [D("16.5"), D(8)]


def test_a_composite_of_ocpp_16_may_name_its_start_in_the_schedule_or_nowhere():
    schedule = V16["chargingSchedule"]
    assert composite_from_v16({"chargingSchedule": schedule}).start == datetime(2026, 6, 1, 10, tzinfo=UTC)

    with pytest.raises(InvalidProfile, match="scheduleStart"):
        composite_from_v16({"chargingSchedule": without(schedule, "startSchedule")})


def test_a_composite_of_ocpp_2_is_read():
    found = composite_from_v2(
        {
            "evseId": 1,
            "duration": 600,
            "scheduleStart": "2026-06-01T10:00:00Z",
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11000}],
        }
    )

    assert (found.evse, found.duration_s, found.periods[0].limit) == (1, 600, D(11000))
