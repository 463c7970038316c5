"""Part 6, chapter 3: certificates of stations renewed (A02, A03), and what its test cases leave open."""

from dataclasses import asdict
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cpo.simulator.security import TLS, V2G
from cpo.simulator.v2 import certificates as simulator
from cpo.simulator.v2.certificates import V2G20
from stations.models import ChargingStation, StationCertificate, Variable
from stations.pki import hash_data
from stations.services import certificates, root_certificates
from stations.services.local_ca import LocalAuthority
from tests import pki
from tests.charger import answers, answers_late, keeps_silent, rejects
from tests.charger_v2 import Charger
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import station
from tests.stories.v2.certified import VERSIONS, asked, at_adas, certificate, first, make_due, review

pytestmark = [pytest.mark.usefixtures("ada", "celery_worker_process")]
Row = StationCertificate


async def renewed(there: Charger, use: str) -> StationCertificate:
    """Ask the station to renew, and wait until it has its certificate."""
    await there.come_up()
    await asked(lambda row: certificates.renew(row, use=use))
    return await certificate("accepted")


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_a_11_csms_a_station_renews_its_certificate(server: Server, version: str) -> None:
    async with at_adas(server, version) as there:
        row = await renewed(there, "ChargingStationCertificate")

    own = there.vault.own[TLS]
    [signed] = there.calls("CertificateSigned", "in")
    assert there.calls("TriggerMessage", "in") == [{"requestedMessage": "SignChargingStationCertificate"}]
    assert signed["certificateType"] == "ChargingStationCertificate"
    assert (row.common_name, row.serial_number) == ("ADA-1", format(own.chain[0].serial_number, "x"))
    ada = await rows(ChargingStation.objects.get)
    assert await rows(lambda: certificates.check_client(own.chain_pem, station=ada)) is None


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_a_12_csms_a_station_renews_its_v2g_certificate(server: Server, version: str) -> None:
    async with at_adas(server, version) as there:
        row = await renewed(there, V2G)
        await eventually(lambda: len(there.vault.statuses) or None)

    own = there.vault.own[V2G]
    root = await rows(lambda: LocalAuthority().roots(V2G)[0])
    own.chain[-1].verify_directly_issued_by(root)
    assert there.calls("TriggerMessage", "in") == [{"requestedMessage": "SignV2GCertificate"}]
    assert (row.use, len(own.chain), [c["certificateType"] for c in there.calls("CertificateSigned", "in")]) == (
        V2G, 2, [V2G],
    )  # fmt: skip
    ada = await rows(ChargingStation.objects.get)
    assert await rows(lambda: certificates.check_client(own.chain_pem, station=ada)) is not None


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_a_13_csms_a_combined_certificate_serves_vehicles_and_the_connection(
    server: Server, version: str
) -> None:
    async with at_adas(server, version) as there:
        row = await renewed(there, "CombinedCertificate")

    own = there.vault.own[TLS]
    assert there.calls("TriggerMessage", "in") == [{"requestedMessage": "SignCombinedCertificate"}]
    assert "certificateType" not in there.calls("CertificateSigned", "in")[0]
    assert (row.use, own is there.vault.own[V2G]) == ("CombinedCertificate", True)
    own.chain[-1].verify_directly_issued_by(await rows(lambda: LocalAuthority().roots(V2G)[0]))
    ada = await rows(ChargingStation.objects.get)
    assert await rows(lambda: certificates.check_client(own.chain_pem, station=ada)) is None
    assert (await rows(Row.objects.get)).state == "in_use"


@pytest.mark.parametrize("version", VERSIONS)
async def test_tc_a_14_csms_a_certificate_that_the_station_rejects_is_an_operators_matter(
    server: Server, version: str
) -> None:
    async with at_adas(server, version) as there:
        there.reactions["CertificateSigned"] = rejects()
        await there.come_up()
        await asked(lambda row: certificates.renew(row))
        row = await certificate("rejected")
        await rows(make_due)
        await eventually(lambda: Row.objects.filter(state="rejected", next_try_at=None).first())

    assert there.vault.answers == ["Accepted"]
    assert len(there.calls("CertificateSigned", "in")) == 2
    assert (row.seen_at, "did not take it: Rejected" in (await review()).summary) == (None, True)


