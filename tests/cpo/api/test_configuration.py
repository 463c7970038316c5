"""/stations/{id}/configuration/: what a station is set to, what it shall be, and changes of it."""

import pytest

from cpo.lib import clock
from cpo.models import AuditEvent
from stations.models import Command, Variable
from stations.services import configuration
from tests import factories
from tests.cpo.api.client import parsed

PATH = "stations/ADA-1/configuration/"
HEARTBEAT = {"key": "HeartbeatInterval", "value": "300", "readonly": False}


@pytest.fixture
def ada(db):
    station = factories.station("ADA-1", is_online=True, ocpp_version="1.6")
    configuration.store(station.pk, keys=[HEARTBEAT], unknown=["BlinkRepeat"], now=clock.now())
    return station


def test_it_lists_the_keys_with_drift(api, ada):
    configuration.desire(ada, key="HeartbeatInterval", value="60")

    rows = {row.pop("key"): row for row in api.get(PATH)["results"]}

    assert rows["HeartbeatInterval"].pop("reported_at")
    assert rows["HeartbeatInterval"].items() >= {
        "value": "300", "readonly": False, "supported": True, "desired": "60", "drift": True, "changed_at": None,
    }.items()  # fmt: skip
    assert rows["BlinkRepeat"]["supported"] is False


def test_it_lists_with_few_queries(api, ada, django_assert_max_num_queries):
    with django_assert_max_num_queries(5):
        api.get(PATH)


def test_a_change_answers_202_with_its_command(api, ada):
    answer = api("PUT", f"{PATH}heartbeatinterval/", {"value": "60"})

    command = Command.objects.get()
    assert (answer.status_code, parsed(answer)["id"]) == (202, command.uid)
    assert command.payload == {"key": "HeartbeatInterval", "value": "60"}
    assert (command.requested_by, Variable.objects.get(name="HeartbeatInterval").desired) == (
        "token:test admin",
        None,
    )


def test_a_change_may_become_the_desired_value_and_be_forgotten_again(api, ada):
    for body, desired in [({"desired": True}, "60"), ({}, "60"), ({"desired": False}, None)]:
        assert api("PUT", f"{PATH}HeartbeatInterval/", {"value": "60", **body}).status_code == 202

        assert Variable.objects.get(name="HeartbeatInterval").desired == desired


def test_a_guarded_key_needs_a_confirmation(api, ada):
    body = {"value": "0"}

    refused = api("PUT", f"{PATH}WebSocketPingInterval/", body)
    assert (refused.status_code, parsed(refused)["error"]["code"]) == (409, "not_confirmed")
    assert not Command.objects.exists()

    assert api("PUT", f"{PATH}WebSocketPingInterval/", body | {"confirmed": True}).status_code == 202


def test_a_secret_is_neither_shown_nor_recorded_nor_wished_for(api, ada):
    body = {"value": "very-secret-key-of-ada", "confirmed": True}

    made = api("PUT", f"{PATH}AuthorizationKey/", body)
    wished = api("PUT", f"{PATH}AuthorizationKey/", body | {"desired": True})

    assert (made.status_code, wished.status_code) == (202, 400)
    assert b"very-secret" not in made.content
    assert "very-secret" not in str(list(AuditEvent.objects.values()))
    assert Command.objects.count() == 1


def test_a_station_that_is_offline_answers_409_unless_it_may_wait(api, ada):
    type(ada).objects.update(is_online=False)
    body = {"value": "60", "desired": True}

    refused = api("PUT", f"{PATH}HeartbeatInterval/", body)
    assert (refused.status_code, parsed(refused)["error"]["code"]) == (409, "station_offline")
    assert Variable.objects.get(name="HeartbeatInterval").desired is None

    assert api("PUT", f"{PATH}HeartbeatInterval/", body | {"queue": True}).status_code == 202


@pytest.mark.parametrize(
    "body",
    [{}, [], None, {"value": None}, {"value": []}, {"value": "x" * 501}, {"value": "1", "desired": "maybe"}],
)
def test_a_body_that_is_no_change_answers_400(api, ada, body):
    assert api("PUT", f"{PATH}HeartbeatInterval/", body).status_code == 400


def test_a_key_that_is_too_long_answers_400(api, ada):
    assert api("PUT", f"{PATH}{'k' * 51}/", {"value": "1", "desired": True}).status_code == 400
    assert not Command.objects.exists()


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("support", 403), ("operator", 202)])
def test_only_operators_change(client_of, ada, role, status):
    assert client_of(role)("PUT", f"{PATH}HeartbeatInterval/", {"value": "60"}).status_code == status
    assert client_of(role)("GET", PATH).status_code == 200
