"""Part 6 chapter 3.2, test cases of block A but those of certificates: who comes in, and how that is changed."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from stations.models import ChargingStation, NetworkProfile, PasswordChange, RootUse, SecurityProfileChange
from stations.services import passwords, root_certificates, security_profiles
from stations.services.network_profiles import Connection
from tests.authority import Authority, Issued
from tests.stories.story import PASSWORD, basic, eventually, rows
from tests.stories.tls_server import TlsServer, served, station, status_of
from tests.stories.v2.answering import Payload, Station
from tests.stories.v2.station import BOOT

BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
CPO = "OpenCPO"  # OPERATOR_NAME
AUTHORITY = Authority("Root of the stations", CPO)
NOW = "2026-11-20T09:00:00Z"
AVAILABLE = {"timestamp": NOW, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
STATE_EVENT = {
    "generatedAt": NOW,
    "seqNo": 0,
    "eventData": [
        {
            "eventId": 1, "timestamp": NOW, "trigger": "Delta", "actualValue": "Available",
            "eventNotificationType": "HardWiredNotification",
            "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 1}},
            "variable": {"name": "AvailabilityState"},
        }
    ],
}  # fmt: skip
SUITES = {
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "AES128-GCM-SHA256", "AES256-GCM-SHA384",
}  # fmt: skip
PASSWORD_PLACE = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}


@pytest.fixture(scope="module")
def tls_server(process_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """Give a server that ends TLS, speaks without it too, and never loses patience with a guesser."""
    quiet = {"OCPP_HANDSHAKES_PER_MINUTE_ID": "1000", "OCPP_READ_CONFIGURATION_AFTER_BOOT": "0"}
    with served(process_env, tmp_path_factory.mktemp("tls"), **quiet) as found:
        yield found


@pytest.fixture
def plain(tls_server: TlsServer, ada: ChargingStation) -> str:
    """Give the address without TLS, where Ada's station is known with profile 1."""
    return f"{tls_server.server.ws}/ocpp"


@asynccontextmanager
async def connected(url: str, version: str, **options: Any) -> AsyncIterator[Station]:
    """Connect Ada's station in a version; it does nothing by itself."""
    async with station(url, subprotocol=f"ocpp{version}", **options) as socket:
        found = Station(socket, version)
        try:
            yield found
        finally:
            found.stop()


async def booted(url: str, version: str, **options: Any) -> None:
    """Come in, boot, and tell the state of every connector: all is answered as it should."""
    async with connected(url, version, **options) as ada:
        assert (await ada.call("BootNotification", BOOT))["status"] == "Accepted"
        assert await ada.call("StatusNotification", AVAILABLE) == {}
        assert await ada.call("NotifyEvent", STATE_EVENT) == {}


def of_profile(profile: int) -> None:
    ChargingStation.objects.update(security_profile=profile)


@BOTH
async def test_tc_a_01_csms_a_valid_password_opens_the_connection(plain: str, version: str) -> None:
    await booted(plain, version)


@BOTH
async def test_tc_a_02_csms_another_user_name_does_not(plain: str, version: str) -> None:
    headers = basic("ADA-1-Invalid", PASSWORD)

    assert await status_of(plain, password=None, headers=headers, subprotocol=f"ocpp{version}") == 401


@BOTH
async def test_tc_a_03_csms_a_wrong_password_does_not(plain: str, version: str) -> None:
    assert await status_of(plain, password="a-random-one-4711", subprotocol=f"ocpp{version}") == 401


def shown(server: TlsServer, cipher: str = "DEFAULT") -> tuple[str, str, x509.Certificate]:
    """Shake hands with TLS 1.2 and return version, suite and the server's certificate (blocking)."""
    import socket

    context = server.trusting()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    raw = socket.create_connection(("127.0.0.1", server.port), 5)
    with context.wrap_socket(raw, server_hostname="localhost") as peer:
        der, suite = peer.getpeercert(True), peer.cipher()
        assert der is not None
        assert suite is not None
        return str(peer.version()), suite[0], x509.load_der_x509_certificate(der)


@BOTH
@pytest.mark.usefixtures("ada")
async def test_tc_a_04_csms_its_certificate_and_suites_are_as_they_must_be(
    tls_server: TlsServer, version: str
) -> None:
    await rows(lambda: of_profile(2))
    peers = [await rows(lambda suite=suite: shown(tls_server, suite)) for suite in sorted(SUITES)]  # type: ignore[misc]

    assert {suite for _, suite, _ in peers} == SUITES
    for spoken, _, certificate in peers:
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
        assert key.key_size >= (224 if isinstance(key, ec.EllipticCurvePublicKey) else 2048)
        assert (spoken, certificate.serial_number > 0) == ("TLSv1.2", True)
        assert certificate.subject.rfc4514_string().startswith("CN=localhost")
    await booted(tls_server.url, version, tls=tls_server.trusting())


