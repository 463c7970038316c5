"""/tokens/: what drivers show to a charger."""

from urllib.parse import quote

import pytest

from stations.models import IdToken
from tests import factories

pytestmark = pytest.mark.django_db


def test_it_adds_a_token_that_is_accepted(api):
    made = api.post("tokens/", {"uid": "BO-1", "name": "Bo"}, expect=201)

    assert (made["uid"], made["status"], made["expires_at"], made["party"]) == ("BO-1", "Accepted", None, "")


def test_it_changes_the_token_with_this_uid_in_any_case(api):
    api.post("tokens/", {"uid": "BO-1", "name": "Bo"}, expect=201)

    changed = api.post("tokens/", {"uid": "bo-1", "status": "Blocked"})

    assert (changed["uid"], changed["status"], changed["name"]) == ("BO-1", "Blocked", "Bo")


def test_it_takes_an_expiry_in_the_past(api):
    made = api.post("tokens/", {"uid": "BO-1", "expires_at": "2001-01-01T01:00:00+01:00"}, expect=201)

    assert made["expires_at"] == "2001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"uid": ""},
        {"uid": "x" * 37},
        {"uid": "BO-1", "status": "Fine"},
        {"uid": "B\0"},
        {"uid": "\ud800"},
    ],
)
def test_it_answers_400_to_what_is_no_token(api, body):
    api.post("tokens/", body, expect=400)


def test_it_lists_tokens_newest_first(api):
    factories.token("BO-1")
    factories.token("CY-1", status="Blocked", country_code="NL", party_id="ABC")

    assert [row["uid"] for row in api.get("tokens/")["results"]] == ["CY-1", "BO-1"]
    assert [row["party"] for row in api.get("tokens/?status=Blocked")["results"]] == ["NL*ABC"]
    assert [row["uid"] for row in api.get("tokens/?uid=bo-1")["results"]] == ["BO-1"]
    assert [row["uid"] for row in api.get("tokens/?party=NL*ABC")["results"]] == ["CY-1"]


def test_it_shows_our_own_token_before_a_partners(api):
    factories.token("BO-1", country_code="NL", party_id="ABC")
    factories.token("BO-1")

    assert api.get("tokens/bo-1/")["party"] == ""


def test_it_deletes_a_token(api):
    factories.token("BO-1")

    answer = api("DELETE", "tokens/BO-1/")

    assert (answer.status_code, answer.content) == (204, b"")
    assert not IdToken.objects.exists()
    assert api("DELETE", "tokens/BO-1/").status_code == 404


@pytest.mark.parametrize("uid", ["A/B", "A?B", "A#B", "A%B", "A B", ".."])
def test_it_finds_a_token_with_any_characters(api, uid):
    factories.token(uid)

    assert api.get(f"tokens/{quote(uid, safe='')}/")["uid"] == uid


def test_it_leaves_a_partners_token_to_the_partner(api):
    factories.token("BO-1", country_code="NL", party_id="ABC")

    assert api("DELETE", "tokens/BO-1/").status_code == 409
