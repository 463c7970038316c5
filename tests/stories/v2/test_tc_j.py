"""Part 6, chapter 3: meter values (block J), and how a station is told which to send."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from stations.models import ChargingSession, MeterSample, ReadingKind, SignedReading, Variable
from stations.services import device_model, variable_keys
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import Payload, Station, station
from tests.stories.v2.station import EVSE, TOKEN, at, event, visit

pytestmark = pytest.mark.usefixtures("ada")
BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
REGISTER = "Energy.Active.Import.Register"
SIGNED = {"signedMeterData": "T0NNRnxBQg==", "signingMethod": "", "encodingMethod": "OCMF", "publicKey": ""}


def sample(value: float, context: str, measurand: str = REGISTER, **fields: Any) -> Payload:
    return {"value": value, "context": context, "measurand": measurand} | fields


def taken(minute: float, *samples: Payload) -> Payload:
    return {"timestamp": at(minute), "sampledValue": list(samples)}


async def meter(there: Station, evse: int, minute: float, *samples: Payload) -> None:
    """Send a MeterValues, which is answered with nothing."""
    assert await there.call("MeterValues", {"evseId": evse, "meterValue": [taken(minute, *samples)]}) == {}


async def metered(there: Station, minute: float, version: str) -> None:
    """Tell the main meter by an event, as a station may instead (J01)."""
    told = {
        "eventId": int(minute), "timestamp": at(minute), "trigger": "Periodic", "actualValue": "5",
        "component": {"name": "FiscalMetering"}, "variable": {"name": "EnergyActiveImportRegister"},
        "eventNotificationType": "PreconfiguredMonitor",
    }  # fmt: skip
    message = {"generatedAt": at(minute), "seqNo": 0, "eventData": [told]}
    assert await there.call("NotifyEvent", message) == {}


def stored() -> list[tuple[str, str, Decimal, int]]:
    """Return what was stored: context, measurand, value, and the session's id or 0; in the order of time."""
    kinds = {kind.pk: kind for kind in ReadingKind.objects.all()}
    return [
        (kinds[row.kind_id].context, kinds[row.kind_id].measurand, row.value, row.session_id)
        for row in MeterSample.objects.order_by("sampled_at", "kind_id")
    ]


async def found() -> list[Any]:
    return await rows(stored)


async def session() -> ChargingSession:
    return await rows(ChargingSession.objects.get)


def began(seq_no: int = 0, **fields: Any) -> Payload:
    """Give the Started of a driver who has shown a token at a known EVSE."""
    return event("Started", seq_no, triggerReason="Authorized", evse=EVSE, idToken=TOKEN) | fields


# --- clock-aligned (J01)


@BOTH
async def test_tc_j_01_csms_clock_aligned_values_without_a_transaction(server: Server, version: str) -> None:
    async with station(server, version) as there:
        for minute in (0, 15, 30):
            for evse in (0, 1, 2):
                await meter(there, evse, minute, sample(1000 + minute + evse, "Sample.Clock"))
            await metered(there, minute, version)

    told = await found()
    assert len(told) == 9
    assert {(context, of_session) for context, _, _, of_session in told} == {("Sample.Clock", 0)}


@BOTH
async def test_tc_j_02_csms_clock_aligned_values_while_a_transaction_runs(
    server: Server, version: str
) -> None:
    first, *_ = visit()
    async with station(server, version) as there:
        await there.tell(first)
        for seq_no, minute in ((1, 15), (2, 30)):
            for evse in (0, 2):
                await meter(there, evse, minute, sample(7, "Sample.Clock"))
            value = [taken(minute, sample(1000 + 100 * seq_no, "Sample.Clock"))]
            told = event("Updated", seq_no, minute=minute, triggerReason="MeterValueClock", meterValue=value)
            assert await there.tell(told) == [{}]
        await eventually(lambda: ChargingSession.objects.filter(energy_wh=200).exists())

    mine = (await session()).pk
    of_clock = [one for one in await found() if one[0] == "Sample.Clock"]
    assert sorted(one[3] for one in of_clock) == [0, 0, 0, 0, mine, mine]


def ended(seq_no: int, *contexts: str, signed: bool = False) -> Payload:
    """Give an Ended with the register at every quarter of an hour, each in its context."""
    extra = {"signedMeterValue": SIGNED} if signed else {}
    values = [
        taken(15 * number, sample(1000 + 500 * number, context, **extra))
        for number, context in enumerate(contexts, start=contexts[0] != "Transaction.Begin")
    ]
    info = {"chargingState": "Idle", "stoppedReason": "EVDisconnected"}
    return event(
        "Ended", seq_no, minute=60, triggerReason="EVCommunicationLost", meterValue=values, info=info
    )


@BOTH
async def test_tc_j_03_csms_clock_aligned_values_of_the_end(server: Server, version: str) -> None:
    async with station(server, version) as there:
        await there.tell(visit()[0], ended(1, "Sample.Clock", "Sample.Clock", "Transaction.End"))

    one = await session()
    assert (one.status, one.meter_stop_wh, one.energy_wh) == ("ended", 2500, 1500)
    assert [context for context, *_ in await found()] == [
        "Transaction.Begin", "Sample.Clock", "Sample.Clock", "Transaction.End",
    ]  # fmt: skip


async def signed_end(server: Server, *contexts: str) -> None:
    """End a transaction with signed values: each is kept as it came, and counted like any other."""
    async with station(server) as there:
        answers = await there.tell(visit()[0], ended(1, *contexts, signed=True))

    one, kept = await session(), await rows(lambda: list(SignedReading.objects.all()))
    assert answers[-1] == {}
    assert (one.energy_wh, {row.session_id for row in kept}) == (1000, {one.pk})
    assert [row.context for row in kept] == list(contexts)
    assert {SIGNED["signedMeterData"] in row.text for row in kept} == {True}


