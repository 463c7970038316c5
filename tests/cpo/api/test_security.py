"""/security-events/: what stations reported about their security."""

from datetime import timedelta

import pytest

from stations.services import security
from tests import factories
from tests.factories import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    ada, bea = factories.station("ADA-1"), factories.station("BEA-1")
    for minutes, (station, type) in enumerate(
        [(ada, "TamperDetectionActivated"), (ada, "AttemptedReplayAttacks"), (bea, "ResetOrReboot")]
    ):
        at = NOON + timedelta(minutes=minutes)
        security.record(station, type=type, at=at, tech_info="lid", now=at + timedelta(seconds=5))
    return ada


def types(page):
    return [event["type"] for event in page["results"]]


def test_it_lists_security_events_newest_first(api, ada):
    page = api.get("security-events/")

    assert types(page) == ["ResetOrReboot", "AttemptedReplayAttacks", "TamperDetectionActivated"]
    assert page["results"][2] | {"id": 0} == {
        "id": 0,
        "station": "ADA-1",
        "type": "TamperDetectionActivated",
        "at": "2025-03-01T12:00:00Z",
        "tech_info": "lid",
        "is_critical": True,
        "received_at": "2025-03-01T12:00:05Z",
    }


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("station=ADA-1", ["AttemptedReplayAttacks", "TamperDetectionActivated"]),
        ("critical=true", ["ResetOrReboot", "TamperDetectionActivated"]),
        ("critical=false", ["AttemptedReplayAttacks"]),
        ("station=ADA-1&critical=true", ["TamperDetectionActivated"]),
        ("type=ResetOrReboot", ["ResetOrReboot"]),
        ("station=NOBODY", []),
    ],
)
def test_it_filters_security_events(api, ada, query, shown):
    assert types(api.get(f"security-events/?{query}")) == shown


def test_it_answers_400_to_a_flag_that_is_none(api, ada):
    assert api("GET", "security-events/?critical=perhaps").status_code == 400


def test_it_loses_no_event_between_pages(api, ada):
    first = api.get("security-events/?limit=2")

    assert types(first) + types(api.get(first["next"])) == types(api.get("security-events/"))


def test_it_shows_a_limited_token_the_events_of_its_sites_only(client_of, ada):
    host = client_of("viewer", locations=[ada.location])

    assert types(host.get("security-events/")) == ["AttemptedReplayAttacks", "TamperDetectionActivated"]


def test_a_list_costs_one_query_besides_the_callers(api, ada, django_assert_num_queries):
    api.get("security-events/")  # the first call of a token notes that it is used

    with django_assert_num_queries(2):
        api.get("security-events/")
