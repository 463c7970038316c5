"""Quirks of stations: profiles, sightings, an operator's word, and which of them decides."""

import pytest
import yaml

from stations.models import ChargingStation, StationQuirk
from stations.services import quirk_profiles, quirks
from stations.services.errors import UnknownQuirk
from tests import factories

pytestmark = pytest.mark.django_db


def wallbox(**fields: str) -> ChargingStation:
    makes = {"vendor": "Wall Box Chargers", "model": "PLP2-M-2-4", "firmware_version": "6.6.12"}
    return factories.station("ADA-1", **makes | fields)


def test_every_profile_uses_known_flags_with_values_they_can_have() -> None:
    for profile in quirk_profiles.profiles():
        for flag, value in profile.flags.items():
            assert quirks.KNOWN[flag].clean(value) == value, profile.name


def test_a_make_has_what_its_profile_says() -> None:
    found = quirks.flags(wallbox())

    assert (found["settle_s"], found["no_boot_on_reconnect"]) == (20, True)


def test_an_unknown_make_has_no_flags() -> None:
    assert quirks.flags(factories.station("ADA-1", vendor="Acme")) == {}


@pytest.mark.parametrize(
    ("firmware", "settle_s"),
    [("TAC3Z9119006710273::V1.8.21", 10), ("V1.6.8", 20), ("1.6.9", 10), ("", 10)],
)
def test_a_range_of_firmware_versions_is_heeded(firmware: str, settle_s: int) -> None:
    found = quirks.of_make("ABB", "CDT_TACW11::NET_WIFI", firmware)

    assert found["settle_s"] == settle_s


def test_an_operators_word_stands_above_the_profile() -> None:
    station = wallbox()

    quirks.override(station, flag="settle_s", value=7, by="Ada")

    assert quirks.flags(station)["settle_s"] == 7


def test_a_word_taken_back_lets_the_profile_hold_again() -> None:
    station = wallbox()
    quirks.override(station, flag="settle_s", value=7, by="Ada")

    quirks.forget(station, flag="settle_s")

    assert quirks.flags(station)["settle_s"] == 20


@pytest.mark.parametrize(
    ("flag", "value"),
    [("settle_s", -1), ("settle_s", True), ("settle_s", "5"), ("watts_only", 1), ("pinned_version", "1.5"),
     ("max_rate", 0), ("colour", "red")],
)  # fmt: skip
def test_a_flag_or_value_that_is_none_is_refused(flag: str, value: object) -> None:
    with pytest.raises(UnknownQuirk):
        quirks.override(factories.station("ADA-1"), flag=flag, value=value, by="Ada")


def test_what_was_seen_three_times_holds() -> None:
    station = factories.station("ADA-1")

    for _ in range(quirks.CONFIDENT - 1):
        quirks.noticed(station.pk, "no_boot_on_reconnect")
    assert quirks.flags(station) == {}
    quirks.noticed(station.pk, "no_boot_on_reconnect")

    assert quirks.flags(station) == {"no_boot_on_reconnect": True}


def test_an_operators_word_stands_above_what_was_seen() -> None:
    station = factories.station("ADA-1")
    for _ in range(quirks.CONFIDENT):
        quirks.noticed(station.pk, "no_boot_on_reconnect")

    quirks.override(station, flag="no_boot_on_reconnect", value=False, by="Ada")

    assert quirks.flags(station) == {"no_boot_on_reconnect": False}


def test_deviations_are_counted_and_decide_nothing() -> None:
    station, tally = factories.station("ADA-1"), quirks.Tally()
    for _ in range(5):
        tally.note(station.pk, ["enum_spelling:status", "bom"])

    quirks.count(tally.take())
    tally.note(station.pk, ["bom"])
    quirks.count(tally.take())

    counts = dict(StationQuirk.objects.values_list("flag", "count"))
    assert (counts, quirks.flags(station)) == ({"enum_spelling:status": 5, "bom": 6}, {})


def test_a_deleted_station_costs_the_others_nothing() -> None:
    station, tally = factories.station("ADA-1"), quirks.Tally()
    tally.note(station.pk, ["bom"])
    tally.note(station.pk + 1000, ["bom"])

    quirks.count(tally.take())

    assert StationQuirk.objects.get().station == station


def test_words_made_up_by_a_station_fill_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quirks, "FLAGS_PER_STATION", 3)
    station, tally = factories.station("ADA-1"), quirks.Tally()
    for number in range(10):
        tally.note(station.pk, [f"missing:made-up-{number}"])
        quirks.count(tally.take())

    assert StationQuirk.objects.count() == 3


def test_the_list_says_which_source_decides() -> None:
    station = wallbox()
    quirks.override(station, flag="settle_s", value=7, by="Ada")
    quirks.noticed(station.pk, "bom", value=None)

    found = {(line.flag, line.source): line for line in quirks.lines(station)}

    assert found["settle_s", "operator"].is_in_force
    assert not found["settle_s", "profile"].is_in_force
    assert found["amps_only", "profile"].is_in_force
    assert not found["bom", "detected"].is_in_force
    assert found["settle_s", "profile"].known is quirks.KNOWN["settle_s"]


def test_an_export_can_be_read_as_profiles() -> None:
    station = wallbox()
    quirks.override(station, flag="min_limit_a", value=8, by="Ada")

    text = quirks.export([station])

    (profile,) = quirk_profiles.parse(text)
    assert profile.fits(station.vendor, station.model, station.firmware_version)
    assert (profile.flags, len(yaml.safe_load(text))) == ({"min_limit_a": 8}, 1)


def test_a_file_that_holds_no_profiles_is_named() -> None:
    with pytest.raises(ValueError, match="own.yaml"):
        quirk_profiles.parse("- {vendor: '('}", "own.yaml")
