"""/sites/: the power tree of a site over the API."""

from datetime import timedelta

import pytest

from cpo.lib import clock
from cpo.models import AuditEvent
from stations.models import PowerNode, PowerOutlet
from stations.services import load_balancer
from tests import factories

pytestmark = pytest.mark.django_db
BUILDING = {"l1_a": 5, "l2_a": 6.5, "l3_a": 0}


@pytest.fixture
def station():
    return factories.station("ADA-1", connectors=2, ocpp_version="1.6")


@pytest.fixture
def path(station):
    return f"sites/{station.location.uid}/"


def tree(**fields):
    fuses = [
        {"name": "Main", "l1_a": 63, "l2_a": 63, "l3_a": 63, "assumed_a": 20},
        {"name": "Garage", "parent": "Main", "l1_a": 32, "l2_a": 32, "l3_a": 32},
    ]
    outlets = [{"station": "ADA-1", "evse": n, "fuse": "Garage"} for n in (1, 2)]
    return {"fuses": fuses, "outlets": outlets} | fields


def test_a_tree_is_built_shown_and_listed(api, path):
    answer = api("PUT", path, tree(rule="priority"))

    assert answer.status_code == 200, answer.content
    shown = api.get(path)
    assert shown["fuses"][1] | {"id": ""} == {
        "id": "", "name": "Garage", "parent": "Main", "l1_a": 32, "l2_a": 32, "l3_a": 32, "assumed_a": None,
        "meter": "building",
    }  # fmt: skip
    assert (shown["rule"], shown["active"], shown["warnings"]) == ("priority", True, [])
    assert shown["outlets"][0]["rotation"] == "123"
    [listed] = api.get("sites/")["results"]
    assert (listed["active"], listed["outlets"]) == (True, 2)
    assert AuditEvent.objects.get(action="site_power.write").facts == {
        "fuses": ["Main", "Garage"],
        "outlets": 2,
    }


@pytest.mark.parametrize(
    ("fields", "path_of_fault"),
    [
        ({"fuses": [{"name": "A", "parent": "B", "l1_a": 1, "l2_a": 1, "l3_a": 1}]}, "fuses.0.parent"),
        ({"outlets": [{"station": "ADA-1", "evse": 9, "fuse": "Main"}]}, "outlets.0.station"),
        ({"outlets": [{"station": "ADA-1", "evse": 1, "fuse": "Attic"}]}, "outlets.0.fuse"),
        ({"fuses": [{"name": "A", "l1_a": -1, "l2_a": 1, "l3_a": 1}]}, "fuses.0.l1_a"),
    ],
    ids=["parent", "evse", "fuse", "negative"],
)
def test_a_tree_that_cannot_be_says_where(api, path, fields, path_of_fault):
    answer = api("PUT", path, tree(**fields))

    assert answer.status_code == 400
    assert path_of_fault in answer.json()["error"]["fields"]
    assert not PowerNode.objects.exists()


def test_the_state_tells_sums_shares_and_reasons(api, path, station):
    api("PUT", path, tree())
    type(station).objects.update(is_online=True, last_seen_at=clock.now())
    factories.session(station, started_at=clock.now(), last_reading_at=clock.now(), power_w=6900)
    load_balancer.balance(station.location)

    main, garage = api.get(f"{path}state/")["fuses"]
    assert main["building"] == {"l1_a": 20, "l2_a": 20, "l3_a": 20}
    assert (garage["limit"]["l1_a"], garage["drawn"]["l1_a"]) == (32, 10)
    first, second = garage["outlets"]
    assert (first["why"], first["safe_a"], first["drawn_a"]) == ("all", 16, 10)
    assert (second["why"], second["session"]) == ("free", None)


def test_it_is_paused_and_resumed(api, path):
    api("PUT", path, tree())

    assert api("POST", f"{path}pause/").status_code == 204
    assert api("POST", f"{path}pause/").status_code == 409
    assert api.get(path)["active"] is False
    assert api("POST", f"{path}resume/").status_code == 204
    assert api("POST", f"{path}resume/").status_code == 409


def test_safe_limits_are_laid_again(api, path):
    api("PUT", path, tree())
    PowerOutlet.objects.update(safe_a=None)

    assert api("POST", f"{path}safe-limits/").status_code == 204
    assert set(PowerOutlet.objects.values_list("safe_a", flat=True)) == {16}


def test_a_building_tells_what_it_draws(api, path):
    api("PUT", path, tree())
    node = PowerNode.objects.get(parent=None)

    assert api("POST", f"{path}fuses/{node.uid}/meter/", BUILDING).status_code == 204
    node.refresh_from_db()
    assert (float(node.meter_l1_a), float(node.meter_l2_a)) == (5, 6.5)


def test_a_reading_that_cannot_be_is_refused(api, path):
    api("PUT", path, tree())
    meter = f"{path}fuses/{PowerNode.objects.get(parent=None).uid}/meter/"

    assert api("POST", meter, {"l1_a": 5, "l2_a": 5}).status_code == 400
    later = (clock.now() + timedelta(hours=1)).isoformat()
    assert api("POST", meter, BUILDING | {"at": later}).status_code == 400
    assert api("POST", f"{path}fuses/none/meter/", BUILDING).status_code == 404


def test_a_past_day_is_replayed(api, path, station):
    api("PUT", path, tree())
    begin = factories.NOON
    for number in (1, 2):
        session = factories.session(station, number=number, ended=True)
        factories.samples(session, (5, "20700"), measurand="Power.Active.Import", unit="W")  # 30 A

    found = api.get(f"{path}replay/?day={begin:%Y-%m-%d}")
    main, garage = found["fuses"]
    assert (garage["over_without_a"], garage["over_with_a"]) == (28, 0)
    assert (len(found["at"]), main["without"][1]["l1_a"]) == (12, 80)
    assert len(found["lacking"]) == 0  # they drew the rest in the next minutes


def test_a_day_needs_a_date(api, path):
    api("PUT", path, tree())

    assert api("GET", f"{path}replay/?day=yesterday").status_code == 400
    assert api("GET", f"{path}replay/?day=2026-11-01&step_s=7").status_code == 400


def test_a_tree_is_removed(api, path):
    api("PUT", path, tree())

    assert api("DELETE", path).status_code == 204
    assert api("GET", path).status_code == 404


def test_who_may_only_look_changes_nothing(client_of, path):
    assert client_of("viewer")("PUT", path, tree()).status_code == 403
