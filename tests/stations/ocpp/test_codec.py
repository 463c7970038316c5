"""The codec: exact JSON out, the official schemas in, error codes as each version spells them."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocpp.messages import get_validator

from stations.ocpp import codec, gate
from stations.ocpp.codec import CallFault
from stations.ocpp.gate import FrameRefused

VERSIONS = ["1.6", "2.0.1", "2.1"]
AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
START = {"connectorId": 1, "idTag": "A", "meterStart": 12, "timestamp": "2026-11-20T10:00:00Z"}


# --- out


def test_frames_are_compact():
    assert codec.encode_call("1", "Reset", {"type": "Soft"}) == '[2,"1","Reset",{"type":"Soft"}]'
    assert codec.encode_result("1", {}) == '[3,"1",{}]'
    assert codec.encode_send("1", "NotifyPeriodicEventStream", {}) == '[6,"1","NotifyPeriodicEventStream",{}]'


def test_errors_carry_code_description_and_details():
    fault = CallFault("NotSupported", "no")

    assert codec.encode_error("1", fault) == '[4,"1","NotSupported","no",{}]'
    assert codec.encode_error("1", fault, {"a": 1}) == '[4,"1","NotSupported","no",{"a":1}]'
    assert codec.encode_result_error("1", fault) == '[5,"1","NotSupported","no",{}]'


def test_a_description_ends_at_255_characters():
    frame = json.loads(codec.encode_error("1", CallFault("GenericError", "x" * 1000)))

    assert len(frame[3]) == 255


@pytest.mark.parametrize(
    ("value", "text"),
    [("0.1", "0.1"), ("230.10", "230.10"), ("1E+3", "1000"), ("1E-7", "0.0000001"), ("-0.5", "-0.5"),
     ("12345678901234567890.123456789", "12345678901234567890.123456789")],
)  # fmt: skip
def test_a_decimal_is_written_as_the_number_that_it_is(value, text):
    assert codec.to_json({"a": D(value)}) == f'{{"a":{text}}}'


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9))
def test_every_decimal_comes_back_unchanged(value):
    text = codec.to_json([value])

    assert json.loads(text, parse_float=D, parse_int=D) == [value]
    assert "E" not in text


@pytest.mark.parametrize(
    ("at", "text"),
    [(AT, "2026-11-20T10:00:00Z"), (AT + timedelta(milliseconds=50), "2026-11-20T10:00:00.050Z"),
     (AT + timedelta(microseconds=999), "2026-11-20T10:00:00Z"),
     (AT.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-11-20T10:00:00Z")],
)  # fmt: skip
def test_a_moment_is_written_in_utc_with_three_decimals_at_most(at, text):
    assert codec.to_json({"currentTime": at}) == f'{{"currentTime":"{text}"}}'


@pytest.mark.parametrize("value", [D("NaN"), D("Infinity"), datetime(2026, 1, 1), object(), {1, 2}, "\ud800"])  # noqa: DTZ001
def test_what_has_no_json_form_is_an_error_of_ours(value):
    with pytest.raises(TypeError):
        codec.encode_result("1", {"a": value})


def test_what_we_write_passes_our_own_gate():
    frame = gate.check(codec.encode_call("1", "A", {"a": D("0.10"), "at": AT, "t": "é\n", "n": None}))

    assert frame.payload == {"a": D("0.10"), "at": "2026-11-20T10:00:00Z", "t": "é ", "n": None}


# --- in


@pytest.mark.parametrize("text", ['[6,"1","A",{}]', '[5,"1","A","",{}]'])
def test_frames_of_2_1_exist_only_in_2_1_and_are_never_answered(text):
    assert codec.decode("2.1", text).message_id == "1"
    for version in ("1.6", "2.0.1"):
        with pytest.raises(FrameRefused) as caught:
            codec.decode(version, text)
        assert codec.refusal(version, caught.value) is None


def test_a_call_is_the_same_in_every_version():
    for version in VERSIONS:
        assert codec.decode(version, '[2,"1","Heartbeat",{}]').action == "Heartbeat"


@pytest.mark.parametrize(
    ("text", "in_16", "in_2x"),
    [
        ("hello", None, '[4,"-1","RpcFrameworkError","message is not valid JSON",{}]'),
        ("[2]", None, '[4,"-1","RpcFrameworkError","message is not an OCPP-J array",{}]'),
        ('[2,"1","A",{]', '[4,"1","FormationViolation","message is not valid JSON",{}]',
         '[4,"1","FormatViolation","message is not valid JSON",{}]'),
        ('[9,"1"]', None, '[4,"1","MessageTypeNotSupported","message type number is not supported",{}]'),
        ('[9]', None, '[4,"-1","MessageTypeNotSupported","message type number is not supported",{}]'),
        ('[2,5,"A",{}]', '[4,"-1","ProtocolError","message id must be 1 to 36 printable characters",{}]',
         '[4,"-1","RpcFrameworkError","message id must be 1 to 36 printable characters",{}]'),
        ("", None, None),
        ("[" * 5000, None, None),
        ('[3,"1",5]', None, None),
    ],
)  # fmt: skip
def test_a_refused_frame_is_answered_as_the_version_wants_it(text, in_16, in_2x):
    with pytest.raises(FrameRefused) as caught:
        gate.check(text)

    assert codec.refusal("1.6", caught.value) == in_16
    assert codec.refusal("2.0.1", caught.value) == codec.refusal("2.1", caught.value) == in_2x


# --- error codes


@pytest.mark.parametrize(
    ("word", "in_16"),
    [("FormatViolation", "FormationViolation"), ("OccurrenceConstraintViolation", "OccurenceConstraintViolation"),
     ("RpcFrameworkError", "ProtocolError"), ("MessageTypeNotSupported", "GenericError"),
     ("InternalError", "InternalError"), ("SecurityError", "SecurityError"), ("NotSupported", "NotSupported")],
)  # fmt: skip
def test_each_version_spells_error_codes_its_own_way(word, in_16):
    assert codec.fault("1.6", word, "why", "a.b") == CallFault(in_16, "why", "a.b")
    assert codec.fault("2.0.1", word, "why").code == codec.fault("2.1", word, "why").code == word


def test_an_action_for_the_other_side_is_not_supported_and_an_invented_one_not_implemented():
    for version in VERSIONS:
        assert codec.unknown_action(version, "TriggerMessage").code == "NotSupported"
        assert codec.unknown_action(version, "heartbeat").code == "NotImplemented"
        assert codec.unknown_action(version, "Ours", offered=True).code == "NotSupported"


@pytest.mark.parametrize(
    ("payload", "code", "path"),
    [({}, "OccurrenceConstraintViolation", "reason"),
     ({"reason": "PowerUp", "chargingStation": {"model": "M"}}, "OccurrenceConstraintViolation",
      "chargingStation.vendorName"),
     ({"reason": "PowerUp", "chargingStation": 5}, "TypeConstraintViolation", "chargingStation"),
     ({"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}, "x": 1}, "FormatViolation", "")],
)  # fmt: skip
def test_each_fault_of_a_2x_payload_has_its_code(payload, code, path):
    for version in ("2.0.1", "2.1"):
        fault = codec.check_request(version, "BootNotification", payload).fault
        assert fault is not None
        assert (fault.code, fault.path) == (code, path)


@pytest.mark.parametrize(
    ("payload", "code"),
    [({}, "OccurenceConstraintViolation"), ({"idTag": []}, "TypeConstraintViolation"),
     ({"idTag": "A", "idtag": "A"}, "FormationViolation")],
)  # fmt: skip
def test_each_fault_of_a_1_6_payload_has_its_code(payload, code):
    fault = codec.check_request("1.6", "Authorize", payload).fault

    assert fault is not None
    assert fault.code == code


@pytest.mark.parametrize(
    ("payload", "description"),
    [({"type": "x"}, "type is none of the allowed values"), ({}, "type is required"),
     ({"type": "Soft", "a": 1}, "payload has a member that the schema does not know")],
)  # fmt: skip
def test_a_request_of_ours_is_checked_without_tolerance(payload, description):
    fault = codec.request_fault("1.6", "Reset", payload)

    assert fault is not None
    assert fault.description == description


def test_a_right_request_of_ours_has_no_fault():
    assert codec.request_fault("1.6", "Reset", {"type": "Soft"}) is None
    assert codec.request_fault("1.6", "Blub", {}).code == "NotImplemented"


@pytest.mark.parametrize(
    ("limit", "is_right"), [("16.1", True), ("21.4", True), ("16.05", False), ("32", True)]
)
def test_limits_of_ours_keep_to_one_decimal(limit, is_right):
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": D(limit)}]}
    profile = {
        "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute", "chargingSchedule": schedule,
    }  # fmt: skip

    fault = codec.request_fault(
        "1.6", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile}
    )

    assert (fault is None) is is_right


def test_a_description_never_repeats_what_was_sent():
    hostile = "<script>alert(1)</script>"

    fault = codec.check_request("1.6", "Authorize", {"idTag": "A", hostile: hostile}).fault

    assert fault is not None
    assert "script" not in fault.description + fault.path


# --- schemas


def test_all_actions_of_all_versions_have_a_schema():
    assert [len(codec.actions(version)) for version in VERSIONS] == [39, 64, 91]
    for version in VERSIONS:
        for action in codec.actions(version):
            assert codec.request_fault(version, action, {"no such member": []}) is not None
            assert codec.request_schema(version, action)["type"] == "object"


def test_what_is_sent_unconfirmed_has_no_answer():
    unconfirmed = {a for v in VERSIONS for a in codec.actions(v) if not codec.is_confirmed(v, a)}

    assert unconfirmed == {"NotifyPeriodicEventStream"}


@pytest.mark.parametrize(
    "action", ["../../secret", "StartTransactionResponse", "", "starttransaction", "x" * 64]
)
def test_no_name_of_a_message_reaches_the_file_system(action):
    assert codec.check_request("1.6", action, {}).fault.code == "NotImplemented"
    assert codec.check_response("2.1", action, {}).fault.code == "NotImplemented"
    with pytest.raises(KeyError):
        codec.request_schema("1.6", action)


def test_a_right_payload_passes_untouched():
    result = codec.check_request("1.6", "StartTransaction", START)

    assert result == (START, (), None)
    assert result.payload is START


@pytest.mark.parametrize(
    ("text", "is_right"),
    [("2026-11-20T10:00:00Z", True), ("2026-11-20T10:00:00.123+02:00", True), ("2026-11-20t10:00:00z", True),
     ("2026-11-20T23:59:60Z", True), ("2026-11-20T10:00:00", False), ("2026-02-30T00:00:00Z", False),
     ("20261120T100000Z", False), ("2026-11-20T10:00:00+25:00", False), ("yesterday", False)],
)  # fmt: skip
def test_the_schema_check_reads_date_times(text, is_right):
    fault = codec.request_fault("1.6", "StartTransaction", START | {"timestamp": text})

    assert (fault is None) is is_right


def test_the_answer_to_a_command_is_checked():
    assert codec.response_fault("1.6", "Reset", {"status": "Accepted"}) is None
    assert codec.response_fault("1.6", "Reset", {}).code == "OccurenceConstraintViolation"
    assert codec.response_fault("2.1", "Reset", {"status": "Maybe"}).code == "PropertyConstraintViolation"
    assert codec.check_response("1.6", "Reset", {"status": "Accepted"}).flags == ()


# --- the package's own checker is the referee

VALUES = st.sampled_from(
    [1, 0, -1, 5, True, "A", "x" * 300, "", "Accepted", None, D("1.5"), [], {}, [{}], ["A"]]
)
KNOWN = st.sampled_from(
    [
        ("1.6", action)
        for action in ("StartTransaction", "BootNotification", "StatusNotification", "MeterValues")
    ]
    + [("2.0.1", "TransactionEvent"), ("2.1", "BootNotification"), ("2.1", "TransactionEvent")]
)


@given(KNOWN, st.data())
def test_the_strict_check_agrees_with_the_reference_implementation(known, data):
    version, action = known
    schema = codec.request_schema(version, action)
    members = st.sampled_from([*schema["properties"], "unknown"])
    payload = data.draw(st.dictionaries(members, VALUES, max_size=6))

    referee = get_validator(2, action, version)

    right = referee.is_valid(payload)
    assert (codec.request_fault(version, action, payload) is None) is (right and not _has_bad_time(payload))


def _has_bad_time(payload: dict) -> bool:
    """The referee does not read date-times; none of the drawn texts is one."""
    return any(isinstance(payload.get(member), str) for member in ("timestamp", "currentTime"))
