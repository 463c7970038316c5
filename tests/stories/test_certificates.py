"""Certificates over a real socket: asked for, signed, taken or not (1.6 security white paper A02, A03, 5.1 to 5.18)."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cpo.lib import clock
from cpo.simulator import security as simulator
from stations.models import ChargingStation, Command, ReviewItem, StationCertificate
from stations.services import certificate_signing, certificates, configuration
from tests import pki
from tests.charger import CallFailed, Charger, accepts, answers_late, keeps_silent, refuses, rejects
from tests.processes import Process
from tests.stories.story import eventually, rows

pytestmark = pytest.mark.usefixtures("celery_worker_process")
Make = Callable[..., Charger]
Row = StationCertificate


def at_adas(charger: Make, **habits: Any) -> Charger:
    """Give Ada's station, which knows whose it is."""
    station = charger()
    station.configuration["CpoName"].value = pki.OPERATOR
    for name, value in habits.items():
        setattr(station.vault, name, value)
    return station


async def state_of(*states: str) -> StationCertificate:
    return await eventually(lambda: Row.objects.filter(state__in=states).order_by("-id").first())


async def problem() -> ReviewItem:
    return await eventually(lambda: ReviewItem.objects.filter(kind="certificate_wanted").first())


def make_due() -> None:
    """Let the time pass until the next try, and be the sweep."""
    Row.objects.exclude(next_try_at=None).update(next_try_at=clock.now())
    certificate_signing.work(certificate_signing.due())


async def test_sign_certificate_is_accepted_and_certificate_signed_brings_a_chain_that_fits(
    charger: Make, ada: ChargingStation
) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        assert await simulator.ask_for_certificate(station) == "Accepted"
        row = await state_of("accepted")

    own = station.vault.own[simulator.TLS]
    assert (row.common_name, row.organization, row.key_label) == ("ADA-1", pki.OPERATOR, "EC secp256r1")
    assert row.serial_number == format(own.chain[0].serial_number, "x")
    assert await rows(lambda: certificates.check_client(own.chain_pem, station=ada)) is None
    assert (await rows(Row.objects.get)).state == "in_use"


async def test_the_answer_to_sign_certificate_comes_before_certificate_signed(charger: Make) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        await simulator.ask_for_certificate(station)
        await state_of("accepted")

    kinds = [frame.message for frame in station.frames]
    asked = next(i for i, frame in enumerate(kinds) if frame[0] == 2 and frame[2] == "SignCertificate")
    assert kinds[asked + 1][:2] == [3, kinds[asked][1]]
    assert [frame[2] for frame in kinds[asked + 2 :] if frame[0] == 2] == ["CertificateSigned"]


async def test_extended_trigger_message_makes_a_station_renew(charger: Make, ada: ChargingStation) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        await rows(lambda: certificates.renew(ChargingStation.objects.get(pk=ada.pk)))
        await state_of("accepted")

    assert station.calls("ExtendedTriggerMessage", "in") == [
        {"requestedMessage": "SignChargePointCertificate"}
    ]


async def test_a_station_with_rsa_keys_gets_a_chain_of_rsa(charger: Make) -> None:
    async with at_adas(charger, is_rsa=True) as station:
        await station.come_up()
        await simulator.ask_for_certificate(station)
        await state_of("accepted")

    leaf = station.vault.own[simulator.TLS].chain[0]
    assert leaf.signature_algorithm_parameters is not None
    assert not isinstance(leaf.signature_algorithm_parameters, ec.ECDSA)


@pytest.mark.parametrize(
    ("csr", "told"),
    [
        (pki.csr(organization="Bo's chargers"), "O is"),
        (pki.csr(organization=None), "no organisation"),
        (pki.csr("BEA-1"), "CN is 'BEA-1'"),
        (pki.csr(key=pki.rsa_key(1024)), "too weak: RSA 1024"),
        (pki.csr(key=pki.ec_key(ec.SECP192R1())), "too weak: EC secp192r1"),
        ("hello", "not a PEM"),
        ("", "not a PEM"),
        ("-----BEGIN CERTIFICATE REQUEST-----\n" + "A" * 5000, "cannot be read"),
        (pki.csr("C" * 64), "CN is"),
    ],
    ids=["other O", "no O", "other CN", "weak RSA", "weak EC", "no PEM", "empty", "huge", "long CN"],
)
async def test_sign_certificate_is_rejected_with_a_reason_for_the_operator(
    charger: Make, csr: str, told: str
) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        answer = await station.call("SignCertificate", {"csr": csr})
        item = await problem()
        await station.heartbeat()

    assert answer == {"status": "Rejected"}
    assert told in item.summary
    assert (await rows(Row.objects.get)).state == "refused"
    assert station.calls("CertificateSigned", "in") == []


async def test_a_changed_request_has_a_wrong_signature(charger: Make) -> None:
    lines = pki.csr().splitlines()
    der = base64.b64decode("".join(lines[1:-1])).replace(b"ADA-1", b"ADA-2")
    forged = "\n".join([lines[0], base64.encodebytes(der).decode().strip(), lines[-1]])
    async with at_adas(charger) as station:
        await station.come_up()
        assert await station.call("SignCertificate", {"csr": forged}) == {"status": "Rejected"}
        assert "signature is wrong" in (await problem()).summary


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({}, "OccurenceConstraintViolation"),
        ({"csr": ["x"]}, "TypeConstraintViolation"),
        ({"csr": "x", "certificateType": "V2GCertificate"}, "FormationViolation"),
    ],
)
async def test_a_broken_sign_certificate_is_refused_with_its_code(
    charger: Make, payload: dict[str, Any], code: str
) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        with pytest.raises(CallFailed) as refused:
            await station.call("SignCertificate", payload)

    assert refused.value.code == code


