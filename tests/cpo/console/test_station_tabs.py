"""The tabs of a station's page: grouped, offered by what the station's version can, and open to who may see them."""

import re
from collections.abc import Callable

import pytest
from django.template.loader import get_template
from django.test import Client

from cpo.console import station_tabs
from tests import factories

VERSIONS = ["", "1.6", "2.0.1", "2.1"]
OFFERED_BY = {
    "": set(),
    "1.6": set(),
    "2.0.1": {"publications", "customers", "monitoring", "display", "network", "vehicles"},
    "2.1": {"publications", "customers", "monitoring", "display", "energy", "network", "vehicles", "streams"},
}
SOME_HAVE = {"publications", "customers", "monitoring", "display", "energy", "network", "vehicles", "streams"}


def links(client: Client, tab: str = "now") -> set[str]:
    """Give the tabs to which the navigation of the page leads."""
    text = client.get(f"/stations/ADA-1/?tab={tab}").content.decode()
    navigation = "".join(re.findall(r'<nav class="tabs.*?</nav>', text, re.DOTALL))
    return set(re.findall(r'href="\?tab=([a-z-]+)"', navigation))


def test_every_tab_has_a_section_and_a_body() -> None:
    sections = {section.name for section in station_tabs.SECTIONS}

    assert {tab.section for tab in station_tabs.TABS} == sections
    assert len(station_tabs.BY_NAME) == len(station_tabs.TABS)
    assert [get_template(tab.template) for tab in station_tabs.TABS]


@pytest.mark.parametrize("version", VERSIONS)
def test_each_tab_that_the_version_has_is_two_clicks_away(ada: Client, version: str) -> None:
    factories.station("ADA-1", ocpp_version=version)

    firsts = links(ada)
    reached = set().union(*(links(ada, first) for first in firsts))

    assert SOME_HAVE & reached == OFFERED_BY[version]
    assert reached - SOME_HAVE == set(station_tabs.BY_NAME) - SOME_HAVE


@pytest.mark.parametrize("tab", sorted(SOME_HAVE))
def test_the_address_of_a_tab_stays_when_the_station_comes_back_with_an_older_version(
    ada: Client, tab: str
) -> None:
    factories.station("ADA-1", ocpp_version="1.6")

    assert tab in links(ada, tab)


def test_a_tab_that_a_role_may_not_see_is_no_address_and_not_offered(person: Callable[..., Client]) -> None:
    factories.station("ADA-1")
    viewer = person("viewer")

    assert viewer.get("/stations/ADA-1/?tab=messages").status_code == 404
    assert "messages" not in links(viewer) | links(viewer, "commands")


def test_what_is_no_tab_is_not_found(ada: Client) -> None:
    factories.station("ADA-1")

    assert ada.get("/stations/ADA-1/?tab=nothing").status_code == 404
