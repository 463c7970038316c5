"""Roots in a station over a real socket: installed, told, deleted (1.6 security white paper M03 to M05)."""

from collections.abc import Callable
from typing import Any

import pytest

from stations.models import ChargingStation, Command, InstalledCertificate, ReviewItem, RootCertificate
from stations.services import installed_certificates, root_certificates
from stations.services.errors import NotConfirmed
from tests import pki
from tests.charger import Charger, answers, answers_late, keeps_silent, refuses
from tests.stories.story import eventually, rows

Make = Callable[..., Charger]
CSMS, MAKER = "CSMSRootCertificate", "ManufacturerRootCertificate"
ROOT = pki.authority("Root of Ada")


@pytest.fixture
def root(ada: ChargingStation) -> RootCertificate:
    return root_certificates.add(ROOT.pem, use=CSMS, name="ours")


async def install(ada: ChargingStation, root: RootCertificate) -> None:
    station = await rows(lambda: ChargingStation.objects.get(pk=ada.pk))
    await rows(lambda: installed_certificates.install(station, root=root))


async def delete(installed: InstalledCertificate, **options: Any) -> None:
    def queue() -> None:
        row = InstalledCertificate.objects.select_related("station").get(pk=installed.pk)
        installed_certificates.delete(row, **options)

    await rows(queue)


async def read(ada: ChargingStation) -> None:
    station = await rows(lambda: ChargingStation.objects.get(pk=ada.pk))
    await rows(lambda: installed_certificates.read(station))


async def verified() -> InstalledCertificate:
    """Wait for the reading that follows an installation."""
    await eventually(lambda: Command.objects.filter(requested_by="verification", status="answered").exists())
    return await rows(InstalledCertificate.objects.get)


async def over(action: str, *statuses: str) -> Command:
    return await eventually(lambda: Command.objects.filter(action=action, status__in=statuses).first())


async def test_install_certificate_that_is_accepted_is_read_again_and_known(
    charger: Make, ada: ChargingStation, root: RootCertificate
) -> None:
    async with charger() as station:
        await station.come_up()
        await install(ada, root)
        row = await verified()

    assert (row.root_id, row.use, row.hash_algorithm) == (root.pk, CSMS, "SHA256")
    assert station.vault.roots == [("CentralSystemRootCertificate", ROOT.certificate)]
    assert station.calls("GetInstalledCertificateIds", "in") == [
        {"certificateType": "CentralSystemRootCertificate"}
    ]


@pytest.mark.parametrize("algorithm", ["SHA384", "SHA512"])
async def test_get_installed_certificate_ids_knows_our_roots_by_any_hash(
    charger: Make, ada: ChargingStation, root: RootCertificate, algorithm: str
) -> None:
    async with charger() as station:
        station.vault.algorithm = algorithm
        await station.come_up()
        await install(ada, root)
        row = await verified()

    assert (row.root_id, row.hash_algorithm) == (root.pk, algorithm)


@pytest.mark.parametrize("status", ["Rejected", "Failed"])
async def test_install_certificate_that_is_not_accepted_changes_nothing(
    charger: Make, ada: ChargingStation, root: RootCertificate, status: str
) -> None:
    async with charger() as station:
        station.reactions["InstallCertificate"] = answers({"status": status})
        await station.come_up()
        await install(ada, root)
        command = await over("InstallCertificate", "answered")

    assert command.result == {"status": status}
    assert not await rows(InstalledCertificate.objects.exists)


@pytest.mark.parametrize("reaction", [keeps_silent(), refuses("NotSupported")], ids=["silence", "error"])
async def test_install_certificate_that_is_not_answered_changes_nothing(
    charger: Make, ada: ChargingStation, root: RootCertificate, reaction: Any
) -> None:
    async with charger() as station:
        station.reactions["InstallCertificate"] = reaction
        await station.come_up()
        await install(ada, root)
        await over("InstallCertificate", "timed_out", "failed")

    assert not await rows(InstalledCertificate.objects.exists)


async def test_a_late_answer_to_install_certificate_counts(
    charger: Make, ada: ChargingStation, root: RootCertificate
) -> None:
    async with charger() as station:
        station.reactions["InstallCertificate"] = answers_late(2, station.reactions["InstallCertificate"])
        await station.come_up()
        await install(ada, root)
        row = await verified()

    assert row.root_id == root.pk


async def test_a_full_store_rejects_another_root(
    charger: Make, ada: ChargingStation, root: RootCertificate
) -> None:
    async with charger() as station:
        station.configuration["CertificateStoreMaxLength"].value = "0"
        await station.come_up()
        await install(ada, root)
        command = await over("InstallCertificate", "answered")

    assert command.result == {"status": "Rejected"}


