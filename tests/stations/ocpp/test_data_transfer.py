"""DataTransfer finds the handler of its vendor and message (OCPP 1.6 section 4.3)."""

from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingStation
from stations.ocpp.link import Link
from stations.ocpp.route import Incoming
from stations.ocpp.v16 import data_transfer
from stations.services.ingest import Facts


@pytest.fixture(autouse=True)
def _volt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register a vendor who echoes, counts and refuses."""

    def echo(link: Link, incoming: Incoming, data: str) -> tuple[str, str | None]:
        return "Accepted", f"{link.station.identity}: {data}"

    def refuse(link: Link, incoming: Incoming, data: str) -> tuple[str, str | None]:
        return "Rejected", None

    monkeypatch.setitem(data_transfer.VENDORS, "com.volt", {"Echo": echo, "Refuse": refuse})
    monkeypatch.setitem(data_transfer.VENDORS, "com.any", {"": echo})


def answer(**payload: Any) -> dict[str, Any]:
    incoming = Incoming("DataTransfer", payload, "1", clock.now(), Facts(), [])
    return data_transfer.data_transfer(Link(ChargingStation(identity="ADA-1"), "1.6", 1), incoming)


def test_a_handler_answers_with_data() -> None:
    assert answer(vendorId="com.volt", messageId="Echo", data="hi") == {
        "status": "Accepted",
        "data": "ADA-1: hi",
    }


def test_a_handler_answers_without_data() -> None:
    assert answer(vendorId="com.volt", messageId="Refuse") == {"status": "Rejected"}


def test_names_are_found_without_regard_to_case() -> None:
    assert answer(vendorId="COM.VOLT", messageId="echo")["status"] == "Accepted"


@pytest.mark.parametrize("message", [{}, {"messageId": "Dance"}])
def test_an_unknown_message_of_a_known_vendor_is_told_so(message: dict[str, str]) -> None:
    assert answer(vendorId="com.volt", **message) == {"status": "UnknownMessageId"}


@pytest.mark.parametrize("message", [{}, {"messageId": "Dance"}])
def test_a_vendor_may_take_every_message(message: dict[str, str]) -> None:
    assert answer(vendorId="com.any", data="x", **message)["status"] == "Accepted"


def test_an_unknown_vendor_is_told_so_without_data() -> None:
    assert answer(vendorId="com.ohm", data="x") == {"status": "UnknownVendorId"}
