"""The handshake over real sockets (OCPP-J 1.6 sections 3 and 6; attack cases H1 to H8, H12, H17, H18)."""

import asyncio
import base64
import time
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stations.models import ChargingStation, HandshakeRejection, OnboardingStation, SecurityEvent
from stations.services import provisioning
from tests.processes import Server
from tests.stories.story import PASSWORD, basic, rows

pytestmark = pytest.mark.usefixtures("ada")


async def refused(server: Server, identity: str = "ADA-1", **options: Any) -> InvalidStatus:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(f"{server.ws}/ocpp/{identity}", subprotocols=["ocpp1.6"], **options):
            pass
    return caught.value


async def reason_of(identity: str) -> str:
    return await rows(lambda: HandshakeRejection.objects.get(identity=identity).reason)


async def test_it_asks_for_credentials_when_there_are_none(server: Server) -> None:
    error = await refused(server)

    assert (error.response.status_code, error.response.headers["WWW-Authenticate"]) == (
        401,
        'Basic realm="ocpp"',
    )
    assert await reason_of("ADA-1") == "no_auth"


async def test_it_refuses_a_wrong_password_and_says_where_it_came_from(server: Server) -> None:
    error = await refused(server, additional_headers=basic("ADA-1", "wrong-wrong-wrong-wrong"))

    assert error.response.status_code == 401
    row = await rows(lambda: HandshakeRejection.objects.get())
    assert (row.reason, row.remote_address, row.count) == ("bad_password", "127.0.0.1", 1)


async def test_it_refuses_a_user_name_that_is_not_the_identity(server: Server) -> None:
    assert (await refused(server, additional_headers=basic("ADA-2", PASSWORD))).response.status_code == 401
    assert await reason_of("ADA-1") == "username_mismatch"


@pytest.mark.parametrize(
    "header",
    ["Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Bearer abc", "Basic " + "A" * 5000, "Basic QURBAC0xOng="],
    ids=["no credentials", "no base64", "no colon", "no basic", "too long", "a NUL in the name"],
)
async def test_it_refuses_a_malformed_header(server: Server, header: str) -> None:
    assert (await refused(server, additional_headers={"Authorization": header})).response.status_code == 401


async def test_it_puts_an_unknown_station_on_the_onboarding_list(server: Server) -> None:
    assert (await refused(server, "NEW-1")).response.status_code == 404
    assert (await refused(server, "NEW-1")).response.status_code == 404

    assert (await rows(lambda: OnboardingStation.objects.get(identity="NEW-1"))).attempts == 2


@pytest.mark.parametrize(
    "identity", ["a%2Fb", "%2e%2e", "%00", "a:b", "x" * 49, "%3Csvg%3E", "NEW-1%20", "🔌", "..%2Fx"]
)
async def test_it_never_onboards_an_identity_that_cannot_be(server: Server, identity: str) -> None:
    assert (await refused(server, identity)).response.status_code == 404
    assert await rows(OnboardingStation.objects.count) == 0


async def test_it_stops_listening_to_a_guesser(server: Server, ada: ChargingStation) -> None:
    await rows(lambda: ChargingStation.objects.filter(pk=ada.pk).update(identity="ADA-GUESS"))
    codes = [
        (
            await refused(server, "ADA-GUESS", additional_headers=basic("ADA-GUESS", f"guess-number-{n:010}"))
        ).response.status_code
        for n in range(7)
    ]

    assert codes == [401] * 5 + [429] * 2


async def test_it_completes_the_handshake_without_a_common_subprotocol_and_closes(
    server: Server, ada: ChargingStation
) -> None:
    await rows(lambda: ChargingStation.objects.filter(pk=ada.pk).update(identity="ADA-SUB"))
    async with connect(
        f"{server.ws}/ocpp/ADA-SUB", subprotocols=["ocpp9.9"], additional_headers=basic("ADA-SUB", PASSWORD)
    ) as socket:
        assert socket.subprotocol is None
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_it_takes_the_first_subprotocol_of_the_station_that_it_speaks(
    server: Server, ada: ChargingStation
) -> None:
    await rows(lambda: ChargingStation.objects.filter(pk=ada.pk).update(identity="ADA-ORDER"))
    async with connect(
        f"{server.ws}/ocpp/ADA-ORDER", subprotocols=["ocpp9.9", "ocpp1.6"],
        additional_headers=basic("ADA-ORDER", PASSWORD) | {"Origin": "https://evil.example"},
    ) as socket:  # fmt: skip
        assert socket.subprotocol == "ocpp1.6"


async def test_it_refuses_a_station_without_authentication_unless_a_setting_allows_it(
    server: Server, ada: ChargingStation
) -> None:
    await rows(
        lambda: ChargingStation.objects.filter(pk=ada.pk).update(identity="ADA-OPEN", security_profile=0)
    )

    assert (await refused(server, "ADA-OPEN")).response.status_code == 401
    assert await reason_of("ADA-OPEN") == "profile"


