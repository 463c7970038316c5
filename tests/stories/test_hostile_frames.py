"""Hostile frames over real sockets: cases F1 to F24 of the threat model, as far as they concern OCPP 1.6.

F19 (signed messages) is of 2.x. In every case a witness on the same server is still answered, and so is the station
itself: over the same socket, or over a new one where the case ends the socket.
"""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psutil
import pytest
from django.db import connection

from stations.models import ChargingSession, ChargingStation, Command, ConnectionEvent, Connector
from stations.services import commands, provisioning
from tests import factories
from tests.processes import Server
from tests.stories.raw import RawSocket, incoming, opened, verdicts
from tests.stories.servers import serving
from tests.stories.story import PASSWORD, eventually, rows

START = {"connectorId": 1, "idTag": "BO-1", "meterStart": 1000, "timestamp": "2026-11-20T09:00:00Z"}
HEARTBEAT = '[2,"h","Heartbeat",{}]'


@pytest.fixture
def witness(ada: ChargingStation) -> ChargingStation:
    station = factories.station("WITNESS-1")
    provisioning.set_password(station, password=PASSWORD)
    return station


@pytest.fixture
async def hostile(server: Server, witness: ChargingStation) -> AsyncIterator[RawSocket]:
    """Give Ada's socket; afterwards the witness is answered, and Ada too."""
    async with opened(server, witness.identity) as other:
        async with opened(server) as socket:
            yield socket
            is_open = socket.socket.close_code is None
            assert not is_open or await socket.lives()
        assert await other.lives()
    if not is_open:
        async with opened(server) as again:
            assert await again.lives()
    await eventually(lambda: not ConnectionEvent.objects.filter(closed_at=None).exists())


async def ended_with(code: int) -> bool:
    return bool(await eventually(lambda: ConnectionEvent.objects.filter(close_code=code).exists()))


def masked(first: int, payload: bytes = b"") -> bytes:
    """A client's WebSocket frame with this first octet; the mask is zero, so the payload stands as it is."""
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack("!H", len(payload))
    return bytes([first]) + length + bytes(4) + payload


async def refused(socket: RawSocket, texts: list[str]) -> list[str]:
    """Send each text and return what comes back: an error code, or '' for silence."""
    found = []
    for number, text in enumerate(texts):
        await socket.send(text)
        await socket.send(f'[2,"after-{number}","Heartbeat",{{}}]')
        answer = await socket.read()
        found.append("")
        if answer[1] != f"after-{number}":
            found[-1] = answer[2] if answer[0] == 4 else "accepted"
            assert (await socket.read())[1] == f"after-{number}"
    return found


async def test_f01_a_message_beyond_1_mib_closes_with_1009(hostile: RawSocket) -> None:
    await hostile.send(f'[2,"1","DataTransfer",{{"vendorId":"V","data":"{"x" * (1 << 20)}"}}]')

    assert await hostile.closed_with() == 1009
    assert await ended_with(1009)


async def test_f01_fragments_are_counted_together(hostile: RawSocket) -> None:
    hostile.write(masked(0x01, b'["'))
    for _ in range(32):
        hostile.write(masked(0x00, b"x" * 60_000))

    assert await hostile.closed_with() in (1009, 1006)  # its own fragments may meet a closed door first


async def test_f01_a_frame_in_fragments_of_one_octet_is_read(hostile: RawSocket) -> None:
    text = HEARTBEAT.encode()
    fragments = [masked(0x00, text[n : n + 1]) for n in range(1, len(text) - 1)]
    hostile.write(b"".join([masked(0x01, text[:1]), *fragments, masked(0x80, text[-1:])]))

    assert (await hostile.read())[:2] == [3, "h"]


async def test_f02_a_deflated_bomb_closes_with_1009_and_takes_no_memory(
    hostile: RawSocket, server: Server
) -> None:
    process = psutil.Process(server.pid)
    before = process.memory_info().rss
    await hostile.send("a" * 60_000_000)

    assert await hostile.closed_with() == 1009
    assert process.memory_info().rss - before < 5 << 20


