"""The configuration tab of a station: what it is set to, what is wanted, changes of one key."""

from collections.abc import Callable

import pytest
from django.test import Client

from cpo.lib import clock
from cpo.models import AuditEvent
from stations.models import ChargingStation, Command, Variable
from stations.services import configuration
from tests import factories

TAB = "/stations/ADA-1/?tab=configuration"
KEYS = [
    {"key": "HeartbeatInterval", "value": "300", "readonly": False},
    {"key": "NumberOfConnectors", "value": "2", "readonly": True},
]
CHANGE = {"key": "HeartbeatInterval", "value": "60"}


@pytest.fixture
def station(db: None) -> ChargingStation:
    found = factories.station("ADA-1", connectors=2, is_online=True, epoch=1, ocpp_version="1.6")
    configuration.store(found.pk, keys=KEYS, unknown=["BlinkRepeat"], now=clock.now())
    return found


def set_key(client: Client, **fields: str) -> str:
    return client.post("/stations/ADA-1/configuration/", CHANGE | fields, follow=True).content.decode()


def test_the_tab_shows_values_read_only_keys_and_drift(ada: Client, station: ChargingStation) -> None:
    configuration.desire(station, key="HeartbeatInterval", value="60")

    text = ada.get(TAB).content.decode()

    for words in (
        "HeartbeatInterval",
        "300",
        "read-only",
        "1 key differs",
        "drift",
        "not known to the station",
    ):
        assert words in text
    assert f'data-topics="station:{station.pk}"' in text


def test_a_station_that_was_never_read_says_what_to_do(ada: Client, station: ChargingStation) -> None:
    Variable.objects.all().delete()

    assert "It was never read" in ada.get(TAB).content.decode()


def test_a_link_fills_the_form_of_a_key(ada: Client, station: ChargingStation) -> None:
    assert 'value="300"' in ada.get(f"{TAB}&key=HeartbeatInterval").content.decode()
    assert "most likely answer Rejected" in ada.get(f"{TAB}&key=NumberOfConnectors").content.decode()


def test_a_change_is_queued_and_recorded(ada: Client, station: ChargingStation) -> None:
    assert "HeartbeatInterval is on its way" in set_key(ada, desired="on")

    command = Command.objects.get()
    assert (command.action, command.payload, command.requested_by) == (
        "ChangeConfiguration",
        CHANGE,
        "user:ada",
    )
    assert Variable.objects.get(name="HeartbeatInterval").desired == "60"
    assert AuditEvent.objects.get().facts == CHANGE | {"desired": True, "id": command.uid}


def test_a_box_that_is_not_ticked_forgets_what_was_wanted(ada: Client, station: ChargingStation) -> None:
    set_key(ada, desired="on")
    set_key(ada)

    assert Variable.objects.get(name="HeartbeatInterval").desired is None


def test_a_guarded_key_is_confirmed_first(ada: Client, station: ChargingStation) -> None:
    assert "Are you sure?" in set_key(ada, key="CentralSystemURL", value="wss://elsewhere.example/")
    assert not Command.objects.exists()

    set_key(ada, key="CentralSystemURL", value="wss://elsewhere.example/", confirmed="yes")
    assert Command.objects.get().payload["value"] == "wss://elsewhere.example/"


def test_a_secret_is_not_wanted_and_not_recorded(ada: Client, station: ChargingStation) -> None:
    fields = {"key": "AuthorizationKey", "value": "very-secret-key-1", "confirmed": "yes"}
    assert "is a secret" in set_key(ada, **fields, desired="on")
    assert not Command.objects.exists()

    set_key(ada, **fields)
    assert Command.objects.exists()
    assert "very-secret" not in str(list(AuditEvent.objects.values()))


def test_a_field_that_is_wrong_keeps_what_was_typed(ada: Client, station: ChargingStation) -> None:
    response = ada.post("/stations/ADA-1/configuration/", {"key": "k" * 51, "value": "typed"})

    assert response.status_code == 422
    assert b'value="typed"' in response.content


def test_an_offline_station_is_told_unless_it_may_wait(ada: Client, station: ChargingStation) -> None:
    ChargingStation.objects.update(is_online=False)

    assert "is offline" in set_key(ada)
    assert not Command.objects.exists()

    set_key(ada, queue="yes")
    assert Command.objects.get().status == "queued"


def test_it_can_be_read_again(ada: Client, station: ChargingStation) -> None:
    text = ada.post("/stations/ADA-1/configuration/read/", follow=True).content.decode()

    assert "being read" in text
    assert Command.objects.get().payload == {}


def test_support_reads_and_does_not_write(person: Callable[..., Client], station: ChargingStation) -> None:
    support = person("support")

    assert support.post("/stations/ADA-1/configuration/", CHANGE).status_code == 403
    assert "Set a key" not in support.get(TAB).content.decode()
    assert support.post("/stations/ADA-1/configuration/read/").status_code == 302
