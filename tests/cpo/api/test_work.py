"""/review-items/, /onboarding/ and /audit-events/."""

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, OnboardingStation
from stations.services import review
from tests import factories

pytestmark = pytest.mark.django_db


def knock(identity: str = "NEW-1") -> OnboardingStation:
    now = clock.now()
    return OnboardingStation.objects.create(
        identity=identity, remote_address="192.0.2.1", first_at=now, last_at=now
    )


def test_it_resolves_a_review_item_once(api):
    item = review.raise_item(
        "unmatched_stop", key="k", summary="Stop without start", station=factories.station()
    )

    resolved = api.post(f"review-items/{item.pk}/resolve/", {"resolution": "booked by hand"})

    assert (resolved["resolution"], resolved["resolved_by"]) == ("booked by hand", "token:test admin")
    assert api.get("review-items/?open=true")["results"] == []
    assert len(api.get("review-items/?open=false")["results"]) == 1
    assert api.post(f"review-items/{item.pk}/resolve/", expect=409)["error"]["code"] == "conflict"


@pytest.mark.parametrize("item_id", ["0", "x", "9" * 30, "-1"])
def test_it_answers_404_to_an_item_that_cannot_be(api, item_id):
    assert api("POST", f"review-items/{item_id}/resolve/").status_code == 404


def test_it_accepts_an_unknown_station_and_shows_its_password(api):
    knock()
    site = factories.location()

    made = api.post("onboarding/NEW-1/accept/", {"location": site.uid}, expect=201)

    assert (made["id"], made["location"], len(made["password"])) == ("NEW-1", site.uid, 32)
    assert ChargingStation.objects.filter(identity="NEW-1").exists()
    assert api.get("onboarding/")["results"] == []


def test_it_ignores_an_unknown_station(api):
    knock()

    assert api.post("onboarding/NEW-1/ignore/")["is_ignored"] is True
    assert api.get("onboarding/?is_ignored=false")["results"] == []


def test_it_shows_who_did_what(api):
    api.post("tokens/", {"uid": "BO-1", "status": "Blocked"}, expect=201)

    event = api.get("audit-events/")["results"][0]

    assert (event["actor"], event["action"], event["outcome"]) == ("token:test admin", "token.write", 201)
    assert (event["object_type"], event["object_id"], event["facts"]) == (
        "id_token",
        "BO-1",
        {"status": "Blocked"},
    )
    assert event["address"] == "127.0.0.1"