async def test_f03_a_binary_frame_closes_with_1003(hostile: RawSocket) -> None:
    await hostile.send(HEARTBEAT.encode(), as_text=False)

    assert await hostile.closed_with() == 1003
    assert await ended_with(1003)


@pytest.mark.parametrize("first", [0x83, 0xA1], ids=["reserved opcode", "reserved bit"])
async def test_f03_what_websockets_do_not_know_closes_with_1002(hostile: RawSocket, first: int) -> None:
    hostile.write(masked(first, b"[]"))

    assert await hostile.closed_with() == 1002


async def test_f03_a_flood_of_pings_and_unasked_pongs_is_tolerated(hostile: RawSocket) -> None:
    hostile.write(masked(0x8A, b"unasked") * 500 + masked(0x89, b"ping") * 1000)

    assert await hostile.lives()


async def test_f04_text_that_is_no_utf_8_closes_with_1007(hostile: RawSocket) -> None:
    await hostile.send(b'[2,"1","DataTransfer",{"vendorId":"\xff\xfe"}]')

    assert await hostile.closed_with() == 1007


async def test_f04_empty_frames_are_ignored_and_a_byte_order_mark_is_overlooked(hostile: RawSocket) -> None:
    assert await refused(hostile, ["", "  ", "\r\n\t", "\ufeff"]) == [""] * 4
    assert await hostile.code_of("\ufeff" + '[2,"1","DataTransfer",{"vendorId":"V"}]') == "accepted"

    assert await verdicts() == ["refused:empty"] * 4 + ["bom"]


async def test_f05_what_is_no_frame_is_journalled_and_not_answered(hostile: RawSocket) -> None:
    texts = ["hello", "{}", "[]", "[2]", "null", "5", '"x"', "[2,", "<xml/>", "GET / HTTP/1.1"]
    assert await refused(hostile, texts) == [""] * len(texts)

    assert [frame.text for frame in await incoming()] == texts
    assert set(await verdicts()) == {"refused:not_json", "refused:not_a_frame"}


async def test_f05_garbage_without_end_closes_with_1008(hostile: RawSocket) -> None:
    for _ in range(50):
        await hostile.send("garbage")

    assert await hostile.closed_with() == 1008
    assert await verdicts() == ["refused:not_json"] * 50


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000])
async def test_f06_nesting_without_an_id_closes_with_1008(hostile: RawSocket, text: str) -> None:
    await hostile.send(text)

    assert await hostile.closed_with() == 1008
    assert await verdicts() == ["refused:too_deep"]


async def test_f06_nesting_after_an_id_is_answered_and_keeps_the_socket(hostile: RawSocket) -> None:
    text = '[2,"deep","DataTransfer",{"vendorId":"V","data":' + "[" * 5000 + "]" * 5000 + "}]"

    assert (await hostile.ask(text))[:3] == [4, "deep", "FormationViolation"]
    assert await verdicts() == ["refused:too_deep"]


@pytest.mark.parametrize("action", ["Heartbeat", "StatusNotification", "MeterValues"])
async def test_f07_an_integer_of_5000_digits_is_answered(hostile: RawSocket, action: str) -> None:
    answer = await hostile.ask(f'[2,"big","{action}",{{"connectorId":{"9" * 5000}}}]')

    assert answer[:3] == [4, "big", "TypeConstraintViolation"]
    assert await verdicts() == ["refused:number"]


async def test_f08_numbers_that_no_field_can_carry_are_refused(hostile: RawSocket) -> None:
    numbers = ["1e400", "-1e400", "1" + "0" * 400, "1e-400", str(2**53 + 1), "9" * 400 + ".5"]
    texts = [
        f'[2,"{n}","StatusNotification",{{"connectorId":{number},"errorCode":"NoError","status":"Available"}}]'
        for n, number in enumerate(numbers)
    ]

    assert await refused(hostile, texts) == ["TypeConstraintViolation"] * len(numbers)
    assert [frame.text for frame in await incoming()] == texts


