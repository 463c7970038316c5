"""The gate: what passes is bounded and clean, what does not is refused in the right way. SECURITY cases F and P1."""

import json
import random
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stations.ocpp import gate
from stations.ocpp.gate import Call, CallError, CallResult, CallResultError, FrameRefused, Send


def refusal(text: str) -> FrameRefused:
    with pytest.raises(FrameRefused) as caught:
        gate.check(text)
    return caught.value


def payload_of(text: str) -> dict:
    return gate.check(f'[2,"1","A",{text}]').payload


# --- frames


def test_a_call_passes_as_it_is():
    frame = gate.check('[2,"19223201","BootNotification",{"chargePointVendor":"V"}]')

    assert frame == Call("19223201", "BootNotification", {"chargePointVendor": "V"}, ())


def test_white_space_around_everything_is_json():
    assert gate.check(' \n[ 2 , "1" , "Heartbeat" , { } ]\r\n') == Call("1", "Heartbeat", {})


def test_a_result_and_an_error_are_told_apart():
    assert gate.check('[3,"1",{"status":"Accepted"}]') == CallResult("1", {"status": "Accepted"})
    assert gate.check('[4,"1","NotSupported","no",{"a":1}]') == CallError("1", "NotSupported", "no", {"a": 1})


def test_the_frames_of_2_1_are_read():
    assert gate.check('[6,"1","NotifyPeriodicEventStream",{"id":1}]') == Send(
        "1", "NotifyPeriodicEventStream", {"id": 1}
    )
    assert gate.check('[5,"1","FormatViolation","",{}]') == CallResultError("1", "FormatViolation", "", {})


@pytest.mark.parametrize("text", ['[4,"1"]', '[4,"1",null,5,[]]', '[4,"1",7]', '[4,"1","","",null,1,2]'])
def test_an_error_lacks_what_it_likes_the_call_has_failed_all_the_same(text):
    assert gate.check(text) == CallError("1", "", "", {})


@pytest.mark.parametrize("text", ['[3,"1",null]', '[3,"1"]', '[2,"1","Heartbeat",null]'])
def test_a_null_payload_is_an_empty_one(text):
    frame = gate.check(text)

    assert frame.payload == {}
    assert frame.flags == ("payload_null",)


def test_a_missing_payload_is_an_empty_one():
    assert gate.check('[2,"1","Heartbeat"]') == Call("1", "Heartbeat", {}, ("payload_missing",))


@pytest.mark.parametrize("payload", ["[]", '"x"', "5", "true"])
def test_a_payload_that_is_no_object_is_answered(payload):
    refused = refusal(f'[2,"1","Heartbeat",{payload}]')

    assert (refused.reason, refused.message_id, refused.code_word) == ("payload", "1", "FormatViolation")


@pytest.mark.parametrize("text", ['[2,"1"]', '[2,"1","Heartbeat",{},1]', '[2,"1","Heartbeat",{},1,2]'])
def test_a_call_of_the_wrong_length_is_answered(text):
    assert (refusal(text).reason, refusal(text).code_word) == ("frame_length", "FormatViolation")


@pytest.mark.parametrize("action", ["null", "5", '""', "{}", '"' + "x" * 65 + '"'])
def test_an_action_that_is_no_word_is_not_implemented(action):
    assert refusal(f'[2,"1",{action},{{}}]').code_word == "NotImplemented"


@pytest.mark.parametrize("action", ["__class__", "../../", "heartbeat"])
def test_an_odd_action_is_for_the_codec_to_know(action):
    assert gate.check(f'[2,"1","{action}",{{}}]').action == action


# --- message types and ids


@pytest.mark.parametrize("kind", ["9", '"2"', "true", "2.0", "2e0", "null", "-2", "0", "{}"])
def test_an_unknown_message_type_is_told_with_the_id(kind):
    refused = refusal(f'[{kind},"1","Heartbeat",{{}}]')

    assert (refused.code_word, refused.message_id) == ("MessageTypeNotSupported", "1")


