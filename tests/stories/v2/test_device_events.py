"""NotifyEvent over a real socket: history, incidents, connectors that tell their state by events (N07, N08, G01)."""

from typing import Any

import pytest

from stations.models import Connector, DeviceEvent, ReviewItem, StationIncident
from tests.processes import Server
from tests.stories.story import rows
from tests.stories.v2.device import EVSE_STATE, NOW, connector
from tests.stories.v2.station import at, station
from tests.stories.v2.test_monitoring import monitor, report

pytestmark = pytest.mark.usefixtures("ada")
BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
TEMPERATURE = {
    "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 1}},
    "variable": {"name": "Temperature"},
}
PROBLEM = {"component": {"name": "PowerContactor", "evse": {"id": 1}}, "variable": {"name": "Problem"}}


def event(
    number: int = 1, place: dict[str, Any] | None = None, *, minute: float = 0, **fields: Any
) -> dict[str, Any]:
    """Give an EventDataType: a grave threshold of monitor 7 unless said otherwise."""
    basics = {
        "eventId": number, "timestamp": at(minute), "trigger": "Alerting", "actualValue": "95",
        "eventNotificationType": "CustomMonitor", "variableMonitoringId": 7,
    }  # fmt: skip
    return basics | (place or TEMPERATURE) | fields


def message(*told: dict[str, Any]) -> dict[str, Any]:
    return {"generatedAt": NOW, "seqNo": 0, "eventData": list(told)}


async def tell(server: Server, *messages: dict[str, Any], version: str = "2.0.1", severity: int = 2) -> None:
    """Report monitor 7 of this severity, then say these events; each is answered with nothing."""
    known = report(99) | {
        "monitor": [
            TEMPERATURE
            | {"variableMonitoring": monitor(7, severity=severity, version=version)["variableMonitoring"]}
        ]
    }
    async with station(server, version) as socket:
        await socket.call("NotifyMonitoringReport", known)
        for told in messages:
            answer = await socket.call("NotifyEvent", told)
            assert (answer[0], answer[2]) == (3, {}), answer


async def history() -> list[DeviceEvent]:
    return await rows(lambda: list(DeviceEvent.objects.order_by("at", "event_id")))


async def incident() -> StationIncident:
    return await rows(lambda: StationIncident.objects.select_related("review").get())


@BOTH
async def test_tc_n_21_csms_a_grave_alert_is_an_incident_for_an_operator(
    server: Server, version: str
) -> None:
    await tell(server, message(event(techCode="E42")), version=version)

    found = await incident()
    assert (found.severity, found.tech_code, found.value) == (2, "E42", "95")
    assert found.review.kind == ReviewItem.Kind.STATION_ALERT
    assert [row.severity for row in await history()] == [2]


@BOTH
async def test_tc_n_24_csms_a_periodic_value_is_history_only(server: Server, version: str) -> None:
    await tell(server, *(message(event(n, minute=n, trigger="Periodic")) for n in range(3)), version=version)

    assert [row.name for row in await history()] == ["Temperature"] * 3
    assert not await rows(StationIncident.objects.exists)


@BOTH
async def test_tc_n_48_csms_a_write_only_variable_has_no_value(server: Server, version: str) -> None:
    await tell(server, message(event(actualValue="")), version=version)

    assert [row.value for row in await history()] == [""]


@BOTH
async def test_tc_n_49_csms_a_cleared_event_ends_the_incident_and_its_review(
    server: Server, version: str
) -> None:
    over = event(2, minute=5, cleared=True, actualValue="60")

    await tell(server, message(event()), message(over), version=version)

    found = await incident()
    assert found.cleared_at is not None
    assert (found.review.resolved_by, found.review.resolution) == (
        "station",
        "the station says that it is over",
    )


@BOTH
async def test_tc_n_50_csms_a_periodic_event_after_a_reboot(server: Server, version: str) -> None:
    await tell(server, message(event(trigger="Periodic", actualValue="12")), version=version)

    assert [row.trigger for row in await history()] == ["Periodic"]


async def test_a_mild_alert_is_history_only(server: Server) -> None:
    await tell(server, message(event()), severity=6)

    assert not await rows(StationIncident.objects.exists)
    assert [row.severity for row in await history()] == [6]


async def test_a_storm_of_one_alert_is_one_incident(server: Server) -> None:
    await tell(server, *(message(event(n, minute=n)) for n in range(4)))

    assert (await incident()).count == 4
    assert await rows(ReviewItem.objects.count) == 1


async def test_a_repeated_message_counts_once(server: Server) -> None:
    await tell(server, message(event()), message(event()))

    assert (await incident()).count == 1
    assert len(await history()) == 1


async def test_an_alert_older_than_its_end_opens_nothing(server: Server) -> None:
    await tell(
        server, message(event()), message(event(3, minute=9, cleared=True)), message(event(2, minute=4))
    )

    assert (await incident()).cleared_at is not None


async def test_what_happens_again_is_another_incident(server: Server) -> None:
    await tell(
        server, message(event()), message(event(2, minute=5, cleared=True)), message(event(3, minute=9))
    )

    assert await rows(StationIncident.objects.count) == 2
    assert await rows(ReviewItem.objects.filter(resolved_at=None).count) == 1


async def test_a_problem_needs_no_severity_and_ends_when_it_is_false(server: Server) -> None:
    hard_wired = {"eventNotificationType": "HardWiredNotification", "trigger": "Delta"}
    told = [
        event(n, PROBLEM, minute=n, actualValue=word, **hard_wired)
        for n, word in enumerate(("true", "false"))
    ]
    for data in told:
        del data["variableMonitoringId"]

    await tell(server, *(message(data) for data in told))

    found = await incident()
    assert (found.title, found.severity) == ("PowerContactor{1}/Problem", 3)
    assert found.cleared_at is not None


async def test_2_1_an_event_that_says_its_severity_needs_no_monitor(server: Server) -> None:
    told = event(severity=1, variableMonitoringId=123)

    await tell(server, message(told), version="2.1")

    assert (await incident()).severity == 1


@BOTH
@pytest.mark.parametrize("word", ["Occupied", "Unavailable", "Faulted", "Reserved"])
async def test_g01_a_connector_tells_its_state_by_an_event(server: Server, version: str, word: str) -> None:
    told = event(place=connector(), trigger="Delta", actualValue=word)

    await tell(server, message(told), version=version)

    assert (await rows(lambda: Connector.objects.get(evse__number=1))).status == word


async def test_g01_a_connector_that_nobody_knew_is_made(server: Server) -> None:
    told = event(place=connector(2, evse=4), trigger="Delta", actualValue="Available")

    await tell(server, message(told))

    assert (await rows(lambda: Connector.objects.get(evse__number=4, number=2))).status == "Available"


async def test_g01_an_evse_with_one_connector_speaks_for_it(server: Server) -> None:
    await tell(server, message(event(place=EVSE_STATE, trigger="Delta", actualValue="Occupied")))

    assert (await rows(lambda: Connector.objects.get(evse__number=1))).status == "Occupied"