async def test_f08_what_is_no_number_in_a_required_member_is_missing_and_minus_nought_is_nought(
    hostile: RawSocket,
) -> None:
    texts = [
        f'[2,"{n}","StatusNotification",{{"connectorId":{number},"errorCode":"NoError","status":"Available"}}]'
        for n, number in enumerate(["NaN", "Infinity", "-Infinity", "-0", "0.0"])
    ]

    assert await refused(hostile, texts) == ["OccurenceConstraintViolation"] * 3 + ["accepted"] * 2
    assert (await verdicts())[0].startswith("nan,")


async def test_f09_of_a_member_named_twice_the_last_one_counts(hostile: RawSocket) -> None:
    text = '[2,"1","StatusNotification",{"status":"Faulted","connectorId":1,"errorCode":"NoError","status":"Charging"}]'

    assert await hostile.code_of(text) == "accepted"
    assert (
        await rows(lambda: Connector.objects.get(evse__number=1, evse__station__identity="ADA-1"))
    ).status == "Charging"


async def test_f09_twenty_thousand_members_are_refused(hostile: RawSocket) -> None:
    text = '[2,"1","MeterValues",{"connectorId":1,"meterValue":[' + ",".join(["{}"] * 20_000) + "]}]"

    assert await hostile.code_of(text) == "FormationViolation"
    assert await verdicts() == ["refused:too_many_nodes"]


async def test_f10_an_unusable_message_id_is_answered_with_minus_one_and_never_echoed(
    hostile: RawSocket,
) -> None:
    ids = [
        "null",
        "1",
        "[]",
        "{}",
        '""',
        '"' + "x" * 37 + '"',
        '"' + "x" * 300 + '"',
        '"a\\nb"',
        '"\\u001b[31m"',
    ]
    for message_id in ids:
        answer = await hostile.ask(f'[2,{message_id},"Heartbeat",{{}}]')
        assert answer[:3] == [4, "-1", "ProtocolError"], message_id

    assert await verdicts() == ["refused:message_id"] * len(ids)


async def test_f11_an_unknown_message_type_is_ignored(hostile: RawSocket) -> None:
    texts = [
        f'[{kind},"1","Heartbeat",{{}}]' for kind in ("9", '"2"', "true", "2.0", "-2", "null", "[2]", "1e0")
    ]

    assert await refused(hostile, texts) == [""] * len(texts)
    assert await verdicts() == ["refused:message_type"] * len(texts)


async def test_f12_an_action_that_is_none_is_not_implemented(hostile: RawSocket) -> None:
    actions = ["null", "5", "[]", '""', '"MakeCoffee"', '"__class__"', '"../../etc/passwd"', '"heartbeat"',
               '"' + "x" * 300 + '"', '"Heartbeat-Signed"']  # fmt: skip
    codes = await refused(hostile, [f'[2,"1",{action},{{}}]' for action in actions])

    assert dict(zip(actions, codes, strict=True)) == dict.fromkeys(actions, "NotImplemented")
    assert len(await incoming()) == len(actions)


async def test_f12_an_action_with_a_hidden_character_is_cleaned_and_flagged(hostile: RawSocket) -> None:
    assert await hostile.code_of('[2,"1","Data\\u0000Transfer",{"vendorId":"V"}]') == "accepted"

    assert await verdicts() == ["control_characters"]


async def test_f12_an_action_of_the_central_system_is_not_supported(hostile: RawSocket) -> None:
    assert await hostile.code_of('[2,"1","ClearCache",{}]') == "NotSupported"
    assert await hostile.code_of('[2,"1","RemoteStartTransaction",{"idTag":"BO-1"}]') == "NotSupported"


