"""Values and transactions that stations should not send: cases P1 to P9 and T1 to T12 of the threat model.

For OCPP 1.6, Core profile. T1 to T3 and T5 are told in `test_charging`, P2 and P7 also in `test_quirks`; T6 is of 2.x.
"""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from stations.models import (
    ChargingSession,
    ChargingStation,
    ConnectionEvent,
    Connector,
    Evse,
    Frame,
    IdToken,
    MeterSample,
    ReadingKind,
    ReviewItem,
    StatusChange,
)
from stations.ocpp.v16.routes import INBOUND
from stations.services import provisioning
from tests import factories
from tests.processes import Server
from tests.stories.payloads import changed, in_turn, members, schema_of, valid
from tests.stories.raw import RawSocket, incoming, opened, verdicts
from tests.stories.story import PASSWORD, eventually, rows
from tests.stories.visit import at, begun, done, session_of, start, stop, values

TEXTS = [
    "a\x00b", "\ud800", "a\u202eb", "a\u200bb\ufeff", "🔌", "<img src=x onerror=alert(1)>", "${jndi:ldap://x}",
    "=cmd|' /C calc'!A0",
    "'; drop table stations_frame; --", "a\r\nb", "\x1b[31mred", "%s%n%(x)s", "é" * 20, "x" * 10_000,
]  # fmt: skip
HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u202e\ufeff\ud800-\udfff]")


@pytest.fixture
async def ada_speaks(server: Server, ada: ChargingStation) -> AsyncIterator[RawSocket]:
    """Give the socket of Ada's station; nothing may have closed it in the end."""
    async with opened(server) as socket:
        yield socket
        assert await socket.lives()
    await eventually(lambda: not ConnectionEvent.objects.filter(closed_at=None).exists())


def stored_texts() -> list[str]:
    """Return every text that the stations' rows hold, the raw journal left out."""
    tables = (ChargingSession, ChargingStation, Connector, StatusChange, ReadingKind, ReviewItem)
    return [str(value) for table in tables for row in table.objects.values_list() for value in row]


@pytest.mark.parametrize("action", INBOUND)
async def test_p1_hostile_texts_are_cleaned_or_refused_and_never_break_us(
    ada_speaks: RawSocket, action: str
) -> None:
    schema = schema_of(action)
    places = [member.path for member in members(schema) if member.schema.get("type") == "string"]
    payloads = [changed(valid(schema), path, text) for path in places for text in TEXTS]
    texts = [json.dumps([2, f"p{n}", action, payload]) for n, payload in enumerate(payloads)]
    codes = await in_turn(ada_speaks, texts)

    assert set(codes) <= {"accepted", "PropertyConstraintViolation", "OccurenceConstraintViolation"}
    assert [frame.text for frame in await incoming() if frame.message_id[0] == "p"] == texts
    assert not any("unstorable" in verdict for verdict in await verdicts())
    assert not [text for text in await rows(stored_texts) if HIDDEN.search(text)]


async def test_p1_hostile_texts_straight_on_the_wire_are_journalled(ada_speaks: RawSocket) -> None:
    texts = [
        json.dumps([2, "1", "DataTransfer", {"vendorId": text}], ensure_ascii=False) for text in TEXTS[2:7]
    ]

    assert await in_turn(ada_speaks, texts) == ["accepted"] * len(texts)
    assert [frame.text for frame in await incoming()] == texts


async def test_p1_a_raw_nul_on_the_wire_loses_no_frame(ada_speaks: RawSocket) -> None:
    texts = [
        '[2,"1","DataTransfer",{"vendorId":"a\x00b"}]',
        json.dumps([2, "2", "StartTransaction", start()]).replace("BO-1", "BO-1\x00"),
        '\x00[2,"3","DataTransfer",{"vendorId":"V"}]',
    ]

    assert await in_turn(ada_speaks, texts) == ["accepted"] * 3
    assert [frame.text for frame in await incoming()] == [text.replace("\x00", "\ufffd") for text in texts]
    assert (await rows(ChargingSession.objects.get)).id_token == "BO-1"


P2 = {
    "garbage": "timestamp_unreadable",
    "2026-05-01T23:59:60Z": "timestamp_leap_second",
    "0001-01-01T00:00:00Z": "timestamp_implausible",
    "9999-12-31T23:59:59-14:00": "timestamp_implausible",
    "0001-01-01T00:00:00+14:00": "timestamp_implausible",
    "2026-05-01T10:00:00+25:00": "timestamp_unreadable",
    "20260501T100000Z": "",
    "2026-05-01T10:00:00,5Z": "",
    "2026-05-01T10:00:00.123456789Z": "",
    "1777629600": "timestamp_epoch",
    "9" * 400: "timestamp_unreadable",
}


