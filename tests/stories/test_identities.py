"""The path below /ocpp/ as stations really send it (OCPP-J 1.6 section 3; quirks 21 and 22, case H17)."""

import base64
from typing import Any

import pytest

from stations.models import ChargingStation, ConnectionEvent, HandshakeRejection, StationAlias
from stations.services import quirks
from tests import factories
from tests.processes import Server
from tests.stories.story import PASSWORD, basic, eventually, rows
from tests.stories.tls_server import status_of

pytestmark = pytest.mark.usefixtures("ada")


async def knock(server: Server, path: str, name: str = "ADA-1", **headers: str) -> int:
    return await status_of(f"{server.ws}/ocpp", path, password=None, headers=headers or basic(name, PASSWORD))


async def arrivals(ada: ChargingStation) -> int:
    return await rows(lambda: ConnectionEvent.objects.filter(station=ada).count())


async def flag(ada: ChargingStation, name: str, value: Any = True) -> None:
    await rows(lambda: quirks.override(ada, flag=name, value=value, by="test"))


@pytest.mark.parametrize(
    "path",
    ["ADA-1/", "/ADA-1", "/ADA-1//", "ADA-1%20", "%20ADA-1", "ADA-1/ADA-1", "ada-1", "Ada-1/", "ADA%2D1"],
)
async def test_a_station_is_known_however_it_writes_its_name(
    server: Server, ada: ChargingStation, path: str
) -> None:
    assert await knock(server, path) == 101
    await eventually(lambda: ConnectionEvent.objects.filter(station=ada, closed_at__isnull=False).exists())
    assert await rows(ChargingStation.objects.count) == 1


async def test_the_user_name_may_be_in_another_case_too(server: Server, ada: ChargingStation) -> None:
    assert await knock(server, "ada-1", "ada-1") == 101


async def test_of_two_twins_each_is_itself_and_no_third_is_either(
    server: Server, ada: ChargingStation
) -> None:
    await rows(lambda: factories.station("ada-1"))

    assert await knock(server, "ADA-1") == 101
    assert await knock(server, "ada-1", "ada-1") == 401
    assert await knock(server, "Ada-1") == 404
    assert await arrivals(ada) == 1


async def test_an_alias_leads_to_the_station(server: Server, ada: ChargingStation) -> None:
    await rows(lambda: StationAlias.objects.create(alias="tenant-7/SN000123", station=ada))

    assert await knock(server, "tenant-7/sn000123") == 101
    assert await knock(server, "tenant-8/SN000123") == 404


async def test_an_alias_needs_the_stations_password(server: Server, ada: ChargingStation) -> None:
    await rows(lambda: StationAlias.objects.create(alias="OTHER", station=ada))
    assert await status_of(f"{server.ws}/ocpp", "OTHER", password="wrong-wrong-wrong") == 401


async def test_a_password_in_the_path_counts_for_a_station_that_is_known_for_it(
    server: Server, ada: ChargingStation
) -> None:
    assert await status_of(f"{server.ws}/ocpp", f"ADA-1/{PASSWORD}", password=None) == 404
    await flag(ada, "token_in_path")

    assert await status_of(f"{server.ws}/ocpp", f"ADA-1/{PASSWORD}", password=None) == 101
    assert await status_of(f"{server.ws}/ocpp", "ADA-1/wrong-wrong-wrong", password=None) == 401


async def test_a_password_in_the_path_is_written_down_nowhere(server: Server, ada: ChargingStation) -> None:
    await status_of(f"{server.ws}/ocpp", "ADA-1/hunter2-hunter2-hunter2", password=None)

    assert await rows(lambda: HandshakeRejection.objects.get().identity) == "ADA-1/…"
    assert "hunter2" not in server.output()


async def test_an_empty_user_name_is_taken_from_a_station_that_is_known_for_it(
    server: Server, ada: ChargingStation
) -> None:
    assert await knock(server, "ADA-1", "") == 401
    await flag(ada, "basic_auth_without_name")

    assert await knock(server, "ADA-1", "") == 101
    bare = "Basic " + base64.b64encode(PASSWORD.encode()).decode()
    assert await knock(server, "ADA-1", Authorization=bare) == 101
    assert await knock(server, "ADA-1", "ADA-2") == 401
