"""Network profiles over a real socket: slots, their order, a way to a higher profile and back (B09, B10, A05, A01)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import (
    ChargingStation,
    Command,
    Frame,
    NetworkProfile,
    PasswordChange,
    SecurityProfileChange,
)
from stations.services import commands, device_model, network_profiles, security_profiles, variable_keys
from stations.services.device_model import Told
from stations.services.errors import InvalidPayload, LowerProfile, NoSlot, NotConfirmed
from stations.services.network_profiles import ACTIVE, ATTEMPTS, PRIORITY, Connection
from tests.processes import Server
from tests.stories.story import PASSWORD, eventually, rows
from tests.stories.tls_server import status_of
from tests.stories.v2.answering import Payload, Station, sent, station
from tests.stories.v2.station import BOOT

pytestmark = pytest.mark.usefixtures("ada")
BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
OK = {"status": "Accepted"}
SECRET = "a-new-password-4711"
DATA = {
    "ocppVersion": "OCPP20", "ocppTransport": "JSON", "ocppCsmsUrl": "wss://next.example/ocpp", "messageTimeout": 20,
    "securityProfile": 2, "ocppInterface": "Wired0",
}  # fmt: skip


async def do(act: Callable[[ChargingStation], Any]) -> Any:
    return await rows(lambda: act(ChargingStation.objects.get()))


def tells(ada: ChargingStation, values: dict[str, str], **traits: bool) -> None:
    """Let the station have told these variables."""
    told = [Told(variable_keys.parse(key), value, traits or None) for key, value in values.items()]
    device_model.store(ada.pk, told=told, at=clock.now())


def has_slots(ada: ChargingStation, *, order: str = "0", active: str = "0", slots: str = "0,1,2") -> None:
    """Let the station have told its slots."""
    listed = {"values_list": slots, "data_type": "SequenceList"}
    told = [Told(PRIORITY, order, None, listed), Told(ACTIVE, active), Told(ATTEMPTS, "3")]
    device_model.store(ada.pk, told=told, at=clock.now())


def results(word: str = "Accepted") -> Callable[[Payload], Payload]:
    """Answer a SetVariables with one word for all."""

    def react(payload: Payload) -> Payload:
        names = ("component", "variable")
        data = payload["setVariableData"]
        return {
            "setVariableResult": [
                {"attributeStatus": word} | {name: item[name] for name in names} for item in data
            ]
        }

    return react


def willing(**reactions: Any) -> dict[str, Any]:
    """Give the reactions of a station that does as it is told."""
    return {"SetNetworkProfile": OK, "SetVariables": results(), "Reset": OK} | reactions


def orders(ada: Station) -> list[str]:
    """Return the orders of slots that the station was sent."""
    data = [item for payload in ada.requests("SetVariables") for item in payload["setVariableData"]]
    return [item["attributeValue"] for item in data if item["variable"]["name"] == PRIORITY.name]


async def becomes(status: str) -> SecurityProfileChange:
    found = await eventually(lambda: SecurityProfileChange.objects.filter(status=status).first())
    assert found is not None
    return found


async def rise(**options: Any) -> SecurityProfileChange:
    where = Connection(url="wss://127.0.0.1:9/ocpp")
    options = {"profile": 2, "trusts_us": True, "connection": where} | options
    found: SecurityProfileChange = await do(lambda ada: security_profiles.raise_to(ada, **options))
    return found


# --- what is known


async def test_b09_slots_their_order_and_the_one_in_use_are_known_from_both_sources(server: Server) -> None:
    await do(lambda ada: has_slots(ada, order="1,0", active="0"))
    await do(lambda ada: tells(ada, {"NetworkConfiguration[0]/OcppCsmsUrl": "ws://told.example"}))
    async with station(server, "2.1", **willing()):
        await do(lambda ada: network_profiles.set_slot(ada, slot=1, data=DATA, confirmed=True))
        await eventually(lambda: NetworkProfile.objects.filter(state="accepted").exists())
    found = await do(network_profiles.known)

    assert [(slot.number, slot.url, slot.place, slot.is_active) for slot in found.slots] == [
        (0, "ws://told.example", 2, True), (1, DATA["ocppCsmsUrl"], 1, False), (2, "", None, False),
    ]  # fmt: skip
    assert (found.attempts, found.priority, found.has_fallen_back) == (3, [1, 0], True)


async def test_b09_fr_05_a_slot_that_the_station_has_not_is_not_set(server: Server) -> None:
    await do(lambda ada: has_slots(ada))
    async with station(server):
        with pytest.raises(NoSlot):
            await do(lambda ada: network_profiles.set_slot(ada, slot=3, data=DATA, confirmed=True))


@pytest.mark.parametrize(("now", "may", "wanted"), [(2, "false", 1), (3, "false", 2), (3, "true", 1)])
async def test_b09_fr_04_a_lower_profile_is_never_sent(
    server: Server, now: int, may: str, wanted: int
) -> None:
    await do(lambda ada: tells(ada, {"SecurityCtrlr/AllowSecurityProfileDowngrade": may}))
    async with station(server):
        await rows(lambda: ChargingStation.objects.update(security_profile=now))
        data = DATA | {"securityProfile": wanted}
        with pytest.raises(LowerProfile):
            await do(lambda ada: network_profiles.set_slot(ada, slot=1, data=data, confirmed=True))
        with pytest.raises(InvalidPayload):
            await sent("SetNetworkProfile", {"configurationSlot": 1, "connectionData": data})


async def test_b09_fr_31_a_station_that_allows_it_may_go_from_3_to_2(server: Server) -> None:
    await do(lambda ada: tells(ada, {"SecurityCtrlr/AllowSecurityProfileDowngrade": "true"}))
    async with station(server, "2.1", **willing()):
        await rows(lambda: ChargingStation.objects.update(security_profile=3))
        await do(lambda ada: network_profiles.set_slot(ada, slot=1, data=DATA, confirmed=True))
        assert await eventually(lambda: NetworkProfile.objects.filter(state="accepted").exists())


# --- the order of slots


@BOTH
async def test_b10_the_order_of_slots_is_sent_and_read_again(server: Server, version: str) -> None:
    def told(payload: Payload) -> Payload:
        [item] = payload["getVariableData"]
        return {"getVariableResult": [item | {"attributeStatus": "Accepted", "attributeValue": "1,0"}]}

    await do(lambda ada: has_slots(ada))
    async with station(server, version, **willing(GetVariables=told)) as ada:
        await do(lambda row: network_profiles.set_priority(row, slots=[1, 0], confirmed=True))
        await eventually(lambda: network_profiles.known(ChargingStation.objects.get()).priority == [1, 0])

    assert orders(ada) == ["1,0"]


@pytest.mark.parametrize(
    ("slots", "error"), [([], InvalidPayload), ([1, 1], InvalidPayload), ([7], NoSlot), ([1], NotConfirmed)]
)
async def test_b10_an_order_that_cannot_be_is_not_sent(server: Server, slots: list[int], error: Any) -> None:
    await do(lambda ada: has_slots(ada))
    async with station(server):
        with pytest.raises(error):
            await do(lambda ada: network_profiles.set_priority(ada, slots=slots, confirmed=slots != [1]))


# --- variable by variable (2.1)


async def test_b09_fr_24_a_slot_of_2_1_is_set_variable_by_variable(server: Server) -> None:
    await do(lambda ada: has_slots(ada))
    vpn = {
        "server": "v.example",
        "user": "u",
        "password": "geheim-geheim",
        "key": "geheim-key",
        "type": "IKEv2",
    }
    data = DATA | {"identity": "ADA-2", "basicAuthPassword": SECRET, "vpn": vpn}
    async with station(server, "2.1", **willing()) as ada:
        await do(lambda row: network_profiles.set_slot_by_variables(row, slot=1, data=data, confirmed=True))
        await eventually(lambda: PasswordChange.objects.filter(status="reboot").exists())
        row = await eventually(lambda: NetworkProfile.objects.filter(state="accepted").first())
    items = [item for payload in ada.requests("SetVariables") for item in payload["setVariableData"]]
    values = {item["variable"]["name"]: item["attributeValue"] for item in items}

    assert {str(item["component"]) for item in items} == {
        str({"name": "NetworkConfiguration", "instance": "1"})
    }
    assert (values["OcppCsmsUrl"], values["Identity"], values["VpnServer"]) == (
        DATA["ocppCsmsUrl"], "ADA-2", "v.example",
    )  # fmt: skip
    assert (values["VpnEnabled"], values["ApnEnabled"], values["BasicAuthPassword"]) == (
        "true",
        "false",
        SECRET,
    )
    assert row is not None
    assert "geheim" not in str(row.data)


async def test_b09_fr_25_one_refused_variable_makes_the_slot_refused(server: Server) -> None:
    await do(lambda ada: has_slots(ada))
    async with station(server, "2.1", SetVariables=results("Rejected")):
        await do(lambda ada: network_profiles.set_slot_by_variables(ada, slot=1, data=DATA, confirmed=True))
        assert await eventually(lambda: NetworkProfile.objects.filter(state="rejected").exists())


async def test_b09_fr_21_a_slot_that_is_to_be_tried_is_not_changed_so(server: Server) -> None:
    await do(lambda ada: has_slots(ada, order="0,1"))
    async with station(server, "2.1"):
        with pytest.raises(NoSlot):
            await do(
                lambda ada: network_profiles.set_slot_by_variables(ada, slot=1, data=DATA, confirmed=True)
            )


# --- passwords


async def test_b09_fr_14_the_password_of_a_profile_is_good_beside_the_old_one_until_it_is_used(
    server: Server,
) -> None:
    payload = {"configurationSlot": 1, "connectionData": DATA | {"basicAuthPassword": SECRET}}
    async with station(server, "2.1", **willing()) as ada:
        await sent("SetNetworkProfile", payload)
        await eventually(lambda: PasswordChange.objects.filter(status="reboot").exists())
    stored = str(await rows(lambda: [*Command.objects.values(), *Frame.objects.values("text")]))

    assert ada.requests("SetNetworkProfile") == [payload]
    assert SECRET not in stored
    url = f"{server.ws}/ocpp"
    assert [await status_of(url, password=word) for word in (PASSWORD, SECRET, PASSWORD)] == [101, 101, 401]


ANSWERS = {
    "needs a reboot": (results("RebootRequired"), "reboot", [101, 101]),
    "not known": (results("UnknownVariable"), "failed", [101, 401]),
    "an error": ("NotSupported", "failed", [101, 401]),
    "silence": (None, "unknown", [101, 101]),
}


@pytest.mark.parametrize(("answer", "status", "doors"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_a01_a_password_sent_by_hand_is_a_change_whatever_is_answered(
    server: Server, answer: Any, status: str, doors: list[int]
) -> None:
    place = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    async with station(server, SetVariables=answer):
        payload = {"setVariableData": [place | {"attributeValue": SECRET}]}
        await do(lambda ada: commands.queue(ada, action="SetVariables", payload=payload))
        await eventually(lambda: PasswordChange.objects.filter(status=status).exists())

    url = f"{server.ws}/ocpp"
    assert [await status_of(url, password=word) for word in (PASSWORD, SECRET)] == doors


async def test_a01_a_late_answer_counts(server: Server) -> None:
    place = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    async with station(server, SetVariables=None) as ada:
        payload = {"setVariableData": [place | {"attributeValue": SECRET}]}
        command = await do(lambda row: commands.queue(row, action="SetVariables", payload=payload))
        await eventually(lambda: PasswordChange.objects.filter(status="unknown").exists())
        late = f'[3,"{command.uid}",{{"setVariableResult":[{{"attributeStatus":"Accepted",'
        where = '"component":{"name":"SecurityCtrlr"},"variable":{"name":"BasicAuthPassword"}}]}]'
        await ada.socket.send(late + where)
        await eventually(lambda: PasswordChange.objects.filter(status="done").exists())

    assert await status_of(f"{server.ws}/ocpp", password=PASSWORD) == 401


# --- a higher profile


async def test_a05_a_free_slot_is_chosen_and_tried_before_the_one_in_use(server: Server) -> None:
    await do(lambda ada: has_slots(ada, order="0,2"))
    async with station(server, **willing()) as ada:
        await rise()
        change = await becomes("returning")

    [profile] = ada.requests("SetNetworkProfile")
    assert (profile["configurationSlot"], profile["connectionData"]["securityProfile"]) == (1, 2)
    assert orders(ada) == ["1,0,2"]
    assert [step["state"] for step in change.steps] == ["done", "done", "done", "running"]


async def test_a05_without_a_slot_nothing_is_begun(server: Server) -> None:
    async with station(server):
        with pytest.raises(NoSlot):
            await rise()
    await do(lambda ada: has_slots(ada, slots="0"))
    with pytest.raises(NoSlot):
        await rise()


async def test_a05_a_connection_whose_secrets_nobody_can_read_must_be_said(server: Server) -> None:
    await do(lambda ada: has_slots(ada))
    await do(lambda ada: tells(ada, {"NetworkConfiguration[0]/ApnEnabled": "true"}))
    async with station(server, "2.1"):
        with pytest.raises(InvalidPayload):
            await rise()


REFUSED = {
    "slot": ({"SetNetworkProfile": {"status": "Rejected"}}, "the station answered Rejected", []),
    "slot fails": ({"SetNetworkProfile": {"status": "Failed"}}, "the station answered Failed", []),
    "order": ({"SetVariables": results("Rejected")}, "the station answered Rejected", ["1,0"]),
    "unknown": ({"SetNetworkProfile": "NotSupported"}, "the station answered NotSupported", []),
    "silence": ({"SetNetworkProfile": None}, "no answer within", []),
}


@pytest.mark.parametrize(("reactions", "reason", "asked"), REFUSED.values(), ids=REFUSED.keys())
async def test_a05_a_step_that_the_station_does_not_take_ends_the_rise(
    server: Server, reactions: dict[str, Any], reason: str, asked: list[str]
) -> None:
    await do(lambda ada: has_slots(ada))
    async with station(server, **willing(**reactions)) as ada:
        await rise()
        change = await becomes("failed")

    assert change.reason.startswith(reason)
    assert orders(ada) == asked
    assert (await rows(ChargingStation.objects.get)).next_security_profile is None


async def test_a05_a_restart_that_waits_is_waited_for(server: Server) -> None:
    await do(lambda ada: has_slots(ada))
    async with station(server, **willing(Reset={"status": "Scheduled"})):
        await rise()
        change = await becomes("returning")

    assert change.return_until is not None
    assert change.return_until - clock.now() > timedelta(hours=12)


@BOTH
async def test_b10_fr_07_a_station_that_falls_back_gets_its_order_back(server: Server, version: str) -> None:
    await do(lambda ada: has_slots(ada))
    async with station(server, version, **willing()):
        await rise()
        await becomes("returning")
    async with station(server, version, **willing()) as ada:
        past = clock.now() - timedelta(seconds=1)
        await rows(lambda: SecurityProfileChange.objects.update(return_until=past))
        await rows(security_profiles.expire)
        change = await becomes("failed")
        await eventually(
            lambda: Command.objects.filter(action="SetVariables", status="answered").count() == 2
        )

    assert change.reason == "it came back with profile 1 only"
    assert orders(ada) == ["0"]
    assert (await ada_is())[:2] == (1, None)


async def test_a05_a_cancelled_rise_puts_the_order_back(server: Server) -> None:
    await do(lambda ada: has_slots(ada))
    async with station(server, **willing(Reset={"status": "Rejected"})) as ada:
        change = await rise()
        await becomes("returning")
        await rows(lambda: security_profiles.cancel(change, by="test"))
        await eventually(lambda: orders(ada) == ["1,0", "0"])


async def ada_is() -> tuple[int, int | None]:
    found = await rows(ChargingStation.objects.get)
    return found.security_profile, found.next_security_profile


async def test_a05_an_offline_station_is_raised_when_it_is_back(server: Server) -> None:
    async with station(server, **willing()):
        await do(lambda row: has_slots(row))
    await eventually(lambda: not ChargingStation.objects.get().is_online)
    await rise()
    async with station(server, **willing()) as ada:
        assert (await ada.call("BootNotification", BOOT))["status"] == "Accepted"
        await becomes("returning")
