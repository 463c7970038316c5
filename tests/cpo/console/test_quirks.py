"""The quirks tab of a station: what holds, who says so, what was seen, an operator's word."""

import pytest
from django.test import Client

from cpo.models import AuditEvent
from stations.models import ChargingStation
from stations.services import quirks
from tests import factories

TAB = "/stations/ADA-1/?tab=quirks"


@pytest.fixture
def station(db: None) -> ChargingStation:
    return factories.station("ADA-1", vendor="EN+", model="AC7000")


def test_the_tab_shows_flags_sources_and_deviations(ada: Client, station: ChargingStation) -> None:
    quirks.override(station, flag="settle_s", value=3, by="Ada")
    quirks.count({(station.pk, "enum_spelling:status"): (4, None)})

    text = ada.get(TAB).content.decode()

    for words in ("ping_interval_s", "known of the make", "set here", "overruled", "enum_spelling:status"):
        assert words in text
    assert f'data-topics="station:{station.pk}"' in text


def test_a_station_without_quirks_says_so(ada: Client, db: None) -> None:
    factories.station("ADA-1")

    text = ada.get(TAB).content.decode()

    assert "treated as the standard says" in text
    assert "keep to the standard" in text


@pytest.mark.parametrize(
    ("flag", "value", "kept"),
    [
        ("settle_s", "7", 7),
        ("watts_only", "yes", True),
        ("watts_only", "no", False),
        ("pinned_version", "1.6", "1.6"),
    ],
)
def test_a_flag_is_set(ada: Client, station: ChargingStation, flag: str, value: str, kept: object) -> None:
    ada.post("/stations/ADA-1/quirks/", {"flag": flag, "value": value})

    assert quirks.flags(station)[flag] == kept
    assert AuditEvent.objects.get().facts == {"flag": flag, "value": kept}


def test_a_value_that_cannot_be_is_refused_in_words(ada: Client, station: ChargingStation) -> None:
    answer = ada.post("/stations/ADA-1/quirks/", {"flag": "max_rate", "value": "0"}, follow=True)

    assert "greater than or equal to 1" in answer.content.decode()
    assert "max_rate" not in quirks.flags(station)


def test_a_flag_that_nobody_knows_does_not_exist(ada: Client, station: ChargingStation) -> None:
    assert ada.post("/stations/ADA-1/quirks/", {"flag": "colour", "value": "1"}).status_code == 404


def test_a_word_is_taken_back(ada: Client, station: ChargingStation) -> None:
    quirks.override(station, flag="settle_s", value=3, by="Ada")

    ada.post("/stations/ADA-1/quirks/forget/", {"flag": "settle_s"})

    assert quirks.flags(station)["settle_s"] == 10


def test_the_fleets_quirks_are_handed_on_as_a_file(ada: Client, station: ChargingStation) -> None:
    quirks.override(station, flag="min_limit_a", value=8, by="Ada")

    answer = ada.get("/quirks.yaml")

    assert "min_limit_a: 8" in answer.content.decode()
    assert answer["Content-Disposition"] == 'attachment; filename="quirks.yaml"'
