"""/configuration-templates/, /configuration-drift/ and bringing a station in line."""

import pytest

from cpo.lib import clock
from stations.models import ConfigurationTemplate
from stations.services import configuration, configuration_templates
from tests import factories
from tests.cpo.api.client import parsed

BODY = {"name": "V2", "model": "V2", "values": [{"name": "HeartbeatInterval", "value": "60"}]}


@pytest.fixture
def ada(db):
    station = factories.station("ADA-1", is_online=True, ocpp_version="1.6", model="V2")
    key = {"key": "HeartbeatInterval", "value": "300", "readonly": False}
    configuration.store(station.pk, keys=[key], unknown=[], now=clock.now())
    return station


def fit_all():
    for template_id in configuration_templates.unfitted():
        configuration_templates.fit_template(template_id)


def test_a_template_is_added_shown_replaced_and_deleted(api, ada):
    made = parsed(api("POST", "configuration-templates/", BODY))
    path = f"configuration-templates/{made['id']}/"

    assert [row["name"] for row in api.get("configuration-templates/")["results"]] == ["V2"]
    replaced = parsed(api("PUT", path, BODY | {"location": ada.location.uid, "values": []}))
    assert (replaced["location"], replaced["values"]) == (ada.location.uid, [])
    assert api("DELETE", path).status_code == 204
    assert not ConfigurationTemplate.objects.exists()


def test_drift_is_listed_and_a_station_brought_in_line(api, ada):
    api("POST", "configuration-templates/", BODY)
    fit_all()

    (row,) = api.get("configuration-drift/?key=heartbeatinterval")["results"]
    sent = parsed(api("POST", "stations/ADA-1/configuration-alignment/"))

    assert (row["station"], row["value"], row["desired"]) == ("ADA-1", "300", "60")
    assert [command["payload"] for command in sent] == [{"key": "HeartbeatInterval", "value": "60"}]


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"values": [{"name": "AuthorizationKey", "value": "x"}]},
        {"values": [{"value": "x"}]},
        {"location": "nowhere"},
        {"operator": "XX*YYY"},
    ],
)
def test_what_cannot_be_wished_is_refused(api, ada, change):
    assert api("POST", "configuration-templates/", BODY | change).status_code in (400, 409)


def test_a_template_of_all_stations_is_not_for_a_limited_token(client_of, ada):
    limited = client_of("operator", locations=[ada.location])

    assert limited("POST", "configuration-templates/", BODY).status_code == 403
    assert (
        limited("POST", "configuration-templates/", BODY | {"location": ada.location.uid}).status_code == 201
    )


def test_a_variable_is_wished_where_its_component_stands(api, db):
    value = {"name": "Available", "component": "Connector", "evse": 2, "connector": 1, "value": "true"}

    made = api.post("configuration-templates/", {"name": "x", "values": [value]}, expect=201)

    assert made["values"] == [value | {"component_instance": "", "instance": ""}]
