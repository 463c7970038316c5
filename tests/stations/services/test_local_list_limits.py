"""What a station can do of local lists, in the words of its version (1.6 chapter 9.2; 2.1 D01.FR.11 to D01.FR.13)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, Command, LocalList, Variable
from stations.services import authorization, commands, local_list, local_list_contents, local_list_limits
from stations.services.local_list_limits import Limits
from tests import factories

pytestmark = pytest.mark.django_db
ENTRIES = {"name": "Entries", "value": "3", "max_limit": Decimal(400)}


@pytest.fixture(params=["2.0.1", "2.1"])
def station(request: pytest.FixtureRequest) -> ChargingStation:
    return factories.station("BEO", is_online=True, epoch=1, ocpp_version=request.param)


def told(station: ChargingStation, *rows: dict[str, Any], component: str = "LocalAuthListCtrlr") -> None:
    for row in rows:
        Variable.objects.create(station=station, component=component, reported_at=clock.now(), **row)


def number(name: str, value: int) -> dict[str, Any]:
    return {"name": name, "value": str(value)}


@pytest.fixture
def on(station: ChargingStation) -> Callable[[], Command | None]:
    """Switch the list on with eight tokens and take it up to the first command."""

    def begin() -> Command | None:
        for n in range(8):
            authorization.save_token(f"04A2B3C{n}")
        local_list.switch(station, mode="on")
        for _ in range(3):
            local_list_contents.refresh_if_marked()
            local_list.sweep()
        return commands.claim(station.pk, epoch=1)

    return begin


def test_the_most_entries_are_the_limit_of_the_variable_and_not_its_value(station: ChargingStation) -> None:
    told(
        station,
        ENTRIES,
        number("ItemsPerMessage", 20),
        number("BytesPerMessage", 4000),
        {"name": "Enabled", "value": "true"},
    )

    assert local_list_limits.of(station) == Limits(True, True, 400, 20, 4000)


def test_keys_of_the_version_that_it_spoke_before_say_nothing(station: ChargingStation) -> None:
    told(station, number("LocalAuthListMaxLength", 7), component="")

    assert local_list_limits.of(station) == Limits()


def test_a_name_of_another_component_says_nothing(station: ChargingStation) -> None:
    told(station, {"name": "Enabled", "value": "false"}, component="AuthCacheCtrlr")

    assert not local_list_limits.of(station).is_told


def test_a_station_that_never_told_is_asked_for_a_report_of_its_controller(
    on: Callable[[], Command | None],
) -> None:
    asked = on()

    assert asked is not None
    assert asked.action == "GetReport"
    assert asked.payload["componentVariable"] == [{"component": {"name": "LocalAuthListCtrlr"}}]


def test_a_list_that_is_disabled_is_enabled_first(
    station: ChargingStation, on: Callable[[], Command | None]
) -> None:
    told(station, ENTRIES, {"name": "Enabled", "value": "false"})

    asked = on()

    assert asked is not None
    assert asked.action == "SetVariables"
    (change,) = asked.payload["setVariableData"]
    assert (change["component"]["name"], change["variable"]["name"]) == ("LocalAuthListCtrlr", "Enabled")


@pytest.mark.parametrize(
    ("limits", "most"), [([number("ItemsPerMessage", 3)], 3), ([number("BytesPerMessage", 450)], 2)]
)
def test_an_update_is_cut_by_number_and_by_size(
    station: ChargingStation, on: Callable[[], Command | None], limits: list[dict[str, Any]], most: int
) -> None:
    told(station, ENTRIES, {"name": "Enabled", "value": "true"}, *limits)
    asked = on()
    assert asked is not None
    assert asked.action == "GetLocalListVersion"

    commands.answered(asked.uid, station_id=station.pk, result={"versionNumber": 0})
    update = commands.claim(station.pk, epoch=1)

    assert update is not None
    assert update.payload["updateType"] == "Full"
    assert len(update.payload["localAuthorizationList"]) == LocalList.objects.get().part == most
