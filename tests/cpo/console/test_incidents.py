"""The fleet's incidents: listed, filtered, within the scope of who looks."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from cpo.lib import clock
from stations.models import ChargingStation, StationIncident
from tests import factories

PAGE = "/incidents/"


@pytest.fixture
def ada_1(db: None) -> ChargingStation:
    found = factories.station("ADA-1", ocpp_version="2.1")
    incident(found, "Connector{1,1}/Temperature", severity=2)
    incident(found, "EVSE{1}/Power", severity=3, cleared_at=clock.now())
    incident(factories.station("BEA-1", ocpp_version="2.0.1"), "Door/Open", severity=0)
    return found


def incident(station: ChargingStation, title: str, **fields: Any) -> StationIncident:
    began = clock.now() - timedelta(minutes=5)
    return StationIncident.objects.create(
        station=station, key=title, title=title, began_at=began, last_at=began, **fields
    )


TITLES = ("Connector{1,1}/Temperature", "EVSE{1}/Power", "Door/Open")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {0, 1, 2}), ("?state=open", {0, 2}), ("?state=over", {1}), ("?severity=2", {0, 2}), ("?severity=0", {2}),
        ("?station=ada-1", {0, 1}), ("?severity=nonsense&state=nonsense", {0, 1, 2}), ("?station=none", set()),
    ],
)  # fmt: skip
def test_incidents_are_filtered(ada: Client, ada_1: ChargingStation, query: str, shown: set[int]) -> None:
    text = ada.get(PAGE + query).content.decode()

    assert {number for number, title in enumerate(TITLES) if title in text} == shown


def test_an_incident_says_how_grave_it_is_and_leads_to_its_station(
    ada: Client, ada_1: ChargingStation
) -> None:
    text = ada.get(PAGE).content.decode()

    assert "2 System failure" in text
    assert 'href="/stations/ADA-1/?tab=monitoring"' in text


def test_only_incidents_of_stations_in_scope_are_shown(
    person: Callable[..., Client], ada_1: ChargingStation
) -> None:
    text = person("viewer", locations=[ada_1.location]).get(PAGE).content.decode()

    assert [title in text for title in TITLES] == [True, True, False]
