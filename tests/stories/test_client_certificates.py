"""Security profile 3 over real TLS: only the station's own good certificate opens it.

White paper A00.FR.401 to .408; attack cases H7, H11, H12.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from stations.models import (
    ChargingStation,
    ConnectionEvent,
    HandshakeRejection,
    RevokedCertificate,
    RootUse,
    SecurityEvent,
)
from stations.pki import certificates as pki
from stations.services import client_certificates, root_certificates
from tests import factories
from tests.authority import Authority, Issued, self_signed
from tests.stories.story import PASSWORD, basic, rows
from tests.stories.tls_server import TlsServer, served, station, status_of

CPO = "OpenCPO"  # OPERATOR_NAME
AUTHORITY = Authority("Root of the chargers", CPO)


@pytest.fixture(scope="module")
def tls_server(process_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """Give a server that ends TLS and never loses patience with a guesser."""
    folder = tmp_path_factory.mktemp("tls")
    with served(process_env, folder, OCPP_HANDSHAKES_PER_MINUTE_ID="1000") as found:
        yield found


@pytest.fixture
def ada3(ada: ChargingStation) -> ChargingStation:
    """Give Ada's station with profile 3, under an authority that is trusted."""
    root_certificates.add(AUTHORITY.root.pem, use=RootUse.CSMS, name="Chargers", is_trusted=True, by="test")
    ChargingStation.objects.filter(pk=ada.pk).update(security_profile=3)
    return ada


async def knock(server: TlsServer, client: Issued | None, **options: Any) -> int:
    return await status_of(server.url, tls=server.trusting(client), **options)


async def reason() -> str:
    return await rows(lambda: HandshakeRejection.objects.get(identity="ADA-1").reason)


async def test_its_own_certificate_lets_the_station_in_without_a_password(
    tls_server: TlsServer, ada3: ChargingStation
) -> None:
    client = AUTHORITY.issue("ADA-1", CPO)
    async with station(tls_server.url, tls=tls_server.trusting(client), password=None) as socket:
        await socket.send('[2,"1","Heartbeat",{}]')
        assert str(await socket.recv()).startswith('[3,"1"')

    event = await rows(ConnectionEvent.objects.get)
    assert (event.security_profile, event.tls_version) == (3, "TLSv1.3")
    assert event.certificate == pki.fingerprint(client.certificate)


@pytest.mark.parametrize("kind", ["ec", "rsa"])
async def test_both_kinds_of_keys_are_good(tls_server: TlsServer, ada3: ChargingStation, kind: str) -> None:
    assert await knock(tls_server, AUTHORITY.issue("ADA-1", CPO, kind=kind), password=None) == 101


BAD = {
    "none": (lambda: None, "no_certificate"),
    "expired": (lambda: AUTHORITY.issue("ADA-1", CPO, days=(-30, -1)), "certificate_expired"),
    "not yet valid": (lambda: AUTHORITY.issue("ADA-1", CPO, days=(1, 30)), "bad_certificate"),
    "another authority": (
        lambda: Authority("Root of the chargers", CPO).issue("ADA-1", CPO),
        "bad_certificate",
    ),
    "another station": (lambda: AUTHORITY.issue("BEA-1", CPO), "certificate_identity"),
    "another operator": (lambda: AUTHORITY.issue("ADA-1", "Other Ltd"), "certificate_identity"),
    "no operator": (lambda: AUTHORITY.issue("ADA-1"), "certificate_identity"),
    "self-signed": (lambda: self_signed("ADA-1", CPO), "bad_certificate"),
    "a server's": (lambda: AUTHORITY.issue("ADA-1", CPO, is_server=True), "bad_certificate"),
}


@pytest.mark.parametrize(("make", "wanted"), BAD.values(), ids=BAD.keys())
async def test_a_bad_certificate_is_refused_and_the_exact_reason_stored(
    tls_server: TlsServer, ada3: ChargingStation, make: Any, wanted: str
) -> None:
    assert await knock(tls_server, make()) == 401  # though the password is right
    assert await reason() == wanted
    assert (await rows(SecurityEvent.objects.get)).tech_info.endswith(wanted)


async def test_a_revoked_certificate_is_refused(tls_server: TlsServer, ada3: ChargingStation) -> None:
    client = AUTHORITY.issue("ADA-1", CPO)
    assert await knock(tls_server, client, password=None) == 101
    await rows(
        lambda: RevokedCertificate.objects.create(
            issuer_name_hash=client_certificates.issuer_name_hash(client.certificate.issuer),
            serial_number=pki.serial_hex(client.certificate),
            revoked_at=ada3.created_at,
        )
    )

    assert await knock(tls_server, client, password=None) == 401
    assert await reason() == "certificate_revoked"


async def test_a_station_of_profile_3_gets_in_neither_without_tls_nor_with_a_password(
    tls_server: TlsServer, ada3: ChargingStation
) -> None:
    assert await status_of(f"{tls_server.server.ws}/ocpp") == 401
    assert await reason() == "profile"
    assert await knock(tls_server, None) == 401


async def test_a_certificate_does_not_open_a_station_of_profile_2(
    tls_server: TlsServer, ada3: ChargingStation
) -> None:
    await rows(lambda: ChargingStation.objects.update(security_profile=2))

    assert await knock(tls_server, AUTHORITY.issue("ADA-1", CPO), password=None) == 401
    assert await knock(tls_server, AUTHORITY.issue("ADA-1", CPO)) == 101


async def test_one_stations_certificate_does_not_open_another(
    tls_server: TlsServer, ada3: ChargingStation
) -> None:
    await rows(lambda: factories.station("BEA-1"))
    await rows(lambda: ChargingStation.objects.update(security_profile=3))

    assert await knock(tls_server, AUTHORITY.issue("ADA-1", CPO), identity="BEA-1", password=None) == 401


async def test_a_certificate_in_a_header_is_nothing_without_a_trusted_proxy(
    tls_server: TlsServer, ada3: ChargingStation
) -> None:
    forged = {
        "X-Client-Cert": quote(AUTHORITY.issue("ADA-1", CPO).pem),
        "X-Client-Verify": "SUCCESS",
        "X-Forwarded-Proto": "https",
    }
    assert await knock(tls_server, None, headers=basic("ADA-1", PASSWORD) | forged) == 401
    assert await status_of(f"{tls_server.server.ws}/ocpp", headers=forged) == 401


async def test_a_station_of_profile_1_is_not_let_in_over_tls(
    tls_server: TlsServer, ada: ChargingStation
) -> None:
    assert await knock(tls_server, None) == 401
    assert await reason() == "profile"