async def test_f13_a_payload_or_a_frame_of_the_wrong_shape_is_refused_in_the_words_of_1_6(
    hostile: RawSocket,
) -> None:
    cases = {
        '[2,"1","Authorize",[]]': "FormationViolation",
        '[2,"1","Authorize","idTag"]': "FormationViolation",
        '[2,"1","Authorize",5]': "FormationViolation",
        '[2,"1","Authorize",{"idTag":"BO-1"},{},{}]': "FormationViolation",
        '[2,"1"]': "FormationViolation",
        '[2,"1","Authorize",{"idTag":"BO-1","extra":1}]': "FormationViolation",
        '[2,"1","Authorize",null]': "OccurenceConstraintViolation",
        '[2,"1","Authorize"]': "OccurenceConstraintViolation",
        '[2,"1","Authorize",{}]': "OccurenceConstraintViolation",
        '[2,"1","Authorize",{"idTag":{}}]': "TypeConstraintViolation",
    }

    assert await refused(hostile, list(cases)) == list(cases.values())
    assert [frame.text for frame in await incoming()] == list(cases)


async def queued(action: str, payload: dict[str, Any], identity: str = "ADA-1", **options: Any) -> Command:
    return await rows(
        lambda: commands.queue(
            ChargingStation.objects.get(identity=identity), action=action, payload=payload, **options
        )
    )


async def state_of(command: Command) -> Command:
    return await rows(lambda: Command.objects.get(pk=command.pk))


async def test_f14_answers_to_nothing_are_dropped_and_never_matched(
    hostile: RawSocket, server: Server
) -> None:
    assert await hostile.lives()
    theirs = await queued("ClearCache", {}, "WITNESS-1", queue_offline=True)
    mine = await queued("ClearCache", {})
    sent = await hostile.read()
    await hostile.send(f'[3,"{theirs.uid}",{{"status":"Accepted"}}]')
    await hostile.send('[4,"never","GenericError","",{}]')
    await hostile.send(f'[3,"{sent[1]}",{{"status":"Rejected"}}]')
    await hostile.send(f'[3,"{sent[1]}",{{"status":"Accepted"}}]')
    assert await hostile.lives()

    assert (
        await eventually(lambda: Command.objects.filter(pk=mine.pk, status="answered").first())
    ).result == {"status": "Rejected"}
    assert (await state_of(theirs)).result is None
    assert (await verdicts()).count("unsolicited") >= 2


async def test_f15_a_hundred_calls_without_waiting_are_answered_in_order(hostile: RawSocket) -> None:
    words = ["Preparing", "Charging", "Finishing", "Available"] * 25
    for n, word in enumerate(words):
        await hostile.send(
            f'[2,"{n}","StatusNotification",{{"connectorId":1,"errorCode":"NoError","status":"{word}"}}]'
        )

    assert [(await hostile.read())[:2] for _ in words] == [[3, str(n)] for n in range(100)]
    assert [frame.message_id for frame in await incoming()] == [str(n) for n in range(100)]


async def test_f16_a_message_id_with_another_payload_is_another_message(hostile: RawSocket) -> None:
    first = await hostile.call("StartTransaction", START, "1")
    second = await hostile.call("StartTransaction", START | {"connectorId": 2}, "1")

    assert (first[0], second[0]) == (3, 3)
    assert await rows(ChargingSession.objects.count) == 2
    assert len(await incoming()) == 2


async def test_f17_a_repeated_call_has_one_effect_and_one_answer(hostile: RawSocket, server: Server) -> None:
    text = json.dumps([2, "same", "StartTransaction", START])
    await hostile.send(text)
    await hostile.send(text)
    in_work = [await hostile.read(), await hostile.read()]
    later = await hostile.ask(text)
    async with opened(server) as again:
        reconnected = await again.ask(text)

    assert in_work[0] == in_work[1] == later == reconnected
    assert await rows(ChargingSession.objects.count) == 1


async def test_f18_frames_of_2_1_do_not_exist_in_1_6(hostile: RawSocket) -> None:
    texts = ['[6,"1","NotifyPeriodicEventStream",{}]', '[5,"1","FormatViolation","",{}]']

    assert await refused(hostile, texts) == ["", ""]
    assert await verdicts() == ["refused:message_type"] * 2


