"""Signed messages over a real socket: taken apart, verified, refused, signed by us (2.1 part 4 chapter 7; case F19)."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingSession, ChargingStation, Frame, ReviewItem, StationCertificate
from stations.pki import certificates as pki
from stations.services import commands, quirks
from tests.authority import Authority, Issued
from tests.processes import Server
from tests.stories.raw import Message, RawSocket, incoming, opened, verdicts
from tests.stories.story import eventually, rows
from tests.stories.v2 import jws
from tests.stories.v2.device import asked
from tests.stories.v2.station import BOOT, station, visit

BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
AUTHORITY = Authority()
CHARGER, METER, STRANGER, OURS = (AUTHORITY.issue(name) for name in ("ADA-1", "Meter", "Stranger", "CSMS"))
RSA = AUTHORITY.issue("ADA-1", kind="rsa")


@pytest.fixture(scope="module")
def server(process_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a server that signs, and believes a meter."""
    folder = tmp_path_factory.mktemp("keys")
    ours, meter = OURS.save(folder, "ours"), METER.save(folder, "meter")
    found = Server(
        {
            **process_env, "OCPP_CALL_TIMEOUT_S": "1", "OCPP_SETTLE_S": "0.1",
            "OCPP_READ_CONFIGURATION_AFTER_BOOT": "0", "OCPP_SIGNING_KEY": f"{ours}:{ours}",
            "OCPP_MESSAGE_SIGNERS": str(meter),
        }
    )  # fmt: skip
    found.start()
    yield found
    found.close()


def certified(ada: ChargingStation, *signers: Issued) -> None:
    """Let certificates be the station's own."""
    now = clock.now()
    for signer in signers:
        StationCertificate.objects.create(
            station=ada, state="in_use", csr="", key_fingerprint="", common_name="ADA-1", requested_at=now,
            chain=signer.pem, fingerprint=pki.fingerprint(signer.certificate), not_before=now,
            not_after=now + timedelta(days=9),
        )  # fmt: skip


@pytest.fixture(autouse=True)
def own(ada: ChargingStation) -> ChargingStation:
    certified(ada, CHARGER, RSA)
    quirks.override(ada, flag="takes_signed", value=True, by="test")
    return ada


async def say(socket: RawSocket, signer: Issued, action: str, payload: Any, **header: Any) -> Message:
    """Send a signed CALL and return the frame that answers it."""
    return await socket.call(f"{action}-Signed", jws.wrapped(signer, action, payload, **header))


@asynccontextmanager
async def speaks(server: Server, version: str = "2.1") -> AsyncIterator[RawSocket]:
    async with opened(server, subprotocols=[f"ocpp{version}"]) as socket:
        yield socket
        assert await socket.lives()


@BOTH
async def test_a_signed_request_is_answered_like_its_plain_form_and_signed_by_us(
    server: Server, version: str
) -> None:
    async with speaks(server, version) as socket:
        answer = await say(socket, CHARGER, "BootNotification", BOOT)

    header, payload = jws.opened(OURS, answer[2])
    assert payload["status"] == "Accepted"
    assert (header["OCPPAction"], header["OCPPMessageTypeId"]) == ("BootNotification", 3)
    assert header["x5t#S256"] == jws.thumbprint(OURS)
    assert (await rows(ChargingStation.objects.get)).model == "V2"
    assert await verdicts() == ["signature_verified"]


@pytest.mark.parametrize(
    ("signer", "header", "verdict"),
    [
        (RSA, {}, "verified"),
        (METER, {}, "verified"),
        (CHARGER, {"x5t__S256": None}, "verified"),
        (STRANGER, {"x5t__S256": None}, "unverified"),
        (STRANGER, {}, "unverified"),
        (CHARGER, {"OCPPAction": None}, "unverified"),
    ],
    ids=["RSA", "a configured signer", "unnamed key", "unnamed stranger", "unknown key", "bound to nothing"],
)
async def test_whatever_its_key_the_message_is_processed(
    server: Server, signer: Issued, header: dict[str, Any], verdict: str
) -> None:
    async with speaks(server) as socket:
        assert (await say(socket, signer, "BootNotification", BOOT, **header))[0] == 3

    assert await verdicts() == [f"signature_{verdict}"]
    assert not await rows(ReviewItem.objects.exists)


