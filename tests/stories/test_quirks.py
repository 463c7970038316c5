"""The charger quirks of the field notes that the Core profile meets, one story each: answered, kept, flagged.

Quirk 25 (smart charging) is of another profile. Handshake quirks 20 to 22 are told with `opened` and by hand.
"""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stations.models import (
    ChargingSession,
    ChargingStation,
    Command,
    ConnectionEvent,
    Connector,
    IdToken,
    MeterSample,
    ReadingKind,
    ReviewItem,
)
from stations.services import commands, provisioning, quirks
from tests import factories
from tests.processes import Server
from tests.stories.raw import RawSocket, incoming, opened, verdicts
from tests.stories.story import PASSWORD, basic, eventually, rows
from tests.stories.visit import at, begun, done, session_of, start, stop, values


@pytest.fixture
async def ada_speaks(server: Server, ada: ChargingStation) -> AsyncIterator[RawSocket]:
    """Give the socket of Ada's station; nothing may have closed it in the end."""
    async with opened(server) as socket:
        yield socket
        assert await socket.lives()
    await eventually(lambda: not ConnectionEvent.objects.filter(closed_at=None).exists())


async def samples() -> list[tuple[str, str, Decimal]]:
    """Return (measurand, unit, value) of all samples, oldest first."""

    def ask() -> list[tuple[str, str, Decimal]]:
        kinds = ReadingKind.objects.in_bulk()
        found = MeterSample.objects.order_by("sampled_at", "kind_id")
        return [(kinds[s.kind_id].measurand, kinds[s.kind_id].unit, s.value) for s in found]

    return await rows(ask)


async def test_quirk_01_a_start_resent_with_a_new_or_the_same_id_is_one_start(ada_speaks: RawSocket) -> None:
    answers = [await ada_speaks.call("StartTransaction", start(), message_id) for message_id in "112"]

    assert answers[0][2] == answers[1][2] == answers[2][2]
    assert answers[0][2]["idTagInfo"]["status"] == "Accepted"
    assert await rows(ChargingSession.objects.count) == 1


async def test_quirk_02_a_message_id_used_for_every_call_means_nothing(ada_speaks: RawSocket) -> None:
    begun_ = await ada_speaks.call("StartTransaction", start(), "1")
    others = [
        await ada_speaks.call("Heartbeat", {}, "1"),
        await ada_speaks.call(
            "MeterValues", values(5, "1500", transactionId=begun_[2]["transactionId"]), "1"
        ),
        await ada_speaks.call("StopTransaction", stop(begun_[2]["transactionId"]), "1"),
    ]

    assert [answer[0] for answer in others] == [3, 3, 3]
    assert (await session_of(begun_[2]["transactionId"])).energy_wh == 2000


@pytest.mark.parametrize("lie", [-1, 0])
async def test_quirk_03_a_stop_without_our_id_finds_the_session_of_its_token(
    ada_speaks: RawSocket, lie: int
) -> None:
    mine, theirs = await begun(ada_speaks), await begun(ada_speaks, connectorId=2, idTag="EVE")
    await done(ada_speaks, "StopTransaction", stop(lie, idTag="bo-1"))

    assert [(await session_of(mine)).status, (await session_of(theirs)).status] == ["ended", "active"]


async def test_quirk_03_a_stop_that_fits_nothing_is_answered_and_kept_for_an_operator(
    ada_speaks: RawSocket,
) -> None:
    for lie in (-1, 0, 777, 2**31 - 1, -(2**31)):
        await done(ada_speaks, "StopTransaction", stop(lie))

    assert await rows(ReviewItem.objects.filter(kind="unmatched_stop").count) == 5
    assert await verdicts() == ["unmatched_stop"] * 5


async def test_quirk_04_readings_with_a_stale_id_go_to_the_session_that_runs(ada_speaks: RawSocket) -> None:
    old = await begun(ada_speaks)
    await done(ada_speaks, "StopTransaction", stop(old, timestamp=at(10)))
    new = await begun(ada_speaks, timestamp=at(20), meterStart=3000)
    for minute, lie in enumerate((old, 0, -1, 777), start=21):
        await done(ada_speaks, "MeterValues", values(minute, str(3000 + minute), transactionId=lie))
        assert (await session_of(new)).energy_wh == minute, lie
    await done(ada_speaks, "MeterValues", values(5, "2500", transactionId=old))

    stored = await rows(lambda: dict(MeterSample.objects.values_list("value", "session_id")))
    assert stored[Decimal(2500)] == (await session_of(old)).pk
    assert f'"transactionId": {old}' in (await incoming())[3].text


