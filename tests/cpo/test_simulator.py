"""The simulated charger keeps its own promises, against a central system of thirty lines."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.charger import (
    CallFailed,
    Charger,
    Memory,
    NotAuthorized,
    StoryClock,
    answers_late,
    keeps_silent,
    rejects,
    sends_garbage,
)

ACCEPTED = {"status": "Accepted"}


class CentralSystem:
    """Answers every call from a table; `call` sends one of its own to the charger that came last."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {
            "BootNotification": {
                "status": "Accepted",
                "interval": 300,
                "currentTime": "2026-01-01T00:00:00Z",
            },
            "Authorize": {"idTagInfo": ACCEPTED},
            "StartTransaction": {"transactionId": 7, "idTagInfo": ACCEPTED},
        }
        self.deaf: set[str] = set()
        self.pending: dict[str, asyncio.Future[Any]] = {}
        self.socket: ServerConnection | None = None

    async def serve(self, socket: ServerConnection) -> None:
        self.socket = socket
        async for text in socket:
            try:
                kind, message_id, *rest = json.loads(text)
            except ValueError:
                continue
            if kind != 2:
                self.pending.pop(message_id).set_result([kind, *rest])
                continue
            self.received.append((rest[0], rest[1]))
            answer = self.answers.get(rest[0], {})
            if rest[0] in self.deaf:
                continue
            frame = [4, message_id, answer, "", {}] if isinstance(answer, str) else [3, message_id, answer]
            await socket.send(json.dumps(frame))

    async def call(self, action: str, payload: dict[str, Any] | None = None, timeout_s: float = 2) -> Any:
        assert self.socket is not None
        message_id = f"cs-{len(self.received)}-{action}"
        self.pending[message_id] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps([2, message_id, action, payload or {}]))
        return await asyncio.wait_for(self.pending[message_id], timeout_s)

    def payloads(self, action: str) -> list[dict[str, Any]]:
        return [payload for name, payload in self.received if name == action]


@pytest.fixture
async def central() -> AsyncIterator[CentralSystem]:
    system = CentralSystem()
    async with serve(system.serve, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:  # type: ignore[list-item]
        system.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp"
        yield system


@pytest.fixture
async def ada(central: CentralSystem) -> AsyncIterator[Charger]:
    async with Charger(central.url, "ADA-1", connectors=2, meter_interval_s=600) as charger:
        await charger.come_up()
        yield charger


async def test_the_energy_of_a_story_is_exact(ada: Charger, central: CentralSystem) -> None:
    transaction = await ada.charge("BO-1", energy_wh=7_401, duration_s=3_600)

    assert transaction.energy_wh == 7_401
    assert [wh for _, wh in transaction.samples] == [1233, 2467, 3700, 4934, 6167]
    assert central.payloads("StopTransaction")[0]["meterStop"] == 7_401


async def test_the_register_goes_on_where_it_stood(ada: Charger, central: CentralSystem) -> None:
    await ada.charge("BO-1", energy_wh=1_001, duration_s=700)
    await ada.charge("BO-1", energy_wh=999)

    starts = [payload["meterStart"] for payload in central.payloads("StartTransaction")]
    stops = [payload["meterStop"] for payload in central.payloads("StopTransaction")]
    assert (starts, stops) == ([0, 1_001], [1_001, 2_000])


async def test_it_tells_its_connectors_apart(ada: Charger, central: CentralSystem) -> None:
    both = [ada.charge("BO-1", 500, 3600, connector=1), ada.charge("BO-2", 900, 3600, connector=2)]
    one, two = await asyncio.gather(*both)

    assert (one.energy_wh, two.energy_wh) == (500, 900)


async def test_a_refused_token_starts_nothing(ada: Charger, central: CentralSystem) -> None:
    central.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}

    with pytest.raises(NotAuthorized, match="Blocked"):
        await ada.charge("BO-1", 500, 60)

    assert central.payloads("StartTransaction") == []


async def test_it_stops_a_transaction_that_was_not_accepted(ada: Charger, central: CentralSystem) -> None:
    central.answers["StartTransaction"] = {"transactionId": 8, "idTagInfo": {"status": "Invalid"}}

    transaction = await ada.charge("BO-1", 5_000, 3_600)

    assert (transaction.reason, transaction.energy_wh) == ("DeAuthorized", 0)


async def test_offline_messages_come_later_in_order_and_once(ada: Charger, central: CentralSystem) -> None:
    await ada.kill()
    transaction = await ada.charge("BO-1", 5_000, 3_600)
    assert (transaction.id, central.payloads("StartTransaction")) == (None, [])

    await ada.come_up()
    await ada.outbox.drained()

    kept = [name for name, _ in central.received if "Transaction" in name or name == "MeterValues"]
    assert kept == ["StartTransaction", *["MeterValues"] * 5, "StopTransaction"]
    assert {payload["transactionId"] for payload in central.payloads("MeterValues")} == {7}


async def test_it_repeats_until_it_is_answered(ada: Charger, central: CentralSystem) -> None:
    central.deaf, ada.outbox.timeout_s = {"StopTransaction"}, 0.1
    charging = asyncio.create_task(ada.charge("BO-1", 500, 60))
    await asyncio.sleep(0.5)

    central.deaf = set()
    await asyncio.wait_for(charging, 5)

    stops = [frame.message for frame in ada.frames if '"StopTransaction"' in frame.text]
    assert len(stops) >= 2
    assert len({stop[1] for stop in stops}) == 1