@pytest.mark.parametrize(
    "message_id",
    ["null", "1", "[]", "{}", '""', '"' + "x" * 37 + '"', '"' + "x" * 300 + '"', '"a\\nb"', '"\\u001b"',
     '"\\u202e"', '"\\ud800"', "1.5", "true"],
)  # fmt: skip
def test_an_unusable_message_id_is_never_echoed(message_id):
    refused = refusal(f'[2,{message_id},"Heartbeat",{{}}]')

    assert (refused.reason, refused.message_id, refused.code_word) == (
        "message_id",
        None,
        "RpcFrameworkError",
    )


@pytest.mark.parametrize("message_id", ["1", "x" * 36, "{0f3c}", "é", "a b", "-1"])
def test_a_printable_message_id_of_up_to_36_characters_is_good(message_id):
    assert gate.check(f'[2,"{message_id}","Heartbeat",{{}}]').message_id == message_id


@pytest.mark.parametrize("text", ["hello", "{}", "[]", "[2]", "null", "5", '"x"', "[", "\\", "tru"])
def test_what_is_no_frame_has_no_id_and_keeps_the_socket(text):
    refused = refusal(text)

    assert (refused.message_id, refused.code_word, refused.close_code) == (None, "RpcFrameworkError", None)


@pytest.mark.parametrize("text", ["", " ", "\n", "\ufeff", "\x00", "\ufeff \r\n\x00"])
def test_an_empty_message_is_ignored(text):
    refused = refusal(text)

    assert (refused.reason, refused.code_word, refused.close_code) == ("empty", None, None)


@pytest.mark.parametrize("text", ['[3,"1",[]]', '[6,"1","A",5]', '[3,"1",{},1]', '[6,"1"]', '[3,"1",{"a":}]'])
def test_results_and_sends_are_never_answered(text):
    refused = refusal(text)

    assert (refused.code_word, refused.close_code, refused.message_id) == (None, None, "1")


# --- limits


def test_a_frame_beyond_1_mib_closes_the_socket():
    assert refusal("x" * ((1 << 20) + 1)).close_code == 1009
    assert refusal('"' + "é" * (1 << 19) + '"').close_code == 1009


def test_a_frame_of_1_mib_is_looked_at():
    frame = '[2,"1","A",{"data":[' + ",".join(['"' + "x" * 9000 + '"'] * 116) + "]}]"

    assert len(frame) > 1_000_000
    assert len(gate.check(frame).payload["data"]) == 116


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 5_000, "[" * 40 + "]" * 40, '{"a":' * 40 + "1" + "}" * 40]
)
def test_nesting_without_an_id_closes_the_socket(text):
    refused = refusal(text)

    assert (refused.reason, refused.close_code, refused.code_word) == ("too_deep", 1008, None)


@pytest.mark.parametrize("opened", ['{"a":' * 5_000, "[" * 100_000, "[NaN," + "[" * 100_000])
def test_nesting_after_a_readable_id_is_answered(opened):
    refused = refusal(f'[2,"1","A",{opened}')

    assert (refused.reason, refused.message_id, refused.close_code) == ("too_deep", "1", None)


def test_thirty_two_levels_pass_and_one_more_does_not():
    assert payload_of('{"a":' + "[" * 30 + "]" * 30 + "}")
    assert refusal('[2,"1","A",{"a":' + "[" * 31 + "]" * 31 + "}]").reason == "too_deep"


def test_wide_is_not_deep():
    assert len(payload_of('{"a":[' + ",".join(["{}"] * 500) + "]}")["a"]) == 500


def test_too_many_nodes_are_refused():
    assert refusal('[2,"1","A",{"a":[' + "1," * 20_000 + "1]}]").reason == "too_many_nodes"


