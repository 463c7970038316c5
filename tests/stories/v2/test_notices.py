"""Notices that every version words alike, from 2.x stations (A02, A04, H04, L01, N01)."""

import pytest

from stations.models import ChargingStation, SecurityEvent
from tests.processes import Server
from tests.stories.story import rows
from tests.stories.v2.station import station

pytestmark = pytest.mark.usefixtures("ada")
VERSIONS = ("2.0.1", "2.1")
AT = "2026-11-20T09:00:00Z"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a04_a_security_event_is_kept(server: Server, version: str) -> None:
    event = {"type": "TamperDetectionActivated", "timestamp": AT, "techInfo": "door"}
    async with station(server, version) as socket:
        for _ in range(2):
            assert (await socket.call("SecurityEventNotification", event))[2] == {}

    assert (await rows(SecurityEvent.objects.get)).tech_info == "door"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a02_what_is_no_certificate_request_is_rejected(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        answer = await socket.call("SignCertificate", {"csr": "no request"})

    assert answer[2]["status"] == "Rejected"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("action", "status", "kept_in"),
    [
        ("FirmwareStatusNotification", "Downloading", "firmware_status"),
        ("LogStatusNotification", "Uploading", "diagnostics_status"),
    ],
)
async def test_l01_and_n01_how_far_it_is_is_kept(
    server: Server, version: str, action: str, status: str, kept_in: str
) -> None:
    async with station(server, version) as socket:
        assert (await socket.call(action, {"status": status, "requestId": 1}))[2] == {}

    assert getattr(await rows(ChargingStation.objects.get), kept_in) == status


@pytest.mark.parametrize("version", VERSIONS)
async def test_h04_the_end_of_a_reservation_that_nobody_knows_is_answered(
    server: Server, version: str
) -> None:
    told = {"reservationId": 4711, "reservationUpdateStatus": "Expired"}
    async with station(server, version) as socket:
        assert (await socket.call("ReservationStatusUpdate", told))[2] == {}