async def test_a_repetition_may_carry_a_new_message_id(central: CentralSystem) -> None:
    central.deaf = {"StartTransaction"}
    async with Charger(central.url, "ADA-2", same_message_ids=False, call_timeout_s=0.1) as ada:
        await ada.connect()
        charging = asyncio.create_task(ada.charge("BO-1", 500, 60))
        await asyncio.sleep(0.5)
        central.deaf = set()
        await asyncio.wait_for(charging, 5)

        starts = [frame.message[1] for frame in ada.frames if '"StartTransaction"' in frame.text]
    assert len(set(starts)) == len(starts) > 1


async def test_a_message_is_dropped_after_as_many_errors_as_configured(central: CentralSystem) -> None:
    central.answers["StartTransaction"] = "InternalError"
    async with Charger(central.url, "ADA-3", attempts=2) as ada:
        ada.outbox.retry_interval_s = 0
        await ada.connect()
        transaction = await ada.charge("BO-1", 500, 60)

        assert [record.action for record in ada.outbox.dropped] == ["StartTransaction"]
        assert central.payloads("StopTransaction")[0]["transactionId"] == -1
    assert transaction.id is None


async def test_a_remote_start_charges_until_the_remote_stop(ada: Charger, central: CentralSystem) -> None:
    ada.clock = StoryClock(pace=3_600)
    assert await central.call("RemoteStartTransaction", {"idTag": "BO-1"}) == [3, ACCEPTED]
    await asyncio.sleep(0.5)

    assert await central.call("RemoteStopTransaction", {"transactionId": 7}) == [3, ACCEPTED]
    await asyncio.sleep(0.2)

    (stop,) = central.payloads("StopTransaction")
    assert stop["reason"] == "Remote"
    assert stop["meterStop"] > 1_000


async def test_a_remote_stop_of_something_else_is_rejected(ada: Charger, central: CentralSystem) -> None:
    assert await central.call("RemoteStopTransaction", {"transactionId": 99}) == [3, {"status": "Rejected"}]


async def test_a_busy_connector_is_switched_off_after_the_transaction(
    ada: Charger, central: CentralSystem
) -> None:
    ada.clock = StoryClock(pace=3_600)
    charging = asyncio.create_task(ada.charge("BO-1", 500, 600))
    await asyncio.sleep(0.1)

    answer = await central.call("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
    await charging

    assert answer == [3, {"status": "Scheduled"}]
    assert ada.outlets[1].status == "Unavailable"


async def test_a_reset_ends_what_runs_and_boots_again(ada: Charger, central: CentralSystem) -> None:
    ada.clock, ada.reboot_s = StoryClock(pace=60), 0
    charging = asyncio.create_task(ada.charge("BO-1"))
    await asyncio.sleep(0.1)

    await central.call("Reset", {"type": "Hard"})
    await charging
    await asyncio.sleep(0.3)

    assert central.payloads("StopTransaction")[0]["reason"] == "HardReset"
    assert len(central.payloads("BootNotification")) == 2


async def test_it_sends_what_it_is_asked_to_send(ada: Charger, central: CentralSystem) -> None:
    central.received.clear()

    answer = await central.call(
        "TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 2}
    )
    await asyncio.sleep(0.1)

    assert answer == [3, ACCEPTED]
    assert [payload["connectorId"] for payload in central.payloads("StatusNotification")] == [2]


async def test_its_configuration_can_be_read_and_changed(ada: Charger, central: CentralSystem) -> None:
    change = {"key": "MeterValueSampleInterval", "value": "15"}
    assert await central.call("ChangeConfiguration", change) == [3, ACCEPTED]

    _, told = await central.call("GetConfiguration", {"key": ["MeterValueSampleInterval", "Nonsense"]})

    assert told["configurationKey"][0]["value"] == "15"
    assert told["unknownKey"] == ["Nonsense"]


async def test_what_it_does_not_know_it_does_not_implement(ada: Charger, central: CentralSystem) -> None:
    assert (await central.call("MakeCoffee"))[:2] == [4, "NotImplemented"]


async def test_a_test_may_make_it_reject_or_be_late(ada: Charger, central: CentralSystem) -> None:
    ada.reactions["ClearCache"] = answers_late(0, rejects())

    assert await central.call("ClearCache") == [3, {"status": "Rejected"}]


@pytest.mark.parametrize("reaction", [keeps_silent(), sends_garbage()])
async def test_a_test_may_make_it_silent_or_mad(ada: Charger, central: CentralSystem, reaction: Any) -> None:
    ada.reactions["ClearCache"] = reaction

    with pytest.raises(TimeoutError):
        await central.call("ClearCache", timeout_s=0.2)


async def test_an_error_answer_is_raised_with_its_code(ada: Charger, central: CentralSystem) -> None:
    central.answers["DataTransfer"] = "NotSupported"

    with pytest.raises(CallFailed) as failed:
        await ada.call("DataTransfer", {"vendorId": "x"})

    assert failed.value.code == "NotSupported"


async def test_a_loss_of_power_ends_the_transaction_at_the_next_boot(
    central: CentralSystem, tmp_path: Any
) -> None:
    memory = Memory(tmp_path / "ADA-1.json")
    ada = Charger(central.url, "ADA-1", memory=memory)
    await ada.connect()
    await ada.plug()
    await ada.start_transaction("BO-1")
    await ada.kill()
    await ada.close()

    async with Charger(central.url, "ADA-1", memory=memory) as reborn:
        await reborn.come_up()
        await reborn.outbox.drained()

    (stop,) = central.payloads("StopTransaction")
    assert (stop["transactionId"], stop["reason"]) == (7, "PowerLoss")