async def test_p2_any_time_is_answered_and_the_time_of_receipt_stands_beside_it(
    ada_speaks: RawSocket,
) -> None:
    for n, text in enumerate(P2):
        one = await begun(ada_speaks, meterStart=n)
        reading = {"timestamp": text, "sampledValue": [{"value": str(n)}]}
        await done(
            ada_speaks, "MeterValues", {"connectorId": 1, "transactionId": one, "meterValue": [reading]}
        )
        status = {"connectorId": 1, "errorCode": "NoError", "status": "Charging", "timestamp": text}
        await done(ada_speaks, "StatusNotification", status)
        await done(ada_speaks, "StopTransaction", stop(one, meterStop=n, timestamp=text))
        assert (await session_of(one)).status == "ended", text

    found = await verdicts()
    assert [flag in "".join(found[4 * n + 1 : 4 * n + 4]) for n, flag in enumerate(P2.values())] == [
        True
    ] * len(P2)
    assert await rows(Frame.objects.filter(at__lt=datetime.now(UTC) - timedelta(minutes=5)).count) == 0


async def test_p3_meters_that_make_no_sense_never_make_a_negative_bill(ada_speaks: RawSocket) -> None:
    stories: dict[str, tuple[Any, list[Any], Any, int]] = {
        "negative": (-1000, ["-500", "-200"], -100, 900),
        "decreasing": (5000, ["4000", "3000"], 2000, 0),
        "text": (0, ["NaN; DROP", "9" * 400, "", "1e3"], 1500, 1500),
        "no unit, then kWh": (0, ["500", {"value": "1.2", "unit": "kWh"}], 2000, 2000),
        "twice": (0, ["500", "500", "500"], 900, 900),
    }
    ends = {}
    for n, (name, (first, readings, last, _)) in enumerate(stories.items()):
        one = await begun(ada_speaks, meterStart=first, timestamp=at(n * 10))
        for minute, reading in enumerate(readings, start=n * 10 + 1):
            await done(ada_speaks, "MeterValues", values(minute, reading, transactionId=one))
        await done(ada_speaks, "StopTransaction", stop(one, meterStop=last, timestamp=at(n * 10 + 9)))
        ends[name] = await session_of(one)

    assert all(one.energy_wh >= 0 for one in ends.values())
    assert {name: ends[name].energy_wh for name in ("text", "no unit, then kWh", "twice")} == {
        name: stories[name][3] for name in ("text", "no unit, then kWh", "twice")
    }
    assert (ends["negative"].needs_review, ends["decreasing"].needs_review) == (True, True)


async def test_p3_a_jump_of_ten_megawatt_hours_is_shown_to_a_human(ada_speaks: RawSocket) -> None:
    one = await begun(ada_speaks)
    await done(ada_speaks, "MeterValues", values(5, "1500", transactionId=one))
    await done(ada_speaks, "StopTransaction", stop(one, meterStop=10_001_500))

    assert (await session_of(one)).needs_review
    assert (await rows(ReviewItem.objects.get)).kind == "odd_readings"


async def test_p3_one_reading_beyond_all_bounds_does_not_lose_the_others(ada_speaks: RawSocket) -> None:
    odd = [
        {"value": "1", "context": "c" * 5000, "unit": "u" * 5000, "location": "l" * 60, "phase": "p" * 60},
        {"value": "1", "measurand": "m" * 5000},
        {"value": "1e14", "measurand": "Power.Active.Import", "unit": "MW"},
        {"value": "99999999999999", "measurand": "Power.Active.Import", "unit": "W"},
        {"value": "999999999999", "measurand": "SoC"},
        {"value": "999999999999999", "measurand": "Energy.Active.Export.Register", "unit": "MWh"},
    ]
    one = await begun(ada_speaks)
    for minute, sample in enumerate(odd, start=1):
        await done(
            ada_speaks,
            "MeterValues",
            values(minute, {"value": str(1000 + minute)}, sample, transactionId=one),
        )
        assert (await session_of(one)).energy_wh == minute, sample
    data = values(20, {"value": "1500"}, *odd)["meterValue"]
    await done(ada_speaks, "StopTransaction", stop(one, transactionData=data))

    assert (await session_of(one)).energy_wh == 2000
    assert not any("unstorable" in verdict for verdict in await verdicts())


