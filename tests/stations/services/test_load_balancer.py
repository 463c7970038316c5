"""The load balancer over rows: shares become limits of EVSEs, silence becomes caution."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, Command, InstalledProfile, Location, PowerNode, PowerOutlet
from stations.services import load_balancer
from stations.services.errors import InvalidPayload
from tests import factories

pytestmark = pytest.mark.django_db


def node(location: Location, amps: int, parent: PowerNode | None = None) -> PowerNode:
    limits = {f"limit_l{phase}_a": Decimal(amps) for phase in (1, 2, 3)}
    name = f"fuse {PowerNode.objects.count()}"
    return PowerNode.objects.create(
        location=location, name=name, parent=parent, last_updated=clock.now(), **limits
    )


def outlet(station: ChargingStation, at: PowerNode, number: int = 1, **fields: Any) -> PowerOutlet:
    return PowerOutlet.objects.create(evse=factories.evse(station, number), node=at, **fields)


@pytest.fixture
def site() -> tuple[Location, ChargingStation, PowerNode]:
    """Give a station of 1.6 with two EVSEs under one fuse of 32 A, both charging."""
    station = factories.station(connectors=2, is_online=True, ocpp_version="1.6")
    assert station.location is not None
    top = node(station.location, 32)
    for number in (1, 2):
        outlet(station, top, number)
        factories.session(station, number=number)
    return station.location, station, top


def shares() -> list[Decimal | None]:
    return list(PowerOutlet.objects.order_by("id").values_list("given_a", flat=True))


def test_two_vehicles_get_half_each_and_are_told(site: tuple[Location, ChargingStation, PowerNode]) -> None:
    assert load_balancer.balance(site[0]) == 2

    assert shares() == [Decimal(16), Decimal(16)]
    rows = InstalledProfile.objects.filter(source=load_balancer.SOURCE)
    assert {row.evse_number for row in rows} == {1, 2}
    assert Command.objects.filter(action="SetChargingProfile").count() == 4  # the default and the running one


def test_the_same_share_is_not_told_again(site: tuple[Location, ChargingStation, PowerNode]) -> None:
    load_balancer.balance(site[0])

    assert load_balancer.balance(site[0]) == 0


def test_the_building_comes_first(site: tuple[Location, ChargingStation, PowerNode]) -> None:
    load_balancer.metered(site[2], amps=dict.fromkeys((1, 2, 3), Decimal(18)))
    load_balancer.balance(site[0])

    assert shares() == [Decimal(7), Decimal(7)]


def test_a_meter_that_fell_silent_leaves_nothing(site: tuple[Location, ChargingStation, PowerNode]) -> None:
    long_ago = clock.now() - timedelta(hours=1)
    load_balancer.metered(site[2], amps=dict.fromkeys((1, 2, 3), Decimal(1)), at=long_ago)
    load_balancer.balance(site[0])

    assert shares() == [Decimal(0), Decimal(0)]


def test_what_an_absent_station_may_draw_stays_reserved(
    site: tuple[Location, ChargingStation, PowerNode],
) -> None:
    away = factories.station(location=site[0], is_online=False, ocpp_version="2.0.1")
    outlet(away, site[2], maximum_a=Decimal(16))
    factories.session(away)
    load_balancer.balance(site[0])

    assert shares() == [Decimal(8), Decimal(8), None]


def test_safe_limits_fit_under_the_fuse_all_at_once(
    site: tuple[Location, ChargingStation, PowerNode],
) -> None:
    found = load_balancer.install_safe(site[0])

    assert sum(found.values()) <= 32
    assert InstalledProfile.objects.filter(source=load_balancer.SAFE, stack_level=0).count() == 2


def test_a_reading_needs_three_phases(site: tuple[Location, ChargingStation, PowerNode]) -> None:
    with pytest.raises(InvalidPayload):
        load_balancer.metered(site[2], amps={1: Decimal(5)})


def test_a_site_that_is_switched_off_is_left_alone(site: tuple[Location, ChargingStation, PowerNode]) -> None:
    PowerNode.objects.update(is_active=False)

    assert load_balancer.sweep() == 0
    assert shares() == [None, None]


def test_a_day_without_readings_replays_to_nothing(site: tuple[Location, ChargingStation, PowerNode]) -> None:
    assert load_balancer.simulate(site[0], day=clock.now() - timedelta(days=1)) == []