def forged(found: jws.Jws) -> jws.Jws:
    """Put another payload under the signature."""
    return found | {"payload": jws.encoded(json.dumps(BOOT | {"reason": "Watchdog"}).encode())}


GOOD = jws.wrapped(CHARGER, "BootNotification", BOOT)
WRONG = {
    "another payload": forged(GOOD),
    "another signer's name": jws.wrapped(STRANGER, "BootNotification", BOOT, x5t__S256=jws.thumbprint(CHARGER)),
    "no algorithm": jws.wrapped(CHARGER, "BootNotification", BOOT, alg="none") | {"signature": ""},
    "a secret shared with nobody": jws.wrapped(CHARGER, "BootNotification", BOOT, alg="HS256"),
    "another action": jws.wrapped(CHARGER, "Heartbeat", BOOT),
    "another kind of message": jws.wrapped(CHARGER, "BootNotification", BOOT, kind=3),
    "a critical header": jws.wrapped(CHARGER, "BootNotification", BOOT, crit=["exp"], exp=1),
}  # fmt: skip


@pytest.mark.parametrize("payload", WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_signature_is_refused_and_told(server: Server, payload: jws.Jws) -> None:
    async with speaks(server) as socket:
        answer = await socket.call("BootNotification-Signed", payload)

    assert (answer[0], answer[2]) == (4, "SecurityError")
    assert await verdicts() == ["signature_failed,SecurityError"]
    assert (await rows(ReviewItem.objects.get)).kind == "bad_frame"
    assert (await rows(ChargingStation.objects.get)).boot_count == 0


BROKEN = {
    "no JWS": (BOOT, "FormatViolation"),
    "not base64url": (GOOD | {"payload": "!"}, "FormatViolation"),
    "not JSON inside": (jws.wrapped(CHARGER, "BootNotification", "{"), "FormatViolation"),
    "more than a payload inside": (jws.wrapped(CHARGER, "BootNotification", "{},1"), "FormatViolation"),
    "a list inside": (jws.wrapped(CHARGER, "BootNotification", "[]"), "FormatViolation"),
    "the schema broken inside": (
        jws.wrapped(CHARGER, "BootNotification", {"reason": "PowerUp"}), "OccurrenceConstraintViolation",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("payload", "code"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_one_is_refused_with_its_code(server: Server, payload: Any, code: str) -> None:
    async with speaks(server) as socket:
        answer = await socket.call("BootNotification-Signed", payload)

    assert (answer[0], answer[2]) == (4, code)


async def test_an_unknown_action_stays_unknown_also_when_signed_twice(server: Server) -> None:
    twice = jws.wrapped(CHARGER, "Heartbeat-Signed", jws.wrapped(CHARGER, "Heartbeat", {}))
    async with speaks(server) as socket:
        codes = [
            (await say(socket, CHARGER, "OpenSesame", {}))[2],
            (await socket.call("Heartbeat-Signed-Signed", twice))[2],
        ]

    assert codes == ["NotImplemented", "NotImplemented"]


async def test_1_6_knows_no_signed_messages(server: Server) -> None:
    async with opened(server) as socket:
        answer = await say(socket, CHARGER, "Heartbeat", {})

    assert (answer[0], answer[2]) == (4, "NotImplemented")


@pytest.mark.parametrize(("size", "kind"), [(60_000, 3), (150_000, 4)])
async def test_a_long_one_is_taken_as_far_as_any_message(server: Server, size: int, kind: int) -> None:
    event = {"type": "MaintenanceLoginFailed", "timestamp": "2026-11-20T09:00:00Z", "techInfo": "i" * 200}
    padded = json.dumps(event) + " " * (size * 3 // 4)
    async with speaks(server) as socket:
        assert (await say(socket, CHARGER, "SecurityEventNotification", padded))[0] == kind


@BOTH
async def test_a_signed_transaction_is_one_session_however_often_it_is_told(
    server: Server, version: str
) -> None:
    async with speaks(server, version) as socket:
        for event in [*visit(), visit()[1], visit()[3]]:
            answer = await say(socket, CHARGER, "TransactionEvent", event)
            assert (answer[0], "signature" in answer[2]) == (3, True)

    assert (await rows(ChargingSession.objects.get)).energy_wh == 3000


async def test_the_journal_holds_what_was_inside_without_its_secrets(server: Server) -> None:
    data = {"vendorId": "org.example", "data": {"password": "geheim-geheim"}}
    async with speaks(server) as socket:
        await say(socket, CHARGER, "DataTransfer", data)

    [frame] = await incoming()
    assert (frame.action, json.loads(frame.text)[2]) == ("DataTransfer", "DataTransfer")
    hidden = base64.b64encode(b"geheim-geheim").decode()[:12]
    texts = await rows(lambda: " ".join(Frame.objects.values_list("text", flat=True)))
    assert "geheim" not in texts
    assert hidden not in texts


async def test_a_signed_send_is_taken_and_never_answered(server: Server) -> None:
    payload = {"id": 3, "pending": 0, "basetime": "2026-11-20T09:00:00Z", "data": [{"t": 0, "v": "1"}]}
    good = jws.wrapped(CHARGER, "NotifyPeriodicEventStream", payload, kind=6)
    async with speaks(server) as socket:
        for found in (good, forged(good)):
            await socket.send(json.dumps([6, "send-1", "NotifyPeriodicEventStream-Signed", found]))
            assert await socket.lives()

    told = await verdicts()
    assert "signature_verified" in told[0]
    assert "signature_failed" in told[1]


async def reset() -> None:
    payload = {"type": "OnIdle"}
    await rows(lambda: commands.queue(ChargingStation.objects.get(), action="Reset", payload=payload))


ANSWER = {"status": "Accepted"}
GIVEN = {
    "signed": (jws.wrapped(CHARGER, "Reset", ANSWER, kind=3), "answered"),
    "plain": (ANSWER, "answered"),
    "signed for another request": (jws.wrapped(CHARGER, "ClearCache", ANSWER, kind=3), "failed"),
    "forged": (forged(jws.wrapped(CHARGER, "Reset", ANSWER, kind=3)), "failed"),
}


@pytest.mark.parametrize(("payload", "status"), GIVEN.values(), ids=GIVEN.keys())
async def test_our_request_is_signed_and_its_answer_verified(
    server: Server, payload: dict[str, Any], status: str
) -> None:
    async with station(server, "2.1") as socket:
        await reset()
        question = await asked(socket, "Reset-Signed")
        header, inner = jws.opened(OURS, question[3])
        await socket.send(json.dumps([3, question[1], payload]))
        command = await eventually(
            lambda: ChargingStation.objects.get().commands.exclude(status__in=["queued", "sent"]).first()
        )

    assert (header["OCPPAction"], inner, command.action, command.status) == (
        "Reset", {"type": "OnIdle"}, "Reset", status,
    )  # fmt: skip


async def test_an_answer_may_name_its_action_as_a_request_does(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await reset()
        question = await asked(socket, "Reset-Signed")
        answer = jws.wrapped(CHARGER, "Reset", ANSWER, kind=3)
        await socket.send(json.dumps([3, question[1], "Reset-Signed", answer]))

        assert await eventually(
            lambda: Frame.objects.filter(message_id=question[1], verdict="signature_verified").exists()
        )
