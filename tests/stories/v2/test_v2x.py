"""Energy in both directions over a real socket (OCPP 2.1 block Q)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from stations.models import BidirectionalSession, ChargingSession, ChargingStation, GridSignal
from stations.services import v2x
from stations.services.errors import InvalidPayload, NotOpen, StationOffline
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.device import asked, reply
from tests.stories.v2.station import at, event, station, visit

pytestmark = pytest.mark.usefixtures("ada")
MODES = ["DC_BPT", "DC"]


async def do(act: Callable[[ChargingStation], Any]) -> Any:
    return await rows(lambda: act(ChargingStation.objects.get()))


async def begun(socket: Any) -> ChargingSession:
    await socket.call("TransactionEvent", visit()[0])
    return await eventually(lambda: ChargingSession.objects.select_related("station").first())


async def permitted(state: str) -> BidirectionalSession:
    return await eventually(lambda: BidirectionalSession.objects.filter(allowed_state=state).first())


def exporting(seq_no: int, wh: float, **info: Any) -> dict[str, Any]:
    """Give an Updated with an export register and a mode."""
    sample = {"value": wh, "measurand": "Energy.Active.Export.Register"}
    told = event("Updated", seq_no, info={"operationMode": "CentralSetpoint"} | info)
    return told | {"meterValue": [{"timestamp": at(seq_no), "sampledValue": [sample]}]}


@pytest.mark.parametrize(("word", "state"), [("Accepted", "accepted"), ("Rejected", "refused")])
async def test_q02_fr_05_notify_allowed_energy_transfer(server: Server, word: str, state: str) -> None:
    async with station(server, "2.1") as socket:
        session = await begun(socket)
        await rows(lambda: v2x.allow(session, MODES))
        request = await asked(socket, "NotifyAllowedEnergyTransfer")
        await reply(socket, request, {"status": word})

        assert (await permitted(state)).allowed == MODES
    assert request[3] == {"transactionId": "tx-1", "allowedEnergyTransfer": MODES}


async def test_a_permission_without_an_answer_is_unknown(server: Server) -> None:
    async with station(server, "2.1") as socket:
        session = await begun(socket)
        await rows(lambda: v2x.allow(session, MODES))
        await asked(socket, "NotifyAllowedEnergyTransfer")

        await permitted("unknown")


@pytest.mark.parametrize("modes", [[], ["DC", "sideways"]])
async def test_only_known_transfers_can_be_permitted(server: Server, modes: list[str]) -> None:
    async with station(server, "2.1") as socket:
        session = await begun(socket)
        with pytest.raises(InvalidPayload):
            await rows(lambda: v2x.allow(session, modes))


async def test_nothing_is_permitted_to_a_session_that_is_over(server: Server) -> None:
    async with station(server, "2.1") as socket:
        for one in visit():
            await socket.call("TransactionEvent", one)
        session = await eventually(lambda: ChargingSession.objects.ended().select_related("station").first())
        with pytest.raises(NotOpen):
            await rows(lambda: v2x.allow(session, MODES))


@pytest.mark.parametrize(("word", "state"), [("Accepted", "accepted"), ("Rejected", "refused")])
async def test_q11_afrr_signal(server: Server, word: str, state: str) -> None:
    async with station(server, "2.1") as socket:
        await do(lambda ada: v2x.signal(ada, -42))
        request = await asked(socket, "AFRRSignal")
        await reply(socket, request, {"status": word})

        await eventually(lambda: GridSignal.objects.filter(state=state).exists())
    assert request[3]["signal"] == -42


async def test_a_grid_signal_does_not_wait_for_a_station_that_is_away(server: Server) -> None:
    async with station(server, "2.1"):
        pass
    await eventually(lambda: ChargingStation.objects.filter(is_online=False, ocpp_version="2.1").exists())

    with pytest.raises(StationOffline):
        await do(lambda ada: v2x.signal(ada, 1))


async def test_operation_mode_and_exported_energy_are_kept_apart_from_what_was_charged(
    server: Server,
) -> None:
    async with station(server, "2.1") as socket:
        session = await begun(socket)
        for seq_no, wh in ((1, 500), (2, 750), (3, 2000)):
            await socket.call("TransactionEvent", exporting(seq_no, wh))

        kept = await eventually(lambda: BidirectionalSession.objects.filter(exported_wh=1500).first())
    assert kept.operation_mode == "CentralSetpoint"
    assert await rows(lambda: ChargingSession.objects.get(pk=session.pk).energy_wh) == Decimal(0)


async def test_a_late_event_does_not_bring_an_old_mode_back(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await begun(socket)
        await socket.call("TransactionEvent", exporting(3, 900, operationMode="Idle"))
        await socket.call("TransactionEvent", exporting(2, 500, operationMode="ChargingOnly"))

        kept = await eventually(lambda: BidirectionalSession.objects.filter(exported_wh=400).first())
    assert kept.operation_mode == "Idle"