@pytest.mark.parametrize(
    "number",
    ["9007199254740993", "-9007199254740993", "1" * 5_000, "1" * 30, "1e400", "1e16", "1e-400", "-1e99999999999",
        "1e9999999999999999999",
     "1." + "1" * 400, "9007199254740993.5"],
)  # fmt: skip
def test_numbers_beyond_reason_are_refused(number):
    refused = refusal(f'[2,"1","A",{{"a":{number}}}]')

    assert (refused.reason, refused.code_word) == ("number", "TypeConstraintViolation")


@pytest.mark.parametrize("number", ["9007199254740992", "-9007199254740992", "1234567890123456", "0", "-0"])
def test_whole_numbers_within_2_to_the_53_pass(number):
    assert payload_of(f'{{"a":{number}}}') == {"a": int(number)}


@pytest.mark.parametrize("text", ["0.1", "230.10", "-12.5", "1.5e-3", "21.399999999999995"])
def test_fractions_arrive_exactly(text):
    value = payload_of(f'{{"a":{text}}}')["a"]

    assert type(value) is Decimal
    assert str(value) == str(Decimal(text))


@pytest.mark.parametrize(("text", "whole"), [("12.0", 12), ("1e3", 1000), ("0e999999999", 0), ("-0.0", 0)])
def test_whole_values_written_as_fractions_become_whole(text, whole):
    value = payload_of(f'{{"a":{text}}}')["a"]

    assert (type(value), value) == (int, whole)


def test_texts_end_at_10_000_characters_but_certificates_may_be_longer():
    assert refusal('[2,"1","A",{"a":"' + "x" * 10_001 + '"}]').code_word == "PropertyConstraintViolation"
    assert len(payload_of('{"csr":"' + "x" * 100_000 + '"}')["csr"]) == 100_000
    assert refusal('[2,"1","A",{"csr":"' + "x" * 100_001 + '"}]').reason == "string_too_long"


# --- cleaning


@pytest.mark.parametrize(
    ("escaped", "clean"),
    [("A\\u0000B", "AB"), ("\\u202eA", "A"), ("A\\u001b[31m", "A[31m"), ("A\\r\\nB", "A  B"), ("\\u0085A", "A"),
     ("A\x7f", "A"), ("\u200bA\ufeff", "A"), ("\\ud800", "\ufffd"), ("\\ud83d\\ude00", "😀"), ("é", "é")],
)  # fmt: skip
def test_hostile_characters_are_cleaned_out(escaped, clean):
    assert payload_of(f'{{"a":"{escaped}"}}') == {"a": clean}


def test_cleaning_leaves_a_flag():
    assert gate.check('[2,"1","A",{"a":"\\u0000"}]').flags == ("control_characters",)
    assert gate.check('[2,"1","A",{"a":"\\ud800"}]').flags == ("surrogates",)


def test_member_names_are_cleaned_too():
    assert payload_of('{"a\\u0000":1}') == {"a": 1}


def test_certificates_keep_their_line_breaks():
    assert payload_of('{"csr":"A\\nB\\u0000"}') == {"csr": "A\nB"}


@pytest.mark.parametrize(
    "text", ["<img onerror>", "${jndi:ldap}", "=cmd|", "'; --", "%s{}", "\\u003cb\\u003e"]
)
def test_text_that_is_only_dangerous_elsewhere_stays(text):
    assert payload_of(f'{{"a":"{text}"}}') == {"a": json.loads(f'"{text}"')}


# --- repair


@pytest.mark.parametrize(
    ("text", "flag"),
    [('\ufeff[2,"1","A",{"a":[1,2]}]', "bom"), ('[2,"1","A",{"a":[,1,2]}]', "json_repaired"),
     ('[2,"1","A",{"a":[1,2,],},]', "json_repaired"), ('[2,"1","A",{"a":[1,,2]}]', "json_repaired"),
     ('[,2,"1","A",{,"a":[1 , , 2]}]\x00', "json_repaired")],
)  # fmt: skip
def test_known_slips_of_chargers_are_repaired_and_flagged(text, flag):
    assert gate.check(text) == Call("1", "A", {"a": [1, 2]}, (flag,))