@BOTH
@pytest.mark.usefixtures("ada")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_tc_a_06_csms_a_tls_version_that_is_too_low_is_refused(
    tls_server: TlsServer, version: str
) -> None:
    await rows(lambda: of_profile(2))
    old = tls_server.trusting()
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await status_of(tls_server.url, tls=old)

    await booted(tls_server.url, version, tls=tls_server.trusting())


@pytest.fixture
def ada3(ada: ChargingStation) -> ChargingStation:
    """Give Ada's station with profile 3, under an authority that is trusted."""
    root_certificates.add(AUTHORITY.root.pem, use=RootUse.CSMS, name="Stations", is_trusted=True, by="test")
    of_profile(3)
    return ada


@BOTH
@pytest.mark.usefixtures("ada3")
async def test_tc_a_07_csms_a_valid_client_certificate_opens_the_connection(
    tls_server: TlsServer, version: str
) -> None:
    client = tls_server.trusting(AUTHORITY.issue("ADA-1", CPO))

    await booted(tls_server.url, version, tls=client, password=None)


INVALID = {
    "unknown": lambda: Authority("Root of the stations", CPO).issue("ADA-1", CPO),
    "expired": lambda: AUTHORITY.issue("ADA-1", CPO, days=(-30, -1)),
    "another station's": lambda: AUTHORITY.issue("BEA-1", CPO),
}


@pytest.mark.parametrize("kind", INVALID)
@pytest.mark.usefixtures("ada3")
async def test_tc_a_08_csms_an_invalid_client_certificate_does_not(tls_server: TlsServer, kind: str) -> None:
    bad: Issued = INVALID[kind]()
    assert await status_of(tls_server.url, tls=tls_server.trusting(bad), subprotocol="ocpp2.0.1") == 401

    await booted(tls_server.url, "2.0.1", tls=tls_server.trusting(AUTHORITY.issue("ADA-1", CPO)))


def results(*words: str) -> Any:
    """Answer a SetVariables with these words."""

    def react(payload: Payload) -> Payload:
        return {
            "setVariableResult": [
                {"attributeStatus": word, "component": item["component"], "variable": item["variable"]}
                for word, item in zip(words * 9, payload["setVariableData"], strict=False)
            ]
        }

    return react


async def new_password(plain: str, version: str, word: str, becomes: str) -> str:
    """Change the password of Ada's station, which answers so, and return the new one."""
    async with connected(plain, version) as ada:
        ada.reactions["SetVariables"] = results(word)
        await ada.call("BootNotification", BOOT)
        await rows(lambda: passwords.change(ChargingStation.objects.get(), requested_by="test"))
        await eventually(lambda: PasswordChange.objects.filter(status=becomes).exists())
        [question] = ada.requests("SetVariables")

    [item] = question["setVariableData"]
    assert {name: item[name] for name in PASSWORD_PLACE} == PASSWORD_PLACE
    return str(item["attributeValue"])


@BOTH
async def test_tc_a_09_csms_only_the_new_password_is_good_once_it_was_accepted(
    plain: str, version: str
) -> None:
    secret = await new_password(plain, version, "Accepted", "done")

    await booted(plain, version, password=secret)
    assert await status_of(plain, password=PASSWORD) == 401


@BOTH
async def test_tc_a_10_csms_the_old_password_stays_good_when_the_new_one_is_rejected(
    plain: str, version: str
) -> None:
    secret = await new_password(plain, version, "Rejected", "failed")

    await booted(plain, version, password=PASSWORD)
    assert await status_of(plain, password=secret) == 401


@BOTH
async def test_tc_a_19_csms_a_higher_profile_by_slot_priority_and_restart(
    tls_server: TlsServer, plain: str, version: str
) -> None:
    accept = {"status": "Accepted"}
    async with connected(plain, version) as ada:
        ada.reactions |= {"SetNetworkProfile": accept, "SetVariables": results("Accepted"), "Reset": accept}
        await ada.call("BootNotification", BOOT)
        where = Connection(slot=1, url=tls_server.url, interface="Wired1", timeout_s=20)
        await rows(
            lambda: security_profiles.raise_to(
                ChargingStation.objects.get(), profile=2, trusts_us=True, connection=where
            )
        )
        await eventually(lambda: SecurityProfileChange.objects.filter(status="returning").exists())

    assert ada.requests("SetNetworkProfile")[0] == {
        "configurationSlot": 1,
        "connectionData": {
            "ocppVersion": "OCPP20", "ocppTransport": "JSON", "ocppCsmsUrl": tls_server.url, "messageTimeout": 20,
            "securityProfile": 2, "ocppInterface": "Wired1",
        },
    }  # fmt: skip
    [item] = ada.requests("SetVariables")[0]["setVariableData"]
    assert (item["component"], item["variable"]) == (
        {"name": "OCPPCommCtrlr"}, {"name": "NetworkConfigurationPriority"},
    )  # fmt: skip
    assert "1" in item["attributeValue"].split(",")
    assert ada.requests("Reset") == [{"type": "OnIdle"}]
    await booted(tls_server.url, version, tls=tls_server.trusting())
    assert await status_of(plain) == 401
    assert (await rows(NetworkProfile.objects.get)).state == "accepted"
