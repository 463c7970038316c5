"""/sessions/{id}/limits/: what a session may come to."""

import pytest

from stations.models import SessionLimit
from tests import factories
from tests.cpo.api.client import parsed

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(db):
    return factories.session(factories.station("ADA-1", is_online=True, ocpp_version="1.6"))


def test_a_running_session_is_limited(api, session):
    body = {"max_energy_wh": "20000", "max_time_s": 3600, "max_cost": "12.50", "max_soc_percent": 80}

    answer = api("PUT", f"sessions/{session.uid}/limits/", body)

    assert answer.status_code == 200
    assert api.get(f"sessions/{session.uid}/limits/") == parsed(answer)
    row = SessionLimit.objects.get()
    assert (row.max_energy_wh, row.max_time_s, row.max_soc_percent, row.is_told) == (20000, 3600, 80, False)


def test_what_is_left_out_is_no_limit_any_more(api, session):
    api("PUT", f"sessions/{session.uid}/limits/", {"max_energy_wh": "20000"})
    api("PUT", f"sessions/{session.uid}/limits/", {"max_time_s": 60})

    row = SessionLimit.objects.get()
    assert (row.max_energy_wh, row.max_time_s) == (None, 60)


@pytest.mark.parametrize(
    "body", [{"max_energy_wh": "-1"}, {"max_energy_wh": "0"}, {"max_time_s": 0}, {"max_soc_percent": 101}]
)
def test_what_cannot_be_a_limit_answers_400(api, session, body):
    assert api("PUT", f"sessions/{session.uid}/limits/", body).status_code == 400


def test_an_ended_session_answers_409_and_one_without_limits_404(api, session):
    ended = factories.session(session.station, ended=True)

    assert api("PUT", f"sessions/{ended.uid}/limits/", {"max_time_s": 60}).status_code == 409
    assert api("GET", f"sessions/{session.uid}/limits/").status_code == 404
