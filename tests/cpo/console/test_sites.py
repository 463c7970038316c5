"""Sites in the console: the list, the live page, the power tree as forms, past days."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from cpo.lib import clock
from cpo.models import AuditEvent
from stations.models import ChargingSession, ChargingStation, PowerNode, PowerOutlet
from stations.services import load_balancer, site_building
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def station() -> ChargingStation:
    return factories.station(
        "ADA-1", connectors=2, is_online=True, last_seen_at=clock.now(), ocpp_version="1.6"
    )


def address(station: ChargingStation, rest: str = "") -> str:
    assert station.location is not None
    return f"/sites/{station.location.uid}/{rest}"


def fuses(*rows: dict[str, str], kept: int = 0, **fields: str) -> dict[str, str]:
    found = {
        "fuse-TOTAL_FORMS": str(len(rows)),
        "fuse-INITIAL_FORMS": str(kept),
        "rule": "fair",
        "voltage": "230",
    }
    for number, row in enumerate(rows):
        full = {
            "name": "",
            "parent": "",
            "l1": "",
            "l2": "",
            "l3": "",
            "meter": "building",
            "assumed": "",
        } | row
        found |= {f"fuse-{number}-{name}": value for name, value in full.items()}
    return found | fields


def outlets(station: ChargingStation, *rows: dict[str, str]) -> dict[str, str]:
    found = {"outlet-TOTAL_FORMS": str(len(rows)), "outlet-INITIAL_FORMS": str(len(rows))}
    for number, row in enumerate(rows):
        full = {
            "evse": str(factories.evse(station, number + 1).pk), "fuse": "Main", "rotation": "123",
            "priority": "0", "minimum": "6", "maximum": "32", "safe": "",
        } | row  # fmt: skip
        found |= {f"outlet-{number}-{name}": value for name, value in full.items()}
    return found


MAIN = {"name": "Main", "l1": "32"}


@pytest.fixture
def built(ada: Client, station: ChargingStation) -> ChargingStation:
    """Give the station with both connectors on one fuse of 32 A."""
    assert ada.post(address(station, "fuses/"), fuses(MAIN, {})).status_code == 302
    assert (
        ada.post(address(station, "outlets/"), outlets(station, {}, {"rotation": "231"})).status_code == 302
    )
    return station


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_a_tree_is_built_in_two_forms(ada: Client, built: ChargingStation) -> None:
    node = PowerNode.objects.get()
    assert (node.name, node.limit_l1_a, node.limit_l3_a) == ("Main", 32, 32)
    rows = PowerOutlet.objects.order_by("id").values_list("rotation", "safe_a")
    assert list(rows) == [("123", 16), ("231", 16)]
    assert AuditEvent.objects.filter(action="site_power.write").count() == 2


def test_what_is_known_of_an_outlet_stands_in_its_row_already(ada: Client, station: ChargingStation) -> None:
    station.evses.get(number=1).connectors.update(power_type="AC_1_PHASE", max_amperage_a=20)
    ada.post(address(station, "fuses/"), fuses(MAIN))

    page = text(ada.get(address(station, "tree/")))
    assert 'name="outlet-0-rotation" value="1"' in page
    assert 'name="outlet-0-maximum" value="20"' in page


def test_a_fuse_that_is_renamed_takes_its_outlets_along(ada: Client, built: ChargingStation) -> None:
    below = {"name": "Garage", "parent": "House", "l1": "20", "l2": "20", "l3": "16"}
    ada.post(address(built, "fuses/"), fuses({"name": "House", "l1": "63"}, below, kept=1))

    assert set(PowerOutlet.objects.values_list("node__name", flat=True)) == {"House"}
    assert PowerNode.objects.get(name="Garage").parent == PowerNode.objects.get(name="House")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"name": "A", "l1": "32", "parent": "X"}], "no fuse named X"),
        ([{"name": "A", "l1": "32"}, {"name": "B", "l1": "32"}], "is the grid connection"),
        ([{"name": "A", "l1": ""}], "How many A may flow?"),
    ],
    ids=["unknown", "two tops", "no current"],
)
def test_fuses_that_cannot_be_are_said_in_plain_words(
    ada: Client, station: ChargingStation, rows: list[dict[str, str]], said: str
) -> None:
    answer = ada.post(address(station, "fuses/"), fuses(*rows))

    assert (answer.status_code, said in text(answer)) == (422, True)
    assert not PowerNode.objects.exists()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"rotation": "777"}, "each phase once"),
        ({"safe": "2"}, "safe current is 0"),
        ({"evse": "9"}, "no such outlet"),
    ],
    ids=["phases", "safe", "outlet"],
)
def test_outlets_that_cannot_be_are_said_in_plain_words(
    ada: Client, built: ChargingStation, row: dict[str, str], said: str
) -> None:
    answer = ada.post(address(built, "outlets/"), outlets(built, row, {}))

    assert (answer.status_code, said in text(answer)) == (422, True)


def test_an_outlet_without_a_fuse_is_let_go(ada: Client, built: ChargingStation) -> None:
    ada.post(address(built, "outlets/"), outlets(built, {}, {"fuse": ""}))

    assert PowerOutlet.objects.get().evse.number == 1


def test_the_page_says_what_flows_and_why(ada: Client, built: ChargingStation) -> None:
    now = clock.now()
    for number, watts in ((1, 4830), (2, 6900)):
        factories.session(built, number=number, started_at=now, last_reading_at=now, power_w=Decimal(watts))
    assert built.location is not None
    load_balancer.balance(built.location)

    page = text(ada.get(address(built)))
    assert "L1: vehicles draw 17 A and may draw 32 A, the building 0 A, of 32 A" in page
    assert "L1 · Main is used up; this is its share of it." in page
    assert "L2 L3 L1" in page
    assert ada.get(address(built, "?part=now")).status_code == 200


def test_a_vehicle_that_waits_a_silent_meter_and_an_absent_station_are_told(
    ada: Client, built: ChargingStation
) -> None:
    other = factories.station("BO-1", location=built.location, last_seen_at=clock.now(), ocpp_version="2.0.1")
    PowerOutlet.objects.create(evse=factories.evse(other), node=PowerNode.objects.get())
    factories.session(built, started_at=clock.now())
    amps = dict.fromkeys((1, 2, 3), Decimal(1))
    site_building.metered(PowerNode.objects.get(), amps=amps, at=clock.now() - timedelta(hours=1))
    assert built.location is not None
    load_balancer.balance(built.location)

    page = text(ada.get(address(built)))
    assert "has no 6 A left" in page
    assert "The station cannot be told; 32.0 A are kept back for it." in page
    assert "meter silent" in page


def test_it_is_paused_resumed_sent_again_and_removed(ada: Client, built: ChargingStation) -> None:
    ada.post(address(built, "pause/"))
    assert "Paused: nothing is shared" in text(ada.get(address(built)))
    ada.post(address(built, "resume/"))
    assert PowerNode.objects.get().is_active
    assert ada.post(address(built, "safe/")).status_code == 302
    ada.post(address(built, "remove/"))

    assert not PowerNode.objects.exists()
    assert "No site is balanced yet" in text(ada.get("/sites/"))


def test_the_list_shows_sites_and_those_without_a_tree(ada: Client, built: ChargingStation) -> None:
    factories.location(name="Harbour")

    page = text(ada.get("/sites/"))
    assert "Depot" in page
    assert "Harbour" in page


def test_who_may_only_look_builds_nothing(
    person: Any, built: ChargingStation, station: ChargingStation
) -> None:
    viewer = person("viewer")

    assert viewer.get(address(station)).status_code == 200
    assert viewer.post(address(station, "pause/")).status_code == 403
    assert viewer.get(address(station, "tree/")).status_code == 403


def test_a_site_of_another_operator_does_not_exist(person: Any, built: ChargingStation) -> None:
    other = person("operator", operators=[factories.operator(party_id="TWO")])

    assert other.get(address(built)).status_code == 404
    assert other.post(address(built, "remove/")).status_code == 404


# --- past days


@pytest.fixture
def past(built: ChargingStation) -> ChargingSession:
    """Give a day on which both drew 30 A at once for five minutes, and then nothing more."""
    for number in (1, 2):
        session = factories.session(built, number=number, ended=True)
        factories.samples(session, (5, "20700"), measurand="Power.Active.Import", unit="W")
        ChargingSession.objects.filter(pk=session.pk).update(
            ended_at=session.started_at + timedelta(minutes=15)
        )
    return session


def test_a_replayed_day_tells_sums_and_who_lacked(
    ada: Client, built: ChargingStation, past: ChargingSession
) -> None:
    page = text(ada.get(address(built, f"replay/?day={past.started_at:%Y-%m-%d}")))

    assert "60 A" in page
    assert "Who would have lacked energy" in page
    assert "/replay.json?day=2025-03-01" in page


def test_its_chart_has_the_limit_and_both_sums(
    ada: Client, built: ChargingStation, past: ChargingSession
) -> None:
    found = ada.get(address(built, f"replay.json?day={past.started_at:%Y-%m-%d}&phase=2")).json()

    assert [one["kind"] for one in found["series"]] == ["ours", "theirs", "limit"]
    assert [one["values"][1] for one in found["series"]] == [32, 60, 32]
    assert len(found["marks"]) == 1


def test_a_day_without_sessions_says_so(ada: Client, built: ChargingStation) -> None:
    assert "Nobody charged here that day" in text(ada.get(address(built, "replay/?day=nonsense")))
    assert ada.get(address(built, "replay.json")).json()["at"] == []
