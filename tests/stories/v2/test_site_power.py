"""A 1.6, a 2.0.1 and a 2.1 station under one fuse of 30 A: shares, safe limits, a platform that falls silent."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from cpo.simulator import smart_charging as simulated
from stations.models import ChargingStation, InstalledProfile, Location, PowerNode, PowerOutlet
from stations.services import load_balancer, profile_upkeep, provisioning, site_building, site_power
from tests import factories
from tests.charger import Charger as Charger16
from tests.charger import WallClock
from tests.charger_v2 import Charger as Charger2
from tests.processes import Server
from tests.stories.story import PASSWORD, eventually, rows

TOKEN = {"idToken": "BO-1", "type": "ISO14443"}
WATTS_PER_AMP = 3 * 230
Chargers = list[Any]


@pytest.fixture
def site(ada: ChargingStation) -> Location:
    """Give a site of three stations, one connector of each on the fuse."""
    assert ada.location is not None
    for identity in ("ADA-2", "ADA-3"):
        found = factories.station(identity, connectors=1, location=ada.location)
        provisioning.set_password(found, password=PASSWORD)
    return ada.location


@asynccontextmanager
async def up(server: Server) -> AsyncIterator[Chargers]:
    """Open the three stations in real time, each in its version."""
    options = {"clock": WallClock(), "connectors": 1}
    async with AsyncExitStack() as stack:
        found: Chargers = [
            Charger16(f"{server.ws}/ocpp", "ADA-1", password=PASSWORD, connectors=2, clock=WallClock()),
            Charger2(f"{server.ws}/ocpp", "ADA-2", PASSWORD, version="2.0.1", **options),
            Charger2(f"{server.ws}/ocpp", "ADA-3", PASSWORD, version="2.1", **options),
        ]
        for charger in found:
            await stack.enter_async_context(charger)
            await charger.come_up()
        yield found


def built(location: Location) -> None:
    """Hang the three on a fuse of 30 A."""
    evses = [factories.evse(station) for station in location.stations.order_by("identity")]
    thirty = (Decimal(30), Decimal(30), Decimal(30))
    outlets = [site_power.OutletPlan(evse, "Garage") for evse in evses]
    site_power.save(location, site_power.Plan([site_power.FusePlan("Garage", thirty)], outlets))


async def begin(charger: Any) -> None:
    await charger.plug(1)
    if isinstance(charger, Charger16):
        await charger.start_transaction("BO-1", 1)
    else:
        await charger.start(TOKEN, 1)


def limits(chargers: Chargers) -> list[int | None]:
    """Give what the profiles that lie on each station allow now, in A on each phase."""
    found = [simulated._limit_w(each, 1, each.clock.now()) for each in chargers]
    return [None if watts is None else int(watts / WATTS_PER_AMP) for watts in found]


async def become(
    chargers: Chargers, wanted: list[int], *, sweep: Callable[[], Any] | None = None
) -> list[int]:
    """Sweep until the stations are told what is wanted; return the sums of those that charge meanwhile."""
    sums = []

    def there() -> bool:
        if sweep is not None:
            sweep()
        now = limits(chargers)
        sums.append(sum(limit or 0 for each, limit in zip(chargers, now, strict=True) if each.running))
        return now == wanted

    await eventually(there, within_s=15)
    return sums


async def test_three_versions_share_one_fuse_and_never_draw_more(server: Server, site: Location) -> None:
    async with up(server) as chargers:
        await rows(lambda: built(site))
        await become(chargers, [10, 10, 10])  # the safe limits, on stations where nobody charges

        for charger in chargers[:2]:
            await begin(charger)
        sums = await become(chargers, [15, 15, 10], sweep=load_balancer.sweep)
        await begin(chargers[2])
        await become(chargers, [10, 10, 10], sweep=load_balancer.sweep)

        grid = await rows(lambda: PowerNode.objects.get())
        await rows(lambda: site_building.metered(grid, amps=dict.fromkeys((1, 2, 3), Decimal(9))))
        sums += await become(chargers, [7, 7, 7], sweep=load_balancer.sweep)

    assert max(sums) <= 30
    told = chargers[2].calls("SetChargingProfile", "in")[-1]["chargingProfile"]
    assert (told["chargingProfilePurpose"], told["maxOfflineDuration"]) == ("TxProfile", 300)


async def test_when_the_platform_falls_silent_shares_fall_back_to_the_safe_limit(
    server: Server, site: Location, settings: Any
) -> None:
    settings.SITE_LIMIT_LEASE_S = 3
    async with up(server) as chargers:
        await rows(lambda: built(site))
        for charger in chargers[:2]:
            await begin(charger)
        await become(chargers, [15, 15, 10], sweep=load_balancer.sweep)

        await become(chargers, [10, 10, 10])  # nobody sweeps any more


async def test_a_station_that_comes_back_without_its_safe_limit_gets_it_again(
    server: Server, site: Location
) -> None:
    async with up(server) as chargers:
        await rows(lambda: built(site))
        await become(chargers, [10, 10, 10])
        for charger in chargers:
            charger.profiles = []
            await charger.reboot()
        safe = InstalledProfile.objects.filter(source=load_balancer.SAFE)
        await become(chargers, [10, 10, 10], sweep=profile_upkeep.recheck)
        assert await rows(lambda: safe.filter(is_wanted=True).count()) == 3


async def test_a_station_that_is_away_keeps_its_part_of_the_fuse(server: Server, site: Location) -> None:
    async with up(server) as chargers:
        await rows(lambda: built(site))
        await become(chargers, [10, 10, 10])
        await chargers[2].close()
        await eventually(lambda: not ChargingStation.objects.get(identity="ADA-3").is_online)
        await begin(chargers[0])
        await become(chargers, [20, 10, 10], sweep=load_balancer.sweep)

    why = await rows(lambda: PowerOutlet.objects.get(evse__station__identity="ADA-3").why)
    assert why == {"why": "away", "amps": "10.0"}