async def test_p3_signed_data_of_100_kb_is_kept_and_is_no_number(ada_speaks: RawSocket) -> None:
    one = await begun(ada_speaks)
    signed = {"value": "A" * 100_000, "format": "SignedData", "context": "Transaction.End"}
    await done(ada_speaks, "MeterValues", values(5, signed, {"value": "1200"}, transactionId=one))

    assert (await session_of(one)).energy_wh == 200
    assert await rows(MeterSample.objects.count) == 1


async def test_p4_connectors_that_cannot_be_are_answered_and_never_made(ada_speaks: RawSocket) -> None:
    for connector in (-1, 999, 2**31, 2**53, -(2**53)):
        await done(
            ada_speaks,
            "StatusNotification",
            {"connectorId": connector, "errorCode": "NoError", "status": "Available"},
        )
        await done(ada_speaks, "MeterValues", values(5, "1", connectorId=connector))
        answer = await done(
            ada_speaks, "StartTransaction", start(connectorId=connector, meterStart=connector % 97)
        )
        assert (await session_of(answer["transactionId"])).status == "active"

    assert await rows(lambda: sorted(Evse.objects.values_list("number", flat=True))) == [1, 2]


async def test_p5_id_tags_of_any_length_and_case_are_told_apart_by_all_of_their_characters(
    ada_speaks: RawSocket,
) -> None:
    for length in (20, 21, 36):
        await rows(lambda length=length: factories.token("T" * length))
    for length in (20, 21, 36):
        answer = await done(ada_speaks, "Authorize", {"idTag": "t" * length})
        assert answer["idTagInfo"]["status"] == "Accepted", length
    for word in ("T" * 19, "T" * 22, "T" * 40, "T" * 255, "T" * 9000):
        answer = await done(ada_speaks, "Authorize", {"idTag": word})
        assert answer["idTagInfo"]["status"] == "Invalid", len(word)


async def test_p6_a_station_of_ten_thousand_letters_is_still_a_station(
    ada_speaks: RawSocket, ada: ChargingStation
) -> None:
    boot = {
        "chargePointVendor": "V" * 10_000,
        "chargePointModel": "M" * 10_000,
        "chargeBoxSerialNumber": "S" * 10_000,
    }
    await done(ada_speaks, "BootNotification", boot)

    found = await rows(lambda: ChargingStation.objects.get(pk=ada.pk))
    assert (found.vendor, found.model, found.serial_number) == ("V" * 255, "M" * 255, "S" * 255)
    assert "V" * 10_000 in (await incoming())[0].text


async def test_p7_unknown_words_end_a_session_all_the_same(ada_speaks: RawSocket) -> None:
    one = await begun(ada_speaks)
    await done(ada_speaks, "StopTransaction", stop(one, reason="CoffeeBreak"))

    found = await session_of(one)
    assert (found.status, found.stop_reason) == ("ended", "CoffeeBreak")
    assert "unknown_enum:reason" in (await verdicts())[-1]


async def test_p8_a_storm_of_statuses_is_answered_and_the_last_word_counts(ada_speaks: RawSocket) -> None:
    words = [random.Random(8).choice(["Preparing", "Charging", "SuspendedEV"]) for _ in range(299)] + [
        "Finishing"
    ]
    texts = [
        json.dumps(
            [2, f"s{n}", "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": word}]
        )
        for n, word in enumerate(words)
    ]
    assert await in_turn(ada_speaks, texts) == ["accepted"] * 300

    changes = 1 + sum(word != before for word, before in zip(words[1:], words, strict=False))
    assert await rows(StatusChange.objects.count) == changes
    assert (await rows(lambda: Connector.objects.get(evse__number=1))).status == "Finishing"


async def test_p9_fresh_stations_that_speak_at_once_are_all_recorded(
    server: Server, ada: ChargingStation
) -> None:
    def make() -> None:
        for n in range(6):
            fresh = ChargingStation.objects.create(identity=f"FRESH-{n}", name="")
            provisioning.set_password(fresh, password=PASSWORD)

    await rows(make)
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(opened(server, f"FRESH-{n}")) for n in range(6)]
        for connector in (1, 2, 3):
            status = {"connectorId": connector, "errorCode": "NoError", "status": "Available"}
            await asyncio.gather(*(done(socket, "StatusNotification", status) for socket in sockets))

    found = Connector.objects.filter(evse__station__identity__startswith="FRESH", status="Available")
    assert await rows(found.count) == 18


async def test_t04_a_stop_before_its_start_is_kept_and_ends_the_session_that_starts(
    ada_speaks: RawSocket,
) -> None:
    await done(ada_speaks, "StopTransaction", stop(-1, idTag="BO-1"))
    one = await begun(ada_speaks)

    assert (await rows(ReviewItem.objects.get)).kind == "unmatched_stop"
    assert (await session_of(one)).status == "ended"


