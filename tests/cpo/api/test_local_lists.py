"""/local-lists/ and the local list of a station."""

import pytest

from stations.models import LocalList
from stations.services import local_list_contents
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def station():
    return factories.station("ADA", is_online=True, ocpp_version="1.6")


def test_a_list_is_switched_on_and_shown(api, station):
    factories.token("BO-1")

    switched = api("PUT", "stations/ADA/local-list/", {"mode": "on"})
    local_list_contents.refresh()

    assert switched.status_code == 202
    shown = api.get("stations/ADA/local-list/")
    assert (shown["station"], shown["on"], shown["state"], shown["entries"]) == ("ADA", True, "stale", 1)
    assert [row["station"] for row in api.get("local-lists/?state=stale")["results"]] == ["ADA"]
    assert api.get("local-lists/?state=in_step")["results"] == []


def test_a_station_without_a_list_has_none_to_show_or_send(api, station):
    assert api("GET", "stations/ADA/local-list/").status_code == 404
    assert api("POST", "stations/ADA/local-list/send/").status_code == 409


def test_the_whole_list_is_sent_on_demand(api, station):
    api("PUT", "stations/ADA/local-list/", {"mode": "on"})
    local_list_contents.refresh()
    LocalList.objects.update(state="unsupported", tries=4)

    assert api.post("stations/ADA/local-list/send/", {}, expect=202)["state"] == "stale"


@pytest.mark.parametrize(("rule", "expected"), [(True, True), (False, False), (None, False)])
def test_the_lists_of_a_site_are_switched_together(api, station, rule, expected):
    assert api("PUT", f"locations/{station.location.uid}/local-list/", {"on": rule}).status_code == 200

    local_list_contents.refresh()

    assert LocalList.objects.filter(station=station, is_on=True).exists() is expected


@pytest.mark.parametrize("body", [{}, {"mode": "maybe"}])
def test_what_is_no_mode_is_refused(api, station, body):
    assert api("PUT", "stations/ADA/local-list/", body).status_code == 400
