"""The shipped nginx configuration in front of a real server (SECURITY.md 3.5; cases H7, H9 to H12)."""

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from stations.models import ChargingStation, ConnectionEvent, HandshakeRejection, RootUse, StoredFile
from stations.services import files, root_certificates
from tests.authority import Authority, Issued, self_signed
from tests.nginx import proxied
from tests.processes import Server, free_port
from tests.stories.story import PASSWORD, basic, eventually, rows
from tests.stories.test_tls import FORBIDDEN, MANDATORY

HOST = "ocpp.example.com"
CHARGERS = Authority("Root of the chargers")


@dataclass
class Proxy:
    """nginx on a port, with our server behind it."""

    port: int
    server: Server
    authority: Authority
    folder: Path

    def tls(self, client: Issued | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.authority.root.pem)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        if client is not None:
            context.load_cert_chain(client.save(self.folder, "client"))
        return context

    async def knock(
        self, *, tls: ssl.SSLContext | None = None, headers: dict[str, str], path: str = "/ocpp/ADA-1"
    ) -> int:
        """Return the HTTP status of a station's handshake through nginx."""
        try:
            async with connect(
                f"wss://{HOST}:{self.port}{path}", host="127.0.0.1", port=self.port, ssl=tls or self.tls(),
                server_hostname=HOST, subprotocols=["ocpp1.6"], additional_headers=headers, proxy=None,
            ):  # fmt: skip
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code


