"""The power tree of a site: built, refused in plain words, taken down; and its past days."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from cpo.lib import clock
from stations.models import (
    Connector,
    InstalledProfile,
    Location,
    MeterReading,
    PowerNode,
    PowerOutlet,
    Variable,
)
from stations.services import load_balancer, site_building, site_power, site_replay
from stations.services.errors import InvalidSite
from stations.services.site_power import FusePlan, OutletPlan, Plan
from tests import factories

pytestmark = pytest.mark.django_db


def amps(value: int) -> tuple[Decimal, Decimal, Decimal]:
    return Decimal(value), Decimal(value), Decimal(value)


@pytest.fixture
def plan() -> Plan:
    """Give a plan of a main fuse, one below it, and a station with two connectors."""
    station = factories.station("ADA-1", connectors=2, ocpp_version="1.6")
    fuses = [FusePlan("Main", amps(63)), FusePlan("Garage", amps(32), "Main")]
    return Plan(fuses, [OutletPlan(evse, "Garage") for evse in station.evses.order_by("number")])


def site_of(plan: Plan) -> Location:
    location = plan.outlets[0].evse.station.location
    assert location is not None
    return location


def faults(plan: Plan) -> dict[str, str]:
    with pytest.raises(InvalidSite) as caught:
        site_power.save(site_of(plan), plan)
    return dict(caught.value.faults)


def test_a_tree_is_saved_and_read_back_as_it_was(plan: Plan) -> None:
    site_power.save(site_of(plan), plan)

    assert site_power.plan_of(site_of(plan)) == plan
    assert list(PowerOutlet.objects.values_list("safe_a", flat=True)) == [16, 16]


def test_safe_limits_wait_for_a_station_that_is_away(plan: Plan) -> None:
    site_power.save(site_of(plan), plan)

    rows = InstalledProfile.objects.filter(source=load_balancer.SAFE, state="wanted", is_wanted=True)
    assert rows.count() == 2


def test_what_is_taken_out_of_the_tree_is_let_go(plan: Plan) -> None:
    site_power.save(site_of(plan), plan)
    less = replace(plan, fuses=[FusePlan("Main", amps(63))], outlets=[replace(plan.outlets[0], fuse="Main")])
    site_power.save(site_of(plan), less)

    assert (PowerNode.objects.get().name, PowerOutlet.objects.get().safe_a) == ("Main", 32)
    gone = InstalledProfile.objects.get(evse_number=2)
    assert (gone.state, gone.is_wanted) == ("cleared", False)


def test_a_fuse_that_moves_keeps_what_its_meter_told(plan: Plan) -> None:
    site_power.save(site_of(plan), plan)
    site_building.metered(PowerNode.objects.get(name="Garage"), amps=dict.fromkeys((1, 2, 3), Decimal(4)))
    turned = [FusePlan("Garage", amps(80)), FusePlan("Main", amps(63), "Garage")]
    site_power.save(site_of(plan), replace(plan, fuses=turned))

    garage = PowerNode.objects.get(parent=None)
    assert (garage.name, garage.meter_l1_a) == ("Garage", 4)


def test_a_tree_that_is_removed_leaves_no_limit(plan: Plan) -> None:
    site_power.save(site_of(plan), plan)
    site_power.remove(site_of(plan))

    assert not PowerNode.objects.exists()
    assert not InstalledProfile.objects.filter(is_wanted=True).exists()


@pytest.mark.parametrize(
    ("fuses", "path", "word"),
    [
        ([], "fuses", "at least"),
        ([FusePlan("A", amps(1)), FusePlan("B", amps(1))], "fuses", "A, B"),
        ([FusePlan("A", amps(1), "B"), FusePlan("B", amps(1), "A")], "fuses.0.parent", "below itself"),
        ([FusePlan("A", amps(1), "X")], "fuses.0.parent", "no fuse named X"),
        ([FusePlan("A", amps(1)), FusePlan("A", amps(1), "A")], "fuses.0.name", "Two fuses"),
        ([FusePlan("A", amps(0))], "fuses.0.limits_a", "each phase"),
        ([FusePlan("", amps(1))], "fuses.0.name", "needs a name"),
    ],
    ids=["none", "two tops", "loop", "unknown", "twice", "no current", "no name"],
)
def test_a_tree_that_cannot_be_is_refused(plan: Plan, fuses: list[FusePlan], path: str, word: str) -> None:
    assert word in faults(replace(plan, fuses=fuses))[path]


@pytest.mark.parametrize(
    ("fields", "path", "word"),
    [
        ({"fuse": "Attic"}, "fuse", "no fuse named Attic"),
        ({"rotation": "122"}, "rotation", "each phase once"),
        ({"minimum_a": Decimal(4)}, "minimum_a", "below 6 A"),
        ({"maximum_a": Decimal(5)}, "maximum_a", "smallest"),
        ({"safe_wanted_a": Decimal(3)}, "safe_a", "safe current is 0"),
        ({"power_factor": Decimal("0.1")}, "efficiency_percent", "power factor"),
    ],
    ids=["fuse", "rotation", "minimum", "maximum", "safe", "factor"],
)
def test_an_outlet_that_cannot_be_is_refused(
    plan: Plan, fields: dict[str, str], path: str, word: str
) -> None:
    outlets = [replace(plan.outlets[0], **fields), plan.outlets[1]]  # type: ignore[arg-type]

    assert word in faults(replace(plan, outlets=outlets))[f"outlets.0.{path}"]


def test_safe_currents_that_do_not_fit_together_are_refused(plan: Plan) -> None:
    outlets = [replace(each, safe_wanted_a=Decimal(20)) for each in plan.outlets]

    assert "L1 of Garage" in faults(replace(plan, outlets=outlets))["outlets.1.safe_a"]


def test_an_outlet_of_another_site_is_refused(plan: Plan) -> None:
    other = OutletPlan(factories.evse(factories.station("BO-1")), "Main")

    assert "another site" in faults(replace(plan, outlets=[*plan.outlets, other]))["outlets.2.evse"]


def test_what_is_known_of_an_outlet_is_suggested(plan: Plan) -> None:
    evse = plan.outlets[1].evse
    Connector.objects.filter(evse=evse).update(max_amperage_a=63, max_power_w=22080)
    Variable.objects.create(station=evse.station, name="ConnectorPhaseRotation", value="1.RST,2.STR")

    found = site_power.suggested([evse])[evse.pk]
    assert (found.rotation, found.maximum_a, found.minimum_a) == ("231", 32, 6)


def test_direct_current_is_suggested_with_its_losses(plan: Plan) -> None:
    evse = plan.outlets[0].evse
    Connector.objects.filter(evse=evse).update(power_type="DC", max_power_w=50_000)

    found = site_power.suggested([evse])[evse.pk]
    assert (found.rotation, found.minimum_a) == ("123", 1)
    assert 78 < found.maximum_a < 80  # 50 kW / (690 V x 0.92)


def test_odd_but_possible_trees_are_warned_of(plan: Plan) -> None:
    fuses = [FusePlan("Main", amps(5)), FusePlan("Garage", amps(32), "Main")]
    site_power.save(site_of(plan), replace(plan, fuses=fuses))

    more, unable = site_power.warnings(site_of(plan))
    assert "Garage lets more through than Main" in more
    assert "2 of the outlets cannot charge while the platform is away" in unable


# --- past days


def test_a_past_day_tells_what_would_have_been_with_and_without(plan: Plan) -> None:
    begin = (clock.now() - timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0)
    for outlet in plan.outlets:
        session = factories.session(
            outlet.evse.station, number=outlet.evse.number, started_at=begin + timedelta(hours=9),
            status="ended", ended_at=begin + timedelta(hours=10),
        )  # fmt: skip
        for minute in range(0, 60, 5):
            factories.samples(session, (minute, "13800"), measurand="Power.Active.Import", unit="W")  # 20 A
    site_power.save(site_of(plan), plan)
    garage = PowerNode.objects.get(name="Garage")
    MeterReading.objects.create(node=garage, at=begin + timedelta(hours=9), l1_a=5, l2_a=0, l3_a=0)

    day = site_replay.day(site_of(plan), begin=begin)

    assert (len(day.steps), day.steps[0].at_s) == (12, 9 * 3600)
    assert (day.steps[0].without_a[garage.pk][1], day.steps[0].with_a[garage.pk][1]) == (45, 32)
    assert day.most_over(garage, balanced=False) == 13
    assert not day.is_over(balanced=True)
    assert sorted(day.lacking_wh.values()) == [Decimal(2904), Decimal(2904)]


def test_a_visit_of_a_minute_counts_as_a_minute(plan: Plan) -> None:
    begin = (clock.now() - timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0)
    session = factories.session(
        plan.outlets[0].evse.station, started_at=begin, status="ended", ended_at=begin + timedelta(minutes=1)
    )
    factories.samples(session, (0.5, "13800"), measurand="Power.Active.Import", unit="W")  # 20 A
    site_power.save(site_of(plan), plan)

    [step] = site_replay.day(site_of(plan), begin=begin).steps
    assert step.without_a[PowerNode.objects.get(name="Garage").pk][1] == 4


def test_a_day_without_sessions_replays_to_nothing(plan: Plan) -> None:
    site_power.save(site_of(plan), plan)

    assert site_replay.day(site_of(plan), begin=clock.now() - timedelta(days=1)).steps == []
