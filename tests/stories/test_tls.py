"""TLS that the server ends itself (1.6 security white paper A00.FR.311 to .324; attack cases H9, H10, D1)."""

import asyncio
import ssl
import time
from collections.abc import Iterator

import pytest

from stations.models import ChargingStation
from tests.stories.story import rows
from tests.stories.tls_server import TlsServer, served, station

MANDATORY = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
}
FORBIDDEN = ["AES128-SHA", "ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"]


@pytest.fixture(scope="module")
def tls_server(process_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """Give a server that ends TLS with an EC and an RSA certificate."""
    with served(process_env, tmp_path_factory.mktemp("tls")) as found:
        yield found


async def shake(server: TlsServer, context: ssl.SSLContext) -> ssl.SSLObject:
    """Make one TLS handshake and return what it came to."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
    found: ssl.SSLObject = writer.get_extra_info("ssl_object")
    writer.close()
    await writer.wait_closed()
    return found


def only(version: ssl.TLSVersion, cipher: str, server: TlsServer) -> ssl.SSLContext:
    context = server.trusting()
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    return context


@pytest.mark.parametrize("cipher", MANDATORY.values(), ids=MANDATORY.keys())
async def test_it_speaks_each_mandatory_suite(tls_server: TlsServer, cipher: str) -> None:
    peer = await shake(tls_server, only(ssl.TLSVersion.TLSv1_2, cipher, tls_server))

    assert (peer.version(), (peer.cipher() or ("",))[0], peer.compression()) == ("TLSv1.2", cipher, None)


@pytest.mark.parametrize("cipher", FORBIDDEN)
async def test_it_speaks_no_other_suite(tls_server: TlsServer, cipher: str) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake(tls_server, only(ssl.TLSVersion.TLSv1_2, cipher, tls_server))


async def test_it_speaks_tls_1_3(tls_server: TlsServer) -> None:
    context = tls_server.trusting()
    context.minimum_version = ssl.TLSVersion.TLSv1_3

    assert (await shake(tls_server, context)).version() == "TLSv1.3"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_it_refuses_old_tls_and_then_takes_tls_1_2(
    tls_server: TlsServer, version: ssl.TLSVersion
) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake(tls_server, only(version, "ALL", tls_server))

    assert (await shake(tls_server, only(ssl.TLSVersion.TLSv1_2, "ALL", tls_server))).version() == "TLSv1.2"


async def test_a_station_of_profile_2_comes_in_over_tls(tls_server: TlsServer, ada: ChargingStation) -> None:
    await rows(lambda: ChargingStation.objects.update(security_profile=2))
    async with station(tls_server.url, tls=tls_server.trusting()) as socket:
        await socket.send('[2,"1","Heartbeat",{}]')
        assert str(await socket.recv()).startswith('[3,"1"')


async def test_the_port_of_chargers_shows_no_pages(tls_server: TlsServer) -> None:
    for path, status in {
        "/": b"404",
        "/api/v1/stations": b"404",
        "/admin/": b"404",
        "/livez": b"200",
    }.items():
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", tls_server.port, ssl=tls_server.trusting()
        )
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert (await reader.readline()).split()[1] == status, path
        writer.transport.abort()  # the body may still come: what was asked is known


async def test_a_new_certificate_is_served_without_a_restart(tls_server: TlsServer) -> None:
    context = only(ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256", tls_server)
    before = (await shake(tls_server, context)).getpeercert(True)
    tls_server.authority.issue("localhost", is_server=True).save(tls_server.folder, "ec")

    deadline = time.monotonic() + 10
    while (await shake(tls_server, context)).getpeercert(True) == before:
        assert time.monotonic() < deadline, "the old certificate is still served"
        await asyncio.sleep(0.2)


async def test_a_broken_certificate_file_leaves_the_old_one_in_use(tls_server: TlsServer) -> None:
    (tls_server.folder / "rsa.pem").write_text("half a fil")
    await asyncio.sleep(3)

    context = only(ssl.TLSVersion.TLSv1_2, "AES128-GCM-SHA256", tls_server)
    assert (await shake(tls_server, context)).version() == "TLSv1.2"
    assert "the old ones stay" in tls_server.server.output()