@pytest.fixture(scope="module")
def nginx(process_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Give the shipped configuration in front of a server that trusts it."""
    folder, authority = tmp_path_factory.mktemp("nginx"), Authority()
    (folder / "tls").mkdir()
    for name, host, kind in (
        ("ocpp-ec", HOST, "ec"),
        ("ocpp-rsa", HOST, "rsa"),
        ("console", "cpo.example.com", "ec"),
    ):
        issued = authority.issue(host, kind=kind, is_server=True)
        (folder / "tls" / f"{name}.crt").write_text(issued.pem)
        (folder / "tls" / f"{name}.key").write_text(issued.key_pem)
    server = Server({**process_env, "TRUSTED_PROXIES": "127.0.0.1", "OCPP_HANDSHAKES_PER_MINUTE_ID": "1000"})
    server.start()
    port = free_port()
    with proxied(folder, upstream=server.port, https=port, http=free_port()):
        yield Proxy(port, server, authority, folder)
    server.close()


@pytest.fixture
def profile(ada: ChargingStation) -> Any:
    """Set the security profile of Ada's station; its certificates come from an authority that is trusted."""
    root_certificates.add(CHARGERS.root.pem, use=RootUse.CSMS, name="Chargers", is_trusted=True, by="test")

    async def set_to(number: int) -> None:
        await rows(lambda: ChargingStation.objects.update(security_profile=number))

    return set_to


async def test_a_station_of_profile_2_comes_in(nginx: Proxy, profile: Any) -> None:
    await profile(2)
    assert await nginx.knock(headers=basic("ADA-1", PASSWORD)) == 101

    event = await eventually(lambda: ConnectionEvent.objects.filter(closed_at__isnull=False).first())
    assert event is not None
    assert (event.security_profile, event.is_tls, event.remote_address) == (2, True, "127.0.0.1")


@pytest.mark.parametrize("kind", ["ec", "rsa"])
async def test_a_station_of_profile_3_comes_in_with_its_certificate(
    nginx: Proxy, profile: Any, kind: str
) -> None:
    await profile(3)
    assert await nginx.knock(tls=nginx.tls(CHARGERS.issue("ADA-1", "OpenCPO", kind=kind)), headers={}) == 101


BAD = {
    "expired": (lambda: CHARGERS.issue("ADA-1", "OpenCPO", days=(-9, -1)), "certificate_expired"),
    "another authority": (lambda: Authority().issue("ADA-1", "OpenCPO"), "bad_certificate"),
    "self-signed": (lambda: self_signed("ADA-1", "OpenCPO"), "bad_certificate"),
    "another station": (lambda: CHARGERS.issue("BEA-1", "OpenCPO"), "certificate_identity"),
}


@pytest.mark.parametrize(("make", "reason"), BAD.values(), ids=BAD.keys())
async def test_a_bad_certificate_is_refused_by_us_with_its_reason(
    nginx: Proxy, profile: Any, make: Any, reason: str
) -> None:
    await profile(3)
    assert await nginx.knock(tls=nginx.tls(make()), headers={}) == 401
    assert (await rows(HandshakeRejection.objects.get)).reason == reason


async def test_an_expired_certificate_does_not_hinder_a_station_of_profile_2(
    nginx: Proxy, profile: Any
) -> None:
    await profile(2)
    old = CHARGERS.issue("ADA-1", "OpenCPO", days=(-9, -1))
    assert await nginx.knock(tls=nginx.tls(old), headers=basic("ADA-1", PASSWORD)) == 101


async def test_a_bad_certificate_opens_no_other_door(nginx: Proxy) -> None:
    old = CHARGERS.issue("ADA-1", "OpenCPO", days=(-9, -1))
    assert await nginx.knock(tls=nginx.tls(old), headers={}, path="/login") == 404


async def test_a_forged_certificate_header_is_overwritten(nginx: Proxy, profile: Any) -> None:
    await profile(3)
    forged = {"X-Client-Cert": quote(CHARGERS.issue("ADA-1", "OpenCPO").pem), "X-Client-Verify": "SUCCESS"}

    assert await nginx.knock(headers=forged) == 401
    assert (await rows(HandshakeRejection.objects.get)).reason == "no_certificate"


async def test_a_forged_address_is_overwritten(nginx: Proxy, profile: Any) -> None:
    await nginx.knock(headers={"X-Forwarded-For": "203.0.113.9"})
    assert (await rows(HandshakeRejection.objects.get)).remote_address == "127.0.0.1"


async def test_the_host_of_chargers_shows_no_pages_and_that_of_pages_no_chargers(nginx: Proxy) -> None:
    assert await nginx.knock(headers={}, path="/login") == 404
    assert await nginx.knock(headers={}, path="/ws/live/") == 404


async def shake(nginx: Proxy, cipher: str, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> str:
    context = nginx.tls()
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")

    _, writer = await asyncio.open_connection("127.0.0.1", nginx.port, ssl=context, server_hostname=HOST)
    found = writer.get_extra_info("cipher")[0]
    writer.close()
    await writer.wait_closed()
    return str(found)


@pytest.mark.parametrize("cipher", MANDATORY.values(), ids=MANDATORY.keys())
async def test_it_speaks_each_mandatory_suite(nginx: Proxy, cipher: str) -> None:
    assert await shake(nginx, cipher) == cipher


@pytest.mark.parametrize("cipher", FORBIDDEN)
async def test_it_speaks_no_other_suite(nginx: Proxy, cipher: str) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake(nginx, cipher)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_it_refuses_old_tls(nginx: Proxy) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake(nginx, "ALL", ssl.TLSVersion.TLSv1_1)


@pytest.mark.parametrize("host", [HOST, "cpo.example.com"])
async def test_a_log_larger_than_pages_are_goes_through_and_its_token_into_no_log(
    nginx: Proxy, ada: ChargingStation, host: str
) -> None:
    body = bytes(8_000_000)
    url = await rows(lambda: files.upload_link(kind="log", station=ada)[1])
    path = "/files/" + url.split("/files/")[1]
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", nginx.port, ssl=nginx.tls(), server_hostname=host
    )
    head = f"PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    status = (await reader.readline()).split()[1]
    writer.close()

    assert status == b"200"
    assert (await rows(StoredFile.objects.get)).size == len(body)
    assert path.split("/")[2] not in nginx.server.output()
