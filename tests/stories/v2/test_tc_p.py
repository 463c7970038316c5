"""Part 6, chapter 3: data transfer and custom data (block P), in both directions."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from stations.models import ChargingSession, Command, Frame
from stations.ocpp import vendors
from stations.ocpp.v2 import data_transfer as of_2x
from stations.ocpp.v16 import data_transfer as of_16
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import Payload, sent, station
from tests.stories.v2.station import at, event, visit

pytestmark = pytest.mark.usefixtures("ada")
BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
CUSTOM = {"vendorId": "com.example", "lights": [1, {"colour": "blue"}]}


@BOTH
async def test_tc_p_02_csms_a_vendor_that_nobody_knows(server: Server, version: str) -> None:
    asked = {"vendorId": "com.example", "messageId": "lights"}
    async with station(server, version) as there:
        answers = [await there.call("DataTransfer", asked | data) for data in ({}, {"data": {"a": [1]}})]

    assert answers == [{"status": "UnknownVendorId"}] * 2


@BOTH
async def test_tc_p_03_csms_custom_data_is_received(server: Server, version: str) -> None:
    status = {"timestamp": at(0), "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
    begin, *others = visit()
    begin["transactionInfo"] |= {"customData": CUSTOM}
    begin["meterValue"][0] |= {"customData": CUSTOM}
    async with station(server, version) as there:
        assert await there.call("StatusNotification", status | {"customData": CUSTOM}) == {}
        answers = await there.tell(begin | {"customData": CUSTOM}, *others)

    session = await rows(ChargingSession.objects.get)
    assert (answers[0]["idTokenInfo"]["status"], session.energy_wh) == ("Accepted", 3000)


async def test_custom_data_of_every_part_of_a_message_is_kept_in_its_frame(server: Server) -> None:
    token = {"idToken": "BO-1", "type": "ISO14443", "customData": CUSTOM}
    async with station(server) as there:
        await there.call("Authorize", {"idToken": token, "customData": CUSTOM})

    frame = await eventually(lambda: Frame.objects.filter(action="Authorize", direction="i").first())
    assert "colour" in frame.text


async def test_custom_data_without_a_vendor_is_told_so(server: Server) -> None:
    async with station(server) as there:
        answer = await there.answer_to("Heartbeat", {"customData": {"lights": 1}})

    assert (answer[0], answer[2]) == (4, "OccurrenceConstraintViolation")


# --- to the station (P01)


@BOTH
@pytest.mark.parametrize("word", ["Accepted", "Rejected", "UnknownVendorId", "UnknownMessageId"])
async def test_p01_a_message_of_a_vendor_is_sent(server: Server, version: str, word: str) -> None:
    payload = {"vendorId": "com.example", "messageId": "lights", "data": {"on": True, "level": [0.5]}}
    async with station(server, version, DataTransfer={"status": word, "data": {"was": 1}}) as there:
        command = await sent("DataTransfer", payload)

    assert there.requests("DataTransfer") == [payload | {"data": {"on": True, "level": [Decimal("0.5")]}}]
    assert (command.status, command.result) == ("answered", {"status": word, "data": {"was": 1}})


async def test_p01_a_message_without_an_answer(server: Server) -> None:
    async with station(server, DataTransfer=None):
        command = await sent("DataTransfer", {"vendorId": "com.example"})

    assert command.status == "timed_out"


# --- vendors that somebody speaks, in every version


@pytest.fixture
def lights(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Speak a vendor's extension; give what its handlers heard."""
    heard: list[Any] = []

    def switch(link: Any, incoming: Any, data: str) -> tuple[str, str | None]:
        heard.append(data)
        return "Accepted", data or None

    monkeypatch.setitem(vendors.VENDORS, "com.Example", {"Switch": switch})
    monkeypatch.setitem(vendors.OUTCOMES, "com.Example", lambda command, answer: heard.append(answer))
    return heard


def received(handler: Any, **payload: Any) -> Payload:
    answer: Payload = handler(None, SimpleNamespace(payload={"vendorId": "COM.example"} | payload, flags=[]))
    return answer


@pytest.mark.parametrize("handler", [of_16.data_transfer, of_2x.data_transfer], ids=["1.6", "2.x"])
def test_a_known_vendor_is_answered_by_its_handler(lights: list[Any], handler: Any) -> None:
    assert received(handler, messageId="switch", data="on") == {"status": "Accepted", "data": "on"}
    assert received(handler, messageId="switch") == {"status": "Accepted"}
    assert received(handler, messageId="other") == {"status": "UnknownMessageId"}
    assert received(handler) == {"status": "UnknownMessageId"}

    assert lights == ["on", ""]


def test_p02_data_that_is_no_text_reaches_the_handler_as_json(lights: list[Any]) -> None:
    received(of_2x.data_transfer, messageId="switch", data={"level": Decimal("0.5")})

    assert lights == ['{"level":0.5}']


@pytest.mark.parametrize("outcome", [of_16.outcome, vendors.outcome], ids=["1.6", "2.x"])
def test_a_vendor_hears_what_became_of_its_message(lights: list[Any], outcome: Any) -> None:
    outcome(Command(payload={"vendorId": "com.example"}), {"status": "Accepted"})
    outcome(Command(payload={"vendorId": "com.other"}), {"status": "Accepted"})

    assert lights == [{"status": "Accepted"}]


async def test_an_extension_of_1_6_alone_is_unknown_in_2_x(server: Server) -> None:
    of_plug_and_charge = {"vendorId": "org.openchargealliance.iso15118pnc", "messageId": "Authorize"}
    async with station(server) as there:
        assert await there.call("DataTransfer", of_plug_and_charge) == {"status": "UnknownVendorId"}
        assert await there.tell(event("Started", 0)) == [{}]
