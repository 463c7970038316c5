"""What a simulated 2.x station answers, against the real server: monitors, tariffs, variables."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from cpo.simulator.v2 import monitoring
from cpo.simulator.v2.reactions import REACTIONS
from stations.models import ChargingStation, Command, StationIncident, Variable, VariableMonitor
from stations.ocpp import codec
from stations.ocpp.pipeline import CONTENTS
from stations.services import commands
from tests.charger_v2 import Charger
from tests.processes import Server
from tests.stories.story import PASSWORD, eventually, rows

BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
PLACE = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Temperature"}}
KEY = ("EVSE", 1, "Temperature")
REALLY_NOT = {"RequestBatterySwap"}  # a charging station has no batteries to swap
TARIFF = {"tariffId": "T-1", "currency": "EUR", "energy": {"prices": [{"priceKwh": 0.4}]}}
PROFILE = {
    "id": 4, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative",
    "chargingSchedule": [
        {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 5000}]},
    ],
}  # fmt: skip
Make = Callable[..., Charger]


@pytest.fixture
def charger(server: Server, ada: ChargingStation) -> Make:
    def make(version: str = "2.1") -> Charger:
        return Charger(f"{server.ws}/ocpp", "ADA-1", PASSWORD, version=version, connectors=2)

    return make


async def sent(action: str, payload: dict[str, Any]) -> Any:
    """Queue a command as console and API do, and return what the station said."""

    def queue() -> Command:
        station = ChargingStation.objects.get(identity="ADA-1")
        return commands.wait(commands.queue(station, action=action, payload=payload), timeout_s=5)

    found = await rows(queue)
    assert found.status == "answered", (found.status, found.error_code, found.error_description)
    return found.result


def monitor(**fields: Any) -> dict[str, Any]:
    return {"type": "UpperThreshold", "value": 60, "severity": 3, **PLACE, **fields}


def test_every_request_has_an_answer() -> None:
    assert set(CONTENTS["2.0.1"].outbound) - set(REACTIONS) == set()
    assert set(CONTENTS["2.1"].outbound) - set(REACTIONS) <= REALLY_NOT


@BOTH
async def test_monitors_are_set_told_and_cleared(charger: Make, version: str) -> None:
    async with charger(version) as station:
        await station.come_up()
        wanted = [
            monitor(),
            monitor(type="Delta", value=5, severity=6),
            monitor(severity=2),
            {**monitor(), "variable": {"name": "X"}},
        ]
        told = (await sent("SetVariableMonitoring", {"setMonitoringData": wanted}))["setMonitoringResult"]
        await sent("GetMonitoringReport", {"requestId": 1, "monitoringCriteria": ["ThresholdMonitoring"]})
        await eventually(lambda: VariableMonitor.objects.count() >= 5)
        cleared = await sent("ClearVariableMonitoring", {"id": [told[0]["id"], 1, 99]})

    assert [one["status"] for one in told] == ["Accepted", "Accepted", "Duplicate", "UnknownVariable"]
    assert [one["status"] for one in cleared["clearMonitoringResult"]] == ["Accepted", "Rejected", "NotFound"]
    assert station.failures == []


@BOTH
async def test_an_evse_that_is_too_hot_is_an_incident_until_it_has_cooled_down(
    charger: Make, version: str
) -> None:
    async with charger(version) as station:
        await station.come_up()
        await sent("GetMonitoringReport", {"requestId": 1})
        await eventually(lambda: VariableMonitor.objects.count() == 4)
        station.model_of[KEY].value = "95"
        await monitoring.look(station, 10)
        incident = await eventually(lambda: StationIncident.objects.filter(cleared_at=None).first())
        station.model_of[KEY].value = "30"
        await monitoring.look(station, 10)
        await eventually(lambda: not StationIncident.objects.filter(cleared_at=None).exists())
        said = [
            m[3] for m in (frame.message for frame in station.frames) if m[0] == 2 and m[2] == "NotifyEvent"
        ]

    assert (incident.severity, incident.tech_code) == (2, "OVERTEMP")
    assert [codec.request_fault(version, "NotifyEvent", payload) for payload in said] == [None, None]


async def test_bases_and_levels_decide_what_is_told(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        await sent(
            "SetVariableMonitoring", {"setMonitoringData": [monitor(type="Periodic", value=20, severity=8)]}
        )
        assert len(station.watch.monitors) == 5
        await sent("SetMonitoringBase", {"monitoringBase": "HardWiredOnly"})
        built_in = {one.origin for one in station.watch.monitors.values()}
        await sent("SetMonitoringLevel", {"severity": 1})
        station.model_of[KEY].value = "95"
        await monitoring.look(station, 10)

    assert built_in == {"HardWiredMonitor"}
    assert station.calls("NotifyEvent") == []


async def test_tariffs_are_set_told_changed_and_cleared(charger: Make) -> None:
    async with charger() as station:
        await station.come_up()
        kept = await sent("SetDefaultTariff", {"evseId": 0, "tariff": TARIFF})
        twin = await sent("SetDefaultTariff", {"evseId": 1, "tariff": {**TARIFF, "currency": "SEK"}})
        told = await sent("GetTariffs", {"evseId": 0})
        lost = await sent("ChangeTransactionTariff", {"transactionId": "none", "tariff": TARIFF})
        gone = await sent("ClearTariffs", {"tariffIds": ["T-1", "T-2"]})
        left = await sent("GetTariffs", {"evseId": 0})

    assert [answer["status"] for answer in (kept, twin, lost, left)] == [
        "Accepted",
        "DuplicateTariffId",
        "TxNotFound",
        "NoTariff",
    ]
    assert told["tariffAssignments"][0]["evseIds"] == [1, 2]
    assert [one["status"] for one in gone["clearTariffsResult"]] == ["Accepted", "NoTariff"]


@BOTH
async def test_profiles_that_lie_there_are_reported(charger: Make, version: str) -> None:
    async with charger(version) as station:
        await station.come_up()
        await sent("SetChargingProfile", {"evseId": 1, "chargingProfile": PROFILE})
        asked = {"requestId": 5, "chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile"}}
        found = await sent("GetChargingProfiles", asked)
        none = await sent("GetChargingProfiles", asked | {"chargingProfile": {"stackLevel": 3}})
        await eventually(lambda: bool(station.calls("ReportChargingProfiles")))

    (report,) = station.calls("ReportChargingProfiles")
    assert (found["status"], none["status"]) == ("Accepted", "NoProfiles")
    assert (report["evseId"], report["chargingProfile"]) == (1, [PROFILE])


@BOTH
async def test_an_inventory_tells_limits_units_and_members(charger: Make, version: str) -> None:
    async with charger(version) as station:
        await station.come_up()
        await sent("GetBaseReport", {"requestId": 9, "reportBase": "FullInventory"})
        entries = await eventually(
            lambda: Variable.objects.filter(component="LocalAuthListCtrlr", name="Entries").first()
        )
        heat = await eventually(lambda: Variable.objects.filter(name="Temperature", evse_number=2).first())
        source = await rows(lambda: Variable.objects.get(name="TimeSource"))
        wrong = {
            "attributeValue": "99999999",
            "component": {"name": "OCPPCommCtrlr"},
            "variable": {"name": "HeartbeatInterval"},
        }
        refused = (await sent("SetVariables", {"setVariableData": [wrong]}))["setVariableResult"][0]

    assert (entries.max_limit, heat.unit, heat.is_monitorable) == (Decimal(500), "Celsius", True)
    assert source.values_list == "Heartbeat,NTP,GPS"
    assert refused["attributeStatusInfo"]["reasonCode"] == "ValueOutOfRange"


async def test_send_local_list_counts_the_entries_of_the_station(charger: Make) -> None:
    entry = {"idToken": {"idToken": "BO-1", "type": "ISO14443"}, "idTokenInfo": {"status": "Accepted"}}
    whole = {"versionNumber": 4, "updateType": "Full", "localAuthorizationList": [entry]}
    asked = {"component": {"name": "LocalAuthListCtrlr"}, "variable": {"name": "Entries"}}
    async with charger() as station:
        await station.come_up()
        taken = await sent("SendLocalList", whole)
        version = await sent("GetLocalListVersion", {})
        told = await sent("GetVariables", {"getVariableData": [asked]})

    assert (taken["status"], version["versionNumber"]) == ("Accepted", 4)
    assert told["getVariableResult"][0]["attributeValue"] == "1"