async def test_a02_fr_07_a_station_under_another_root_says_why_it_rejects(server: Server) -> None:
    stranger = pki.authority("Stranger").certificate
    async with at_adas(server, roots=[("CentralSystemRootCertificate", stranger)]) as there:
        await there.come_up()
        await simulator.ask_for_certificate(there)
        row = await first(Row.objects.filter(problem__contains="not under a root"))

    assert row.state == "rejected"


async def test_a02_fr_25_the_number_of_a_request_comes_back_with_its_certificate(server: Server) -> None:
    async with at_adas(server, "2.1") as there:
        await there.come_up()
        await simulator.ask_for_certificate(there)
        await certificate("accepted")

    [asked_for], [signed] = there.calls("SignCertificate"), there.calls("CertificateSigned", "in")
    assert (
        signed["requestId"] == asked_for["requestId"] == there.vault.request_ids["ChargingStationCertificate"]
    )


async def test_a02_fr_23_a_v2g_certificate_of_iso_15118_20_has_keys_of_its_strength(server: Server) -> None:
    async with at_adas(server, "2.1") as there:
        row = await renewed(there, V2G20)

    chain = there.vault.own[V2G20].chain
    assert (row.key_label, there.calls("CertificateSigned", "in")[0]["certificateType"]) == (
        "EC secp521r1",
        V2G20,
    )
    for one in chain:
        key, digest = one.public_key(), one.signature_hash_algorithm
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert (key.curve.name, digest and digest.name) == ("secp521r1", "sha512")


async def test_a02_a_key_of_the_other_iso_15118_is_not_signed(server: Server) -> None:
    async with station(server, "2.1") as there:
        asked_for = {"csr": pki.csr(), "certificateType": V2G20}
        assert (await there.call("SignCertificate", asked_for))["status"] == "Accepted"
        row = await certificate("refused")

    assert "P-521" in row.problem
    assert "P-521" in (await review()).summary


async def test_a02_fr_27_the_root_that_a_station_names_is_the_one_it_gets_or_none(server: Server) -> None:
    ours = await rows(lambda: LocalAuthority().signer("v2g") and LocalAuthority().roots(V2G)[0])
    stranger = pki.authority("Other V2G")
    async with at_adas(server, "2.1", roots=[("V2GRootCertificate", ours)]) as there:
        await there.come_up()
        assert await simulator.ask_for_certificate(there, V2G) == "Accepted"
        row = await certificate("accepted")
        there.vault.roots = [("V2GRootCertificate", stranger.certificate)]
        assert await simulator.ask_for_certificate(there, V2G) == "Rejected"

    assert row.wanted_root == asdict(hash_data.of(ours))
    assert "a root that we do not have" in (await review()).summary


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"csr": "no request"}, "not a PEM"),
        ({"csr": pki.csr(organization="Bo's chargers")}, "O is"),
        ({"csr": pki.csr("BEA-1")}, "CN is 'BEA-1'"),
        ({"csr": pki.csr("BEA-1"), "certificateType": V2G}, "CN is 'BEA-1'"),
        ({"csr": pki.csr(key=pki.rsa_key(1024))}, "too weak: RSA 1024"),
    ],
    ids=["no PEM", "other O", "other CN", "other CN for vehicles", "weak key"],
)
async def test_a02_fr_12_a_request_that_cannot_be_signed_is_rejected_and_told(
    server: Server, payload: dict[str, Any], told: str
) -> None:
    async with station(server) as there:
        assert await there.call("SignCertificate", payload) == {"status": "Rejected"}

    assert told in (await review()).summary


async def reported(component: str, name: str, value: str, **place: Any) -> None:
    """Have the station's variable as it reported it some day."""
    ada = await rows(ChargingStation.objects.get)
    fields = {"station": ada, "component": component, "name": name, "value": value} | place
    await rows(lambda: Variable.objects.create(**fields))


