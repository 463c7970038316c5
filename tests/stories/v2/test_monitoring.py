"""Monitoring over a real socket: monitors reported, set and cleared, base and level (N02 to N06)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from stations.models import ChargingStation, Command, DeviceReport, MonitoringState, VariableMonitor
from stations.services import monitoring, variable_keys
from stations.services.monitoring import Wanted
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.device import EVSE_STATE, NOW, accept, asked, part, reply, told
from tests.stories.v2.station import station

pytestmark = pytest.mark.usefixtures("ada")
BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
STATE = variable_keys.parse("EVSE{1}/AvailabilityState")
POWER = variable_keys.parse("ChargingStation/Power")
WHOLE = {"component": {"name": "ChargingStation"}, "variable": {"name": "AvailabilityState"}}
DELTA = {"type": "Delta", "severity": 8}


async def do(act: Callable[[ChargingStation], Any]) -> Any:
    return await rows(lambda: act(ChargingStation.objects.get()))


async def monitors() -> list[VariableMonitor]:
    return await rows(lambda: list(VariableMonitor.objects.all()))


def monitor(number: int, *, severity: int = 8, version: str = "2.0.1") -> dict[str, Any]:
    """Give a MonitoringDataType with one monitor."""
    about = {"id": number, "transaction": False, "value": 1, "type": "Delta", "severity": severity}
    if version == "2.1":
        about["eventNotificationType"] = "CustomMonitor"
    return EVSE_STATE | {"variableMonitoring": [about]}


def report(request_id: int, *numbers: int, version: str = "2.0.1") -> dict[str, Any]:
    found = [monitor(number, version=version) for number in numbers]
    return {"requestId": request_id, "seqNo": 0, "generatedAt": NOW, "monitor": found}


async def read_report(server: Server, version: str, **question: Any) -> tuple[Any, Any]:
    """Ask for a report twice: nothing fits the first time, one monitor the second time."""
    async with station(server, version) as socket:
        await do(lambda ada: monitoring.read(ada, **question))
        nothing = await accept(socket, "GetMonitoringReport", status="EmptyResultSet")
        await do(lambda ada: monitoring.read(ada, **question))
        something = await accept(socket, "GetMonitoringReport")
        answer = await socket.call(
            "NotifyMonitoringReport", report(something["requestId"], 7, version=version)
        )

    assert answer[2] == {}
    assert [found.monitor_id for found in await monitors()] == [7]
    return nothing, something


@BOTH
async def test_tc_n_01_csms_monitors_by_criteria(server: Server, version: str) -> None:
    nothing, _ = await read_report(server, version, criteria=["DeltaMonitoring"])

    assert nothing["monitoringCriteria"] == ["DeltaMonitoring"]
    assert "componentVariable" not in nothing


@BOTH
async def test_tc_n_02_csms_monitors_of_a_variable(server: Server, version: str) -> None:
    nothing, _ = await read_report(server, version, keys=[STATE])

    assert nothing["componentVariable"] == [EVSE_STATE]
    assert "monitoringCriteria" not in nothing


@BOTH
async def test_tc_n_03_csms_monitors_by_criteria_and_variable(server: Server, version: str) -> None:
    nothing, _ = await read_report(server, version, criteria=["ThresholdMonitoring"], keys=[POWER])

    assert nothing["monitoringCriteria"] == ["ThresholdMonitoring"]
    assert nothing["componentVariable"][0]["variable"] == {"name": "Power"}


@BOTH
async def test_tc_n_47_csms_monitors_of_everything(server: Server, version: str) -> None:
    """GetMonitoringReport and NotifyMonitoringReport (N02.FR.11)."""
    async with station(server, version) as socket:
        await socket.call("NotifyMonitoringReport", report(99, 1, version=version))
        await do(monitoring.read)
        question = await accept(socket, "GetMonitoringReport")
        await socket.call("NotifyMonitoringReport", report(question["requestId"], 2, 3, version=version))

    assert set(question) == {"requestId"}
    assert [found.monitor_id for found in await monitors()] == [2, 3]
    assert (await rows(DeviceReport.objects.get)).state == "complete"


@BOTH
async def test_tc_n_05_csms_monitoring_bases(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        for base in ("All", "FactoryDefault", "HardWiredOnly"):
            await do(lambda ada, base=base: monitoring.set_base(ada, base))
            question = await accept(socket, "SetMonitoringBase")
            assert question == {"monitoringBase": base}
            await accept(socket, "GetMonitoringReport", status="EmptyResultSet")

        state = await eventually(lambda: MonitoringState.objects.filter(base="HardWiredOnly").first())
    assert state.base_answer == "Accepted"


@BOTH
async def test_tc_n_08_csms_sets_a_monitor(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        await do(lambda ada: monitoring.set_monitors(ada, [Wanted(STATE, "Delta", Decimal(1), 8)]))
        question = await asked(socket, "SetVariableMonitoring")
        result = EVSE_STATE | DELTA | {"status": "Accepted", "id": 5}
        await reply(socket, question, {"setMonitoringResult": [result]})
        found = await eventually(lambda: VariableMonitor.objects.filter(monitor_id=5).first())

    assert question[3] == {"setMonitoringData": [EVSE_STATE | DELTA | {"value": 1}]}
    assert (found.value, found.type, found.evse_number) == (1, "Delta", 1)


@BOTH
async def test_tc_n_09_csms_sets_several_monitors(server: Server, version: str) -> None:
    wanted = [
        Wanted(key, "Delta", Decimal(1), 8)
        for key in (STATE, variable_keys.parse("ChargingStation/AvailabilityState"))
    ]
    async with station(server, version) as socket:
        await do(lambda ada: monitoring.set_monitors(ada, wanted))
        question = await asked(socket, "SetVariableMonitoring")
        results = [
            place | DELTA | {"status": "Accepted", "id": n} for n, place in enumerate((WHOLE, EVSE_STATE))
        ]
        await reply(socket, question, {"setMonitoringResult": results})
        await eventually(lambda: VariableMonitor.objects.count() == 2)

    assert [data["component"]["name"] for data in question[3]["setMonitoringData"]] == [
        "EVSE",
        "ChargingStation",
    ]


@pytest.mark.parametrize(
    "status", ["UnknownComponent", "UnknownVariable", "UnsupportedMonitorType", "Rejected", "Duplicate"]
)
async def test_n04_a_monitor_that_is_not_accepted_is_none(server: Server, status: str) -> None:
    async with station(server) as socket:
        await do(lambda ada: monitoring.set_monitors(ada, [Wanted(STATE, "Delta", Decimal(1), 8)]))
        question = await asked(socket, "SetVariableMonitoring")
        await reply(socket, question, {"setMonitoringResult": [EVSE_STATE | DELTA | {"status": status}]})
        await eventually(lambda: Command.objects.filter(status="answered").exists())

    assert await monitors() == []


@BOTH
async def test_tc_n_16_csms_a_monitoring_level_that_is_taken(server: Server, version: str) -> None:
    assert await level(server, version, "Accepted") == (4, "Accepted")


@BOTH
async def test_tc_n_17_csms_a_monitoring_level_that_is_out_of_range(server: Server, version: str) -> None:
    assert await level(server, version, "Rejected") == (None, "Rejected")


async def level(server: Server, version: str, status: str) -> tuple[int | None, str]:
    """Set the level to 4 at a station that answers so; return what is known of it then."""
    async with station(server, version) as socket:
        await do(lambda ada: monitoring.set_level(ada, 4))
        assert await accept(socket, "SetMonitoringLevel", status=status) == {"severity": 4}
        state = await eventually(MonitoringState.objects.first)
    return state.level, state.level_answer


@BOTH
async def test_tc_n_18_csms_clears_no_more_monitors_at_once_than_the_station_takes(
    server: Server, version: str
) -> None:
    items = {
        "component": {"name": "MonitoringCtrlr"},
        "variable": {"name": "ItemsPerMessage", "instance": "ClearVariableMonitoring"},
    }
    async with station(server, version) as socket:
        await socket.call("NotifyReport", part(9, 0, [told(items, "2")]))
        await do(lambda ada: monitoring.clear(ada, [1, 2, 3]))
        ids = []
        for _ in range(2):
            question = await asked(socket, "ClearVariableMonitoring")
            ids.append(question[3]["id"])
            results = [{"id": number, "status": "NotFound"} for number in question[3]["id"]]
            await reply(socket, question, {"clearMonitoringResult": results})

    assert ids == [[1, 2], [3]]


@BOTH
@pytest.mark.parametrize(("status", "left"), [("Accepted", []), ("NotFound", []), ("Rejected", [7])])
async def test_tc_n_44_csms_what_becomes_of_a_clear(
    server: Server, version: str, status: str, left: list[int]
) -> None:
    async with station(server, version) as socket:
        await socket.call("NotifyMonitoringReport", report(99, 7, version=version))
        await do(lambda ada: monitoring.clear(ada, [7]))
        question = await asked(socket, "ClearVariableMonitoring")
        await reply(socket, question, {"clearMonitoringResult": [{"id": 7, "status": status}]})
        await eventually(lambda: Command.objects.filter(status="answered").exists())

    assert [found.monitor_id for found in await monitors()] == left


async def test_n02_a_question_that_is_never_answered_is_told_so(server: Server) -> None:
    async with station(server) as socket:
        await do(monitoring.read)
        await asked(socket, "GetMonitoringReport")

        assert await eventually(lambda: DeviceReport.objects.filter(state="unanswered").exists())
