"""Templates of desired values at the console, and the fleet's drift."""

from collections.abc import Callable

import pytest
from django.test import Client

from cpo.lib import clock
from stations.models import ChargingStation, Command, ConfigurationTemplate, Variable
from stations.services import configuration, configuration_templates, device_model, variable_keys
from stations.services.configuration_templates import Value
from stations.services.device_model import Told
from tests import factories

PLACE = variable_keys.parse("Connector{2,1}[left]/Available[x]")
Person = Callable[..., Client]
FIELDS = {
    "name": "minute readings",
    "model": "V2",
    "is_enforced": "no",
    "values.0.name": "MeterValueSampleInterval",
    "values.0.value": "60",
}


@pytest.fixture
def station(db: None) -> ChargingStation:
    found = factories.station("ADA-1", is_online=True, epoch=1, ocpp_version="1.6", model="V2")
    key = {"key": "MeterValueSampleInterval", "value": "900", "readonly": False}
    configuration.store(found.pk, keys=[key], unknown=[], now=clock.now())
    return found


def fit_all() -> None:
    for template_id in configuration_templates.unfitted():
        configuration_templates.fit_template(template_id)


def test_a_template_is_added_and_its_drift_is_listed(ada: Client, station: ChargingStation) -> None:
    ada.post("/configuration/new/", FIELDS)
    fit_all()

    text = ada.get("/configuration/").content.decode()

    for words in ("minute readings", "ADA-1", "MeterValueSampleInterval", "900", "60"):
        assert words in text


def test_a_template_is_changed_in_its_form(ada: Client, station: ChargingStation) -> None:
    ada.post("/configuration/new/", FIELDS)
    template = ConfigurationTemplate.objects.get()

    assert 'value="MeterValueSampleInterval"' in ada.get(f"/configuration/{template.pk}/").content.decode()
    ada.post(f"/configuration/{template.pk}/", FIELDS | {"values.1.name": "A", "values.1.value": "1"})

    assert template.values.count() == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "This field is required"),
        ({"values.0.name": ""}, "This field is required"),
        ({"values.0.name": "AuthorizationKey"}, "is a secret"),
    ],
)
def test_what_cannot_be_wished_is_told_at_the_form(
    ada: Client, station: ChargingStation, fields: dict[str, str], words: str
) -> None:
    answer = ada.post("/configuration/new/", FIELDS | fields)

    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_a_template_of_all_stations_is_for_those_of_the_whole_network(
    person: Person, station: ChargingStation
) -> None:
    local = person("operator", locations=[station.location])

    assert local.post("/configuration/new/", FIELDS).status_code == 422
    answer = local.post("/configuration/new/", FIELDS | {"location": str(station.location_id)})
    assert answer.status_code == 302


def test_somebody_limited_sees_a_template_of_all_but_does_not_change_it(
    person: Person, station: ChargingStation
) -> None:
    template = configuration_templates.save(name="all", values=[Value("A", "1")])
    local = person("operator", locations=[station.location])

    text = local.get(f"/configuration/{template.pk}/").content.decode()

    assert "Save template" not in text
    assert local.post(f"/configuration/{template.pk}/", FIELDS).status_code == 404
    assert local.post(f"/configuration/{template.pk}/delete/").status_code == 404


def test_a_station_is_brought_in_line_with_one_button(ada: Client, station: ChargingStation) -> None:
    ada.post("/configuration/new/", FIELDS)
    fit_all()

    assert "Bring in line" in ada.get("/stations/ADA-1/?tab=configuration").content.decode()
    ada.post("/stations/ADA-1/configuration/bring-in-line/")

    assert Command.objects.get().payload == {"key": "MeterValueSampleInterval", "value": "60"}


def test_deleting_a_template_takes_its_wishes_away(ada: Client, station: ChargingStation) -> None:
    ada.post("/configuration/new/", FIELDS)
    fit_all()

    ada.post(f"/configuration/{ConfigurationTemplate.objects.get().pk}/delete/")

    assert not Variable.objects.filter(desired__isnull=False).exists()


def test_a_variable_of_an_evse_is_wished_in_the_form_and_brought_in_line(ada: Client, db: None) -> None:
    station = factories.station("BEO-1", is_online=True, epoch=1, ocpp_version="2.0.1", model="V2")
    place = {
        "component": "Connector",
        "evse_number": "2",
        "connector_number": "1",
        "component_instance": "left",
    }
    value = {"name": "Available", "value": "true", "instance": "x"}
    device_model.store(station.pk, told=[Told(PLACE, "false")], at=clock.now())

    ada.post(
        "/configuration/new/", {**FIELDS, **{f"values.0.{name}": v for name, v in (place | value).items()}}
    )
    fit_all()

    assert str(PLACE) in ada.get("/configuration/").content.decode()
    assert (
        'value="left"'
        in ada.get(f"/configuration/{ConfigurationTemplate.objects.get().pk}/").content.decode()
    )
    ada.post("/stations/BEO-1/configuration/bring-in-line/")
    (sent,) = Command.objects.get().payload["setVariableData"]
    assert sent["component"] == {"name": "Connector", "instance": "left", "evse": {"id": 2, "connectorId": 1}}