async def test_a02_each_controller_of_a_station_is_asked_and_has_a_certificate_of_its_name(
    server: Server,
) -> None:
    for evse in (1, 2):
        await reported("ISO15118Ctrlr", "SeccId", f"SECC{evse}", evse_number=evse)
    async with at_adas(server, "2.1") as there:
        there.reactions["TriggerMessage"] = answers({"status": "Accepted"})
        await there.come_up()
        await asked(lambda row: certificates.renew(row, use=V2G))
        for evse in (1, 2):
            there.vault.common_name = f"SECC{evse}"
            await simulator.ask_for_certificate(there, V2G)
            await eventually(
                lambda: Row.objects.filter(state="accepted", common_name=there.vault.common_name).first()
            )

    triggers = there.calls("TriggerMessage", "in")
    assert [one["evse"]["id"] for one in triggers] == [1, 2]
    assert await rows(lambda: Row.objects.filter(state="accepted").count()) == 2


async def test_a02_a_renewal_that_is_refused_is_told_to_an_operator_where_nobody_asked(
    server: Server,
) -> None:
    async with at_adas(server) as there:
        there.reactions["TriggerMessage"] = answers({"status": "NotImplemented"})
        await there.come_up()
        await asked(lambda row: certificates.renew(row, priority=-1))
        item = await review()

    assert "does not renew it: NotImplemented" in item.summary


@pytest.mark.parametrize("is_late", [False, True], ids=["silence", "late"])
async def test_a02_a_certificate_that_is_not_answered_is_sent_again_and_a_late_answer_counts(
    server: Server, is_late: bool
) -> None:
    async with at_adas(server, "2.1") as there:
        takes = there.reactions["CertificateSigned"]
        there.reactions["CertificateSigned"] = answers_late(2, takes) if is_late else keeps_silent()
        await there.come_up()
        await simulator.ask_for_certificate(there)
        await eventually(lambda: Row.objects.filter(state="sent", tries=1).exclude(next_try_at=None).first())
        there.reactions["CertificateSigned"] = takes
        if not is_late:
            await rows(make_due)
        row = await certificate("accepted")

    assert (row.tries, row.next_try_at, row.problem) == (1, None, "")


async def test_a03_a_repeated_request_leads_to_one_certificate(server: Server) -> None:
    asked_for = {"csr": pki.csr(), "certificateType": "ChargingStationCertificate"}
    async with station(server, CertificateSigned={"status": "Accepted"}) as there:
        told = [(await there.call("SignCertificate", asked_for))["status"] for _ in range(2)]
        await certificate("accepted")
        await there.call("Heartbeat", {})

    assert (told, len(there.requests("CertificateSigned"))) == (["Accepted"] * 2, 1)


async def test_a02_the_name_of_the_operator_is_put_right_before_a_station_is_asked(server: Server) -> None:
    await reported("SecurityCtrlr", "OrganizationName", "Factory")
    async with at_adas(server) as there:
        there.model_of["SecurityCtrlr", 0, "OrganizationName"].value = "Factory"
        await renewed(there, "ChargingStationCertificate")

    assert there.model_of["SecurityCtrlr", 0, "OrganizationName"].value == pki.OPERATOR


async def test_a02_fr_16_a_station_that_takes_short_chains_gets_the_leaf(server: Server) -> None:
    await reported("SecurityCtrlr", "MaxCertificateChainSize", "1000")
    async with at_adas(server) as there:
        there.model_of["SecurityCtrlr", 0, "MaxCertificateChainSize"].value = "1000"
        await renewed(there, "ChargingStationCertificate")

    assert len(there.vault.own[TLS].chain) == 1


def test_a02_the_roots_of_our_authority_are_known_for_installation(ada: Any) -> None:
    for role in ("stations", "v2g", "v2g20"):
        LocalAuthority().signer(role)

    assert root_certificates.keep_own() == 3