def test_raw_line_breaks_inside_texts_are_repaired():
    assert gate.check('[2,"1","A",{"a":"x\ny"}]') == Call("1", "A", {"a": "x y"}, ("json_repaired",))


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_becomes_null(word):
    assert gate.check(f'[2,"1","A",{{"a":{word}}}]') == Call("1", "A", {"a": None}, ("nan",))


def test_commas_inside_texts_are_left_alone():
    assert gate.check('[2,"1","A",{"a":"[,] ,, ,}\\"",}]').payload == {"a": '[,] ,, ,}"'}


@pytest.mark.parametrize(
    "payload", ['{"a":}', "{a:1}", '{"a":1', '{"a":"', '{"a":"\\', "{'a':1}", '{"a":01}']
)
def test_broken_json_after_a_readable_id_is_answered(payload):
    refused = refusal(f'[2,"1","A",{payload}')

    assert (refused.reason, refused.message_id, refused.code_word) == ("not_json", "1", "FormatViolation")


def test_a_long_broken_frame_is_not_worth_a_repair():
    assert refusal('[2,"1","A",{"a":[,' + "1," * 40_000 + "1]}]").reason == "not_json"


@pytest.mark.parametrize(
    "text", ['"\\"' * 30_000, "[" + "," * 60_000, ", " * 30_000 + "x", '"' + '\\"' * 30_000]
)
@pytest.mark.timeout(5)
def test_repair_takes_linear_time(text):
    assert refusal(text).reason in ("not_json", "not_a_frame")


# --- properties


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.text(max_size=200) | st.text('[]{}",:2\\ufd80eE.-+ \n\x00\ufeff', max_size=80))
@settings(max_examples=1_000, deadline=None)
def test_no_text_raises_anything_but_a_refusal(text):
    assert outcome(text)


@given(JSON, st.sampled_from([0, 2, 3, 4, 5, 6, "2", None]))
@settings(max_examples=500, deadline=None)
def test_no_json_raises_anything_but_a_refusal(value, kind):
    for document in (value, [kind, value], [kind, "1", value, value], [kind, "1", "A", {"a": value}]):
        assert outcome(json.dumps(document))


@given(st.dictionaries(st.text("abc", max_size=3), JSON, max_size=4))
@settings(max_examples=300, deadline=None)
def test_what_passes_holds_nothing_hostile(payload):
    frame = gate.check(json.dumps([2, "1", "A", payload]))

    assert gate._HOSTILE.search(json.dumps(frame.payload, ensure_ascii=False)) is None


SEEDS = [
    '[2,"19223201","MeterValues",{"connectorId":1,"meterValue":[{"sampledValue":[{"value":"1.5"}]}]}]',
    '[3,"a",{"status":"Accepted","currentTime":"2026-11-20T10:00:00.000Z","interval":300}]',
    '[4,"a","NotSupported","\\u0000\\ud800",{"x":[1e5,-0.25,NaN,null,true]}]',
    '\ufeff[2,"é","StatusNotification",{"info":"a\nb","n":[,9007199254740993,],"m":{"k":{"l":[[]]}}}]',
]
PIECES = [
    *'[]{}",:\\0129.eE-+ntu \n\x00\x1f\x7f\ufeff\u202e\ud800é',
    "null",
    "1e400",
    "\\u0000",
    "[[[[",
    '{"a":',
    "NaN",
]


def test_a_hundred_thousand_damaged_frames_are_read_or_refused():
    dice = random.Random(16)
    outcomes = Counter()
    for _ in range(100_000):
        text = dice.choice(SEEDS)
        for _ in range(dice.randint(1, 4)):
            start = dice.randrange(len(text) + 1)
            text = text[:start] + dice.choice(PIECES) + text[start + dice.randrange(4) :]
        outcomes[outcome(text)] += 1

    assert set(outcomes) >= {"Call", "CallResult", "CallError", "not_json", "number", "message_id"}


def outcome(text: str) -> str:
    try:
        return type(gate.check(text)).__name__
    except FrameRefused as refused:
        return refused.reason
