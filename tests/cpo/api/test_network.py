"""/operators/ and /locations/."""

from decimal import Decimal

import pytest

from stations.models import Location, Operator
from tests import factories

pytestmark = pytest.mark.django_db


def test_it_adds_and_changes_an_operator(api):
    made = api.post("operators/", {"country_code": "nl", "party_id": "opn", "name": "Ada"}, expect=201)
    changed = api.post("operators/", {"country_code": "NL", "party_id": "OPN", "name": "Ada & Co"})

    assert (made["id"], changed["name"]) == ("NL*OPN", "Ada & Co")
    assert Operator.objects.count() == len(api.get("operators/")["results"]) == 1


def test_it_adds_a_location_of_the_only_operator(api):
    factories.operator()

    made = api.post(
        "locations/", {"name": "Depot", "latitude": 52.3702157, "longitude": "4.8951679"}, expect=201
    )

    assert made == api.get(f"locations/{made['id']}/")
    assert (made["operator"], made["latitude"]) == ("NL*OPN", Decimal("52.3702157"))


def test_it_changes_the_location_with_this_id_and_leaves_the_rest(api):
    factories.operator()
    api.post("locations/", {"id": "depot", "name": "Depot", "city": "Amsterdam"}, expect=201)

    changed = api.post("locations/", {"id": "depot", "time_zone": "Europe/Berlin"})

    assert (changed["name"], changed["city"], changed["time_zone"]) == ("Depot", "Amsterdam", "Europe/Berlin")
    assert Location.objects.count() == 1


def test_it_asks_for_the_operator_when_there_are_several(api):
    factories.operator()
    factories.operator(party_id="TWO")

    error = api.post("locations/", {"name": "Depot"}, expect=400)["error"]

    assert list(error["fields"]) == ["operator"]
    assert api.post("locations/", {"name": "Depot", "operator": "NL*TWO"}, expect=201)["operator"] == "NL*TWO"


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"name": "Depot", "time_zone": "Mars/Olympus"},
        {"name": "Depot", "latitude": 91},
        {"name": "Depot", "operator": "XX*XXX"},
        {"name": "Depot", "id": "a b"},
        {"name": "Depot", "opening_times": "always"},
    ],
)
def test_it_answers_400_to_what_is_no_location(api, body):
    factories.operator()

    assert api("POST", "locations/", body).status_code == 400


def test_it_keeps_decimals_in_opening_times_as_texts(api):
    factories.operator()

    made = api.post(
        "locations/", {"name": "Depot", "energy_mix": {"x": 1.5, "is_green_energy": True}}, expect=201
    )

    assert made["energy_mix"] == {"x": "1.5", "is_green_energy": True}
