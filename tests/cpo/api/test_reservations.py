"""/reservations/: make, list, cancel."""

from datetime import timedelta

import pytest

from cpo.lib import clock
from cpo.models import AuditEvent
from stations.models import Command, Reservation
from stations.services import reservations
from tests import factories
from tests.cpo.api.client import parsed

pytestmark = pytest.mark.django_db
PATH = "reservations/"


@pytest.fixture
def ada(db):
    return factories.station("ADA-1", is_online=True, ocpp_version="1.6")


def body(**fields):
    expires_at = (clock.now() + timedelta(minutes=30)).isoformat()
    return {"station": "ADA-1", "connector_id": 1, "id_token": "BO-1", "expires_at": expires_at} | fields


def test_a_reservation_is_asked_for_and_answers_202(api, ada):
    answer = api("POST", PATH, body())

    command = Command.objects.get()
    assert (answer.status_code, parsed(answer)["status"]) == (202, "requested")
    assert (command.action, command.payload["connectorId"], command.payload["reservationId"]) == (
        "ReserveNow", 1, 1,
    )  # fmt: skip


def test_connector_0_is_any(api, ada):
    answer = api("POST", PATH, body(connector_id=0))

    assert (parsed(answer)["connector_id"], Command.objects.get().payload["connectorId"]) == (None, 0)


def test_the_group_of_a_known_token_may_use_it_too(api, ada):
    factories.token("BO-1", group_id="FAMILY")

    assert parsed(api("POST", PATH, body()))["group_id"] == "FAMILY"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "payload.expires_at"),
        ({"expires_at": "2099-01-01T00:00:00Z"}, "payload.expires_at"),
        ({"connector_id": 9}, "connector_id"),
        ({"id_token": "x" * 21}, "payload.idTag"),
        ({"replaces": "nothing"}, "replaces"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(api, ada, fields, path):
    answer = api("POST", PATH, body(**fields))

    assert (answer.status_code, list(parsed(answer)["error"]["fields"])) == (400, [path])
    assert Reservation.objects.count() == Command.objects.count() == 0


def test_a_station_that_is_away_answers_409_unless_it_may_wait(api, ada):
    type(ada).objects.update(is_online=False)

    assert api("POST", PATH, body()).status_code == 409
    assert api("POST", PATH, body(queue=True)).status_code == 202


def test_a_reservation_takes_the_place_of_another(api, ada):
    first = parsed(api("POST", PATH, body()))

    again = parsed(api("POST", PATH, body(replaces=first["id"])))

    assert (again["id"], again["number"]) == (first["id"], first["number"])


def test_it_lists_by_station_and_status_with_few_queries(api, ada, django_assert_max_num_queries):
    api("POST", PATH, body())
    with django_assert_max_num_queries(5):
        found = api.get(f"{PATH}?station=ADA-1&status=requested")["results"]

    assert [row["id_token"] for row in found] == ["BO-1"]
    assert api.get(f"{PATH}?status=used")["results"] == []


def test_one_that_waits_is_cancelled_at_once(api, ada):
    uid = parsed(api("POST", PATH, body()))["id"]

    answer = api("POST", f"{PATH}{uid}/cancel/")

    assert (answer.status_code, parsed(answer)["status"]) == (202, "cancelled")
    assert api.get(f"{PATH}{uid}/")["status"] == "cancelled"


def test_one_that_the_station_holds_is_cancelled_there(api, ada):
    uid = parsed(api("POST", PATH, body()))["id"]
    reservations.answered(ada, number=1, status="reserved")

    assert parsed(api("POST", f"{PATH}{uid}/cancel/"))["action"] == "CancelReservation"


def test_one_that_is_over_answers_409(api, ada):
    uid = parsed(api("POST", PATH, body()))["id"]
    reservations.answered(ada, number=1, status="refused", reason="Occupied")

    assert api("POST", f"{PATH}{uid}/cancel/").status_code == 409


def test_a_change_is_recorded(api, ada):
    uid = parsed(api("POST", PATH, body()))["id"]

    event = AuditEvent.objects.get()
    assert (event.action, event.object_id, event.facts["station"]) == ("reservation.write", uid, "ADA-1")


def test_a_viewer_reserves_nothing(client_of, ada):
    assert client_of("viewer")("POST", PATH, body()).status_code == 403
