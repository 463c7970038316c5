"""Partners see only what is theirs: the walk over every route, as owner and as somebody else."""

import pytest

from roaming.ocpi.urls import ROUTES
from tests import factories
from tests.roaming.platform import bill, connection_of, drive, network, register

pytestmark = pytest.mark.django_db


@pytest.fixture
def other(platform, partners):
    """Register partner NL*XYZ too."""
    return register(platform, partners("XYZ"))


@pytest.fixture
def world(partner, platform):
    """Give a driver of NL*ABC a session and a CDR at a published station, and one token that has not charged."""
    charger = network()
    session = drive(charger, ended=True)
    cdr = bill(session)
    hidden = network(publish=False)
    return {
        "session": session.uid,
        "cdr": cdr.uid,
        "token": "EMP-1",
        "location": charger.location.uid,
        "hidden": hidden.location.uid,
        "hidden_evse": hidden.evses.get().uid,
        "evse": charger.evses.get().uid,
        "tariff": charger.location.tariff_assignments.get().tariff.uid,
        "hidden_tariff": hidden.location.tariff_assignments.get().tariff.uid,
    }


def routes_of_objects(world):
    """Every route that names an object of a driver of NL*ABC."""
    return {
        "cpo/<version>/sessions/<uid>": f"cpo/2.2.1/sessions/{world['session']}",
        "cpo/<version>/sessions/<uid>/charging_preferences": None,
        "cpo/<version>/cdrs/<uid>": f"cpo/2.2.1/cdrs/{world['cdr']}",
        "cpo/<version>/tokens/<country_code>/<party_id>/<uid>": f"cpo/2.2.1/tokens/NL/ABC/{world['token']}",
    }


def test_the_owner_sees_each_of_his_objects(partner, platform, world):
    for path in filter(None, routes_of_objects(world).values()):
        assert partner.ask("GET", f"{platform}/ocpi/{path}").http == 200, path


def test_another_partner_sees_nothing_on_any_route(other, platform, world):
    for path in filter(None, routes_of_objects(world).values()):
        answer = other.ask("GET", f"{platform}/ocpi/{path}")
        assert answer.http == 404, path
        assert answer.data is None
    for module in ("sessions", "cdrs"):
        answer = other.ask("GET", f"{platform}/ocpi/cpo/2.2.1/{module}?date_from=2000-01-01T00:00:00Z")
        assert (answer.data, answer.headers["x-total-count"]) == ([], "0")


def test_the_walk_covers_every_route_of_the_table(world):
    open_to_all = {"versions", "<version>", "<version>/credentials"}
    shared = {pattern for pattern, _ in ROUTES if "/locations" in pattern or "/tariffs" in pattern}
    lists = {"cpo/<version>/sessions", "cpo/<version>/cdrs"}

    assert {p for p, _ in ROUTES} == open_to_all | shared | lists | routes_of_objects(world).keys()


def test_unpublished_places_and_their_tariffs_exist_for_nobody(partner, platform, world):
    base = f"{platform}/ocpi/cpo/2.2.1"

    assert [location["id"] for location in partner.fetch_all("locations")] == [world["location"]]
    assert [tariff["id"] for tariff in partner.fetch_all("tariffs")] == [world["tariff"]]
    assert partner.ask("GET", f"{base}/locations/{world['hidden']}").http == 404
    assert partner.ask("GET", f"{base}/locations/{world['hidden']}/{world['hidden_evse']}").http == 404
    assert partner.ask("GET", f"{base}/tariffs/{world['hidden_tariff']}").http == 404


def test_an_evse_is_found_under_its_own_location_only(partner, platform, world):
    base = f"{platform}/ocpi/cpo/2.2.1/locations"
    second = network()

    assert partner.ask("GET", f"{base}/{world['location']}/{world['evse']}").data["uid"] == world["evse"]
    assert partner.ask("GET", f"{base}/{world['location']}/{world['evse']}/1").data["id"] == "1"
    assert partner.ask("GET", f"{base}/{world['location']}/{world['evse']}/2").http == 404
    assert partner.ask("GET", f"{base}/{second.location.uid}/{world['evse']}").http == 404


def test_sessions_that_were_not_authorised_are_nobodys(partner, platform):
    charger = network()
    drive(charger, authorization_status="Invalid")

    answer = partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/sessions?date_from=2000-01-01T00:00:00Z")

    assert answer.data == []


def test_after_the_end_of_a_registration_nothing_is_visible(partner, platform, world):
    partner.ask("DELETE", partner.credentials_url)

    assert partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations").http == 401
    assert partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/cdrs/{world['cdr']}").http == 401


def test_two_parties_of_one_platform_are_told_apart_by_the_from_header(platform, partners, partner):
    connection = connection_of(partner)
    connection.parties.create(role="EMSP", country_code="NL", party_id="TWO", key="NL*TWO")
    mine, theirs = drive(network(), ended=True), drive(network(), "NL*TWO", uid="TWO-1", ended=True)
    url = f"{platform}/ocpi/cpo/2.2.1/sessions?date_from=2000-01-01T00:00:00Z"

    both = partner.ask("GET", url)
    one = partner.ask("GET", url, headers={"OCPI-from-country-code": "nl", "OCPI-from-party-id": "two"})

    assert {s["id"] for s in both.data} == {mine.uid, theirs.uid}
    assert [s["id"] for s in one.data] == [theirs.uid]


def test_the_to_header_chooses_one_of_our_operators(partner, platform):
    second = factories.operator("DE", "TWO", name="Second")
    mine = network()
    factories.station(location=factories.location(second, name="Elsewhere"))
    url = f"{platform}/ocpi/cpo/2.2.1/locations"

    answer = partner.ask("GET", url, headers={"OCPI-to-country-code": "NL", "OCPI-to-party-id": "OPN"})

    assert [location["id"] for location in answer.data] == [mine.location.uid]
    assert len(partner.ask("GET", url).data) == 2
