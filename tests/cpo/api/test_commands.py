"""/stations/{id}/commands/: any request of the station's version, and its answer."""

import json
import threading
import time

import pytest
from django.db import connection

from stations.models import Command
from stations.ocpp import codec
from stations.services import commands
from tests import factories
from tests.cpo.console.test_command_forms import PAYLOADS

REMOTE_START = {"action": "RemoteStartTransaction", "payload": {"connectorId": 1, "idTag": "BO-1"}}


@pytest.fixture
def ada(db):
    return factories.station("ADA-1", is_online=True, ocpp_version="1.6")


def test_it_answers_202_with_the_queued_command(api, ada):
    made = api.post("stations/ADA-1/commands/", REMOTE_START, expect=202)

    assert made == api.get(f"commands/{made['id']}/")
    assert (made["station"], made["action"], made["status"]) == ("ADA-1", "RemoteStartTransaction", "queued")
    assert made["payload"] == REMOTE_START["payload"]
    assert made["requested_by"] == "token:test admin"


def test_it_answers_409_for_a_station_that_is_offline(api):
    factories.station("ADA-1", ocpp_version="1.6")

    error = api.post("stations/ADA-1/commands/", REMOTE_START, expect=409)["error"]

    assert error["code"] == "station_offline"
    assert not Command.objects.exists()


def test_it_keeps_a_command_for_later_when_asked(api):
    factories.station("ADA-1", ocpp_version="1.6")

    made = api.post("stations/ADA-1/commands/", {**REMOTE_START, "queue": True}, expect=202)

    assert made["status"] == "queued"


def test_it_answers_400_to_an_action_that_the_version_does_not_know(api, ada):
    error = api.post("stations/ADA-1/commands/", {"action": "Dance", "payload": {}}, expect=400)["error"]

    assert error["code"] == "unknown_action"
    assert "Dance" in error["message"]


@pytest.mark.parametrize(
    "payload", [{}, {"idTag": 5}, {"idTag": "BO-1", "connectorId": 1.5}, {"idTag": "B", "x": 1}]
)
def test_it_answers_400_to_a_payload_that_breaks_the_schema(api, ada, payload):
    body = {"action": "RemoteStartTransaction", "payload": payload}

    error = api.post("stations/ADA-1/commands/", body, expect=400)["error"]

    assert error["code"] == "invalid_payload"
    assert not Command.objects.exists()


@pytest.mark.parametrize(
    "body", [{}, {"action": 5}, {"action": "Reset", "payload": []}, [], "Reset", None, 7]
)
def test_it_answers_400_to_a_body_that_is_no_command(api, ada, body):
    assert api("POST", "stations/ADA-1/commands/", body).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_it_waits_for_the_answer_and_shows_a_rejection_as_a_result(api):
    ada = factories.station("ADA-1", is_online=True, ocpp_version="1.6")
    charger = threading.Thread(target=answer_the_next_command, args=[ada.pk, {"status": "Rejected"}])
    charger.start()

    made = api.post("stations/ADA-1/commands/?wait=20", REMOTE_START, expect=202)

    charger.join()
    assert (made["status"], made["result"]) == ("answered", {"status": "Rejected"})


def test_it_shows_a_command_that_nobody_answered_after_the_wait(api, ada):
    made = api.post("stations/ADA-1/commands/?wait=0.05", REMOTE_START, expect=202)

    assert made["status"] == "queued"


@pytest.mark.parametrize("wait", ["x", "-1", "1e3", "NaN", ""])
def test_it_answers_400_to_a_wait_that_is_no_time(api, ada, wait):
    assert api("POST", f"stations/ADA-1/commands/?wait={wait}", REMOTE_START).status_code == 400


def test_it_lists_the_commands_of_one_station_newest_first(api, ada):
    other = factories.station("BEA-1", is_online=True, ocpp_version="1.6")
    mine = [api.post("stations/ADA-1/commands/", REMOTE_START, expect=202)["id"] for _ in range(3)]
    api.post(f"stations/{other.identity}/commands/", REMOTE_START, expect=202)

    assert [row["id"] for row in api.get("stations/ADA-1/commands/")["results"]] == mine[::-1]
    assert len(api.get("commands/")["results"]) == 4


def test_it_never_shows_a_secret_of_a_command(api, ada):
    payload = {"key": "AuthorizationKey", "value": "very-secret-key-of-ada"}

    made = api.post(
        "stations/ADA-1/commands/", {"action": "ChangeConfiguration", "payload": payload}, expect=202
    )

    assert "very-secret" not in str(made)
    assert "very-secret" not in str(Command.objects.get().payload)


def test_it_queues_with_few_queries(api, ada, django_assert_max_num_queries):
    api.post("stations/ADA-1/commands/", REMOTE_START, expect=202)

    with django_assert_max_num_queries(9):  # four of them are savepoints
        api.post("stations/ADA-1/commands/", REMOTE_START, expect=202)


@pytest.mark.parametrize(
    ("role", "reset", "status"),
    [("support", "Soft", 202), ("support", "Hard", 403), ("viewer", "Soft", 403), ("operator", "Hard", 202)],
)
def test_it_lets_support_give_safe_commands_only(client_of, ada, role, reset, status):
    body = {"action": "Reset", "payload": {"type": reset}}

    assert client_of(role)("POST", "stations/ADA-1/commands/", body).status_code == status


def answer_the_next_command(station_id: int, result: dict[str, str]) -> None:
    """Do what the owner of the socket does."""
    try:
        deadline = time.monotonic() + 20
        while (command := commands.claim(station_id, epoch=0)) is None:
            assert time.monotonic() < deadline
        commands.answered(command.uid, station_id=station_id, result=result)
    finally:
        connection.close()


@pytest.mark.parametrize("action", sorted(PAYLOADS))
def test_every_action_of_1_6_is_taken_or_refused_for_a_reason_of_ours(api, ada, settings, action):
    settings.FILES_EXTERNAL_HOSTS, settings.FIRMWARE_ALLOW_UNSIGNED = ["127.0.0.1"], True
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    payload = json.loads(codec.to_json(PAYLOADS[action][1]).replace("f.example", "127.0.0.1"))

    answer = api("POST", "stations/ADA-1/commands/", {"action": action, "payload": payload})

    assert answer.status_code == (400 if action == "SignedUpdateFirmware" else 202), answer.content
    assert Command.objects.filter(action=action).exists() == (answer.status_code == 202)
