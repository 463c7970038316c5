"""/sessions/{id}/stop/, /stations/{id}/availability/ and the outcome of a command."""

import pytest

from stations.models import Command
from stations.services import availability, remote
from tests import factories
from tests.cpo.api.client import parsed

pytestmark = pytest.mark.django_db
PATH = "stations/ADA-1/availability/"


@pytest.fixture
def ada(db):
    return factories.station("ADA-1", connectors=2, is_online=True, ocpp_version="1.6")


def test_a_session_is_stopped_by_its_id(api, ada):
    session = factories.session(ada, transaction_id="4711")

    answer = api("POST", f"sessions/{session.uid}/stop/")

    assert (answer.status_code, parsed(answer)["payload"]) == (202, {"transactionId": 4711})


def test_a_session_that_has_ended_answers_409(api, ada):
    session = factories.session(ada, ended=True)

    assert api("POST", f"sessions/{session.uid}/stop/").status_code == 409


def test_a_command_shows_its_outcome(api, ada):
    session = factories.session(ada)
    command = remote.stop(session)
    remote.answered(command, kind="stop", state="refused", session=session)

    outcome = api.get(f"commands/{command.uid}/")["outcome"]

    assert (outcome["state"], outcome["reason"], outcome["session"]) == (
        "refused", "session_unknown", session.uid,
    )  # fmt: skip


def test_a_connector_of_an_evse_is_put_out_of_service(api, ada):
    answer = api("PUT", PATH, {"connector_id": 1, "connector": 1, "operative": False})
    refused = api("PUT", PATH, {"connector_id": 1, "connector": 2, "operative": False})

    assert (answer.status_code, refused.status_code) == (202, 400)
    assert api.get(PATH)[0]["connector"] == 1


def test_a_command_without_one_has_none(api, ada):
    command = remote.stop(factories.session(ada))

    assert api.get(f"commands/{command.uid}/")["outcome"] is None


def test_a_list_of_commands_asks_once_for_all_outcomes(api, ada, django_assert_max_num_queries):
    for number in range(5):
        session = factories.session(ada, transaction_id=str(number + 1))
        remote.answered(remote.stop(session), kind="stop", state="refused", session=session)

    with django_assert_max_num_queries(4):
        assert len(api.get("commands/")["results"]) == 5


def test_a_connector_is_taken_out_of_service(api, ada):
    answer = api("PUT", PATH, {"connector_id": 2, "operative": False})

    assert (answer.status_code, parsed(answer)["payload"]) == (
        202, {"connectorId": 2, "type": "Inoperative"},
    )  # fmt: skip
    (wish,) = api.get(PATH)
    assert (wish["connector_id"], wish["operative"], wish["state"]) == (2, False, "requested")


def test_another_status_than_the_one_that_was_in_force_is_drift(api, ada):
    api("PUT", PATH, {"operative": False})
    connectors = ada.evses.model.objects.get(station=ada, number=1).connectors.model.objects
    connectors.update(status="Unavailable")
    availability.answered(Command.objects.get(), evse=None, is_operative=False, state="accepted")
    connectors.update(status="Available")

    (wish,) = api.get(PATH)

    assert (wish["state"], wish["drift"]) == ("in_force", True)


def test_a_connector_that_is_not_there_answers_400(api, ada):
    answer = api("PUT", PATH, {"connector_id": 9, "operative": True})

    assert (answer.status_code, Command.objects.count()) == (400, 0)


def test_support_may_stop_a_session_and_not_close_a_station(client_of, ada):
    support = client_of("support")

    assert support("POST", f"sessions/{factories.session(ada).uid}/stop/").status_code == 202
    assert support("PUT", PATH, {"operative": False}).status_code == 403
