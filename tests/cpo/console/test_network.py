"""The network tab of a 2.x station: slots, the order of trying, a fall-back, and what is done to them (B09, B10)."""

from typing import Any

import pytest
from django.test import Client

from cpo.lib import clock
from cpo.models import AuditEvent
from stations.models import ChargingStation, Command, NetworkProfile, PasswordChange, SecurityProfileChange
from stations.services import device_model
from stations.services.device_model import Told
from stations.services.network_profiles import ACTIVE, PRIORITY
from tests import factories

TAB = "/stations/ADA-1/?tab=network"
SLOT = {
    "slot-slot": 1, "slot-url": "wss://next.example/ocpp", "slot-security_profile": 2, "slot-confirmed": "on",
}  # fmt: skip


@pytest.fixture
def station(db: None) -> ChargingStation:
    found = factories.station("ADA-1", is_online=True, epoch=1, ocpp_version="2.1", secret_hash=b"x")
    slots = {"values_list": "0,1,2", "data_type": "SequenceList"}
    told = [Told(PRIORITY, "1,0", None, slots), Told(ACTIVE, "0")]
    device_model.store(found.pk, told=told, at=clock.now())
    return found


def post(ada: Client, path: str = "network/", **fields: Any) -> str:
    return ada.post(f"/stations/ADA-1/{path}", fields, follow=True).content.decode()


def sent() -> list[tuple[str, Any]]:
    return list(Command.objects.order_by("id").values_list("action", "payload"))


@pytest.mark.usefixtures("station")
def test_the_tab_shows_slots_and_that_the_station_fell_back(ada: Client) -> None:
    NetworkProfile.objects.create(
        station=ChargingStation.objects.get(), slot=1, url="wss://next.example", security_profile=2,
        interface="Wired0", state="accepted", told_at=clock.now(),
    )  # fmt: skip
    text = ada.get(TAB).content.decode()

    for words in (
        "It uses slot 0, though slot 1 comes first",
        "wss://next.example",
        "Taken",
        "tried at place 1",
    ):
        assert words in text
    assert "fallen back to slot 0" in ada.get("/stations/ADA-1/?tab=security").content.decode()


def test_a_station_of_1_6_is_not_offered_it(ada: Client, station: ChargingStation) -> None:
    ChargingStation.objects.update(ocpp_version="1.6")

    assert "tab=network" not in ada.get("/stations/ADA-1/").content.decode()


@pytest.mark.usefixtures("station")
def test_a_slot_is_set_and_what_is_on_its_way_is_shown(ada: Client) -> None:
    text = post(ada, **SLOT)

    [(action, payload)] = sent()
    assert (action, payload["configurationSlot"]) == ("SetNetworkProfile", 1)
    assert payload["connectionData"]["ocppCsmsUrl"] == "wss://next.example/ocpp"
    assert "Asked" in text
    assert "1 request" in text
    assert AuditEvent.objects.latest("id").facts["slot"] == 1


@pytest.mark.usefixtures("station")
def test_its_password_is_stored_nowhere_in_the_clear(ada: Client) -> None:
    post(ada, **SLOT, **{"slot-password": "a-new-password-4711"})

    assert PasswordChange.objects.get().status == "queued"
    stored = f"{sent()} {list(NetworkProfile.objects.values())} {list(AuditEvent.objects.values())}"
    assert "4711" not in stored


@pytest.mark.usefixtures("station")
def test_variable_by_variable_is_for_slots_that_are_not_tried(ada: Client) -> None:
    by_variables = {"slot-by_variables": "on"}
    assert "is in use" in post(ada, **SLOT, **by_variables)

    post(ada, **SLOT | by_variables | {"slot-slot": 2})
    assert {action for action, _ in sent()} == {"SetVariables"}


@pytest.mark.usefixtures("station")
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"slot-confirmed": ""}, "A wrong profile"),
        ({"slot-slot": 9}, "no slot 9"),
        ({"slot-url": ""}, "Address"),
    ],
)
def test_what_cannot_be_set_is_said(ada: Client, wrong: dict[str, Any], words: str) -> None:
    assert words in post(ada, **SLOT | wrong)
    assert sent() == []


@pytest.mark.usefixtures("station")
def test_the_order_is_set_with_a_restart(ada: Client) -> None:
    told = {"order-slots": "0, 1", "order-restart": "on", "order-confirmed": "on"}
    text = post(ada, "network/order/", **told)

    assert [action for action, _ in sent()] == ["SetVariables", "Reset"]
    assert "0,1 is on its way" in text


@pytest.mark.usefixtures("station")
@pytest.mark.parametrize("slots", ["", "a", "1,,0", "1,1", "7"])
def test_an_order_that_cannot_be_is_refused(ada: Client, slots: str) -> None:
    post(ada, "network/order/", **{"order-slots": slots, "order-confirmed": "on"})

    assert sent() == []


@pytest.mark.usefixtures("station")
def test_the_station_is_asked_for_all_of_its_connections(ada: Client) -> None:
    post(ada, "network/read/")

    [(action, payload)] = sent()
    assert action == "GetReport"
    assert {"component": {"name": "NetworkConfiguration"}} in payload["componentVariable"]


@pytest.mark.usefixtures("station")
def test_a_rise_says_where_the_station_shall_connect(ada: Client) -> None:
    where = {"url": "wss://127.0.0.1:8443/ocpp", "interface": "Wireless0"}
    post(ada, "profile/", profile="2", root="trusts", **where)

    step = SecurityProfileChange.objects.get().steps[0]
    assert (step["step"], step["slot"], step["data"]["ocppCsmsUrl"]) == ("slot", 2, where["url"])
    assert step["data"]["ocppInterface"] == "Wireless0"
