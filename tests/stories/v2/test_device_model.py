"""Device model over a real socket: reports in parts, variables read and set (B05 to B08)."""

from collections.abc import Callable
from typing import Any

import pytest

from stations.models import ChargingStation, Command, Connector, DeviceReport, Variable
from stations.services import configuration, device_model, variable_keys
from stations.services.errors import NotConfirmed
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.device import (
    EVSE_STATE,
    ITEMS,
    REMOTE_START,
    THRESHOLD,
    accept,
    asked,
    connector,
    part,
    reply,
    told,
)
from tests.stories.v2.station import station

pytestmark = pytest.mark.usefixtures("ada")
BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
OFFLINE = "OCPPCommCtrlr/OfflineThreshold"
REMOTE = "AuthCtrlr/AuthorizeRemoteStart"


async def do(act: Callable[[ChargingStation], Any]) -> Any:
    return await rows(lambda: act(ChargingStation.objects.get()))


async def value(text: str) -> Variable:
    key = variable_keys.parse(text)._asdict()
    return await eventually(lambda: Variable.objects.filter(reported_at__isnull=False, **key).first())


async def report_is(state: str) -> DeviceReport:
    return await eventually(lambda: DeviceReport.objects.filter(state=state).last())


def results(places: list[dict[str, Any]], values: list[str]) -> dict[str, Any]:
    found = [
        place | {"attributeStatus": "Accepted", "attributeValue": text}
        for place, text in zip(places, values, strict=True)
    ]
    return {"getVariableResult": found}


