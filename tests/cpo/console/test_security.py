"""Security events in the console: the page of all of them, and a station's own."""

import re
from datetime import timedelta

import pytest
from django.test import Client

from cpo.console import paging
from stations.models import ChargingStation
from stations.services import security
from tests import factories
from tests.factories import NOON


@pytest.fixture
def ada_1(db: None) -> ChargingStation:
    ada, bea = factories.station("ADA-1"), factories.station("BEA-1")
    for minutes, (station, type) in enumerate(
        [(ada, "TamperDetectionActivated"), (ada, "VoltDoorAjar"), (bea, "ResetOrReboot")]
    ):
        at = NOON + timedelta(minutes=minutes)
        security.record(station, type=type, at=at, tech_info="<b>lid</b>", now=at)
    return ada


def shown(client: Client, query: str) -> list[str]:
    text = client.get(f"/security/{query}").content.decode()
    return re.findall(r'<tr id="security-\d+">\s*<td><span class="lead">([^<]+)<', text)


@pytest.mark.parametrize(
    ("query", "types"),
    [
        ("", ["ResetOrReboot", "VoltDoorAjar", "TamperDetectionActivated"]),
        ("?show=critical", ["ResetOrReboot", "TamperDetectionActivated"]),
        ("?station=ADA-1", ["VoltDoorAjar", "TamperDetectionActivated"]),
        ("?station=ADA-1&show=critical", ["TamperDetectionActivated"]),
        ("?type=ResetOrReboot", ["ResetOrReboot"]),
        ("?station=NOBODY", []),
    ],
)
def test_security_events_are_found(ada: Client, ada_1: ChargingStation, query: str, types: list[str]) -> None:
    assert shown(ada, query) == types


def test_an_event_says_what_to_do_and_shows_no_markup_of_the_station(
    ada: Client, ada_1: ChargingStation
) -> None:
    text = ada.get("/security/").content.decode()

    assert "send somebody unless work is planned" in text
    assert "&lt;b&gt;lid&lt;/b&gt;" in text
    assert "<b>lid" not in text


def test_the_next_page_goes_on_where_the_first_ended(ada: Client, ada_1: ChargingStation) -> None:
    for minutes in range(paging.ROWS):
        at = NOON + timedelta(hours=1, minutes=minutes)
        security.record(ada_1, type="InvalidMessages", at=at, tech_info="", now=NOON + timedelta(hours=1))
    first = ada.get("/security/").content.decode()

    following = re.search(r'href="([^"]+)" rel="next"', first)

    assert following is not None
    assert shown(ada, following[1].replace("&amp;", "&").replace("/security/", "")) == [
        "ResetOrReboot", "VoltDoorAjar", "TamperDetectionActivated",
    ]  # fmt: skip


def test_a_station_shows_its_own_events(ada: Client, ada_1: ChargingStation) -> None:
    text = ada.get("/stations/ADA-1/?tab=history").content.decode()

    assert "TamperDetectionActivated" in text
    assert "ResetOrReboot" not in text
    assert 'href="/security/?station=ADA-1"' in text


def test_the_alert_is_on_the_review_page_with_what_to_do(ada: Client, ada_1: ChargingStation) -> None:
    text = ada.get("/review/?kind=security_event").content.decode()

    assert "ADA-1: TamperDetectionActivated" in text
    assert "if it was planned work, resolve" in text