async def test_sign_certificate_sent_again_is_the_same_wish(charger: Make) -> None:
    csr = pki.csr()
    async with at_adas(charger) as station:
        station.reactions["CertificateSigned"] = accepts()
        await station.come_up()
        answers = [await station.call("SignCertificate", {"csr": csr}) for _ in range(2)]
        await state_of("accepted")
        await station.heartbeat()

    assert answers == [{"status": "Accepted"}] * 2
    assert await rows(Row.objects.count) == 1
    assert len(station.calls("CertificateSigned", "in")) == 1


async def test_a_request_whose_certificate_got_lost_is_answered_with_it_again(charger: Make) -> None:
    csr = pki.csr()
    async with at_adas(charger) as station:
        station.reactions["CertificateSigned"] = accepts()
        await station.come_up()
        await station.call("SignCertificate", {"csr": csr})
        await state_of("accepted")
        await station.call("SignCertificate", {"csr": csr})
        await eventually(lambda: Command.objects.filter(status="answered").count() == 2)

    first, second = station.calls("CertificateSigned", "in")
    assert first == second


async def test_a_flood_of_requests_is_rejected_and_told(charger: Make) -> None:
    async with at_adas(charger) as station:
        station.reactions["CertificateSigned"] = accepts()
        await station.come_up()
        answers = [(await station.call("SignCertificate", {"csr": pki.csr()}))["status"] for _ in range(8)]
        item = await eventually(lambda: ReviewItem.objects.filter(kind="flood").first())

    assert answers == ["Accepted"] * 6 + ["Rejected"] * 2
    assert (item.count, item.summary) == (2, "ADA-1 asks for certificates again and again")
    assert await rows(Row.objects.count) == 6


async def test_a_flood_of_rubbish_fills_no_table(charger: Make) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        for number in range(9):
            await station.call("SignCertificate", {"csr": f"rubbish {number}"})

    assert await rows(Row.objects.count) == 6


async def test_certificate_signed_that_is_rejected_is_sent_once_more_then_left_to_an_operator(
    charger: Make,
) -> None:
    async with at_adas(charger) as station:
        station.reactions["CertificateSigned"] = rejects()
        await station.come_up()
        await simulator.ask_for_certificate(station)
        row = await state_of("rejected")
        assert row.next_try_at is not None
        await rows(make_due)
        await eventually(lambda: Row.objects.filter(state="rejected", next_try_at=None).exists())

    assert "did not take it: Rejected" in (await problem()).summary
    assert len(station.calls("CertificateSigned", "in")) == 2


async def test_a_station_under_another_root_rejects_and_says_why(charger: Make) -> None:
    stranger = pki.authority("Stranger")
    async with at_adas(charger) as station:
        station.vault.roots.append(("CentralSystemRootCertificate", stranger.certificate))
        await station.come_up()
        await simulator.ask_for_certificate(station)
        row = await eventually(lambda: Row.objects.filter(problem__contains="not under a root").first())

    assert row.state == "rejected"


@pytest.mark.parametrize("reaction", [keeps_silent(), refuses("InternalError")], ids=["silence", "error"])
async def test_certificate_signed_that_is_not_answered_is_sent_again(
    charger: Make, ada: ChargingStation, reaction: Any
) -> None:
    async with at_adas(charger) as station:
        takes = station.reactions["CertificateSigned"]
        station.reactions["CertificateSigned"] = reaction
        await station.come_up()
        await simulator.ask_for_certificate(station)
        await eventually(lambda: Row.objects.filter(state="sent", tries=1).exclude(next_try_at=None).exists())
        station.reactions["CertificateSigned"] = takes
        await rows(make_due)
        row = await state_of("accepted")

    assert (row.tries, row.problem) == (1, "")


async def test_a_late_answer_to_certificate_signed_counts(charger: Make) -> None:
    async with at_adas(charger) as station:
        station.reactions["CertificateSigned"] = answers_late(2, station.reactions["CertificateSigned"])
        await station.come_up()
        await simulator.ask_for_certificate(station)
        row = await state_of("accepted")
        command = await rows(lambda: Command.objects.get(action="CertificateSigned"))

    assert (row.state, row.next_try_at) == ("accepted", None)
    assert (command.status, command.answered_late) == ("timed_out", True)


async def test_a_certificate_waits_for_a_station_that_went_away(charger: Make) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        await simulator.ask_for_certificate(station)
        await station.kill()
        await eventually(lambda: Row.objects.exclude(chain="").first())
        await station.come_up()
        await rows(make_due)
        await state_of("accepted")


async def test_a_chain_that_is_too_long_for_the_station_loses_its_upper_end(
    charger: Make, ada: ChargingStation
) -> None:
    keys = [{"key": "CertificateSignedMaxChainSize", "value": "1000", "readonly": True}]
    await rows(lambda: configuration.store(ada.pk, keys=keys, unknown=[], now=clock.now()))
    async with at_adas(charger) as station:
        station.configuration["CertificateSignedMaxChainSize"].value = "1000"
        await station.come_up()
        await simulator.ask_for_certificate(station)
        await state_of("accepted")

    assert len(station.vault.own[simulator.TLS].chain) == 1


async def test_a_revoked_certificate_opens_nothing(
    charger: Make, ada: ChargingStation, celery_worker_process: Process
) -> None:
    async with at_adas(charger) as station:
        await station.come_up()
        await simulator.ask_for_certificate(station)
        row = await state_of("accepted")
        await rows(lambda: certificates.revoke(row, reason="keyCompromise", by="user:ada"))
        chain = station.vault.own[simulator.TLS].chain_pem

    assert await rows(lambda: certificates.check_client(chain, station=ada)) == "certificate_revoked"
    assert (await state_of("revoked")).problem == "revoked by user:ada: keyCompromise"