async def test_get_installed_certificate_ids_stores_roots_that_nobody_here_knows(
    charger: Make, ada: ChargingStation
) -> None:
    maker = pki.authority("Maker")
    async with charger() as station:
        station.vault.roots = [("ManufacturerRootCertificate", maker.certificate)]
        await station.come_up()
        await read(ada)
        row = await eventually(InstalledCertificate.objects.first)

    assert (row.use, row.root_id) == (MAKER, None)
    assert row.serial_number == format(maker.certificate.serial_number, "x")


async def test_get_installed_certificate_ids_not_found_forgets_what_was_there(
    charger: Make, ada: ChargingStation, root: RootCertificate
) -> None:
    async with charger() as station:
        await station.come_up()
        await install(ada, root)
        await verified()
        station.vault.roots.clear()
        await read(ada)
        await eventually(lambda: not InstalledCertificate.objects.exists())


async def test_get_installed_certificate_ids_that_is_not_answered_forgets_nothing(
    charger: Make, ada: ChargingStation, root: RootCertificate
) -> None:
    async with charger() as station:
        await station.come_up()
        await install(ada, root)
        await verified()
        station.reactions["GetInstalledCertificateIds"] = keeps_silent()
        await read(ada)
        await over("GetInstalledCertificateIds", "timed_out")

    assert await rows(InstalledCertificate.objects.exists)


@pytest.mark.parametrize(
    "data",
    [
        [{"hashAlgorithm": "SHA256", "issuerNameHash": "", "issuerKeyHash": "", "serialNumber": ""}],
        [{"hashAlgorithm": "MD5", "issuerNameHash": "zz", "issuerKeyHash": "yy", "serialNumber": "xx"}] * 2,
        [{"hashAlgorithm": "\x00", "issuerNameHash": "a\x00", "issuerKeyHash": "éé", "serialNumber": "1"}],
    ],
    ids=["empty", "odd and twice", "a NUL"],
)
async def test_odd_hash_data_names_nothing_and_harms_nothing(
    charger: Make, ada: ChargingStation, data: list[Any]
) -> None:
    async with charger() as station:
        station.reactions["GetInstalledCertificateIds"] = answers(
            {"status": "Accepted", "certificateHashData": data}
        )
        await station.come_up()
        await read(ada)
        await over("GetInstalledCertificateIds", "answered", "failed")
        await station.heartbeat()

    assert not await rows(InstalledCertificate.objects.exists)
    assert not await rows(lambda: ReviewItem.objects.filter(kind="command_outcome").exists())


async def test_delete_certificate_names_the_root_as_the_station_did(
    charger: Make, ada: ChargingStation, root: RootCertificate
) -> None:
    async with charger() as station:
        station.vault.algorithm = "SHA512"
        await station.come_up()
        await install(ada, root)
        await delete(await verified(), confirmed=True)
        await eventually(lambda: not InstalledCertificate.objects.exists())

    assert station.vault.roots == []
    [call] = station.calls("DeleteCertificate", "in")
    assert call["certificateHashData"]["hashAlgorithm"] == "SHA512"


async def test_the_last_root_is_deleted_only_when_confirmed(
    charger: Make, ada: ChargingStation, root: RootCertificate
) -> None:
    async with charger() as station:
        await station.come_up()
        await install(ada, root)
        row = await verified()
        with pytest.raises(NotConfirmed):
            await delete(row)

    assert station.calls("DeleteCertificate", "in") == []


@pytest.mark.parametrize(("status", "left"), [("Failed", 1), ("NotFound", 0)])
async def test_delete_certificate_failed_keeps_and_not_found_forgets(
    charger: Make, ada: ChargingStation, root: RootCertificate, status: str, left: int
) -> None:
    async with charger() as station:
        station.reactions["DeleteCertificate"] = answers({"status": status})
        await station.come_up()
        await install(ada, root)
        row = await verified()
        station.vault.roots = station.vault.roots[:left]
        await delete(row, confirmed=True)
        await over("DeleteCertificate", "answered")

    assert await rows(InstalledCertificate.objects.count) == left


async def test_delete_certificate_that_is_not_answered_keeps_and_a_late_answer_forgets(
    charger: Make, ada: ChargingStation, root: RootCertificate
) -> None:
    async with charger() as station:
        station.reactions["DeleteCertificate"] = answers_late(2, station.reactions["DeleteCertificate"])
        await station.come_up()
        await install(ada, root)
        await delete(await verified(), confirmed=True)
        await over("DeleteCertificate", "timed_out")
        assert await rows(InstalledCertificate.objects.exists)
        await eventually(lambda: not InstalledCertificate.objects.exists())
