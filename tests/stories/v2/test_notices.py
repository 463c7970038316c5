"""Notices that every version words alike, from 2.x stations (A02, A04, H04, L01, N01)."""

import pytest

from stations.models import ChargingStation, Command, ReviewItem, SecurityEvent
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
async def test_a04_a_critical_one_is_told_to_an_operator_another_only_kept(
    server: Server, version: str
) -> None:
    kinds = ("MaintenanceLoginFailed", "InvalidChargingStationCertificate", "InvalidMessages", "VoltDoorAjar")
    async with station(server, version) as socket:
        for kind in kinds:
            told = {"type": kind, "timestamp": "2026-11-20T10:00:00.5+01:00"}
            assert (await socket.call("SecurityEventNotification", told))[2] == {}

    found = await rows(lambda: list(SecurityEvent.objects.order_by("id")))
    assert [(event.type, event.is_critical) for event in found] == list(
        zip(kinds, (True, True, False, False), strict=True)
    )
    assert {event.at.isoformat() for event in found} == {"2026-11-20T09:00:00.500000+00:00"}
    assert await rows(ReviewItem.objects.filter(kind="security_event").count) == 2


async def test_a04_a_restart_that_a_new_setting_needed_waits_for_nobody(server: Server) -> None:
    from cpo.lib import clock

    def needed() -> None:
        now, ada = clock.now(), ChargingStation.objects.get()
        result = {"setVariableResult": [{"attributeStatus": "RebootRequired"}]}
        Command.objects.create(
            station=ada, action="SetVariables", status="answered", result=result, created_at=now,
            expires_at=now, answered_at=now,
        )  # fmt: skip

    async with station(server) as socket:
        await rows(needed)
        told = {"type": "StartupOfTheDevice", "timestamp": clock.now().isoformat()}
        await socket.call("SecurityEventNotification", told)

    assert not await rows(ReviewItem.objects.exists)


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
