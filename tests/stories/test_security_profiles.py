"""Security profiles raised over real sockets, 1 to 2 to 3, and back where it fails (1.6 white paper A05, TC 019)."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import (
    ChargingStation,
    ConnectionEvent,
    InstalledCertificate,
    ReviewItem,
    RootCertificate,
    RootUse,
    SecurityProfileChange,
)
from stations.services import commands, root_certificates, security_profiles
from stations.services.errors import InvalidPayload
from tests.charger import Answer, Charger, Silence, accepts, answers, keeps_silent, refuses
from tests.stories.story import eventually, rows
from tests.stories.tls_server import TlsServer, served, status_of

Make = Callable[..., Charger]
Status = SecurityProfileChange.Status


@pytest.fixture(scope="module")
def tls_server(process_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """Give a server that ends TLS."""
    with served(process_env, tmp_path_factory.mktemp("tls")) as found:
        yield found


@pytest.fixture
def charger(tls_server: TlsServer, ada: ChargingStation) -> Make:
    """Give a maker of Ada's station, which knows where TLS is spoken."""
    from tests.stories.story import PASSWORD

    def make(**options: Any) -> Charger:
        made = Charger(f"{tls_server.server.ws}/ocpp", "ADA-1", **{"password": PASSWORD} | options)
        made.secure_url = tls_server.url
        return made

    return make


@pytest.fixture
def root(tls_server: TlsServer, ada: ChargingStation) -> RootCertificate:
    """Give the root under which the server's certificate is issued."""
    return root_certificates.add(tls_server.authority.root.pem, use=RootUse.CSMS, name="Server", by="test")


async def raise_to(profile: int, **options: Any) -> SecurityProfileChange:
    return await rows(
        lambda: security_profiles.raise_to(ChargingStation.objects.get(), profile=profile, **options)
    )


async def becomes(*statuses: str) -> SecurityProfileChange:
    found = await eventually(lambda: SecurityProfileChange.objects.filter(status__in=statuses).first())
    assert found is not None
    return found


async def registered() -> tuple[int, int | None]:
    station = await rows(ChargingStation.objects.get)
    return station.security_profile, station.next_security_profile


async def came_back(station: Charger) -> None:
    await eventually(lambda: ConnectionEvent.objects.filter(epoch=2).exists())
    await station.wire.online.wait()


def states(change: SecurityProfileChange) -> dict[str, str]:
    return {step["step"]: step["state"] for step in change.steps}


async def test_from_1_to_2_the_root_is_installed_and_the_station_comes_back_over_tls(
    tls_server: TlsServer, charger: Make, root: RootCertificate
) -> None:
    async with charger() as station:
        await station.come_up()
        await raise_to(2, root=root)
        change = await becomes(Status.DONE)
        await came_back(station)
        await station.heartbeat()

    assert states(change) == {"root": "done", "profile": "done", "return": "done"}
    assert await registered() == (2, None)
    newest = await rows(lambda: ConnectionEvent.objects.order_by("-epoch").first())
    assert (newest and newest.security_profile, newest and newest.is_tls) == (2, True)
    assert await rows(InstalledCertificate.objects.filter(root=root).exists)


async def test_after_a_rise_the_lower_profile_is_refused(
    tls_server: TlsServer, charger: Make, root: RootCertificate
) -> None:
    async with charger() as station:
        await station.come_up()
        await raise_to(2, root=root)
        await becomes(Status.DONE)

    assert await status_of(f"{tls_server.server.ws}/ocpp") == 401
    assert await status_of(tls_server.url, tls=tls_server.trusting()) == 101


@pytest.mark.usefixtures("celery_worker_process")
async def test_from_1_to_3_the_station_gets_a_certificate_of_its_own_on_the_way(
    tls_server: TlsServer, charger: Make, root: RootCertificate
) -> None:
    async with charger() as station:
        await station.come_up()
        await raise_to(3, root=root)
        change = await becomes(Status.DONE, Status.FAILED)
        await came_back(station)
        await station.heartbeat()

    assert (change.reason, set(states(change).values())) == ("", {"done"})
    assert list(states(change)) == ["root", "organization", "certificate", "profile", "return"]
    assert [step["step"] for step in change.steps][:2] == [
        "root",
        "root",
    ]  # the server's, and our authority's
    assert await registered() == (3, None)
    assert await status_of(tls_server.url, tls=tls_server.trusting()) == 401


@pytest.mark.parametrize(
    ("action", "step"), [("InstallCertificate", "root"), ("ChangeConfiguration", "profile")]
)
@pytest.mark.parametrize("status", ["Rejected", "Failed", "NotSupported"])
async def test_a_step_that_the_station_refuses_ends_the_rise(
    charger: Make, root: RootCertificate, action: str, step: str, status: str
) -> None:
    if (action, status) in (("InstallCertificate", "NotSupported"), ("ChangeConfiguration", "Failed")):
        status = "Rejected"  # the word is not of this message
    async with charger() as station:
        station.reactions[action] = answers({"status": status})
        await station.come_up()
        await raise_to(2, root=root)
        change = await becomes(Status.FAILED)

    assert (states(change)[step], change.reason) == ("failed", f"the station answered {status}")
    assert await registered() == (1, None)
    assert await rows(ReviewItem.objects.filter(kind="security_profile").exists)


