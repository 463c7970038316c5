"""/stations/: registration and state."""

import pytest

from stations.models import ChargingStation
from stations.services import provisioning
from tests import factories

pytestmark = pytest.mark.django_db


def test_it_registers_a_station_and_shows_a_generated_password_once(api):
    made = api.post("stations/", {"id": "ADA-1", "name": "Ada"}, expect=201)

    row = ChargingStation.objects.get(identity="ADA-1")
    password = made["password"].encode()
    assert provisioning.password_matches(
        password, salt=bytes(row.secret_salt), expected=bytes(row.secret_hash)
    )
    assert "password" not in api.get("stations/ADA-1/")
    assert made["url"].endswith("/ocpp/ADA-1")


def test_it_changes_a_known_station_and_keeps_its_password(api):
    api.post("stations/", {"id": "ADA-1", "name": "Ada"}, expect=201)

    changed = api.post("stations/", {"id": "ADA-1", "security_profile": 2})

    assert (changed["password"], changed["name"], changed["security_profile"]) == (None, "Ada", 2)
    assert ChargingStation.objects.count() == 1


def test_it_sets_a_given_password(api):
    made = api.post("stations/", {"id": "ADA-1", "password": "sixteen-or-more-chars"}, expect=201)

    row = ChargingStation.objects.get()
    assert provisioning.password_matches(
        b"sixteen-or-more-chars", salt=bytes(row.secret_salt), expected=bytes(row.secret_hash)
    )
    assert made["id"] == "ADA-1"


def test_it_makes_connectors_by_number_or_by_description(api):
    api.post("stations/", {"id": "ADA-1", "connectors": 2}, expect=201)

    described = {"connector_id": 3, "format": "CABLE", "max_power_w": 22000, "evse_id": "NL*OPN*E1"}
    changed = api.post("stations/", {"id": "ADA-1", "connectors": [described]})

    assert [c["connector_id"] for c in changed["connectors"]] == [1, 2, 3]
    assert changed["connectors"][2].items() >= described.items()


def test_it_puts_a_station_at_a_location(api):
    site = factories.location()

    made = api.post("stations/", {"id": "ADA-1", "location": site.uid}, expect=201)

    assert made["location"] == site.uid


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "id"),
        ({"id": "a/b"}, "id"),
        ({"id": "x" * 49}, "id"),
        ({"id": "ADA-1", "password": "short"}, "password"),
        ({"id": "ADA-1", "location": "nowhere"}, "location"),
        ({"id": "ADA-1", "security_profile": 9}, "security_profile"),
        ({"id": "ADA-1", "connectors": "two"}, "connectors"),
        ({"id": "ADA-1", "connectors": [{"connector_id": 0}]}, "connectors.0.connector_id"),
    ],
)
def test_it_names_the_field_that_is_wrong(api, body, field):
    error = api.post("stations/", body, expect=400)["error"]

    assert field in error["fields"]
    assert not ChargingStation.objects.exists()


def test_it_lists_stations_newest_first_and_filters_them(api):
    first, second = factories.station(), factories.station(is_online=True)

    assert [row["id"] for row in api.get("stations/")["results"]] == [second.identity, first.identity]
    assert [row["id"] for row in api.get("stations/?is_online=true")["results"]] == [second.identity]
    assert [row["id"] for row in api.get(f"stations/?location={first.location.uid}")["results"]] == [
        first.identity
    ]


def test_it_answers_without_the_last_slash_too(api):
    factories.station("ADA-1")

    assert api.get("stations/ADA-1")["id"] == "ADA-1"
    assert api.post("stations", {"id": "ADA-2"}, expect=201)["id"] == "ADA-2"


def test_it_lists_many_stations_with_few_queries(api, django_assert_max_num_queries):
    for _ in range(12):
        factories.station(connectors=2)

    with django_assert_max_num_queries(5):
        assert len(api.get("stations/")["results"]) == 12


@pytest.mark.parametrize("identity", ["nobody", "%00", "..", "a%2Fb", "%F0%9F%98%80", "x" * 300])
def test_it_answers_404_for_an_identity_that_nobody_has(api, identity):
    assert api("GET", f"stations/{identity}/").status_code == 404
