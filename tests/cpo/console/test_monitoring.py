"""The monitoring tab, and the configuration tab of a station that speaks 2.x."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client

from cpo.lib import clock
from stations.models import ChargingStation, Command, DeviceReport
from stations.services import configuration, device_model, monitoring, variable_keys
from stations.services.device_model import Told
from stations.services.ingest import DeviceEventRow
from stations.services.monitoring import Known
from tests import factories

PLACE = variable_keys.parse("Connector{1,1}/Temperature")
TAB = "/stations/ADA-1/?tab=monitoring"
FORM = {"key": str(PLACE), "type": "UpperThreshold", "value": "80", "severity": "2"}


@pytest.fixture
def station(db: None) -> ChargingStation:
    found = factories.station("ADA-1", connectors=2, is_online=True, epoch=1, ocpp_version="2.0.1")
    device_model.store(found.pk, told=[Told(PLACE, "42", None, {"unit": "Celsius"})], at=clock.now())
    monitoring.were_set(found.pk, [Known(PLACE, 7, "UpperThreshold", Decimal(80), 2, False)])
    return found


def alert(station: ChargingStation) -> None:
    at = clock.now() - timedelta(minutes=1)
    row = DeviceEventRow(
        station.pk, 1, at, at, "Alerting", "CustomMonitor", "Connector", "", 1, 1, "Temperature", "", "95", None,
        False, 7, None, "E42", "too hot", "",
    )  # fmt: skip
    monitoring.happened(station.pk, [row])


def test_the_tab_shows_monitors_events_and_incidents(ada: Client, station: ChargingStation) -> None:
    alert(station)

    text = ada.get(TAB).content.decode()

    for words in (
        "Connector{1,1}/Temperature",
        "2 System failure",
        "E42",
        "going on",
        "UpperThreshold",
        "#7",
    ):
        assert words in text.replace("&#x27;", "'"), words
    assert "station_alert" in text or "ADA-1" in ada.get("/review/").content.decode()


def test_a_monitor_is_set_from_the_form(ada: Client, station: ChargingStation) -> None:
    ada.post("/stations/ADA-1/monitors/", FORM)

    command = Command.objects.get()
    data = command.payload["setMonitoringData"][0]
    assert (command.action, data["type"], data["severity"]) == ("SetVariableMonitoring", "UpperThreshold", 2)
    assert data["component"] == {"name": "Connector", "evse": {"id": 1, "connectorId": 1}}


@pytest.mark.parametrize("key", ["NoComponent", "A/B/C/D", ""])
def test_a_monitor_of_nothing_is_refused(ada: Client, station: ChargingStation, key: str) -> None:
    ada.post("/stations/ADA-1/monitors/", FORM | {"key": key})

    assert not Command.objects.exists()


@pytest.mark.parametrize(
    ("path", "fields", "action", "payload"),
    [
        ("monitors/7/clear/", {}, "ClearVariableMonitoring", {"id": [7]}),
        ("monitoring/", {"level": "4"}, "SetMonitoringLevel", {"severity": 4}),
        ("monitoring/", {"base": "All"}, "SetMonitoringBase", {"monitoringBase": "All"}),
    ],
)
def test_a_button_asks_the_station(
    ada: Client,
    station: ChargingStation,
    path: str,
    fields: dict[str, str],
    action: str,
    payload: dict[str, object],
) -> None:
    ada.post(f"/stations/ADA-1/{path}", fields)

    command = Command.objects.get()
    assert (command.action, command.payload) == (action, payload)


def test_monitors_are_read_again(ada: Client, station: ChargingStation) -> None:
    ada.post("/stations/ADA-1/monitors/read/")

    assert Command.objects.get().payload == {"requestId": DeviceReport.objects.get().pk}


def test_an_offline_station_is_told_so(ada: Client, station: ChargingStation) -> None:
    ChargingStation.objects.update(is_online=False)

    assert (
        "is offline" in ada.post("/stations/ADA-1/monitoring/", {"level": "4"}, follow=True).content.decode()
    )


def test_the_configuration_tab_shows_and_filters_variables(ada: Client, station: ChargingStation) -> None:
    page = "/stations/ADA-1/?tab=configuration"

    assert "Connector{1,1}/Temperature" in ada.get(page).content.decode()
    assert "Celsius" in ada.get(f"{page}&q=temper").content.decode()
    assert "Connector{1,1}/Temperature" not in ada.get(f"{page}&q=nothing").content.decode()


def test_a_variable_is_set_from_the_configuration_tab(ada: Client, station: ChargingStation) -> None:
    ada.post("/stations/ADA-1/configuration/", {"key": str(PLACE), "value": "1", "desired": "on"})

    data = Command.objects.get().payload["setVariableData"][0]
    assert (data["attributeValue"], data["variable"]) == ("1", {"name": "Temperature"})
    assert [row.desired for row in configuration.drift(station)] == ["1"]


def test_the_whole_inventory_is_read_again(ada: Client, station: ChargingStation) -> None:
    ada.post("/stations/ADA-1/configuration/read/")

    assert Command.objects.get().payload["reportBase"] == "FullInventory"
