"""Tolerances: what real chargers send against the schema, accepted with a flag (field notes, quirks 10 to 15)."""

import json
from decimal import Decimal as D

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stations.ocpp import codec, gate, tolerance

NOW = "2026-11-20T10:00:00Z"
START = {"connectorId": 1, "idTag": "A", "meterStart": 12, "timestamp": NOW}
STOP = {"transactionId": 7, "meterStop": 90, "timestamp": NOW}
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}
BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
EVENT = {
    "eventType": "Updated", "timestamp": NOW, "triggerReason": "MeterValuePeriodic", "seqNo": 3,
    "transactionInfo": {"transactionId": "t"},
}  # fmt: skip
SAMPLE = {"value": "1.5", "unit": "Wh"}


def values(*samples: object) -> dict:
    return {"connectorId": 1, "meterValue": [{"timestamp": NOW, "sampledValue": list(samples)}]}


def tolerated(action: str, payload: dict, version: str = "1.6") -> tuple[dict, set[str]]:
    result = codec.check_request(version, action, payload)
    assert result.fault is None
    return result.payload, set(result.flags)


def refused(action: str, payload: dict, version: str = "1.6") -> str:
    fault = codec.check_request(version, action, payload).fault
    assert fault is not None
    return fault.code


# --- texts


def test_over_long_texts_are_kept_whole():
    boot = BOOT | {"chargePointSerialNumber": "s" * 300, "firmwareVersion": "f" * 51}

    assert tolerated("BootNotification", boot) == (
        boot, {"too_long:chargePointSerialNumber", "too_long:firmwareVersion"},
    )  # fmt: skip


@pytest.mark.parametrize("length", [21, 36, 40])
def test_an_over_long_id_tag_is_kept_whole(length):
    assert tolerated("Authorize", {"idTag": "A" * length})[0] == {"idTag": "A" * length}


