"""The load balancer over rows: shares become limits of EVSEs, silence becomes caution."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.charging_profiles import Purpose
from stations.models import (
    ChargingSession,
    ChargingStation,
    Command,
    Connector,
    ExternalLimit,
    InstalledProfile,
    Location,
    MeterReading,
    PowerNode,
    PowerOutlet,
    PriorityCharging,
    ReviewItem,
    Variable,
)
from stations.services import capabilities, load_balancer, site_building, site_power, smart_charging
from stations.services.errors import InvalidPayload
from tests import factories

pytestmark = pytest.mark.django_db
State = InstalledProfile.State
Fixture = tuple[Location, ChargingStation, PowerNode]


def node(location: Location, amps: int, parent: PowerNode | None = None, **fields: Any) -> PowerNode:
    limits = {f"limit_l{phase}_a": Decimal(amps) for phase in (1, 2, 3)}
    name = f"fuse {PowerNode.objects.count()}"
    return PowerNode.objects.create(
        location=location, name=name, parent=parent, last_updated=clock.now(), **limits | fields
    )


def outlet(station: ChargingStation, at: PowerNode, number: int = 1, **fields: Any) -> PowerOutlet:
    return PowerOutlet.objects.create(evse=factories.evse(station, number), node=at, **fields)


def online(**fields: Any) -> ChargingStation:
    known: dict[str, Any] = {"is_online": True, "ocpp_version": "1.6", "last_seen_at": clock.now()}
    return factories.station(**known | fields)


def told_to(station: ChargingStation, facts: dict[str, str]) -> None:
    for name, value in facts.items():
        Variable.objects.create(station=station, name=name, value=value)


def charge(station: ChargingStation, number: int = 1, **fields: Any) -> ChargingSession:
    now = clock.now()
    return factories.session(
        station, number=number, **{"started_at": now - timedelta(hours=1), "last_reading_at": now} | fields
    )


@pytest.fixture
def site() -> Fixture:
    """Give a station of 1.6 with two EVSEs under one fuse of 32 A, both charging, with their safe limits."""
    station = online(connectors=2)
    assert station.location is not None
    top = node(station.location, 32)
    for number in (1, 2):
        outlet(station, top, number)
    load_balancer.install_safe(station.location)
    confirm()
    for number in (1, 2):
        charge(station, number)
    return station.location, station, top


def confirm() -> None:
    """Let stations have accepted all that they were sent."""
    for row in InstalledProfile.objects.filter(state__in=[State.SENT, State.WANTED]):
        row.state, row.on_station = State.INSTALLED, row.profile
        row.save()


def balance(location: Location) -> int:
    """Balance until nothing waits for a confirmation any more."""
    count = 0
    for _ in range(3):
        count += load_balancer.balance(location)
        confirm()
    return count


def shares() -> list[Decimal | None]:
    return list(PowerOutlet.objects.order_by("id").values_list("given_a", flat=True))


def whys() -> list[str]:
    return [each.why["why"] for each in PowerOutlet.objects.order_by("id")]


def periods(source: str) -> list[list[Any]]:
    rows = InstalledProfile.objects.filter(source=source, state__in=InstalledProfile.LIVE).order_by(
        "evse_number"
    )
    found = [row.profile["chargingSchedule"][0]["chargingSchedulePeriod"] for row in rows]
    return [[Decimal(str(period["limit"])) for period in each] for each in found]


# --- shares


def test_two_vehicles_get_half_each_and_fall_back_to_the_safe_limit(site: Fixture) -> None:
    assert balance(site[0]) == 2

    assert shares() == [Decimal(16), Decimal(16)]
    rows = InstalledProfile.objects.filter(source=load_balancer.SOURCE)
    assert {row.purpose for row in rows} == {Purpose.TX}
    assert periods(load_balancer.SOURCE) == [[16, 16], [16, 16]]  # what holds when the lease is over


def test_the_same_share_is_not_told_again(site: Fixture) -> None:
    balance(site[0])

    assert load_balancer.balance(site[0]) == 0


def test_a_share_is_renewed_before_its_lease_ends(site: Fixture) -> None:
    balance(site[0])
    PowerOutlet.objects.update(until=clock.now() + timedelta(seconds=60))

    assert load_balancer.balance(site[0]) == 2
    assert PowerOutlet.objects.filter(until__gt=clock.now() + timedelta(seconds=200)).count() == 2


def test_one_who_comes_back_gets_more_only_when_the_other_one_has_less(site: Fixture) -> None:
    location = site[0]
    PowerOutlet.objects.filter(evse__number=2).update(safe_wanted_a=Decimal(6))
    load_balancer.install_safe(location)
    session = ChargingSession.objects.get(evse__number=2)
    ChargingSession.objects.filter(pk=session.pk).update(status="ended")
    balance(location)
    assert shares() == [Decimal(32), None]
    ChargingSession.objects.filter(pk=session.pk).update(status="active")

    load_balancer.balance(location)
    assert shares() == [Decimal(16), None]  # the second waits, its safe limit holds
    assert PowerOutlet.objects.get(evse__number=2).why["waits"]
    balance(location)
    assert shares() == [Decimal(16), Decimal(16)]


def test_the_building_comes_first(site: Fixture) -> None:
    site_building.metered(site[2], amps=dict.fromkeys((1, 2, 3), Decimal(18)))
    balance(site[0])

    assert shares() == [Decimal(7), Decimal(7)]
    assert MeterReading.objects.count() == 1


def test_a_meter_of_the_whole_connection_counts_without_the_vehicles(site: Fixture) -> None:
    PowerNode.objects.update(meter="total")
    ChargingSession.objects.filter(evse__number=1).update(power_w=Decimal(6900))  # 10 A on each phase
    site_building.metered(site[2], amps=dict.fromkeys((1, 2, 3), Decimal(20)))
    balance(site[0])

    assert shares() == [Decimal(11), Decimal(11)]


def test_a_meter_that_fell_silent_leaves_nothing(site: Fixture) -> None:
    long_ago = clock.now() - timedelta(hours=1)
    site_building.metered(site[2], amps=dict.fromkeys((1, 2, 3), Decimal(1)), at=long_ago)
    balance(site[0])

    assert (shares(), whys()) == ([Decimal(0), Decimal(0)], ["no_room", "no_room"])


def test_a_meter_that_fell_silent_is_replaced_by_what_is_assumed(site: Fixture) -> None:
    long_ago = clock.now() - timedelta(hours=1)
    site_building.metered(site[2], amps=dict.fromkeys((1, 2, 3), Decimal(1)), at=long_ago)
    PowerNode.objects.update(assumed_a=Decimal(12))
    balance(site[0])

    assert shares() == [Decimal(10), Decimal(10)]


def test_a_building_below_counts_at_the_fuse_above(site: Fixture) -> None:
    annex = node(site[0], 16, site[2])
    site_building.metered(annex, amps=dict.fromkeys((1, 2, 3), Decimal(8)))
    balance(site[0])

    assert shares() == [Decimal(12), Decimal(12)]


def test_a_reading_needs_three_phases_and_a_possible_time(site: Fixture) -> None:
    with pytest.raises(InvalidPayload):
        site_building.metered(site[2], amps={1: Decimal(5)})
    amps = dict.fromkeys((1, 2, 3), Decimal(5))
    with pytest.raises(InvalidPayload):
        site_building.metered(site[2], amps=amps, at=clock.now() + timedelta(hours=1))


# --- vehicles


def measure(session: ChargingSession, **amps: int) -> None:
    minutes = (clock.now() - session.started_at).total_seconds() / 60 - 0.1
    for phase, value in amps.items():
        factories.samples(session, (minutes, str(value)), measurand="Current.Import", unit="A", phase=phase)


def test_a_vehicle_on_one_phase_leaves_the_others_free(site: Fixture) -> None:
    measure(ChargingSession.objects.get(evse__number=1), L1=16, L2=0, L3=0)
    PowerOutlet.objects.filter(evse__number=2).update(rotation="231")
    measure(ChargingSession.objects.get(evse__number=2), L1=10, L2=0, L3=0)
    balance(site[0])

    assert shares() == [Decimal(32), Decimal(32)]
    assert list(PowerOutlet.objects.values_list("used", flat=True)) == ["1", "1"]


def test_what_is_measured_in_volts_decides_how_much_a_power_is(site: Fixture) -> None:
    session = ChargingSession.objects.get(evse__number=1)
    ChargingSession.objects.filter(pk=session.pk).update(power_w=Decimal(6600))
    minutes = (clock.now() - session.started_at).total_seconds() / 60 - 0.1
    factories.samples(session, (minutes, "220"), measurand="Voltage", unit="V", phase="L1-N")
    balance(site[0])

    assert PowerOutlet.objects.get(evse__number=1).drawn_a == Decimal(10)


def test_who_draws_less_for_a_while_gives_back(site: Fixture) -> None:
    ChargingSession.objects.filter(evse__number=1).update(power_w=Decimal(4830))  # 7 A
    balance(site[0])
    assert shares() == [Decimal(16), Decimal(16)]
    PowerOutlet.objects.filter(evse__number=1).update(below_since=clock.now() - timedelta(minutes=3))
    balance(site[0])

    assert shares() == [Decimal(9), Decimal(23)]
    assert whys() == ["gives_back", "fuse"]


def test_a_station_for_direct_current_is_limited_in_watts(site: Fixture) -> None:
    dc = online(location=site[0])
    told_to(dc, {"ChargingScheduleAllowedChargingRateUnit": "Power"})
    Connector.objects.filter(evse__station=dc).update(power_type="DC", max_power_w=50_000)
    PowerNode.objects.update(**{f"limit_l{phase}_a": Decimal(100) for phase in (1, 2, 3)}, safe_at=None)
    outlet(dc, site[2], minimum_a=Decimal(1), maximum_a=Decimal(80), power_factor=1, efficiency_percent=90)
    charge(dc)
    balance(site[0])

    row = InstalledProfile.objects.get(station=dc, source=load_balancer.SOURCE)
    [schedule] = row.profile["chargingSchedule"]
    assert schedule["chargingRateUnit"] == "W"
    given = PowerOutlet.objects.get(evse__station=dc).given_a
    assert given is not None
    assert Decimal(schedule["chargingSchedulePeriod"][0]["limit"]) == given * 230 * 3 * Decimal("0.9")


def test_a_station_with_one_period_gets_a_share_that_ends(site: Fixture) -> None:
    told_to(site[1], {"ChargingScheduleMaxPeriods": "1"})
    balance(site[0])

    rows = InstalledProfile.objects.filter(source=load_balancer.SOURCE)
    assert all(row.valid_to and row.profile["chargingSchedule"][0]["duration"] for row in rows)


def test_a_2_1_station_drops_its_share_by_itself_when_it_is_offline(site: Fixture) -> None:
    ChargingStation.objects.update(ocpp_version="2.1")
    balance(site[0])

    rows = InstalledProfile.objects.filter(source=load_balancer.SOURCE)
    assert {row.profile["maxOfflineDuration"] for row in rows} == {300}


# --- others


def test_a_limit_of_an_operator_is_kept_and_what_it_leaves_goes_to_the_others(site: Fixture) -> None:
    session = ChargingSession.objects.get(evse__number=1)
    smart_charging.limit_session(session, amps=Decimal(10))
    confirm()
    balance(site[0])

    assert shares() == [Decimal(10), Decimal(22)]
    assert PowerOutlet.objects.get(evse__number=1).why["capped_by"] == "others"


def test_a_limit_of_an_operator_comes_back_when_the_site_is_paused(site: Fixture) -> None:
    row = smart_charging.default_limit(site[1], evse_number=1, amps=Decimal(10))
    balance(site[0])
    row.refresh_from_db()
    assert (row.state, row.is_wanted, shares()[0]) == (State.INSTALLED, True, Decimal(10))


def test_a_limit_from_outside_on_the_whole_station_is_shared_among_its_outlets(site: Fixture) -> None:
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 14}]}
    ExternalLimit.objects.create(
        station=site[1],
        evse_number=0,
        source="EMS",
        schedules=[schedule],
        told_at=clock.now() - timedelta(hours=1),
    )
    balance(site[0])

    assert shares() == [Decimal(7), Decimal(7)]


def test_a_session_with_priority_charging_is_served_whole(site: Fixture) -> None:
    session = ChargingSession.objects.get(evse__number=2)
    PriorityCharging.objects.create(session=session, is_active=True, changed_at=clock.now())
    PowerOutlet.objects.update(maximum_a=Decimal(20))
    balance(site[0])

    assert (shares()[0], whys()) == (Decimal(12), ["fuse", "priority"])


def test_a_station_that_does_not_keep_its_limit_is_told_of_and_counted_with(site: Fixture) -> None:
    balance(site[0])
    ChargingSession.objects.filter(evse__number=1).update(power_w=Decimal(690 * 24))
    balance(site[0])
    assert not ReviewItem.objects.exists()
    PowerOutlet.objects.filter(evse__number=1).update(above_since=clock.now() - timedelta(minutes=2))
    balance(site[0])

    assert (whys(), shares()[1]) == (["ignores", "fuse"], Decimal(8))
    assert ReviewItem.objects.get().kind == "charging_profile"


def test_a_station_that_takes_no_limits_keeps_all_that_it_can_draw(site: Fixture) -> None:
    deaf = online(location=site[0])
    capabilities.learn(deaf, "no_smart_charging", reason="it said so")
    outlet(deaf, site[2], maximum_a=Decimal(20))
    charge(deaf)
    balance(site[0])

    assert (shares(), whys()[2]) == ([Decimal(6), Decimal(6), Decimal(20)], "uncontrolled")
    assert ReviewItem.objects.get().summary.startswith(f"{deaf.identity}: connector 1 has no safe limit")


# --- stations that are away


def test_what_an_absent_station_may_draw_stays_reserved(site: Fixture) -> None:
    away = online(location=site[0], is_online=False, ocpp_version="2.0.1")
    outlet(away, site[2], maximum_a=Decimal(16))
    balance(site[0])

    assert shares() == [Decimal("10.7"), Decimal("10.7"), None]  # its safe limit is 10.6 A
    assert whys()[2] == "away"


def test_one_that_went_away_keeps_its_share_until_the_lease_ends_then_its_safe_limit(site: Fixture) -> None:
    balance(site[0])
    outlet(online(location=site[0]), site[2])
    other = PowerOutlet.objects.last()
    assert other is not None
    charge(other.evse.station)
    load_balancer.install_safe(site[0])
    confirm()
    ChargingStation.objects.filter(pk=site[1].pk).update(is_online=False)
    load_balancer.balance(site[0])
    assert PowerOutlet.objects.get(pk=other.pk).why["why"] == "no_room"  # twice 16 A are out there

    PowerOutlet.objects.filter(evse__station=site[1]).update(until=clock.now() - timedelta(seconds=1))
    balance(site[0])
    assert PowerOutlet.objects.get(pk=other.pk).given_a == Decimal("10.8")  # 32 A less twice the safe 10.6


def test_one_that_was_never_seen_reserves_nothing(site: Fixture) -> None:
    outlet(factories.station(location=site[0]), site[2])
    balance(site[0])

    assert shares() == [Decimal(16), Decimal(16), None]


# --- safe limits


def test_safe_limits_fit_under_the_fuse_all_at_once(site: Fixture) -> None:
    found = load_balancer.install_safe(site[0])

    assert sum(found.values()) == 32
    rows = InstalledProfile.objects.filter(source=load_balancer.SAFE)
    assert {(row.purpose, row.state) for row in rows} == {(Purpose.TX_DEFAULT, State.INSTALLED)}


def test_a_safe_limit_that_is_gone_is_laid_again(site: Fixture) -> None:
    InstalledProfile.objects.filter(source=load_balancer.SAFE, evse_number=1).update(
        state=State.CLEARED, is_wanted=False, on_station=None
    )
    before = Command.objects.count()
    load_balancer.balance(site[0])

    assert Command.objects.filter(pk__gt=before, action="SetChargingProfile").exists()
    live = InstalledProfile.objects.filter(source=load_balancer.SAFE, state=State.SENT)
    assert live.get().evse_number == 1


def test_safe_limits_are_reckoned_again_when_an_hour_is_over(site: Fixture) -> None:
    PowerNode.objects.update(assumed_a=Decimal(12))
    load_balancer.balance(site[0])
    assert periods(load_balancer.SAFE) == [[16], [16]]
    PowerNode.objects.update(safe_at=clock.now() - timedelta(hours=2))
    load_balancer.balance(site[0])

    assert periods(load_balancer.SAFE) == [[10], [10]]


def test_a_safe_limit_that_was_refused_is_tried_again_an_hour_later(site: Fixture) -> None:
    InstalledProfile.objects.filter(source=load_balancer.SAFE).update(state=State.REFUSED, on_station=None)
    load_balancer.balance(site[0])
    assert InstalledProfile.objects.filter(source=load_balancer.SAFE, state=State.SENT).count() == 0
    PowerNode.objects.update(safe_at=None)
    load_balancer.balance(site[0])

    assert InstalledProfile.objects.filter(source=load_balancer.SAFE, state=State.SENT).count() == 2


def test_a_site_that_is_paused_keeps_to_its_safe_limits(site: Fixture) -> None:
    balance(site[0])
    site_power.pause(site[0])

    assert (shares(), whys()) == ([None, None], ["site_paused", "site_paused"])
    asked = Command.objects.filter(action="ClearChargingProfile")
    assert asked.count() == 2
    assert InstalledProfile.objects.filter(source=load_balancer.SAFE, is_wanted=True).count() == 2


def test_the_sweep_goes_over_all_sites(site: Fixture) -> None:
    assert load_balancer.sweep() == 2


def test_a_sweep_of_a_large_site_that_changes_nothing_needs_few_queries(
    site: Fixture, django_assert_max_num_queries: Any
) -> None:
    for _ in range(10):
        station = online(location=site[0], connectors=2)
        for number in (1, 2):
            outlet(station, site[2], number)
            charge(station, number)
    PowerNode.objects.update(**{f"limit_l{phase}_a": Decimal(600) for phase in (1, 2, 3)}, safe_at=None)
    balance(site[0])

    with django_assert_max_num_queries(20):
        assert load_balancer.balance(site[0]) == 0