async def test_a_station_without_the_extension_ends_the_rise(charger: Make, root: RootCertificate) -> None:
    async with charger() as station:
        station.reactions["InstallCertificate"] = refuses("NotImplemented")
        await station.come_up()
        await raise_to(2, root=root)
        change = await becomes(Status.FAILED)

    assert change.reason == "the station answered NotImplemented"


async def test_a_silent_station_ends_the_rise_before_the_profile_was_sent(
    charger: Make, root: RootCertificate
) -> None:
    async with charger() as station:
        station.reactions["InstallCertificate"] = keeps_silent()
        await station.come_up()
        await raise_to(2, root=root)
        await becomes(Status.FAILED)

    assert station.calls("ChangeConfiguration", "in") == []


async def test_until_it_has_returned_either_profile_lets_it_in(
    tls_server: TlsServer, charger: Make, root: RootCertificate
) -> None:
    async with charger() as station:
        station.reactions["ChangeConfiguration"] = accepts()
        await station.come_up()
        await raise_to(2, root=root)
        await becomes(Status.RETURNING)

    assert await status_of(f"{tls_server.server.ws}/ocpp") == 101
    assert await status_of(tls_server.url, tls=tls_server.trusting()) == 101
    await becomes(Status.DONE)
    assert await status_of(f"{tls_server.server.ws}/ocpp") == 401


async def test_a_station_that_does_not_return_in_time_keeps_the_old_profile(
    tls_server: TlsServer, charger: Make, root: RootCertificate
) -> None:
    async with charger() as station:
        station.reactions["ChangeConfiguration"] = accepts()
        await station.come_up()
        await raise_to(2, root=root)
        await becomes(Status.RETURNING)
    past = clock.now() - timedelta(seconds=1)
    await rows(lambda: SecurityProfileChange.objects.update(return_until=past))
    assert await rows(security_profiles.expire) == 1

    assert await registered() == (1, None)
    assert await status_of(f"{tls_server.server.ws}/ocpp") == 101
    assert await status_of(tls_server.url, tls=tls_server.trusting()) == 401
    assert (await rows(ReviewItem.objects.get)).kind == "security_profile"


async def test_a_station_that_cannot_reach_us_over_tls_falls_back_by_itself(
    charger: Make, root: RootCertificate
) -> None:
    async with charger() as station:
        station.secure_url = "wss://127.0.0.1:9/ocpp"
        await station.come_up()
        await raise_to(2, root=root)
        await becomes(Status.RETURNING)
        await eventually(lambda: ConnectionEvent.objects.count() == 2)
        await station.heartbeat()

    past = clock.now() - timedelta(seconds=1)
    await rows(lambda: SecurityProfileChange.objects.update(return_until=past))
    await rows(security_profiles.expire)
    assert (await becomes(Status.FAILED)).reason == "it came back with profile 1 only"


async def test_a_lost_answer_to_the_profile_loses_no_station(charger: Make, root: RootCertificate) -> None:
    async def takes_it_and_is_gone(charger: Charger, payload: dict[str, str]) -> Answer:
        charger.configuration["SecurityProfile"].value = payload["value"]
        await charger.kill()
        raise Silence

    async with charger() as station:
        station.reactions["ChangeConfiguration"] = takes_it_and_is_gone
        await station.come_up()
        await raise_to(2, root=root)
        await eventually(lambda: not ChargingStation.objects.get().is_online)
        await station.come_up()
        await becomes(Status.DONE)

    assert await registered() == (2, None)


async def test_an_offline_station_is_raised_when_it_is_back(charger: Make, root: RootCertificate) -> None:
    await raise_to(2, root=root)
    async with charger() as station:
        await station.come_up()
        await becomes(Status.DONE)


async def test_what_needs_a_reboot_is_rebooted(charger: Make, root: RootCertificate) -> None:
    async def after_a_boot(charger: Charger, payload: dict[str, str]) -> dict[str, str]:
        charger.configuration["SecurityProfile"].value = payload["value"]
        return {"status": "RebootRequired"}

    async with charger() as station:
        station.reboot_s = 0
        station.reactions["ChangeConfiguration"] = after_a_boot
        await station.come_up()
        await raise_to(2, root=root)
        await becomes(Status.DONE)

    assert station.calls("Reset", "in") == [{"type": "Soft"}]


async def test_no_lower_profile_is_ever_sent(charger: Make, ada: ChargingStation) -> None:
    def send() -> None:
        payload = {"key": "SecurityProfile", "value": "0"}
        commands.queue(ada, action="ChangeConfiguration", payload=payload, queue_offline=True)

    with pytest.raises(InvalidPayload):
        await rows(send)


async def test_an_operator_lowers_it_by_hand(
    tls_server: TlsServer, charger: Make, root: RootCertificate
) -> None:
    async with charger() as station:
        await station.come_up()
        await raise_to(2, root=root)
        await becomes(Status.DONE)
    await rows(
        lambda: security_profiles.set_by_hand(
            ChargingStation.objects.get(), profile=1, confirmed=True, by="ada"
        )
    )

    assert await status_of(f"{tls_server.server.ws}/ocpp") == 101
