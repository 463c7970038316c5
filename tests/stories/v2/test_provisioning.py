"""Boot, reset and network profiles of 2.x stations over a real socket (B01 to B03, B09, B11, B12)."""

from collections.abc import Callable
from typing import Any

import pytest

from stations.models import (
    ChargingSession,
    ChargingStation,
    Command,
    Evse,
    NetworkProfile,
)
from stations.services import commands, network_profiles, wake
from stations.services.errors import NotConfirmed
from tests.processes import Server
from tests.stories.raw import RawSocket, opened
from tests.stories.story import eventually, rows
from tests.stories.v2.device import NOW, THRESHOLD, accept, asked, part, reply, told
from tests.stories.v2.station import BOOT, EVSE, event, station, visit

pytestmark = pytest.mark.usefixtures("ada")
BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
AVAILABLE = {"timestamp": NOW, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
PROFILE = {
    "ocppVersion": "OCPP20", "ocppTransport": "JSON", "ocppCsmsUrl": "wss://new.example/ocpp", "messageTimeout": 30,
    "securityProfile": 2, "ocppInterface": "Wired0",
    "vpn": {"server": "v", "user": "u", "password": "geheim", "key": "geheim", "type": "IKEv2"},
}  # fmt: skip


async def do(act: Callable[[ChargingStation], Any]) -> Any:
    return await rows(lambda: act(ChargingStation.objects.get()))


async def register(status: str) -> None:
    def change(ada: ChargingStation) -> None:
        ChargingStation.objects.filter(pk=ada.pk).update(registration=status)
        wake.changed(ada.pk)

    await do(change)


async def boot(socket: RawSocket, reason: str = "PowerUp") -> str:
    return str((await socket.call("BootNotification", BOOT | {"reason": reason}))[2]["status"])


async def reset(kind: str, evse_id: int | None = None) -> None:
    payload = {"type": kind} | ({} if evse_id is None else {"evseId": evse_id})
    await do(lambda ada: commands.queue(ada, action="Reset", payload=payload))


@BOTH
async def test_tc_b_01_csms_cold_boot(server: Server, version: str) -> None:
    async with opened(server, subprotocols=[f"ocpp{version}"]) as socket:
        assert await boot(socket) == "Accepted"
        assert (await socket.call("StatusNotification", AVAILABLE))[2] == {}


@BOTH
async def test_tc_b_02_csms_cold_boot_pending(server: Server, version: str) -> None:
    await register("Pending")
    async with opened(server, subprotocols=[f"ocpp{version}"]) as socket:
        statuses = [await boot(socket)]
        reported = await socket.call("NotifyReport", part(9, 0, [told(THRESHOLD, "600")]))
        await register("Accepted")
        statuses.append(await boot(socket))
        answer = await socket.call("StatusNotification", AVAILABLE)

    assert (statuses, reported[2], answer[2]) == (["Pending", "Accepted"], {}, {})


@BOTH
@pytest.mark.parametrize("action", ["StatusNotification", "Heartbeat"])
async def test_tc_b_30_csms_a_pending_station_may_say_nothing_else(
    server: Server, version: str, action: str
) -> None:
    await register("Pending")
    async with opened(server, subprotocols=[f"ocpp{version}"]) as socket:
        assert await boot(socket) == "Pending"
        answer = await socket.call(action, AVAILABLE if action == "StatusNotification" else {})

    assert (answer[0], answer[2]) == (4, "SecurityError")


@BOTH
async def test_tc_b_31_csms_a_pending_station_is_asked_for_its_boot(server: Server, version: str) -> None:
    await register("Pending")
    async with opened(server, subprotocols=[f"ocpp{version}"]) as socket:
        await boot(socket)
        await register("Accepted")
        trigger = {"requestedMessage": "BootNotification"}
        await do(lambda ada: commands.queue(ada, action="TriggerMessage", payload=trigger))
        assert await accept(socket, "TriggerMessage") == trigger

        assert await boot(socket, "Triggered") == "Accepted"


@BOTH
async def test_tc_b_20_csms_reset_without_a_transaction(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        await reset("OnIdle")
        assert await accept(socket, "Reset") == {"type": "OnIdle"}
    async with opened(server, subprotocols=[f"ocpp{version}"]) as socket:
        assert await boot(socket, "RemoteReset") == "Accepted"


@BOTH
async def test_tc_b_21_csms_reset_once_the_transaction_is_over(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        for told_event in visit()[:3]:
            await socket.call("TransactionEvent", told_event)
        await reset("OnIdle")
        await accept(socket, "Reset", status="Scheduled")
        await socket.call("TransactionEvent", visit()[3])
    async with opened(server, subprotocols=[f"ocpp{version}"]) as socket:
        assert await boot(socket, "ScheduledReset") == "Accepted"

    assert (await rows(ChargingSession.objects.get)).energy_wh == 3000


@BOTH
async def test_tc_b_22_csms_an_immediate_reset_ends_the_transaction(server: Server, version: str) -> None:
    ended = event(
        "Ended", 3, register_wh=4000, triggerReason="ResetCommand", info={"stoppedReason": "ImmediateReset"}
    )
    async with station(server, version) as socket:
        for told_event in visit()[:3]:
            await socket.call("TransactionEvent", told_event)
        await reset("Immediate")
        await accept(socket, "Reset")
        await socket.call("TransactionEvent", ended)
    async with opened(server, subprotocols=[f"ocpp{version}"]) as socket:
        assert await boot(socket, "RemoteReset") == "Accepted"

    assert (await rows(ChargingSession.objects.get)).stop_reason == "ImmediateReset"


async def reset_of_evse(socket: RawSocket, kind: str, status: str) -> None:
    """Reset EVSE 1, which answers so."""
    await reset(kind, 1)
    question = await accept(socket, "Reset", status=status)
    command = await eventually(lambda: Command.objects.filter(status="answered").first())

    assert question == {"type": kind, "evseId": 1}
    assert command.result["status"] == status


@BOTH
async def test_tc_b_25_csms_reset_of_an_evse_without_a_transaction(server: Server, version: str) -> None:
    assert await rows(Evse.objects.filter(number=EVSE["id"]).exists)
    async with station(server, version) as socket:
        await reset_of_evse(socket, "OnIdle", "Accepted")


@BOTH
async def test_tc_b_26_csms_an_evse_is_reset_once_its_transaction_is_over(
    server: Server, version: str
) -> None:
    async with station(server, version) as socket:
        for told_event in visit()[:2]:
            await socket.call("TransactionEvent", told_event)
        await reset_of_evse(socket, "OnIdle", "Scheduled")
        for told_event in visit()[2:]:
            assert (await socket.call("TransactionEvent", told_event))[0] == 3

    assert (await rows(ChargingSession.objects.get)).energy_wh == 3000


@BOTH
async def test_tc_b_27_csms_an_immediate_reset_of_an_evse_ends_its_transaction(
    server: Server, version: str
) -> None:
    stopped = {"stoppedReason": "ImmediateReset"}
    ended = event("Ended", 3, register_wh=4000, triggerReason="ResetCommand", info=stopped)
    async with station(server, version) as socket:
        for told_event in visit()[:3]:
            await socket.call("TransactionEvent", told_event)
        await reset_of_evse(socket, "Immediate", "Accepted")
        assert (await socket.call("TransactionEvent", ended))[0] == 3

    assert (await rows(ChargingSession.objects.get)).stop_reason == "ImmediateReset"


async def set_profile(socket: RawSocket, answer: str, state: str) -> NetworkProfile:
    """Set slot 2, which the station answers so, and see what became of it."""
    await do(lambda ada: network_profiles.set_slot(ada, slot=2, data=PROFILE, confirmed=True))
    question = await accept(socket, "SetNetworkProfile", status=answer)
    found = await eventually(lambda: NetworkProfile.objects.filter(state=state).first())

    assert question == {"configurationSlot": 2, "connectionData": PROFILE}
    assert found is not None
    return found


@BOTH
async def test_tc_b_42_csms_a_network_profile_is_accepted(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        found = await set_profile(socket, "Accepted", "accepted")

    assert (found.slot, found.url, found.security_profile) == (2, PROFILE["ocppCsmsUrl"], 2)
    assert "geheim" not in str(found.data)


@BOTH
async def test_tc_b_44_csms_a_network_profile_fails(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        assert (await set_profile(socket, "Failed", "failed")).slot == 2


async def test_b09_fr_02_a_network_profile_is_rejected(server: Server) -> None:
    async with station(server) as socket:
        assert (await set_profile(socket, "Rejected", "rejected")).slot == 2


async def test_a_network_profile_is_confirmed(server: Server) -> None:
    async with station(server):
        with pytest.raises(NotConfirmed):
            await do(lambda ada: network_profiles.set_slot(ada, slot=2, data=PROFILE))


async def test_a_network_profile_without_an_answer_is_unknown(server: Server) -> None:
    async with station(server) as socket:
        await do(lambda ada: network_profiles.set_slot(ada, slot=2, data=PROFILE, confirmed=True))
        question = await asked(socket, "SetNetworkProfile")
        assert await eventually(lambda: NetworkProfile.objects.filter(state="unknown").exists())
        await reply(socket, question, {"status": "Accepted"})

        assert await eventually(lambda: NetworkProfile.objects.filter(state="accepted").exists())