@pytest.mark.parametrize(
    "answer",
    ['{"status":"Perhaps"}', "{}", "[]", "5", '{"status":5}', '{"status":"' + "A" * 1_000_000 + '"}',
     '{"status":"Accepted","n":' + "9" * 500 + "}", "[" * 5000],
    ids=["unknown word", "empty", "list", "number", "type", "1 MB", "500 digits", "nested"],
)  # fmt: skip
async def test_f20_an_answer_of_no_use_fails_the_command_at_once(hostile: RawSocket, answer: str) -> None:
    assert await hostile.lives()
    command = await queued("ClearCache", {})
    sent = await hostile.read()
    await hostile.send(f'[3,"{sent[1]}",{answer}]')
    assert await hostile.lives()

    found = await eventually(lambda: Command.objects.filter(pk=command.pk).exclude(status="sent").first())
    assert found.status == "failed"
    assert (await incoming())[-1].message_id == command.uid


async def test_f21_an_answer_after_the_timeout_is_late_and_the_next_command_is_not_confused(
    hostile: RawSocket,
) -> None:
    assert await hostile.lives()
    slow = await queued("ClearCache", {})
    first = await hostile.read()
    await eventually(lambda: Command.objects.filter(pk=slow.pk, status="timed_out").exists())
    quick = await queued("TriggerMessage", {"requestedMessage": "Heartbeat"})
    second = await hostile.read()
    await hostile.send(f'[3,"{first[1]}",{{"status":"Accepted"}}]')
    await hostile.send(f'[3,"{second[1]}",{{"status":"Rejected"}}]')

    await eventually(lambda: Command.objects.filter(pk=quick.pk, status="answered").exists())
    late = await state_of(slow)
    assert (late.status, late.answered_late, late.result) == ("timed_out", True, {"status": "Accepted"})
    assert "late" in await verdicts()


async def test_f22_commands_for_a_mute_station_expire_with_a_reason(hostile: RawSocket) -> None:
    assert await hostile.lives()
    mute = [await queued("ClearCache", {}, ttl_s=2) for _ in range(50)]
    await asyncio.sleep(2.5)
    assert await rows(commands.expire) > 40

    states = [await state_of(command) for command in mute]
    assert {state.status for state in states} <= {"timed_out", "expired", "sent"}
    assert states[0].error_description == "no answer within 1 s"
    assert states[-1].status == "expired"


@pytest.fixture
def broken(ada: ChargingStation) -> Iterator[None]:
    """Let every start and every boot fail inside the database, with words that nobody should hear."""
    tables = {"stations_chargingsession": "insert", "stations_chargingstation": "update of boot_count"}
    with connection.cursor() as cursor:
        cursor.execute(
            "create function boom() returns trigger language plpgsql as "
            "$$ begin raise exception 'boom secret=42' using errcode = 'data_exception'; end $$"
        )
        for table, event in tables.items():
            cursor.execute(f"create trigger boom before {event} on {table} execute function boom()")
    yield
    with connection.cursor() as cursor:
        cursor.execute("drop function boom() cascade")


async def test_f23_a_failure_of_ours_is_an_internal_error_without_its_words(
    hostile: RawSocket, broken: None
) -> None:
    boot = {"chargePointVendor": "V", "chargePointModel": "M"}
    answers = [await hostile.call("StartTransaction", START), await hostile.call("BootNotification", boot)]

    assert [answer[2:] for answer in answers] == [["InternalError", "", {}]] * 2
    assert [verdict.split(",")[-1] for verdict in await verdicts()] == ["InternalError"] * 2


async def test_f24_half_a_frame_and_then_silence_is_closed(
    process_env: dict[str, str], ada: ChargingStation
) -> None:
    async with serving(process_env, OCPP_PING_INTERVAL_S="1") as impatient:
        async with opened(impatient) as socket:
            socket.write(masked(0x81, HEARTBEAT.encode())[:-5])
            socket.socket.transport.pause_reading()  # or a pong would follow the half frame
            ended = await eventually(ConnectionEvent.objects.exclude(closed_at=None).first)
            assert ended.close_reason == "no answer to a ping"
        async with opened(impatient) as again:
            assert await again.lives()
