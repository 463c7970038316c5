"""Every page opens within its budget of queries (P9) and holds nothing that the content policy forbids (W2)."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from billing.services import snapshots
from stations.models import ChargingStation
from tests.cpo.console import network, routes

QUERIES = 13  # of one page, login and navigation included
TAB_QUERIES = 16  # of a tab of a station, its verdict included
DENSE = {"smart-charging": 28}  # two schedules and their sources, beside the profiles
ADDRESSES = [
    *((name, "") for name in routes.PAGES if name not in routes.TABS),
    *((name, tab) for name, tabs in routes.TABS.items() for tab in tabs),
]
EMPTY = [
    "overview",
    "review",
    "stations",
    "onboarding",
    "security",
    "sessions",
    "tokens",
    "tariffs",
    "cdrs",
    "partners",
]


def address(found: Any, name: str, tab: str) -> str:
    return routes.url(name, found) + (f"?tab={tab}" if tab else "")


def budget(name: str, tab: str) -> int:
    return DENSE.get(tab, TAB_QUERIES) if name == "station" else QUERIES


@pytest.mark.parametrize(("name", "tab"), ADDRESSES)
def test_a_page_needs_few_queries(
    person: Callable[..., Client], name: str, tab: str, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    found = network.build()
    ada = person("admin")

    with django_assert_max_num_queries(budget(name, tab)):
        response = ada.get(address(found, name, tab))

    assert response.status_code == 200


@pytest.mark.parametrize("tab", routes.TABS["station"])
def test_a_station_that_is_offline_needs_few_queries_too(
    person: Callable[..., Client], tab: str, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    found = network.build()
    ChargingStation.objects.filter(pk=found.station.pk).update(is_online=False)
    ada = person("admin")

    with django_assert_max_num_queries(budget("station", tab)):
        ada.get(f"/stations/{found.station.identity}/?tab={tab}")


def test_a_running_session_with_its_cost_needs_few_queries(
    person: Callable[..., Client], django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    running = network.build().running
    snapshots.ensure(snapshots.read([running.pk]))  # made when a session starts
    ada = person("admin")

    with django_assert_max_num_queries(QUERIES):
        assert ada.get(f"/sessions/{running.uid}/").status_code == 200
    with django_assert_max_num_queries(QUERIES):
        response = ada.get(f"/sessions/{running.uid}/?part=cost")

    assert "€0.75" in response.content.decode()  # 3 kWh at 0.25


@pytest.mark.parametrize(("name", "tab"), ADDRESSES)
def test_a_page_holds_no_script_of_its_own(ada: Client, name: str, tab: str) -> None:
    response = ada.get(address(network.build(), name, tab))

    text = response.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"\son[a-z]+\s*=|\shx-on|javascript:|hx-vals|\sstyle=", text)
    assert "script-src 'self'" in response.headers["Content-Security-Policy"].split("; ")


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_network_has_its_words_too(ada: Client, name: str) -> None:
    response = ada.get(routes.url(name, None))

    assert b'class="empty' in response.content


@pytest.mark.parametrize(("name", "tab"), ADDRESSES)
def test_each_part_of_a_page_can_be_read_again(ada: Client, name: str, tab: str) -> None:
    found = network.build()
    text = ada.get(address(found, name, tab)).content.decode()

    for refresh in re.findall(r'hx-get="([^"]+)"', text):
        response = ada.get(refresh.replace("&amp;", "&"))
        assert response.status_code == 200
        assert b"<html" not in response.content


def test_a_part_that_a_page_does_not_have_is_not_found(ada: Client) -> None:
    assert ada.get("/stations/?part=verdict").status_code == 404


def test_a_page_is_kept_by_nobody_else(ada: Client) -> None:
    assert "private" in ada.get("/").headers["Cache-Control"]
