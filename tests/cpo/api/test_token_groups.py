"""/token-groups/, /unknown-tokens/, and what binds a token."""

import pytest

from stations.models import IdToken, UnknownToken
from stations.services import authorization
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_token_is_bound_to_sites_operators_and_a_number_of_sessions(api):
    site = factories.location()

    made = api.post(
        "tokens/",
        {
            "uid": "BO-1",
            "max_sessions": 2,
            "charging_priority": 4,
            "locations": [site.uid],
            "operators": ["nl*opn"],
        },
        expect=201,
    )

    assert made["charging_priority"] == 4
    assert (made["max_sessions"], made["locations"], made["operators"]) == (2, [site.uid], ["NL*OPN"])
    assert IdToken.objects.get().is_restricted
    assert api.post("tokens/", {"uid": "BO-1", "name": "Bo"})["locations"] == [site.uid]
    assert api.post("tokens/", {"uid": "BO-1", "locations": []})["locations"] == []


@pytest.mark.parametrize(
    "words",
    [
        {"max_sessions": 0},
        {"max_sessions": 40_000},
        {"charging_priority": 10},
        {"locations": ["X"]},
        {"operators": ["XX*XXX"]},
    ],
)
def test_what_cannot_bind_a_token_is_refused(api, words):
    api.post("tokens/", {"uid": "BO-1"} | words, expect=400)


def test_a_group_is_added_changed_listed_and_deleted(api):
    api.post("tokens/", {"uid": "BO-1", "group_id": "Fleet"}, expect=201)
    api.post("token-groups/", {"uid": "FLEET", "name": "Fleet"}, expect=201)

    changed = api.post("token-groups/", {"uid": "fleet", "status": "Blocked", "max_sessions": 3})

    assert (changed["uid"], changed["name"], changed["status"]) == ("FLEET", "Fleet", "Blocked")
    assert IdToken.objects.get().is_restricted
    assert [row["uid"] for row in api.get("tokens/?group=fleet")["results"]] == ["BO-1"]
    assert api("DELETE", "token-groups/Fleet/").status_code == 204
    assert api.get("token-groups/")["results"] == []


def test_an_unknown_token_is_accepted(api):
    authorization.authorize("CY-1", station=factories.station("ADA"))
    [row] = api.get("unknown-tokens/")["results"]

    made = api.post(f"unknown-tokens/{row['id']}/accept/", {"name": "Cy"}, expect=201)

    assert (row["uid"], row["station"], row["count"]) == ("CY-1", "ADA", 1)
    assert (made["uid"], made["status"], made["name"]) == ("CY-1", "Accepted", "Cy")
    assert api.get("unknown-tokens/")["results"] == []


def test_an_unknown_token_is_ignored_and_shown_again(api):
    authorization.authorize("CY-1", station=factories.station())
    pk = UnknownToken.objects.get().pk

    assert api.post(f"unknown-tokens/{pk}/ignore/", {})["is_ignored"] is True
    assert len(api.get("unknown-tokens/?is_ignored=true")["results"]) == 1
    assert api.post(f"unknown-tokens/{pk}/ignore/", {"ignored": False})["is_ignored"] is False


def test_what_is_too_long_for_a_token_is_not_accepted(api):
    authorization.authorize("x" * 40, station=factories.station())

    api.post(f"unknown-tokens/{UnknownToken.objects.get().pk}/accept/", {}, expect=409)


def test_somebody_limited_to_a_site_sees_what_was_shown_there(client_of):
    here, there = factories.station(), factories.station()
    authorization.authorize("CY-1", station=here)
    authorization.authorize("DI-1", station=there)

    host = client_of("operator", locations=[here.location])

    assert [row["uid"] for row in host.get("unknown-tokens/")["results"]] == ["CY-1"]
