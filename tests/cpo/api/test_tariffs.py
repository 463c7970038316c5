"""/tariffs/: prices in OCPI's shape, where they apply, and what a session costs with them."""

from decimal import Decimal

import pytest

from billing.models import Tariff, TariffVersion
from billing.services import tariffs
from tests import factories

pytestmark = pytest.mark.django_db

DAY = {
    "id": "day",
    "currency": "EUR",
    "tax_included": "NO",
    "elements": [{"price_components": [{"type": "ENERGY", "price": 0.35, "vat": 21, "step_size": 1}]}],
}
HOUR = {
    "start_date_time": "2025-03-01T12:00:00Z",
    "end_date_time": "2025-03-01T13:00:00Z",
    "time_zone": "Europe/Amsterdam",
    "charging_periods": [
        {"start_date_time": "2025-03-01T12:00:00Z", "dimensions": [{"type": "ENERGY", "volume": 12.3455}]}
    ],
}


@pytest.fixture(autouse=True)
def _operator():
    factories.operator()


def test_it_adds_a_tariff_and_shows_it_in_ocpi_shape(api):
    made = api.post("tariffs/", DAY, expect=201)

    component = made["elements"][0]["price_components"][0]
    assert made == api.get("tariffs/day/") == api.get("tariffs/")["results"][0]
    assert (made["country_code"], made["party_id"], made["version"]) == ("NL", "OPN", 1)
    assert (component["type"], component["price"]) == ("ENERGY", Decimal("0.35"))


def test_it_takes_the_shape_of_an_older_version(api):
    made = api.post(
        "tariffs/", {key: value for key, value in DAY.items() if key != "tax_included"}, expect=201
    )

    assert made["tax_included"] == "NO"


def test_a_price_keeps_its_last_digit(api):
    component = {"type": "ENERGY", "price": "0.30000000000001", "step_size": 1}
    api("POST", "tariffs/", {**DAY, "elements": [{"price_components": [component]}]})

    assert b'"price":0.30000000000001' in api("GET", "tariffs/day/").content


def test_a_change_is_a_new_version(api):
    api.post("tariffs/", DAY, expect=201)

    changed = api.post("tariffs/", {**DAY, "currency": "DKK"})

    assert (changed["version"], changed["currency"]) == (2, "DKK")
    assert TariffVersion.objects.count() == 2


def test_the_first_tariff_becomes_the_default_of_its_operator(api):
    session = factories.session()

    first = api.post("tariffs/", DAY, expect=201)
    second = api.post("tariffs/", {**DAY, "id": "night"}, expect=201)

    assert [place["operator"] for place in first["assignments"]] == ["NL*OPN"]
    assert second["assignments"] == []
    assert tariffs.for_session(session).tariff.uid == "day"


def test_it_applies_where_it_was_told(api):
    ada = factories.station("ADA-1", connectors=2)
    places = [
        {"location": ada.location.uid},
        {"station": "ADA-1", "connector_id": 2},
        {"evse": factories.evse(ada, 1).uid, "connector": 1},
    ]

    made = api.post("tariffs/", {**DAY, "assignments": places}, expect=201)

    uids = [ada.location.uid, None, None], [None, factories.evse(ada, 2).uid, factories.evse(ada, 1).uid]
    shown = made["assignments"]
    assert ([p["location"] for p in shown], [p["evse"] for p in shown]) == uids
    assert [p["connector"] for p in shown] == [None, None, 1]


def test_it_gets_a_place_and_loses_it_again(api):
    api.post("tariffs/", DAY, expect=201)
    site = factories.location()

    place = api.post("tariffs/day/assignments/", {"location": site.uid}, expect=201)["assignments"][-1]
    gone = api("DELETE", f"tariffs/day/assignments/{place['id']}/").status_code

    assert (place["location"], gone) == (site.uid, 204)
    assert len(api.get("tariffs/day/")["assignments"]) == 1


@pytest.mark.parametrize(
    "place",
    [
        {},
        {"location": "x"},
        {"operator": "NL*TWO"},
        {"evse": "x"},
        {"station": "x"},
        {"operator": "NL*OPN", "evse": "x"},
    ],
)
def test_it_answers_400_to_a_place_that_is_none(api, place):
    api.post("tariffs/", DAY, expect=201)

    assert api("POST", "tariffs/day/assignments/", place).status_code == 400
    assert api("POST", "tariffs/", {**DAY, "id": "night", "assignments": [place]}).status_code == 400
    assert Tariff.objects.count() == 1


def test_it_is_withdrawn_and_stays_in_the_list(api):
    api.post("tariffs/", DAY, expect=201)

    assert api("DELETE", "tariffs/day/").status_code == 204
    assert [(row["is_active"], row["assignments"]) for row in api.get("tariffs/")["results"]] == [(False, [])]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"id": "", "tax_included": "NO"}, "id"),
        ({"id": "x" * 37, "tax_included": "NO"}, "id"),
        ({"currency": "EURO"}, "currency"),
        ({"elements": []}, "elements"),
        ({"elements": [{"price_components": [{"type": "ENERGY", "price": "x", "step_size": 1}]}]}, "price"),
    ],
)
def test_it_names_the_place_of_a_fault(api, change, path):
    error = api.post("tariffs/", {**DAY, **change}, expect=400)["error"]

    assert any(path in field for field in error["fields"])


def test_it_prices_a_session_line_by_line(api):
    bill = api.post("tariffs/price/", {"tariff": DAY, **HOUR})

    assert bill["total_cost"]["excl_vat"] == "4.3211"
    assert bill["total_cost"]["incl_vat"] == "5.2285"
    assert bill["total_energy_cost"] == bill["total_cost"]
    assert bill["billed_energy_kwh"] == "12.346"
    assert any("energy 12.3455 kWh" in line for line in bill["explanation"])


def test_it_prices_with_a_stored_tariff(api):
    api.post("tariffs/", DAY, expect=201)

    assert api.post("tariffs/price/", {"tariff": "DAY", **HOUR})["total_cost"]["excl_vat"] == "4.3211"
    assert api("POST", "tariffs/price/", {"tariff": "nothing", **HOUR}).status_code == 404


@pytest.mark.parametrize(
    "change",
    [{"tariff": {}}, {"tariff": 5}, {"charging_periods": 5}, {"end_date_time": "never"}, {"time_zone": "Mars/X"},
     {"time_zone": 7}, {"start_date_time": None, "end_date_time": None}],
)  # fmt: skip
def test_it_answers_400_to_what_cannot_be_read(api, change):
    assert api("POST", "tariffs/price/", {"tariff": DAY, **HOUR, **change}).status_code == 400


def test_it_answers_422_where_ocpi_leaves_the_price_open(api):
    fed_back = [{"start_date_time": "2025-03-01T12:00:00Z", "dimensions": [{"type": "ENERGY", "volume": -1}]}]

    answer = api("POST", "tariffs/price/", {"tariff": DAY, **HOUR, "charging_periods": fed_back})

    assert answer.status_code in (400, 422)


def test_it_lists_tariffs_with_few_queries(api, django_assert_max_num_queries):
    for number in range(8):
        api.post("tariffs/", {**DAY, "id": f"t{number}"}, expect=201)

    with django_assert_max_num_queries(4):
        assert len(api.get("tariffs/")["results"]) == 8
