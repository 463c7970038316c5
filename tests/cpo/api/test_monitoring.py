"""Variables and monitoring of a 2.x station over the API."""

from decimal import Decimal

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, Command
from stations.services import device_model, monitoring, variable_keys
from stations.services.device_model import Told
from stations.services.monitoring import Known
from tests import factories

PLACE = variable_keys.parse("Connector{1,1}/Temperature")


@pytest.fixture
def modelled(db: None) -> ChargingStation:
    found = factories.station("VOLT", connectors=1, is_online=True, epoch=1, ocpp_version="2.1")
    device_model.store(found.pk, told=[Told(PLACE, "42", None, {"unit": "Celsius"})], at=clock.now())
    monitoring.were_set(found.pk, [Known(PLACE, 7, "UpperThreshold", Decimal(80), 2, False)])
    return found


def test_the_configuration_shows_where_a_variable_stands(api, modelled):
    row = api.get("stations/VOLT/configuration/")["results"][0]

    assert (row["key"], row["component"], row["evse"], row["connector"]) == (str(PLACE), "Connector", 1, 1)
    assert (row["value"], row["unit"], row["attribute"]) == ("42", "Celsius", "Actual")


def test_several_variables_are_changed(api, modelled):
    changes = [{"key": "A/B", "value": "1"}, {"key": "A/C[d]", "value": "2"}]

    api.post("stations/VOLT/variables/", {"changes": changes}, expect=202)

    assert len(Command.objects.get().payload["setVariableData"]) == 2


def test_a_variable_that_can_cut_the_station_off_is_confirmed(api, modelled):
    changes = [{"key": "OCPPCommCtrlr/NetworkConfigurationPriority", "value": "1"}]

    assert api("POST", "stations/VOLT/variables/", {"changes": changes}).status_code == 409
    api.post("stations/VOLT/variables/", {"changes": changes, "confirmed": True}, expect=202)


def test_variables_are_read(api, modelled):
    api.post("stations/VOLT/variables/read/", {"keys": [str(PLACE)]}, expect=202)

    assert Command.objects.get().action == "GetVariables"


def test_monitors_are_listed_set_and_cleared(api, modelled):
    body = {"key": str(PLACE), "type": "Delta", "value": "1.5", "severity": 8}
    assert api("GET", "stations/VOLT/monitors/").json()[0]["id"] == 7

    api.post("stations/VOLT/monitors/", body, expect=202)
    api.post("stations/VOLT/monitors/clear/", {"ids": [7]}, expect=202)
    api.post("stations/VOLT/monitors/read/", {}, expect=202)

    actions = list(Command.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["SetVariableMonitoring", "ClearVariableMonitoring", "GetMonitoringReport"]


@pytest.mark.parametrize(
    ("body", "status"), [({"base": "All"}, 202), ({"level": 4}, 202), ({}, 400), ({"level": 10}, 400)]
)
def test_base_and_level_are_set(api, modelled, body, status):
    assert api("PUT", "stations/VOLT/monitoring/", body).status_code == status


def test_events_and_incidents_are_listed(api, modelled):
    assert api("GET", "stations/VOLT/device-events/").json() == []
    assert api("GET", "stations/VOLT/incidents/").json() == []
