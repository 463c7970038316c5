"""The simulated 2.x station raised over real sockets to a higher profile, and back where it fails (A05, B09, B10)."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, ConnectionEvent, RootCertificate, RootUse, SecurityProfileChange
from stations.services import network_profiles, passwords, root_certificates, security_profiles
from stations.services.network_profiles import Connection
from tests.charger_v2 import Charger
from tests.stories.story import PASSWORD, eventually, rows
from tests.stories.tls_server import TlsServer, served, status_of

BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
Make = Callable[..., Charger]


@pytest.fixture(scope="module")
def tls_server(process_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """Give a server that ends TLS."""
    folder = tmp_path_factory.mktemp("tls")
    with served(process_env, folder, OCPP_AUTOMATIC_PER_MINUTE="60000") as found:
        yield found


@pytest.fixture
def charger(tls_server: TlsServer, ada: ChargingStation) -> Make:
    def make(version: str, **options: Any) -> Charger:
        made = Charger(f"{tls_server.server.ws}/ocpp", "ADA-1", PASSWORD, version=version, **options)
        made.reboot_s = 0
        return made

    return make


@pytest.fixture
def root(tls_server: TlsServer, ada: ChargingStation) -> RootCertificate:
    """Give the root under which the server's certificate is issued."""
    return root_certificates.add(tls_server.authority.root.pem, use=RootUse.CSMS, name="Server", by="test")


async def rise(url: str, root: RootCertificate, profile: int = 2) -> None:
    """Have the slots told, then raise the profile, with the root installed on the way."""
    await rows(lambda: network_profiles.ask(ChargingStation.objects.get(), queue_offline=True))
    await eventually(lambda: bool(network_profiles.known(ChargingStation.objects.get()).priority))
    where = Connection(url=url)
    await rows(
        lambda: security_profiles.raise_to(
            ChargingStation.objects.get(), profile=profile, root=root, connection=where
        )
    )


async def becomes(*statuses: str) -> SecurityProfileChange:
    found = await eventually(lambda: SecurityProfileChange.objects.filter(status__in=statuses).first())
    assert found is not None
    return found


@BOTH
async def test_a05_the_root_the_slot_the_order_and_a_restart_bring_it_back_over_tls(
    tls_server: TlsServer, charger: Make, root: RootCertificate, version: str
) -> None:
    async with charger(version) as station:
        await station.come_up()
        await rise(tls_server.url, root)
        change = await becomes("done", "failed")
        network = await eventually(
            lambda: (found := network_profiles.known(ChargingStation.objects.get())).priority == [2] and found
        )

    assert (change.reason, {step["step"]: step["state"] for step in change.steps}) == (
        "", {"root": "done", "slot": "done", "profile": "done", "restart": "done", "return": "done"},
    )  # fmt: skip
    assert (network.active.number, network.has_fallen_back) == (2, False)
    newest = await rows(lambda: ConnectionEvent.objects.latest("epoch"))
    assert (newest.security_profile, newest.is_tls) == (2, True)
    assert await status_of(f"{tls_server.server.ws}/ocpp") == 401


@pytest.mark.usefixtures("celery_worker_process")
async def test_a05_from_1_to_3_the_station_gets_a_certificate_of_its_own_on_the_way(
    tls_server: TlsServer, charger: Make, root: RootCertificate
) -> None:
    async with charger("2.0.1") as station:
        await station.come_up()
        await rise(tls_server.url, root, 3)
        change = await becomes("done", "failed")
        await eventually(lambda: ConnectionEvent.objects.count() == 2)

    assert (change.reason, {step["state"] for step in change.steps}) == ("", {"done"})
    assert [step["step"] for step in change.steps] == [
        "root", "root", "organization", "certificate", "slot", "profile", "restart", "return",
    ]  # fmt: skip
    newest = await rows(lambda: ConnectionEvent.objects.latest("epoch"))
    assert (newest.security_profile, len(newest.certificate)) == (3, 64)


async def test_b10_fr_07_a_station_that_cannot_connect_so_comes_back_as_before(
    tls_server: TlsServer, charger: Make, root: RootCertificate
) -> None:
    async with charger("2.0.1") as station:
        await station.come_up()
        await rise("wss://127.0.0.1:9/ocpp", root)
        await becomes("returning")
        await eventually(lambda: ConnectionEvent.objects.count() == 2)
        past = clock.now() - timedelta(seconds=1)
        await rows(lambda: SecurityProfileChange.objects.update(return_until=past))
        await rows(security_profiles.expire)
        change = await becomes("failed")
        await eventually(lambda: network_profiles.known(ChargingStation.objects.get()).priority == [1])

    assert change.reason == "it came back with profile 1 only"
    assert await status_of(f"{tls_server.server.ws}/ocpp") == 101


@BOTH
async def test_a01_the_station_takes_a_new_password(
    tls_server: TlsServer, charger: Make, version: str
) -> None:
    async with charger(version) as station:
        await station.come_up()
        await rows(lambda: passwords.change(ChargingStation.objects.get(), requested_by="test"))
        await eventually(
            lambda: ChargingStation.objects.get().password_changes.filter(status="done").exists()
        )
        secret = station.password or ""

    assert len(secret) == 32
    url = f"{tls_server.server.ws}/ocpp"
    assert [await status_of(url, password=word) for word in (secret, PASSWORD)] == [101, 401]