async def test_tc_j_04_csms_signed_clock_aligned_values(server: Server) -> None:
    await signed_end(server, "Sample.Clock", "Transaction.End")


# --- sampled (J02)


@BOTH
async def test_tc_j_07_csms_values_of_the_start_at_a_known_evse(server: Server, version: str) -> None:
    value = [taken(0, sample(1000, "Transaction.Begin"))]
    first = event("Started", 0, triggerReason="CablePluggedIn", evse=EVSE, meterValue=value)
    async with station(server, version) as there:
        assert await there.tell(first | {"idToken": TOKEN}) != []

    one = await session()
    assert (one.meter_start_wh, await found()) == (1000, [("Transaction.Begin", REGISTER, 1000, one.pk)])


@BOTH
async def test_tc_j_08_csms_values_of_the_start_once_the_evse_is_known(server: Server, version: str) -> None:
    first = event("Started", 0, triggerReason="Authorized", idToken=TOKEN, info={"chargingState": "Idle"})
    value = [taken(1, sample(1000, "Transaction.Begin"))]
    plugged = event("Updated", 1, triggerReason="CablePluggedIn", evse=EVSE, meterValue=value)
    charging = event("Updated", 2, triggerReason="ChargingStateChanged", register_wh=1500)
    async with station(server, version) as there:
        await there.tell(first, plugged, charging)
        await eventually(lambda: ChargingSession.objects.filter(energy_wh=500).exists())

    one = await rows(lambda: ChargingSession.objects.select_related("evse").get())
    assert (one.meter_start_wh, one.evse.number, one.id_token) == (1000, 1, "BO-1")


@BOTH
async def test_tc_j_09_csms_sampled_values_while_it_charges(server: Server, version: str) -> None:
    async with station(server, version) as there:
        await there.tell(visit()[0])
        for seq_no in (1, 2, 3):
            value = [
                taken(
                    seq_no,
                    sample(1000 + 100 * seq_no, "Sample.Periodic"),
                    sample(7.4, "Sample.Periodic", "Power.Active.Import", unitOfMeasure={"unit": "W", "multiplier": 3}),
                    sample(40 + seq_no, "Sample.Periodic", "SoC", location="EV"),
                )
            ]  # fmt: skip
            assert await there.tell(event("Updated", seq_no, meterValue=value)) == [{}]
        one = await eventually(lambda: ChargingSession.objects.filter(energy_wh=300).first())

    assert (one.power_w, one.soc_percent) == (7400, 43)
    assert len(await found()) == 10


@BOTH
async def test_tc_j_10_csms_sampled_values_of_the_end(server: Server, version: str) -> None:
    contexts = ("Transaction.Begin", "Sample.Periodic", "Transaction.End")
    async with station(server, version) as there:
        await there.tell(visit()[0], ended(1, *contexts))

    assert ((await session()).energy_wh, (await session()).meter_stop_wh) == (1000, 2000)
    assert [context for context, *_ in await found()] == list(contexts)


async def test_tc_j_11_csms_signed_sampled_values(server: Server) -> None:
    await signed_end(server, "Transaction.Begin", "Sample.Periodic", "Transaction.End")


# --- what the test cases leave open


@BOTH
async def test_j01_fr_21_signed_values_outside_of_a_transaction_are_kept(
    server: Server, version: str
) -> None:
    async with station(server, version) as there:
        for _ in range(2):
            await meter(there, 1, 15, sample(1000, "Sample.Clock", signedMeterValue=SIGNED))

    [kept] = await rows(lambda: list(SignedReading.objects.all()))
    assert (kept.session_id, kept.encoding, len(await found())) == (None, "OCMF", 1)


CONFIGURED = {
    "AlignedDataCtrlr/Interval": "900",
    "AlignedDataCtrlr/SendDuringIdle": "true",
    "SampledDataCtrlr/TxUpdatedInterval": "60",
    "SampledDataCtrlr/TxUpdatedMeasurands": f"{REGISTER},SoC",
    "SampledDataCtrlr/TxEndedInterval": "0",
}


def of_results(status: str) -> Callable[[Payload], Payload]:
    """Give what a station says to SetVariables."""

    def answer(payload: Payload) -> Payload:
        told = payload["setVariableData"]
        return {
            "setVariableResult": [
                {"attributeStatus": status, "component": one["component"], "variable": one["variable"]}
                for one in told
            ]
        }

    return answer


def of_values(payload: Payload) -> Payload:
    """Say that everything is as it was set."""
    return {
        "getVariableResult": [
            {
                "attributeStatus": "Accepted", "component": one["component"], "variable": one["variable"],
                "attributeValue": CONFIGURED[f"{one['component']['name']}/{one['variable']['name']}"],
            }
            for one in payload["getVariableData"]
        ]
    }  # fmt: skip


@BOTH
async def test_j01_j02_which_values_are_sent_and_when_is_set_by_variables(
    server: Server, version: str
) -> None:
    from stations.models import ChargingStation

    changes = [(variable_keys.parse(key), value) for key, value in CONFIGURED.items()]
    reactions = {"SetVariables": of_results("Accepted"), "GetVariables": of_values}
    async with station(server, version, **reactions) as there:
        await rows(lambda: device_model.change(ChargingStation.objects.get(), changes))
        told = Variable.objects.exclude(reported_at=None)
        await eventually(lambda: told.count() == len(CONFIGURED))

    [asked] = there.requests("SetVariables")
    assert [one["attributeValue"] for one in asked["setVariableData"]] == list(CONFIGURED.values())
    assert dict(await rows(lambda: list(told.values_list("name", "value"))))["TxUpdatedInterval"] == "60"
