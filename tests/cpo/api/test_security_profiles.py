"""/stations/{id}/security/: profile, password and spellings of a station."""

import pytest

from stations.models import ChargingStation, PasswordChange, SecurityProfileChange
from tests import factories

PATH = "stations/ADA-1/"


@pytest.fixture
def ada(db):
    return factories.station("ADA-1", is_online=True, epoch=1, ocpp_version="1.6", secret_hash=b"x")


def test_it_shows_what_lets_the_station_in(api, ada):
    api.post(f"{PATH}security-profile/", {"profile": 2, "trusts_us": True}, expect=202)
    api.post(f"{PATH}password-change/", {}, expect=202)
    api.post(f"{PATH}aliases/", {"alias": "ada/1"}, expect=201)

    shown = api.get(f"{PATH}security/")

    assert (shown["security_profile"], shown["next_security_profile"]) == (1, 2)
    assert [step["state"] for step in shown["profile_changes"][0]["steps"]] == ["running", "waiting"]
    assert shown["password_changes"][0]["status"] == "queued"
    assert "secret" not in str(shown)
    assert [alias["alias"] for alias in shown["aliases"]] == ["ada/1"]


@pytest.mark.parametrize(("profile", "status"), [(0, 400), (1, 409), (4, 400), ("x", 400)])
def test_what_is_no_rise_is_refused(api, ada, profile, status):
    assert api("POST", f"{PATH}security-profile/", {"profile": profile}).status_code == status


def test_a_rise_is_cancelled_once(api, ada):
    api.post(f"{PATH}security-profile/", {"profile": 3, "trusts_us": True}, expect=202)

    assert api("DELETE", f"{PATH}security-profile/").json()["status"] == "cancelled"
    assert api("DELETE", f"{PATH}security-profile/").status_code == 404
    assert ChargingStation.objects.get().next_security_profile is None


def test_a_lower_profile_wants_to_be_confirmed(api, ada):
    ChargingStation.objects.update(security_profile=3)

    assert api("PUT", f"{PATH}security-profile/", {"profile": 2}).status_code == 409
    assert api("PUT", f"{PATH}security-profile/", {"profile": 2, "confirmed": True}).status_code == 200
    assert ChargingStation.objects.get().security_profile == 2


def test_one_password_at_a_time(api, ada):
    api.post(f"{PATH}password-change/", {}, expect=202)

    assert api("POST", f"{PATH}password-change/", {}).status_code == 409


def test_passwords_of_many_are_changed_within_the_scope(client_of, ada):
    factories.station("ADA-2")
    other = factories.location(factories.operator("DE", "XYZ"))
    factories.station("BEA-1", location=other)
    operator = client_of("operator", operators=[ada.location.operator])

    made = operator("POST", "password-changes/", {"stations": ["ADA-1", "ADA-2", "BEA-1", "NONE"]})

    assert made.json() == {"begun": 2}
    assert {change.station.identity for change in PasswordChange.objects.all()} == {"ADA-1", "ADA-2"}


def test_a_viewer_may_look_and_not_touch(client_of, ada):
    viewer = client_of("viewer")

    assert viewer("GET", f"{PATH}security/").status_code == 200
    for method, path in (("POST", "security-profile/"), ("POST", "password-change/"), ("POST", "aliases/")):
        assert viewer(method, f"{PATH}{path}", {}).status_code == 403
    assert not SecurityProfileChange.objects.exists()


def test_an_alias_is_one_stations_only(api, ada):
    factories.station("ADA-2")
    made = api.post(f"{PATH}aliases/", {"alias": "SN-1"}, expect=201)

    assert api("POST", "stations/ADA-2/aliases/", {"alias": "sn-1"}).status_code == 409
    assert api("DELETE", f"stations/ADA-2/aliases/{made['id']}/").status_code == 404
    assert api("DELETE", f"{PATH}aliases/{made['id']}/").status_code == 204