def test_unknown_enum_words_are_kept():
    assert tolerated("StatusNotification", STATUS | {"errorCode": "Smoke"}) == (
        STATUS | {"errorCode": "Smoke"}, {"unknown_enum:errorCode"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("member", "sent", "read"),
    [("errorCode", "Error", "OtherError"), ("errorCode", "noerror", "NoError"), ("status", "charging", "Charging"),
     ("status", " Available ", "Available")],
)  # fmt: skip
def test_misspelt_enum_words_are_mended(member, sent, read):
    payload, flags = tolerated("StatusNotification", STATUS | {member: sent})

    assert payload == STATUS | {member: read}
    assert flags == {f"enum_spelling:{member}"}


def test_units_are_known_in_the_spelling_of_both_messages():
    sample = {"value": "21", "measurand": "Temperature", "unit": "Celsius"}

    assert tolerated("MeterValues", values(sample))[1] == set()
    payload, flags = tolerated("MeterValues", values(sample | {"unit": "kwh"}))
    assert payload["meterValue"][0]["sampledValue"][0]["unit"] == "kWh"
    assert flags == {"enum_spelling:meterValue.sampledValue.unit"}


def test_an_event_type_nobody_knows_decides_too_much():
    assert (
        refused("TransactionEvent", EVENT | {"eventType": "Paused"}, "2.0.1") == "PropertyConstraintViolation"
    )
    assert tolerated("TransactionEvent", EVENT | {"triggerReason": "Whim"}, "2.0.1")[1] == {
        "unknown_enum:triggerReason"
    }


# --- numbers


@pytest.mark.parametrize(("sent", "read"), [("12", 12), (" 12 ", 12), ("-5", -5), ("12.0", 12)])
def test_numbers_written_as_text_become_numbers(sent, read):
    payload, flags = tolerated("StartTransaction", START | {"meterStart": sent})

    assert payload["meterStart"] == read
    assert type(payload["meterStart"]) is int
    assert flags == {"text_for_number:meterStart"}


@pytest.mark.parametrize(
    ("sent", "read"), [(D("12.5"), D("12.5")), ("12,5", D("12.5")), ("12.50", D("12.50"))]
)
def test_a_fractional_register_is_kept_exactly(sent, read):
    payload, flags = tolerated("StartTransaction", START | {"meterStart": sent})

    assert payload["meterStart"] == read
    assert "fraction:meterStart" in flags


@pytest.mark.parametrize(
    "value", [D("1.5"), "1.5", "one", "1e3", "9" * 18, "9" * 30, True, [], {"a": 1}, "١"]
)
def test_other_whole_numbers_must_be_whole_numbers(value):
    assert refused("StatusNotification", STATUS | {"connectorId": value}) == "TypeConstraintViolation"


@pytest.mark.parametrize(("sent", "read"), [(5, "5"), (D("1.50"), "1.50")])
def test_text_written_as_a_number_becomes_text(sent, read):
    payload, flags = tolerated("BootNotification", BOOT | {"firmwareVersion": sent})

    assert payload["firmwareVersion"] == read
    assert flags == {"number_for_text:firmwareVersion"}


def test_a_number_written_as_a_fraction_is_whole_if_it_is():
    call = gate.check('[2,"1","StartTransaction",' + json.dumps(START | {"meterStart": 12.0}) + "]")

    assert tolerated("StartTransaction", call.payload) == (START, set())


@pytest.mark.parametrize(("sent", "read"), [("true", True), ("False", False), (1, True), ("0", False)])
def test_truth_is_understood_in_other_words(sent, read):
    assert tolerated("TransactionEvent", EVENT | {"offline": sent}, "2.1")[0]["offline"] is read


def test_truth_has_no_third_value():
    boot = {"evseId": 1, "connectorId": 1, "connectorStatus": "Available", "timestamp": NOW}
    report = {"requestId": 1, "generatedAt": NOW, "seqNo": 0, "tbc": "maybe"}

    assert tolerated("StatusNotification", boot, "2.1")[1] == set()
    assert refused("NotifyReport", report, "2.1") == "TypeConstraintViolation"


def test_a_multiple_of_a_tenth_is_not_asked_of_chargers():
    period = {"startPeriod": 0, "limit": D("16.123")}
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
    answer = {"status": "Accepted", "connectorId": 1, "chargingSchedule": schedule}

    assert codec.check_response("1.6", "GetCompositeSchedule", answer) == (answer, (), None)


# --- nothing, lists, times


def test_null_and_empty_optional_members_are_dropped():
    status = STATUS | {"info": None, "timestamp": "", "vendorId": None}

    assert tolerated("StatusNotification", status) == (
        STATUS,
        {"null:info", "empty:timestamp", "null:vendorId"},
    )


def test_an_empty_optional_number_is_dropped():
    payload, flags = tolerated("StartTransaction", START | {"reservationId": ""})

    assert (payload, flags) == (START, {"empty:reservationId"})


def test_an_empty_optional_enum_word_is_dropped():
    assert tolerated("StopTransaction", STOP | {"reason": ""}) == (STOP, {"empty:reason"})


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_required_number_that_is_nothing_is_missing(nothing):
    assert refused("StatusNotification", STATUS | {"connectorId": nothing}) == "OccurenceConstraintViolation"


@pytest.mark.parametrize("text", ["2026-11-20T10:00:00", "yesterday", "20261120T100000Z"])
def test_odd_timestamps_are_left_to_the_readings(text):
    assert tolerated("StatusNotification", STATUS | {"timestamp": text}) == (
        STATUS | {"timestamp": text}, {"format:timestamp"},
    )  # fmt: skip


def test_a_single_object_counts_as_a_list_of_one():
    payload, flags = tolerated(
        "MeterValues", {"connectorId": 1, "meterValue": {"timestamp": NOW, "sampledValue": SAMPLE}}
    )

    assert payload == values(SAMPLE)
    assert flags == {"not_a_list:meterValue", "not_a_list:meterValue.sampledValue"}


def test_a_list_of_one_counts_as_its_object():
    event = EVENT | {"transactionInfo": [{"transactionId": "t"}]}

    assert tolerated("TransactionEvent", event, "2.1") == (EVENT, {"list_for_object:transactionInfo"})
    assert refused("TransactionEvent", EVENT | {"transactionInfo": [1]}, "2.1") == "TypeConstraintViolation"


def test_an_empty_list_of_an_optional_member_is_dropped():
    idle = {"idToken": {"idToken": "A", "type": "Central"}, "iso15118CertificateHashData": []}

    payload, flags = tolerated("Authorize", idle, "2.0.1")

    assert "iso15118CertificateHashData" not in payload
    assert flags == {"empty_list:iso15118CertificateHashData"}


def test_the_data_of_a_vendor_may_be_an_object():
    payload, flags = tolerated("DataTransfer", {"vendorId": "V", "data": {"a": D("1.5")}})

    assert payload["data"] == '{"a":"1.5"}'
    assert flags == {"object_for_text:data"}


# --- money


@pytest.mark.parametrize(
    ("action", "payload"),
    [("StartTransaction", START), ("StopTransaction", STOP), ("MeterValues", values(SAMPLE))],
)
def test_messages_about_money_lose_unknown_members_and_nothing_else(action, payload):
    assert tolerated(action, payload | {"x": 1, "y": None}) == (payload, {"unknown_member"})


def test_other_messages_with_unknown_members_are_refused():
    assert refused("BootNotification", BOOT | {"x": 1}) == "FormationViolation"


@pytest.mark.parametrize(
    "payload",
    [{"transactionId": 7}, {"transactionId": "7"}, {"transactionId": -1, "meterStop": None},
     {"meterStop": 90, "timestamp": NOW}, {"meterStop": "90", "timestamp": 5, "transactionId": {}},
     STOP | {"idTag": 5, "reason": [], "transactionData": "x", "more": {}}, STOP | {"transactionData": [5, {}, None]},
     STOP | {"transactionData": [{"timestamp": 5, "sampledValue": {"value": []}}]}, STOP | {"timestamp": []}],
)  # fmt: skip
def test_a_stop_passes_if_anything_can_be_made_of_it(payload):
    stop, flags = tolerated("StopTransaction", payload)

    assert stop.keys() & {"transactionId", "meterStop"}
    assert flags


@pytest.mark.parametrize("payload", [{}, {"meterStop": 5}, {"timestamp": NOW}, {"transactionId": None}])
def test_a_stop_of_which_nothing_can_be_made_is_refused(payload):
    assert refused("StopTransaction", payload) == "OccurenceConstraintViolation"


@pytest.mark.parametrize("missing", ["meterStart", "timestamp"])
def test_a_start_may_lack_register_and_time(missing):
    start = {member: value for member, value in START.items() if member != missing}

    assert tolerated("StartTransaction", start) == (start, {f"missing:{missing}"})


@pytest.mark.parametrize("missing", ["connectorId", "idTag"])
def test_a_start_needs_a_place_and_a_token(missing):
    assert refused("StartTransaction", START | {missing: None}) == "OccurenceConstraintViolation"


@pytest.mark.parametrize(
    "sample", [5, None, {}, {"value": None}, {"value": []}, {"value": "1", "unit": {}}, {"valu": "1"}]
)
def test_odd_samples_are_left_to_the_readings(sample):
    payload, flags = tolerated("MeterValues", values(SAMPLE, sample))

    assert payload["meterValue"][0]["sampledValue"][0] == SAMPLE
    assert flags


@pytest.mark.parametrize("meter_value", [[], [{"timestamp": NOW, "sampledValue": []}]])
def test_meter_values_without_a_value_are_answered(meter_value):
    payload = {"connectorId": 1, "meterValue": meter_value}

    assert tolerated("MeterValues", payload)[0] == payload


def test_meter_values_need_values_and_a_place():
    assert refused("MeterValues", {"connectorId": 1}) == "OccurenceConstraintViolation"
    assert (
        refused("MeterValues", {"meterValue": values(SAMPLE)["meterValue"]}) == "OccurenceConstraintViolation"
    )


def test_a_transaction_event_may_lack_what_is_not_vital():
    event = {member: value for member, value in EVENT.items() if member not in ("timestamp", "triggerReason")}

    assert tolerated("TransactionEvent", event, "2.0.1")[1] == {"missing:timestamp", "missing:triggerReason"}


@pytest.mark.parametrize(
    "change",
    [{"seqNo": None}, {"seqNo": -1}, {"transactionInfo": {}}, {"eventType": 5}, {"transactionInfo": None}],
)
def test_a_transaction_event_needs_its_key(change):
    assert refused("TransactionEvent", EVENT | change, "2.1")


def test_a_transaction_event_may_be_out_of_range_elsewhere():
    event = EVENT | {"numberOfPhasesUsed": 9, "cableMaxCurrent": -1}

    assert tolerated("TransactionEvent", event, "2.1")[1] == {"out_of_range:numberOfPhasesUsed"}


def test_elsewhere_out_of_range_is_refused():
    report = {"requestId": 1, "generatedAt": NOW, "seqNo": -1}

    assert refused("NotifyReport", report, "2.1") == "PropertyConstraintViolation"


def test_2x_values_written_as_text_become_numbers():
    event = EVENT | {"meterValue": [{"timestamp": NOW, "sampledValue": [{"value": "12,5"}]}]}

    assert tolerated("TransactionEvent", event, "2.1")[0]["meterValue"][0]["sampledValue"] == [
        {"value": D("12.5")}
    ]


# --- answers to commands


def test_answers_lose_unknown_members():
    assert codec.check_response("1.6", "Reset", {"status": "Accepted", "x": 1}) == (
        {"status": "Accepted"}, ("unknown_member",), None,
    )  # fmt: skip


def test_the_status_of_an_answer_decides_and_is_never_guessed():
    assert codec.check_response("1.6", "Reset", {"status": "accepted"}).payload == {"status": "Accepted"}
    assert codec.response_fault("1.6", "Reset", {"status": "Perhaps"}) is not None


def test_deeper_words_of_an_answer_are_kept():
    result = {"attributeStatus": "Odd", "component": {"name": "C"}, "variable": {"name": "V"}}

    assert codec.check_response("2.0.1", "SetVariables", {"setVariableResult": [result]}).flags == (
        "unknown_enum:setVariableResult.attributeStatus",
    )


# --- many faults


def test_thousands_of_odd_samples_are_left_to_the_readings_at_once():
    payload, flags = tolerated("MeterValues", values(*[{"value": "1", "unit": "odd"}] * 3_000) | {"x": 1})

    assert payload == values(*[{"value": "1", "unit": "odd"}] * 3_000)
    assert flags == {"many_faults", "unknown_member"}


def test_thousands_of_faults_elsewhere_are_refused():
    hostile = {"requestId": 1, "generatedAt": NOW, "seqNo": 0, "reportData": [{}] * 3_000}

    assert refused("NotifyReport", hostile, "2.0.1") == "OccurrenceConstraintViolation"


def test_a_message_about_money_with_faults_all_over_is_refused():
    hostile = EVENT | {"transactionInfo": {f"x{i}": 1 for i in range(3)}, "evse": [[[[[[[[[[{}]]]]]]]]]]}

    assert refused("TransactionEvent", hostile, "2.1")


def test_a_fault_that_never_settles_is_refused():
    def find(payload: dict) -> list[tolerance.Fault]:
        payload["a"] = None
        return [tolerance.Fault(("a",), "type", ["integer"])]

    mended = tolerance.mend("Any", {"a": 1}, find)

    assert mended.fault == tolerance.Fault(("a",), "type", ["integer"])


def test_too_many_faults_that_are_not_in_the_values_are_refused():
    faults = [tolerance.Fault(("a",), "enum", [])] * (tolerance.MAX_FAULTS + 1)

    assert tolerance.mend("MeterValues", {"a": 1}, lambda payload: faults).fault == faults[0]


@pytest.mark.parametrize(
    "fault",
    [
        tolerance.Fault(("a",), "pattern"),
        tolerance.Fault(("a",), "type", ["null"]),
        tolerance.Fault((), "type", []),
    ],
)
def test_what_has_no_tolerance_finds_none(fault):
    assert tolerance.mend("Any", {"a": 1}, lambda payload: [fault]).fault == fault


# --- properties

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.text(max_size=5)
    | st.sampled_from([NOW, "12,5", D("1.5")]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["timestamp", "sampledValue", "value", "unit", "id", "transactionId", "x"]), inner
        )
    ),
    max_leaves=6,
)
MESSAGES = [
    ("1.6", "StartTransaction", START), ("1.6", "StopTransaction", STOP), ("1.6", "MeterValues", values(SAMPLE)),
    ("1.6", "StatusNotification", STATUS), ("1.6", "BootNotification", BOOT), ("2.0.1", "TransactionEvent", EVENT),
    ("2.1", "TransactionEvent", EVENT),
]  # fmt: skip


@given(st.sampled_from(MESSAGES), st.data())
@settings(max_examples=200, deadline=None)
def test_no_payload_raises_and_the_original_stays(message, data):
    version, action, right = message
    members = st.sampled_from([*codec.request_schema(version, action)["properties"], "x"])
    payload = right | data.draw(st.dictionaries(members, ANYTHING, max_size=4))
    before = repr(payload)

    codec.check_request(version, action, payload)

    assert repr(payload) == before


@given(
    st.dictionaries(
        st.sampled_from(["idTag", "reason", "transactionData", "timestamp", "meterStop", "x"]), ANYTHING
    )
)
@settings(max_examples=200, deadline=None)
def test_a_stop_with_its_transaction_id_is_never_refused(odd):
    assert codec.check_request("1.6", "StopTransaction", STOP | odd).fault is None