async def test_it_accepts_the_password_as_the_bytes_that_its_hex_text_spells(
    server: Server, ada: ChargingStation
) -> None:
    secret = "00112233445566778899aabbccddeeff"
    await rows(lambda: ChargingStation.objects.filter(pk=ada.pk).update(identity="ADA-HEX"))
    await rows(lambda: provisioning.set_password(ChargingStation.objects.get(), password=secret))
    raw = bytes.fromhex(secret).decode("latin-1")
    header = "Basic " + base64.b64encode(b"ADA-HEX:" + raw.encode("latin-1")).decode()
    async with connect(
        f"{server.ws}/ocpp/ADA-HEX", subprotocols=["ocpp1.6"], additional_headers={"Authorization": header}
    ) as socket:
        assert socket.subprotocol == "ocpp1.6"


async def test_two_authorization_headers_are_one_too_many(server: Server) -> None:
    headers = [("Authorization", basic("ADA-1", PASSWORD)["Authorization"])] * 2
    assert (await refused(server, additional_headers=headers)).response.status_code == 401


async def test_a_header_of_ten_kilobytes_is_answered(server: Server) -> None:
    error = await refused(server, additional_headers={"Authorization": "Basic " + "A" * 10_240})
    assert error.response.status_code == 431


async def test_headers_without_an_end_are_answered(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /ocpp/ADA-1 HTTP/1.1\r\nHost: localhost\r\n")
    writer.writelines(b"X-%d: %s\r\n" % (n, b"x" * 900) for n in range(60))
    assert (await reader.readline()).split()[1] == b"431"
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("header", ["X-Forwarded-Proto", "X-Client-Verify", "X-Client-Cert"])
async def test_what_a_stranger_says_about_tls_is_not_believed(
    server: Server, ada: ChargingStation, header: str
) -> None:
    await rows(lambda: ChargingStation.objects.update(identity="ADA-FORGED", security_profile=2))
    forged = {"X-Forwarded-Proto": "https", header: "https"}
    error = await refused(server, "ADA-FORGED", additional_headers=basic("ADA-FORGED", PASSWORD) | forged)

    assert error.response.status_code == 401
    assert await reason_of("ADA-FORGED") == "profile"
    assert (
        await rows(lambda: SecurityEvent.objects.get().tech_info) == "refused by the central system: profile"
    )


async def test_the_right_password_from_another_address_still_works(
    server: Server, ada: ChargingStation
) -> None:
    await rows(lambda: ChargingStation.objects.update(identity="ADA-MOVED"))
    for n in range(6):
        await refused(server, "ADA-MOVED", additional_headers=basic("ADA-MOVED", f"guess-number-{n:010}"))
    assert (
        await refused(server, "ADA-MOVED", additional_headers=basic("ADA-MOVED", PASSWORD))
    ).response.status_code == 429

    async with connect(
        f"{server.ws}/ocpp/ADA-MOVED", subprotocols=["ocpp1.6"], additional_headers=basic("ADA-MOVED", PASSWORD),
        local_addr=("127.0.0.2", 0), proxy=None,
    ) as socket:  # fmt: skip
        assert socket.subprotocol == "ocpp1.6"


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        ("AABBCCDDEEFF00112233445566778899", b"aabbccddeeff00112233445566778899"),
        ("aabbccddeeff00112233445566778899", b"AABBCCDDEEFF00112233445566778899"),
        ("AaBbCcDdEeFf00112233445566778899", bytes.fromhex("aabbccddeeff00112233445566778899")),
        ("a-plain-password-16", b"a-plain-password-16".hex().encode()),
    ],
    ids=["lower case", "upper case", "the bytes", "the text in hexadecimal"],
)
async def test_a_password_is_known_in_each_of_its_forms(
    server: Server, ada: ChargingStation, stored: str, sent: bytes
) -> None:
    await rows(lambda: ChargingStation.objects.update(identity="ADA-FORM"))
    await rows(lambda: provisioning.set_password(ChargingStation.objects.get(), password=stored))
    header = "Basic " + base64.b64encode(b"ADA-FORM:" + sent).decode()
    async with connect(
        f"{server.ws}/ocpp/ADA-FORM", subprotocols=["ocpp1.6"], additional_headers={"Authorization": header}
    ) as socket:
        assert socket.subprotocol == "ocpp1.6"


async def test_a_stranger_waits_as_long_as_a_wrong_password(server: Server, ada: ChargingStation) -> None:
    await rows(lambda: ChargingStation.objects.update(identity="ADA-TIME"))

    async def seconds(identity: str) -> float:
        times = []
        for n in range(4):
            started = time.perf_counter()
            await refused(server, identity, additional_headers=basic(identity, f"guess-number-{n:010}"))
            times.append(time.perf_counter() - started)
        return min(times)

    assert abs(await seconds("ADA-TIME") - await seconds("NOBODY-1")) < 0.005


async def test_a_token_in_a_cookie_opens_nothing(server: Server) -> None:
    error = await refused(
        server, additional_headers={"Cookie": "sessionid=abc", "Origin": "https://evil.example"}
    )
    assert error.response.status_code == 401