async def test_t07_a_start_on_a_busy_connector_is_stored_beside_the_first(ada_speaks: RawSocket) -> None:
    first = await begun(ada_speaks)
    second = await begun(ada_speaks, timestamp=at(10), meterStart=2000)
    await done(ada_speaks, "MeterValues", values(15, "2400"))
    await done(ada_speaks, "StopTransaction", stop(first, meterStop=2000, timestamp=at(10)))

    assert ((await session_of(first)).energy_wh, (await session_of(second)).energy_wh) == (1000, 400)


@pytest.mark.parametrize(
    ("odd", "energy_wh"),
    [({"meterStop": 10}, 10), ({"timestamp": at(-60)}, 2000), ({"timestamp": "2099-01-01T00:00:00Z"}, 2000)],
    ids=["a register that restarted", "stop before start", "a year ahead"],
)
async def test_t08_a_stop_that_contradicts_its_start_is_answered_and_flagged(
    ada_speaks: RawSocket, odd: dict[str, Any], energy_wh: int
) -> None:
    one = await begun(ada_speaks)
    await done(ada_speaks, "StopTransaction", stop(one, **odd))

    found = await session_of(one)
    assert (found.status, found.energy_wh, bool(found.flags)) == ("ended", energy_wh, True)


async def test_t09_a_session_of_forty_days_is_billed_as_one(server: Server, ada: ChargingStation) -> None:
    began = datetime.now(UTC) - timedelta(days=40)
    async with opened(server) as socket:
        one = await begun(socket, timestamp=began.isoformat())
    async with opened(server) as socket:
        for day in (1, 20, 39):
            reading = {
                "timestamp": (began + timedelta(days=day)).isoformat(),
                "sampledValue": [{"value": str(1000 + day * 1000)}],
            }
            await done(
                socket, "MeterValues", {"connectorId": 1, "transactionId": one, "meterValue": [reading]}
            )
        await done(socket, "StopTransaction", stop(one, meterStop=41_000))

    found = await session_of(one)
    assert (found.status, found.energy_wh) == ("ended", 40_000)


async def test_t10_a_token_blocked_in_mid_session_ends_nothing_and_is_told(ada_speaks: RawSocket) -> None:
    one = await begun(ada_speaks)
    await rows(lambda: IdToken.objects.update(status="Blocked"))
    asked = await done(ada_speaks, "Authorize", {"idTag": "BO-1"})
    again = await done(ada_speaks, "StartTransaction", start())
    stopped = await done(ada_speaks, "StopTransaction", stop(one, idTag="BO-1"))

    assert [asked["idTagInfo"]["status"], stopped["idTagInfo"]["status"]] == ["Blocked"] * 2
    assert again == {"transactionId": one, "idTagInfo": {"status": "Accepted"}}
    assert (await session_of(one)).energy_wh == 2000


async def test_t11_a_number_of_another_station_ends_and_meters_nothing(
    server: Server, ada_speaks: RawSocket
) -> None:
    one = await begun(ada_speaks)
    other = await rows(lambda: factories.station("EVE-1"))
    await rows(lambda: provisioning.set_password(other, password=PASSWORD))
    async with opened(server, "EVE-1") as socket:
        await done(socket, "MeterValues", values(5, "9000", transactionId=one))
        await done(socket, "StopTransaction", stop(one, meterStop=9000))

    found = await session_of(one)
    assert (found.status, found.energy_wh) == ("active", 0)


async def test_t12_a_queue_of_five_hundred_offline_messages_is_stored_in_ten_seconds(
    ada_speaks: RawSocket,
) -> None:
    began = asyncio.get_running_loop().time()
    for visit in range(50):
        one = await begun(ada_speaks, meterStart=visit * 1000, timestamp=at(visit))
        readings = [values(visit, str(visit * 1000 + n * 100), transactionId=one) for n in range(8)]
        for n, reading in enumerate(readings):
            reading["meterValue"][0]["timestamp"] = at(visit).replace("00Z", f"{n * 5:02}Z")
        queue = [
            json.dumps([2, f"{visit}-{n}", "MeterValues", reading]) for n, reading in enumerate(readings)
        ]
        ended = stop(one, meterStop=visit * 1000 + 800, timestamp=at(visit + 1))
        queue.append(json.dumps([2, f"{visit}-stop", "StopTransaction", ended]))
        assert await in_turn(ada_speaks, queue) == ["accepted"] * 9

    assert asyncio.get_running_loop().time() - began < 10
    assert set(await rows(lambda: list(ChargingSession.objects.values_list("status", "energy_wh")))) == {
        ("ended", Decimal(800))
    }
