"""Part 6, chapter 3: certificates in stations and of vehicles (block M), and what its test cases leave open."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.x509 import ocsp

from cpo.simulator.security import OWN_CHAIN, V2G
from cpo.simulator.v2 import certificates as simulator
from stations.models import Command, InstalledCertificate, ReviewItem, RootCertificate
from stations.services import installed_certificates, root_certificates
from stations.services.errors import NotConfirmed
from stations.services.local_ca import LocalAuthority
from tests import pki
from tests.authority_server import serving
from tests.charger import answers, answers_late, keeps_silent
from tests.charger_v2 import Charger
from tests.contract_pool import Pool
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import sent, station
from tests.stories.v2.certified import VERSIONS, answered, asked, at_adas, certificate, first, review

pytestmark = [pytest.mark.usefixtures("ada", "celery_worker_process")]
CSMS, MAKER, V2G_ROOT, MO = (
    "CSMSRootCertificate", "ManufacturerRootCertificate", "V2GRootCertificate", "MORootCertificate",
)  # fmt: skip
ROOT = pki.authority("Root of Ada")
INSTALLED = InstalledCertificate.objects
BOTH = pytest.mark.parametrize("version", VERSIONS)


async def known(use: str) -> RootCertificate:
    return await rows(lambda: root_certificates.add(ROOT.pem, use=use))


async def checked(number: int = 1) -> None:
    """Wait for the reading that follows an installation or a deletion."""
    checks = Command.objects.filter(requested_by="verification", status="answered")
    await eventually(lambda: checks.count() == number)


async def installed(there: Charger, use: str) -> InstalledCertificate:
    """Memory state CertificateInstalled: our root is installed and told by the station."""
    root = await known(use)
    command = await answered(lambda row: installed_certificates.install(row, root=root))
    assert (command.payload["certificateType"], command.result) == (use, {"status": "Accepted"})
    await checked()
    return await rows(INSTALLED.select_related("station").get)


async def delete(row: InstalledCertificate, **options: Any) -> Command:
    row = await rows(lambda: INSTALLED.select_related("station").get(pk=row.pk))
    return await answered(lambda _: installed_certificates.delete(row, **options))


# --- installed (M05)


async def _install(server: Server, version: str, use: str) -> None:
    async with at_adas(server, version) as there:
        await there.come_up()
        row = await installed(there, use)

    [asked_for] = there.calls("InstallCertificate", "in")
    assert (asked_for["certificateType"], row.use, row.root_id is None) == (use, use, False)
    assert asked_for["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert there.calls("GetInstalledCertificateIds", "in") == [{"certificateType": [use]}]


@BOTH
async def test_tc_m_01_csms_a_root_of_our_server_is_installed(server: Server, version: str) -> None:
    await _install(server, version, CSMS)


@BOTH
async def test_tc_m_02_csms_a_root_of_the_maker_is_installed(server: Server, version: str) -> None:
    await _install(server, version, MAKER)


@BOTH
async def test_tc_m_03_csms_a_v2g_root_is_installed(server: Server, version: str) -> None:
    await _install(server, version, V2G_ROOT)


@BOTH
async def test_tc_m_04_csms_a_root_of_a_mobility_operator_is_installed(server: Server, version: str) -> None:
    await _install(server, version, MO)


async def test_m05_a_root_of_a_vehicle_maker_is_installed_where_the_version_knows_it(server: Server) -> None:
    await _install(server, "2.1", "OEMRootCertificate")


@BOTH
async def test_tc_m_05_csms_an_installation_that_failed_changes_nothing(server: Server, version: str) -> None:
    root = await known(CSMS)
    async with at_adas(server, version) as there:
        there.reactions["InstallCertificate"] = answers({"status": "Failed"})
        await there.come_up()
        command = await answered(lambda row: installed_certificates.install(row, root=root))

    assert (command.result, await rows(INSTALLED.count)) == ({"status": "Failed"}, 0)
    assert there.calls("GetInstalledCertificateIds", "in") == []


async def test_m05_fr_06_a_full_store_rejects_and_a_silent_station_changes_nothing(server: Server) -> None:
    root = await known(CSMS)
    async with at_adas(server) as there:
        there.configuration["CertificateStoreMaxLength"].value = "0"
        await there.come_up()
        command = await answered(lambda row: installed_certificates.install(row, root=root))
        there.reactions["InstallCertificate"] = keeps_silent()
        silence = await answered(lambda row: installed_certificates.install(row, root=root))

    assert (command.result, silence.status) == ({"status": "Rejected"}, "timed_out")
    assert not await rows(INSTALLED.exists)


async def test_m05_a_late_answer_to_an_installation_counts(server: Server) -> None:
    root = await known(MO)
    async with at_adas(server) as there:
        there.reactions["InstallCertificate"] = answers_late(2, there.reactions["InstallCertificate"])
        await there.come_up()
        await asked(lambda row: installed_certificates.install(row, root=root))
        await checked()

    assert (await rows(INSTALLED.get)).root_id == root.pk


async def test_m05_a_root_that_was_accepted_and_is_not_told_is_an_operators_matter(server: Server) -> None:
    root = await known(CSMS)
    async with at_adas(server) as there:
        there.reactions["GetInstalledCertificateIds"] = answers({"status": "NotFound"})
        await there.come_up()
        await asked(lambda row: installed_certificates.install(row, root=root))
        item = await review()

    assert "does not tell it" in item.summary
    assert not await rows(INSTALLED.exists)


# --- told (M03)


async def _retrieve(server: Server, version: str, use: str) -> None:
    async with at_adas(server, version, roots=[(use, ROOT.certificate)]) as there:
        await there.come_up()
        [command] = await asked(lambda row: installed_certificates.read(row, uses=[use]))
        row = await first(INSTALLED.all())

    assert command.payload == {"certificateType": [use]}
    assert (row.use, row.serial_number) == (use, format(ROOT.certificate.serial_number, "x"))


@BOTH
async def test_tc_m_13_csms_roots_of_the_maker_are_told(server: Server, version: str) -> None:
    await _retrieve(server, version, MAKER)


@BOTH
async def test_tc_m_14_csms_v2g_roots_are_told(server: Server, version: str) -> None:
    await _retrieve(server, version, V2G_ROOT)


@BOTH
async def test_tc_m_15_csms_the_stations_own_v2g_chain_is_told_with_what_stands_above_it(
    server: Server, version: str
) -> None:
    async with at_adas(server, version) as there:
        await there.come_up()
        await simulator.ask_for_certificate(there, V2G)
        own = await certificate("accepted")
        await asked(lambda row: installed_certificates.read(row, uses=[OWN_CHAIN]))
        row = await first(INSTALLED.filter(parent=None))

    [child] = await rows(lambda: list(row.children.all()))
    leaf, issuing = there.vault.own[V2G].chain
    assert (row.serial_number, child.serial_number) == (
        format(leaf.serial_number, "x"), format(issuing.serial_number, "x"),
    )  # fmt: skip
    assert await rows(lambda: installed_certificates.chain_of(row)) == own


@BOTH
async def test_tc_m_16_csms_roots_of_mobility_operators_are_told(server: Server, version: str) -> None:
    await _retrieve(server, version, MO)


@BOTH
async def test_tc_m_18_csms_all_certificates_are_told_in_one_answer(server: Server, version: str) -> None:
    roots = [("CentralSystemRootCertificate", ROOT.certificate), (MO, pki.authority("MO").certificate)]
    async with at_adas(server, version, roots=roots) as there:
        await there.come_up()
        [command] = await asked(lambda row: installed_certificates.read(row))
        await eventually(lambda: INSTALLED.count() == 2)

    assert command.payload == {}
    assert await rows(lambda: {row.use for row in INSTALLED.all()}) == {CSMS, MO}


@BOTH
async def test_tc_m_19_csms_none_found_means_that_none_is_left(server: Server, version: str) -> None:
    async with at_adas(server, version) as there:
        await there.come_up()
        await installed(there, MAKER)
        there.vault.roots.clear()
        await asked(lambda row: installed_certificates.read(row, uses=[MAKER]))
        await eventually(lambda: not INSTALLED.exists())

    assert there.calls("GetInstalledCertificateIds", "in")[-1] == {"certificateType": [MAKER]}


ODD = {"hashAlgorithm": "SHA256", "issuerNameHash": "zz", "issuerKeyHash": "yy", "serialNumber": "x"}


async def test_m03_odd_hash_data_and_silence_forget_and_harm_nothing(server: Server) -> None:
    async with at_adas(server) as there:
        await there.come_up()
        await installed(there, CSMS)
        there.reactions["GetInstalledCertificateIds"] = keeps_silent()
        silence = await sent("GetInstalledCertificateIds", {})
        told = [{"certificateType": MO, "certificateHashData": ODD}]
        there.reactions["GetInstalledCertificateIds"] = answers(
            {"status": "Accepted", "certificateHashDataChain": told}
        )
        odd = await sent("GetInstalledCertificateIds", {"certificateType": [MO]})

    assert (silence.status, odd.status) == ("timed_out", "answered")
    assert (await rows(INSTALLED.get)).use == CSMS


# --- deleted (M04)


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
async def test_tc_m_20_csms_a_certificate_is_deleted_by_the_hashes_that_the_station_told(
    server: Server, algorithm: str
) -> None:
    async with at_adas(server, "2.1" if algorithm == "SHA512" else "2.0.1", algorithm=algorithm) as there:
        await there.come_up()
        row = await installed(there, CSMS)
        await asked(lambda station: installed_certificates.read(station, uses=[CSMS]))
        command = await delete(row, confirmed=True)
        await checked(2)

    told = there.calls("DeleteCertificate", "in")[0]["certificateHashData"]
    assert (told["hashAlgorithm"], command.result) == (algorithm, {"status": "Accepted"})
    assert (there.vault.roots, await rows(INSTALLED.exists)) == ([], False)


@BOTH
async def test_tc_m_21_csms_a_deletion_that_failed_leaves_the_certificate_there(
    server: Server, version: str
) -> None:
    async with at_adas(server, version) as there:
        await there.come_up()
        row = await installed(there, CSMS)
        there.reactions["DeleteCertificate"] = answers({"status": "Failed"})
        command = await delete(row, confirmed=True)

    assert command.result == {"status": "Failed"}
    assert [one.pk for one in await rows(lambda: list(INSTALLED.all()))] == [row.pk]


async def test_m04_fr_04_a_certificate_that_is_not_there_is_forgotten_and_a_late_answer_counts(
    server: Server,
) -> None:
    async with at_adas(server) as there:
        await there.come_up()
        row = await installed(there, CSMS)
        there.vault.roots.clear()
        there.reactions["DeleteCertificate"] = answers_late(2, there.reactions["DeleteCertificate"])
        command = await delete(row, confirmed=True)
        await eventually(lambda: not INSTALLED.exists())

    assert command.status == "timed_out"
    assert (await rows(lambda: Command.objects.get(pk=command.pk))).result == {"status": "NotFound"}


async def test_m04_the_last_root_and_the_stations_own_certificate_are_deleted_only_when_confirmed(
    server: Server,
) -> None:
    async with at_adas(server) as there:
        await there.come_up()
        await simulator.ask_for_certificate(there, V2G)
        await certificate("accepted")
        last = await installed(there, CSMS)
        await asked(lambda row: installed_certificates.read(row))
        own = await first(INSTALLED.filter(use=OWN_CHAIN, parent=None))
        for row in (last, own):
            with pytest.raises(NotConfirmed):
                await delete(row)
        assert (await delete(own, confirmed=True)).result == {"status": "Accepted"}

    assert (len(there.calls("DeleteCertificate", "in")), V2G in there.vault.own) == (1, False)


# --- OCSP for stations (M06)


@BOTH
async def test_tc_m_24_csms_the_status_of_our_v2g_chain_is_a_signed_ocsp_answer(
    server: Server, version: str
) -> None:
    root = await rows(lambda: LocalAuthority().signer("v2g") and LocalAuthority().roots(V2G)[0])
    async with at_adas(server, version, roots=[(V2G_ROOT, root)]) as there:
        await there.come_up()
        await simulator.ask_for_certificate(there, V2G)
        await eventually(lambda: len(there.vault.statuses) == 2)

    told = {
        format(one.serial_number, "x"): one
        for one in map(ocsp.load_der_ocsp_response, map(base64.b64decode, there.vault.statuses.values()))
    }
    leaf, issuing = there.vault.own[V2G].chain
    assert set(told) == {format(leaf.serial_number, "x"), format(issuing.serial_number, "x")}
    assert {one.certificate_status.name for one in told.values()} == {"GOOD"}


@BOTH
async def test_m06_fr_04_a_status_that_nobody_can_tell_is_failed(server: Server, version: str) -> None:
    hashes = ODD | {"issuerNameHash": "aa" * 32, "issuerKeyHash": "bb" * 32, "serialNumber": "1"}
    asked_for = {"ocspRequestData": hashes | {"responderURL": "http://127.0.0.1:9/"}}
    async with station(server, version) as there:
        failed = await there.call("GetCertificateStatus", asked_for)
        odd = await there.call("GetCertificateStatus", {"ocspRequestData": ODD | {"responderURL": "x"}})

    assert [one["status"] for one in (failed, odd)] == ["Failed", "Failed"]
    assert "cannot be asked" in failed["statusInfo"]["additionalInfo"]


# --- contract certificates of vehicles (M01, M02)


@pytest.fixture(scope="module")
def pool() -> Iterator[tuple[Pool, str]]:
    """Give a contract certificate pool and its address."""
    found = Pool()
    with serving(found.reply) as url:
        yield found, url


@pytest.fixture(scope="module")
def pooled(process_env: dict[str, str], pool: tuple[Pool, str]) -> Iterator[Server]:
    """Give a server that asks that pool."""
    server = Server(
        {
            **process_env,
            "CONTRACT_CERTIFICATE_POOL": "stations.services.contract_pool.HttpPool",
            "CONTRACT_POOL_URL": pool[1],
            "CONTRACT_POOL_TOKEN": "token-of-ada",
            "OCPP_READ_CONFIGURATION_AFTER_BOOT": "0",
        }
    )
    server.start()
    yield server
    server.close()


EXI = base64.b64encode(b"what a vehicle says").decode()


async def _exchange(pooled: Server, pool: Pool, version: str, action: str) -> None:
    pool.has("DE8AACA2B3C4D5")
    async with at_adas(pooled, version) as there:
        await there.come_up()
        answer = await simulator.ask_for_contract(there, EXI, action=action)

    assert answer == {"status": "Accepted", "exiResponse": pool.response("DE8AACA2B3C4D5")}
    assert [one["action"] for one in there.calls("Get15118EVCertificate")] == [action]
    body, headers = pool.asked[-1]
    assert (body["action"], body["exi_request"], "maximum_contracts" in body) == (action, EXI, False)
    assert (body["schema_version"], headers["authorization"]) == (
        "urn:iso:15118:2:2013:MsgDef", "Bearer token-of-ada",
    )  # fmt: skip


@BOTH
async def test_tc_m_26_csms_a_vehicle_gets_a_contract_certificate(
    pooled: Server, pool: tuple[Pool, str], version: str
) -> None:
    await _exchange(pooled, pool[0], version, "Install")


@BOTH
async def test_tc_m_28_csms_a_vehicle_gets_its_contract_certificate_updated(
    pooled: Server, pool: tuple[Pool, str], version: str
) -> None:
    await _exchange(pooled, pool[0], version, "Update")


async def test_m01_fr_07_a_vehicle_of_iso_15118_20_gets_one_contract_after_the_other(
    pooled: Server, pool: tuple[Pool, str]
) -> None:
    emaids = ["DE8AAC00000001", "DE8AAC00000002", "DE8AAC00000003"]
    pool[0].has(*emaids)
    wish: dict[str, Any] = {"maximumContractCertificateChains": 5, "prioritizedEMAIDs": ["DE-8AA-C00000003"]}
    async with at_adas(pooled, "2.1") as there:
        await there.come_up()
        told = [await simulator.ask_for_contract(there, EXI, **wish) for _ in emaids]

    assert [one["remainingContracts"] for one in told] == [2, 1, 0]
    order = [emaids[2], emaids[0], emaids[1]]
    assert [one["exiResponse"] for one in told] == [pool[0].response(emaid) for emaid in order]
    assert len(pool[0].asked) == 1


async def test_m02_fr_02_an_update_of_iso_15118_20_is_answered_like_an_installation(
    pooled: Server, pool: tuple[Pool, str]
) -> None:
    pool[0].has("DE8AACA2B3C4D5")
    async with at_adas(pooled, "2.1") as there:
        await there.come_up()
        answer = await simulator.ask_for_contract(
            there, EXI, action="Update", maximumContractCertificateChains=1
        )

    assert (answer["status"], answer["remainingContracts"]) == ("Accepted", 0)
    assert (pool[0].asked[0][0]["action"], pool[0].asked[0][0]["maximum_contracts"]) == ("Update", 1)


async def test_m01_a_pool_that_fails_is_told_to_the_vehicle_and_to_an_operator(
    pooled: Server, pool: tuple[Pool, str]
) -> None:
    async with at_adas(pooled) as there:
        await there.come_up()
        pool[0].has()
        nothing = await simulator.ask_for_contract(there, EXI)
        assert not await rows(ReviewItem.objects.exists)
        pool[0].fails_with = 503
        broken = await simulator.ask_for_contract(there, EXI)
        item = await review()

    assert [one["status"] for one in (nothing, broken)] == ["Failed", "Failed"]
    assert "has no contract" in nothing["statusInfo"]["additionalInfo"]
    assert item.summary == "The contract certificate pool failed: it answered 503"


@BOTH
async def test_m01_without_a_pool_a_vehicles_wish_fails_with_a_reason(server: Server, version: str) -> None:
    async with at_adas(server, version) as there:
        await there.come_up()
        answer = await simulator.ask_for_contract(there, EXI)

    assert len(there.calls("Get15118EVCertificate")) == 1
    assert (answer["status"], answer["exiResponse"]) == ("Failed", "")
    assert "no contract certificate pool" in answer["statusInfo"]["additionalInfo"]