async def test_quirk_05_closing_values_after_the_stop_are_kept_and_reopen_nothing(
    ada_speaks: RawSocket,
) -> None:
    one = await begun(ada_speaks)
    await done(ada_speaks, "StopTransaction", stop(one))
    await done(
        ada_speaks,
        "MeterValues",
        values(31, {"value": "3000", "context": "Transaction.End"}, transactionId=one),
    )
    await done(ada_speaks, "MeterValues", values(32, "3000"))

    assert (await session_of(one)).status == "ended"
    assert set(await rows(lambda: list(MeterSample.objects.values_list("session_id", flat=True)))) == {
        (await session_of(one)).pk
    }


async def test_quirk_06_connector_0_is_the_only_outlet_or_else_the_main_meter(
    server: Server, ada_speaks: RawSocket
) -> None:
    single = await rows(lambda: factories.station("ADA-SINGLE"))
    await rows(lambda: provisioning.set_password(single, password=PASSWORD))
    async with opened(server, "ADA-SINGLE") as small:
        one = await begun(small)
        await done(small, "MeterValues", values(5, "1700", connectorId=0))
    two = await begun(ada_speaks)
    await done(ada_speaks, "MeterValues", values(6, "99000", connectorId=0))

    assert ((await session_of(one)).energy_wh, (await session_of(two)).energy_wh) == (700, 0)
    main = await rows(lambda: MeterSample.objects.get(value=99000))
    assert (main.session_id, main.evse_id) == (0, 0)


async def test_quirk_07_connector_0_is_the_station_and_the_word_of_a_connector_stays(
    ada_speaks: RawSocket, ada: ChargingStation
) -> None:
    for connector, word in ((1, "Available"), (0, "Faulted"), (1, "Charging")):
        status = {"connectorId": connector, "errorCode": "NoError", "status": word}
        await done(ada_speaks, "StatusNotification", status)

    assert (await rows(lambda: ChargingStation.objects.get(pk=ada.pk))).status == "Faulted"
    assert (await rows(lambda: Connector.objects.get(evse__number=1))).status == "Charging"