@BOTH
async def test_tc_b_06_csms_reads_one_variable(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        await do(lambda ada: configuration.read(ada, keys=[OFFLINE]))
        question = await asked(socket, "GetVariables")
        await reply(socket, question, results([THRESHOLD], ["600"]))

        assert question[3] == {"getVariableData": [THRESHOLD]}
        assert (await value(OFFLINE)).value == "600"


@BOTH
async def test_tc_b_07_csms_reads_several_variables(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        await do(lambda ada: configuration.read(ada, keys=[OFFLINE, REMOTE]))
        question = await asked(socket, "GetVariables")
        await reply(socket, question, results([THRESHOLD, REMOTE_START], ["600", "true"]))

        assert question[3] == {"getVariableData": [THRESHOLD, REMOTE_START]}
        assert (await value(REMOTE)).value == "true"


@BOTH
async def test_tc_b_08_csms_asks_for_no_more_items_than_the_station_takes(
    server: Server, version: str
) -> None:
    names = [
        f"DeviceDataCtrlr/{name}[{of}]"
        for name in ("ItemsPerMessage", "BytesPerMessage")
        for of in ("GetReport", "GetVariables")
    ]
    async with station(server, version) as socket:
        await socket.call("NotifyReport", part(9, 0, [told(ITEMS, "4")]))
        await do(lambda ada: configuration.read(ada, keys=[*names, REMOTE]))
        sizes = []
        for _ in range(2):
            question = await asked(socket, "GetVariables")
            places = question[3]["getVariableData"]
            sizes.append(len(places))
            await reply(socket, question, results(places, ["4"] * len(places)))

    assert sizes == [4, 1]


async def test_b06_fr_16_no_message_is_longer_than_the_station_takes(server: Server) -> None:
    octets = ITEMS | {"variable": {"name": "BytesPerMessage", "instance": "GetVariables"}}
    async with station(server) as socket:
        await socket.call("NotifyReport", part(9, 0, [told(octets, "250")]))
        commands = await do(lambda ada: configuration.read(ada, keys=[OFFLINE, REMOTE]))

    assert len(commands) == 2


@BOTH
async def test_tc_b_09_csms_sets_one_variable_and_reads_it_again(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        await do(lambda ada: configuration.change(ada, key=OFFLINE, value="123"))
        question = await asked(socket, "SetVariables")
        await reply(socket, question, {"setVariableResult": [THRESHOLD | {"attributeStatus": "Accepted"}]})
        verification = await asked(socket, "GetVariables")
        await reply(socket, verification, results([THRESHOLD], ["123"]))

        assert question[3] == {"setVariableData": [THRESHOLD | {"attributeValue": "123"}]}
        row = await value(OFFLINE)
    assert (row.value, row.answer) == ("123", "Accepted")


@BOTH
async def test_tc_b_10_csms_sets_several_variables(server: Server, version: str) -> None:
    changes = [(variable_keys.parse(OFFLINE), "123"), (variable_keys.parse(REMOTE), "false")]
    async with station(server, version) as socket:
        await do(lambda ada: device_model.change(ada, changes))
        question = await asked(socket, "SetVariables")

    assert question[3]["setVariableData"] == [
        THRESHOLD | {"attributeValue": "123"}, REMOTE_START | {"attributeValue": "false"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "status",
    ["Rejected", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType", "RebootRequired"],
)
async def test_b05_every_other_answer_to_a_change_is_kept(server: Server, status: str) -> None:
    info = {"attributeStatusInfo": {"reasonCode": "ReadOnly"}}
    async with station(server) as socket:
        await socket.call("NotifyReport", part(9, 0, [told(THRESHOLD, "600")]))
        await do(lambda ada: configuration.change(ada, key=OFFLINE, value="123"))
        question = await asked(socket, "SetVariables")
        await reply(socket, question, {"setVariableResult": [THRESHOLD | {"attributeStatus": status} | info]})

        row = await eventually(lambda: Variable.objects.filter(answer=status).first())
    assert row.answer_reason == "ReadOnly"
    assert row.is_supported == (status in ("Rejected", "RebootRequired"))


async def test_a_variable_that_can_cut_the_station_off_is_confirmed(server: Server) -> None:
    key = "OCPPCommCtrlr/NetworkConfigurationPriority"
    async with station(server):
        with pytest.raises(NotConfirmed):
            await do(lambda ada: configuration.change(ada, key=key, value="1"))


async def test_a_secret_of_a_report_is_kept_nowhere(server: Server) -> None:
    password = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    async with station(server) as socket:
        await socket.call("NotifyReport", part(9, 0, [told(password, "geheim-geheim-geheim")]))

    assert (await value("SecurityCtrlr/BasicAuthPassword")).value is None
    from stations.models import Frame

    assert not await rows(lambda: Frame.objects.filter(text__contains="geheim").exists())


async def base_report(server: Server, version: str, base: str) -> None:
    """Ask for a base report, get it, and find what it told."""
    async with station(server, version) as socket:
        await do(lambda ada: device_model.ask_base(ada, base=base))
        question = await accept(socket, "GetBaseReport")
        answer = await socket.call("NotifyReport", part(question["requestId"], 0, [told(THRESHOLD, "600")]))

        report = await report_is("complete")
    assert (question["reportBase"], answer[2], report.count) == (base, {}, 1)
    assert (await value(OFFLINE)).value == "600"


@BOTH
async def test_tc_b_12_csms_a_configuration_inventory(server: Server, version: str) -> None:
    await base_report(server, version, "ConfigurationInventory")


@BOTH
async def test_tc_b_13_csms_a_full_inventory(server: Server, version: str) -> None:
    await base_report(server, version, "FullInventory")


@BOTH
async def test_tc_b_14_csms_a_summary_inventory(server: Server, version: str) -> None:
    await base_report(server, version, "SummaryInventory")


@BOTH
async def test_tc_b_18_csms_report_by_criteria_and_variable(server: Server, version: str) -> None:
    key = variable_keys.parse("EVSE{1}/AvailabilityState")
    async with station(server, version) as socket:
        await do(lambda ada: device_model.ask_some(ada, criteria=["Problem"], keys=[key]))
        nothing = await accept(socket, "GetReport", status="EmptyResultSet")
        await report_is("empty")
        await do(lambda ada: device_model.ask_some(ada, criteria=["Available"], keys=[key]))
        question = await accept(socket, "GetReport")
        await socket.call("NotifyReport", part(question["requestId"], 0, [told(EVSE_STATE, "Available")]))

    assert (nothing["componentCriteria"], nothing["componentVariable"]) == (["Problem"], [EVSE_STATE])
    assert question["componentCriteria"] == ["Available"]
    assert (await value("EVSE{1}/AvailabilityState")).value == "Available"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 1, 0, 2, 2)])
async def test_b07_parts_come_in_any_order_and_doubled(server: Server, order: tuple[int, ...]) -> None:
    places = [THRESHOLD, REMOTE_START, EVSE_STATE]
    async with station(server) as socket:
        await do(device_model.ask_base)
        number = (await accept(socket, "GetBaseReport"))["requestId"]
        for seq_no in order:
            await socket.call(
                "NotifyReport", part(number, seq_no, [told(places[seq_no], "1")], tbc=seq_no < 2)
            )

        report = await report_is("complete")
    assert (report.parts, report.count) == ([0, 1, 2], 3)


async def test_b07_a_report_with_a_gap_stays_open(server: Server) -> None:
    async with station(server) as socket:
        await do(device_model.ask_base)
        number = (await accept(socket, "GetBaseReport"))["requestId"]
        await socket.call("NotifyReport", part(number, 1, [told(THRESHOLD, "1")]))

        assert (await report_is("receiving")).parts == [1]


async def test_what_a_full_inventory_does_not_name_is_gone(server: Server) -> None:
    async with station(server) as socket:
        old = part(9, 0, [told(REMOTE_START, "true")]) | {"generatedAt": "2026-11-19T09:00:00Z"}
        await socket.call("NotifyReport", old)
        await do(device_model.ask_base)
        number = (await accept(socket, "GetBaseReport"))["requestId"]
        await socket.call("NotifyReport", part(number, 0, [told(THRESHOLD, "1")]))

    assert not (await value(REMOTE)).is_supported


async def test_an_older_report_that_comes_late_changes_no_value(server: Server) -> None:
    async with station(server) as socket:
        await socket.call("NotifyReport", part(9, 0, [told(THRESHOLD, "new")]))
        old = part(8, 0, [told(THRESHOLD, "old")]) | {"generatedAt": "2026-11-19T09:00:00Z"}
        await socket.call("NotifyReport", old)

    assert (await value(OFFLINE)).value == "new"


async def test_a_report_brings_connectors_into_being(server: Server) -> None:
    async with station(server) as socket:
        await do(device_model.ask_base)
        number = (await accept(socket, "GetBaseReport"))["requestId"]
        await socket.call("NotifyReport", part(number, 0, [told(connector(2, evse=3), "Available")]))

    assert await rows(Connector.objects.filter(evse__number=3, number=2).exists)


async def test_b07_fr_02_an_inventory_that_is_not_there_is_asked_for_smaller(server: Server) -> None:
    async with station(server) as socket:
        await do(device_model.ask_base)
        bases = [
            (await accept(socket, "GetBaseReport", status=status))["reportBase"]
            for status in ("NotSupported", "EmptyResultSet", "NotSupported")
        ]

    assert bases == ["FullInventory", "ConfigurationInventory", "SummaryInventory"]


async def test_a_report_that_is_never_answered_is_told_so(server: Server) -> None:
    async with station(server) as socket:
        await do(device_model.ask_base)
        await asked(socket, "GetBaseReport")

        assert await report_is("unanswered")


async def test_a_late_answer_opens_the_report_again(server: Server) -> None:
    async with station(server) as socket:
        await do(device_model.ask_base)
        question = await asked(socket, "GetBaseReport")
        await report_is("unanswered")
        await reply(socket, question, {"status": "Accepted"})

        assert await report_is("receiving")


async def test_a_wish_is_drift_and_is_brought_in_line(server: Server) -> None:
    from stations.services import configuration_templates

    async with station(server) as socket:
        await do(lambda ada: configuration.desire(ada, key=OFFLINE, value="300"))
        await socket.call("NotifyReport", part(9, 0, [told(THRESHOLD, "600")]))
        assert (await value(OFFLINE)).is_drifting
        await do(lambda ada: configuration_templates.bring_in_line(ada, requested_by="ada"))
        question = await asked(socket, "SetVariables")

    assert question[3] == {"setVariableData": [THRESHOLD | {"attributeValue": "300"}]}


async def test_a_change_waits_for_a_station_that_is_offline(server: Server) -> None:
    async with station(server):
        pass
    await eventually(lambda: not ChargingStation.objects.get().is_online)
    await do(lambda ada: configuration.change(ada, key=OFFLINE, value="9", queue_offline=True))
    async with station(server) as socket:
        question = await asked(socket, "SetVariables")

    assert question[3] == {"setVariableData": [THRESHOLD | {"attributeValue": "9"}]}
    assert await rows(Command.objects.count) == 1