async def test_quirk_08_a_known_station_need_not_boot_and_a_boot_ends_no_session(
    server: Server, ada: ChargingStation
) -> None:
    async with opened(server) as socket:
        one = await begun(socket)
    async with opened(server) as again:
        await done(again, "MeterValues", values(5, "1500", transactionId=one))
        for _ in range(3):
            await done(again, "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
        await done(again, "MeterValues", values(6, "1600", transactionId=one))

    found = await session_of(one)
    assert (found.status, found.energy_wh) == ("active", 600)


async def test_quirk_09_no_command_goes_out_before_the_station_was_answered(
    server: Server, ada: ChargingStation
) -> None:
    await rows(lambda: commands.queue(ada, action="ClearCache", payload={}, queue_offline=True))
    async with opened(server) as socket:
        answer = await socket.ask(
            '[2,"b","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'
        )
        command = await socket.read()
        await socket.send(f'[3,"{command[1]}",{{"status":"Accepted"}}]')
        await eventually(lambda: Command.objects.filter(status="answered").exists())

    assert (answer[:2], command[2]) == ([3, "b"], "ClearCache")


TIMES = {
    "2026-05-01T10:00:00": ("2026-05-01T10:00:00", "timestamp_no_zone"),
    "2026-05-01t10:00:00z": ("2026-05-01T10:00:00", ""),
    "2026-05-01T10:00:00.1234567Z": ("2026-05-01T10:00:00", ""),
    "2026-05-01T12:00:00+02:00": ("2026-05-01T10:00:00", ""),
    "2026-05-01 10:00:00": ("2026-05-01T10:00:00", "timestamp_no_zone"),
    "1970-01-01T00:00:12Z": (None, "timestamp_implausible"),
    "2099-01-01T00:00:00Z": (None, "timestamp_implausible"),
    "yesterday": (None, "timestamp_unreadable"),
    "": (None, "timestamp_missing"),
}


async def test_quirk_10_odd_times_are_read_or_replaced_by_the_time_of_receipt(ada_speaks: RawSocket) -> None:
    before = datetime.now(UTC)
    for meter, (text, (read, flag)) in enumerate(TIMES.items()):
        one = await session_of(await begun(ada_speaks, timestamp=text, meterStart=meter))
        if read is None:
            assert before <= one.started_at <= datetime.now(UTC), text
        else:
            assert f"{one.started_at:%Y-%m-%dT%H:%M:%S}" == read, text
        assert flag in one.flags or not flag, text

    assert all(flag in verdict for verdict, (_, flag) in zip(await verdicts(), TIMES.values(), strict=True))


async def test_quirk_10_a_stop_before_its_start_or_in_the_future_ends_the_session(
    ada_speaks: RawSocket,
) -> None:
    for connector, when in ((1, at(-60)), (2, "2099-01-01T00:00:00Z")):
        one = await begun(ada_speaks, connectorId=connector)
        await done(ada_speaks, "StopTransaction", stop(one, timestamp=when))
        found = await session_of(one)
        assert (found.status, found.energy_wh) == ("ended", 2000)
        assert found.ended_at is not None
        assert found.started_at <= found.ended_at <= datetime.now(UTC)


async def test_quirk_11_broken_json_of_known_shapes_is_repaired_and_flagged(ada_speaks: RawSocket) -> None:
    reading = f'{{"timestamp":"{at(5)}","sampledValue":[{{"value":"1"}}]}}'
    texts = [
        f'[2,"1","MeterValues",{{"connectorId":1,"meterValue":[,{reading}]}}]',
        f'[2,"2","MeterValues",{{"connectorId":1,"meterValue":[{reading},]}}]',
        f'[2,"3","MeterValues",{{"connectorId":1,"meterValue":{reading}}}]',
        '[2,"4","DataTransfer",{"vendorId":"line\nbreak"}]',
        '\ufeff[2,"5","DataTransfer",{"vendorId":"V"}]',
        f'[2,"6","MeterValues",{{"connectorId":1,"transactionId":NaN,"meterValue":[{reading}]}}]',
    ]
    assert [await ada_speaks.code_of(text) for text in texts] == ["accepted"] * len(texts)

    assert all(await verdicts())
    assert await rows(MeterSample.objects.count) == 1


async def test_quirk_11_other_broken_json_is_answered_if_its_id_can_be_read(ada_speaks: RawSocket) -> None:
    for payload in ("{]", "{'a':1}", '{"a":}', '{"a":1', "{a:1}"):
        assert (await ada_speaks.ask(f'[2,"x","Heartbeat",{payload}]'))[:3] == [4, "x", "FormationViolation"]


async def test_quirk_12_a_null_or_missing_payload_is_an_empty_one_and_an_empty_frame_nothing(
    ada_speaks: RawSocket,
) -> None:
    for text in ('[2,"1","Heartbeat",null]', '[2,"2","Heartbeat"]', '[2,"3","Heartbeat",{}]'):
        await ada_speaks.send("")
        assert (await ada_speaks.ask(text))[0] == 3


async def test_quirk_13_over_long_fields_are_accepted_and_stored_raw(
    ada_speaks: RawSocket, ada: ChargingStation
) -> None:
    await done(ada_speaks, "BootNotification", {
        "chargePointVendor": "V" * 60, "chargePointModel": "M" * 60, "chargePointSerialNumber": "S" * 200,
        "firmwareVersion": "F" * 400,
    })  # fmt: skip
    await done(ada_speaks, "StatusNotification", {
        "connectorId": 1, "errorCode": "OtherError", "status": "Faulted", "vendorErrorCode": "E" * 300,
        "info": "I" * 3000,
    })  # fmt: skip
    answer = await done(ada_speaks, "StartTransaction", start(idTag="T" * 36))

    found = await rows(lambda: ChargingStation.objects.get(pk=ada.pk))
    assert (found.vendor, found.serial_number, found.firmware_version) == ("V" * 60, "S" * 200, "F" * 255)
    assert (await session_of(answer["transactionId"])).id_token == "T" * 36
    assert "I" * 3000 in (await incoming())[1].text
    assert all("too_long" in verdict for verdict in await verdicts())


async def test_quirk_14_words_nobody_knows_are_mapped_or_kept_with_a_flag(ada_speaks: RawSocket) -> None:
    odd = [
        {"value": "21", "measurand": "Temperature", "unit": "Celcius"},
        {"value": "22", "measurand": "Temperature", "unit": "Celsius"},
        {"value": "50", "measurand": "Frequency", "unit": "Hertz"},
        {"value": "1.5", "unit": "kwh"},
        {"value": "7", "measurand": "Voltage\n", "context": "bad", "unit": "V"},
    ]
    for minute, sample in enumerate(odd):
        await done(ada_speaks, "MeterValues", values(minute, sample))
    await done(
        ada_speaks, "StatusNotification", {"connectorId": 1, "errorCode": "Error", "status": "available"}
    )
    await done(
        ada_speaks, "StatusNotification", {"connectorId": 2, "errorCode": "Boom", "status": "Dreaming"}
    )

    assert [(unit, value) for _, unit, value in await samples()] == [
        ("Celsius", 21), ("Celsius", 22), ("Hz", 50), ("Wh", 1500), ("V", 7),
    ]  # fmt: skip
    known = {c.evse.number: c for c in await rows(lambda: list(Connector.objects.select_related("evse")))}
    assert (known[1].status, known[1].error_code) == ("Available", "OtherError")
    assert (known[2].status, known[2].error_code) == ("Unknown", "Boom")
    assert all("enum" in verdict for verdict in (await verdicts())[-2:])


async def test_quirk_15_numbers_in_any_dress_are_exact_and_an_empty_one_is_missing(
    ada_speaks: RawSocket,
) -> None:
    for minute, value in enumerate(["", "12,5", "0.1", "  7 ", 8, 9.5, "1500.123456"]):
        await done(ada_speaks, "MeterValues", values(minute, {"value": value}))
    float_start = await session_of(await begun(ada_speaks, meterStart=1000.25))
    negative = await session_of(await begun(ada_speaks, connectorId=2, meterStart=-5))

    assert [value for _, _, value in await samples()] == [
        Decimal(text) for text in ("12.5", "0.1", "7", "8", "9.5", "1500.123456")
    ]
    assert float_start.meter_start_wh == Decimal("1000.25")
    assert negative.meter_start_wh == -5


async def test_quirk_16_registers_that_restart_or_lie_lose_and_invent_no_energy(
    ada_speaks: RawSocket,
) -> None:
    one = await begun(ada_speaks, meterStart=50_000)
    for minute, register in ((5, "50500"), (10, "0"), (15, "300")):
        await done(ada_speaks, "MeterValues", values(minute, register, transactionId=one))
    await done(ada_speaks, "StopTransaction", stop(one, meterStop=800))
    two = await begun(ada_speaks, connectorId=2, meterStart=None, timestamp=at(40))
    for minute, register in ((45, "7000"), (50, "7600")):
        await done(ada_speaks, "MeterValues", values(minute, register, transactionId=two, connectorId=2))
    await done(ada_speaks, "StopTransaction", stop(two, meterStop=8000, timestamp=at(55)))

    first, second = await session_of(one), await session_of(two)
    assert (first.energy_wh, second.energy_wh) == (1300, 1000)
    assert ("register_reset" in first.flags, "begin_missing" in second.flags) == (True, True)


async def test_quirk_17_phases_are_stored_as_they_came_and_offered_is_not_imported(
    ada_speaks: RawSocket,
) -> None:
    one = await begun(ada_speaks)
    phases = [
        {"value": "2300", "measurand": "Power.Active.Import", "phase": phase, "unit": "W"}
        for phase in ("L1", "L2", "L3")
    ]
    offered = {"value": "22", "measurand": "Power.Offered", "unit": "kW"}
    await done(ada_speaks, "MeterValues", values(5, *phases, offered, transactionId=one))

    assert (await session_of(one)).power_w == 6900
    assert sorted(value for _, _, value in await samples()) == [2300, 2300, 2300, 22000]


async def test_quirk_18_messages_in_the_wrong_order_do_no_harm(ada_speaks: RawSocket) -> None:
    status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
    await done(ada_speaks, "StatusNotification", status)
    await done(ada_speaks, "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    one = await begun(ada_speaks)
    await done(ada_speaks, "StatusNotification", status | {"status": "Charging"})
    await done(ada_speaks, "StatusNotification", status)
    assert (await session_of(one)).status == "active"
    await done(ada_speaks, "StopTransaction", stop(one))
    await done(ada_speaks, "MeterValues", values(20, "2200", transactionId=one))

    assert ((await session_of(one)).energy_wh, await rows(MeterSample.objects.count)) == (2000, 1)


async def test_quirk_19_a_station_that_redials_in_silence_is_let_in_at_once(
    server: Server, ada: ChargingStation
) -> None:
    async with opened(server) as half_open:
        half_open.socket.transport.pause_reading()
        async with opened(server) as again:
            assert await again.lives()
            assert await rows(ConnectionEvent.objects.count) == 2


async def test_quirk_20_what_a_station_offers_is_recorded_and_nothing_offered_is_refused_politely(
    server: Server, ada: ChargingStation
) -> None:
    url, headers = f"{server.ws}/ocpp/ADA-1", basic("ADA-1", PASSWORD)
    async with connect(url, subprotocols=["ocpp9.9", "ocpp1.6"], additional_headers=headers) as socket:
        assert socket.subprotocol == "ocpp1.6"
    async with connect(url, additional_headers=headers) as socket:
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert (await rows(ConnectionEvent.objects.get)).offered_subprotocols == "ocpp9.9,ocpp1.6"


async def test_quirk_20_a_subprotocol_is_known_in_any_case_and_answered_in_the_stations_own(
    server: Server, ada: ChargingStation
) -> None:
    url, headers = f"{server.ws}/ocpp/ADA-1", basic("ADA-1", PASSWORD)
    async with connect(url, subprotocols=["OCPP1.6"], additional_headers=headers) as socket:
        assert socket.subprotocol == "OCPP1.6"
        assert await RawSocket(socket, "ADA-1").lives()


@pytest.mark.parametrize(
    ("offered", "answered"),
    [(["ocpp2.0.1"], "ocpp2.0.1"), (["ocpp2.0.1", "ocpp1.6"], "ocpp1.6"), (None, None)],
)
async def test_quirk_20_a_station_pinned_to_1_6_speaks_it_whatever_it_offers(
    server: Server, ada: ChargingStation, offered: list[str] | None, answered: str | None
) -> None:
    await rows(lambda: quirks.override(ada, flag="pinned_version", value="1.6", by="Ada"))
    url, headers = f"{server.ws}/ocpp/ADA-1", basic("ADA-1", PASSWORD)
    async with connect(url, subprotocols=offered, additional_headers=headers) as socket:
        assert socket.subprotocol == answered
        assert await RawSocket(socket, "ADA-1").lives()

    assert (await rows(lambda: ChargingStation.objects.get(pk=ada.pk))).ocpp_version == "1.6"


@pytest.mark.parametrize("path", ["/ocpp/ADA-1/", "/ocpp//ADA-1", "/ocpp/ADA%2D1", "/ocpp/ADA-1?x=1"])
async def test_quirk_21_shapes_of_the_url_mean_the_same_station(
    server: Server, ada: ChargingStation, path: str
) -> None:
    async with connect(
        server.ws + path, subprotocols=["ocpp1.6"], additional_headers=basic("ADA-1", PASSWORD)
    ) as socket:
        assert await RawSocket(socket, "ADA-1").lives()


async def test_quirk_22_a_key_is_accepted_as_text_and_as_the_bytes_it_spells(
    server: Server, ada: ChargingStation
) -> None:
    key = "00FF2233445566778899AABBCCDDEEFF"
    await rows(lambda: provisioning.set_password(ada, password=key))
    for secret in (key.encode(), bytes.fromhex(key)):
        header = {"Authorization": "Basic " + base64.b64encode(b"ADA-1:" + secret).decode()}
        try:
            async with connect(
                f"{server.ws}/ocpp/ADA-1", subprotocols=["ocpp1.6"], additional_headers=header
            ) as socket:
                assert await RawSocket(socket, "ADA-1").lives()
        except InvalidStatus as refused:
            pytest.fail(f"{secret!r}: {refused}")


async def test_quirk_23_a_token_is_known_in_every_case_and_with_blanks_around_it(
    ada_speaks: RawSocket,
) -> None:
    for word in ("BO-1", "bo-1", " BO-1", "BO-1   ", "Bo-1\x00"):
        answer = await done(ada_speaks, "Authorize", {"idTag": word})
        assert answer["idTagInfo"]["status"] == "Accepted", word

    assert await rows(IdToken.objects.count) == 1


async def test_quirk_24_connectors_that_no_configuration_names_come_from_their_status(
    ada_speaks: RawSocket, ada: ChargingStation
) -> None:
    for connector in (1, 2, 3, 4):
        status = {"connectorId": connector, "errorCode": "NoError", "status": "Available"}
        await done(ada_speaks, "StatusNotification", status)

    numbers = await rows(lambda: list(ada.evses.order_by("number").values_list("number", flat=True)))
    assert numbers == [1, 2, 3, 4]
