"""Every message of the Core profile from a station, with every answer (OCPP 1.6 chapter 4).

Whole visits, readings and their oddities are told in `test_charging.py` and `test_quirks.py`.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils.dateparse import parse_datetime

from cpo.lib import clock
from stations.models import ChargingSession, ChargingStation, Connector, Frame, IdToken, StatusChange
from tests.charger import CallFailed, Charger
from tests.stories.story import eventually, rows

pytestmark = pytest.mark.usefixtures("ada")
Make = Callable[..., Charger]
BOOT = {"chargePointVendor": "Volt", "chargePointModel": "Max"}
START = {"connectorId": 1, "idTag": "BO-1", "meterStart": 1000, "timestamp": "2026-11-20T09:00:00Z"}


async def asked(
    charger: Make, action: str, payload: dict[str, Any], *, times: int = 1
) -> list[dict[str, Any]]:
    """Send the message so many times over one socket and return the answers."""
    async with charger() as station:
        await station.connect()
        return [await station.call(action, payload) for _ in range(times)]


async def token(**fields: Any) -> None:
    """Give Bo's token other values."""
    await rows(lambda: IdToken.objects.filter(uid="BO-1").update(**fields))


# --- Authorize (4.1)


async def test_authorize_accepts_a_known_token_again_and_again(charger: Make) -> None:
    first, again = await asked(charger, "Authorize", {"idTag": "BO-1"}, times=2)

    assert first["idTagInfo"]["status"] == again["idTagInfo"]["status"] == "Accepted"


async def test_authorize_tells_group_and_expiry(charger: Make) -> None:
    tomorrow = (clock.now() + timedelta(days=1)).replace(microsecond=0)
    await token(group_id="FAMILY", expires_at=tomorrow)
    (answer,) = await asked(charger, "Authorize", {"idTag": "BO-1"})

    info = answer["idTagInfo"]
    assert (info["status"], info["parentIdTag"], parse_datetime(info["expiryDate"])) == (
        "Accepted", "FAMILY", tomorrow,
    )  # fmt: skip


@pytest.mark.parametrize("status", ["Blocked", "Expired", "Invalid"])
async def test_authorize_says_no_in_the_tokens_own_word(charger: Make, status: str) -> None:
    await token(status=status)
    (answer,) = await asked(charger, "Authorize", {"idTag": "BO-1"})

    assert answer["idTagInfo"]["status"] == status


async def test_authorize_calls_a_token_of_yesterday_expired(charger: Make) -> None:
    await token(expires_at=clock.now() - timedelta(days=1))
    (answer,) = await asked(charger, "Authorize", {"idTag": "BO-1"})

    assert answer["idTagInfo"]["status"] == "Expired"


async def test_authorize_does_not_know_a_stranger(charger: Make) -> None:
    (answer,) = await asked(charger, "Authorize", {"idTag": "NOBODY"})

    assert answer["idTagInfo"]["status"] == "Invalid"


# --- BootNotification (4.2)


@pytest.mark.parametrize("registration", ["Accepted", "Pending"])
async def test_boot_is_answered_with_registration_time_and_interval(
    charger: Make, ada: ChargingStation, registration: str
) -> None:
    await rows(lambda: ChargingStation.objects.update(registration=registration))
    (answer,) = await asked(charger, "BootNotification", BOOT)

    told_at = parse_datetime(answer["currentTime"])
    assert (answer["status"], abs(told_at - datetime.now(UTC)) < timedelta(seconds=30)) == (
        registration,
        True,
    )
    assert answer["interval"] > 0


async def test_a_repeated_boot_is_answered_again(charger: Make, ada: ChargingStation) -> None:
    first, again = await asked(charger, "BootNotification", BOOT, times=2)

    assert first["status"] == again["status"] == "Accepted"
    assert (await rows(lambda: ChargingStation.objects.get(pk=ada.pk))).vendor == "Volt"


# --- DataTransfer (4.3)


@pytest.mark.parametrize("payload", [{}, {"messageId": "Ping"}, {"data": "x"}, {"data": {"a": 1}}])
async def test_a_vendor_that_nobody_speaks_is_told_so(charger: Make, payload: dict[str, Any]) -> None:
    first, again = await asked(charger, "DataTransfer", {"vendorId": "com.volt"} | payload, times=2)

    assert first == again == {"status": "UnknownVendorId"}


async def test_a_message_of_a_known_vendor_that_nobody_speaks_is_told_so(charger: Make) -> None:
    payload = {"vendorId": "org.openchargealliance.iso15118pnc", "messageId": "MakeCoffee"}
    (answer,) = await asked(charger, "DataTransfer", payload)

    assert answer == {"status": "UnknownMessageId"}


async def test_a_vendors_message_is_in_the_journal(charger: Make) -> None:
    await asked(charger, "DataTransfer", {"vendorId": "com.volt", "data": "hello"})

    assert "hello" in (await rows(lambda: Frame.objects.get(action="DataTransfer", direction="i"))).text


# --- Heartbeat (4.6)


async def test_heartbeat_tells_the_time_each_time(charger: Make) -> None:
    answers = await asked(charger, "Heartbeat", {}, times=3)

    moments = [parse_datetime(answer["currentTime"]) for answer in answers]
    assert moments == sorted(moments)
    assert abs(moments[-1] - datetime.now(UTC)) < timedelta(seconds=30)


# --- MeterValues (4.7)


async def test_meter_values_are_answered_empty_with_and_without_a_transaction(charger: Make) -> None:
    values = [{"timestamp": "2026-11-20T09:05:00Z", "sampledValue": [{"value": "1500"}]}]
    async with charger() as station:
        await station.connect()
        started = await station.call("StartTransaction", START)
        inside = {"connectorId": 1, "transactionId": started["transactionId"], "meterValue": values}
        answers = [
            await station.call("MeterValues", payload)
            for payload in (inside, inside, {"connectorId": 2, "meterValue": values})
        ]

    assert answers == [{}, {}, {}]


# --- StartTransaction and StopTransaction (4.8, 4.10)


@pytest.mark.parametrize("status", ["Blocked", "Expired", "Invalid"])
async def test_a_start_with_a_refused_token_is_stored_and_told_so(charger: Make, status: str) -> None:
    await token(status=status)
    (answer,) = await asked(charger, "StartTransaction", START)

    session = await rows(ChargingSession.objects.get)
    assert (answer["idTagInfo"]["status"], session.transaction_id) == (status, str(answer["transactionId"]))


REASONS = (
    "DeAuthorized", "EmergencyStop", "EVDisconnected", "HardReset", "Local", "Other", "PowerLoss", "Reboot", "Remote",
    "SoftReset", "UnlockCommand",
)  # fmt: skip


@pytest.mark.parametrize("reason", REASONS)
async def test_a_stop_keeps_its_reason(charger: Make, reason: str) -> None:
    async with charger() as station:
        await station.connect()
        started = await station.call("StartTransaction", START)
        stop = {
            "transactionId": started["transactionId"],
            "meterStop": 2000,
            "timestamp": "2026-11-20T10:00:00Z",
        }
        assert await station.call("StopTransaction", stop | {"reason": reason}) == {}

    assert (await rows(ChargingSession.objects.get)).stop_reason == reason


async def test_a_stop_without_a_reason_is_local(charger: Make) -> None:
    async with charger() as station:
        await station.connect()
        started = await station.call("StartTransaction", START)
        stop = {
            "transactionId": started["transactionId"],
            "meterStop": 2000,
            "timestamp": "2026-11-20T10:00:00Z",
        }
        await station.call("StopTransaction", stop)

    assert (await rows(ChargingSession.objects.get)).stop_reason == "Local"


@pytest.mark.parametrize(("status", "word"), [("Accepted", "Accepted"), ("Blocked", "Blocked")])
async def test_a_stop_with_a_token_tells_its_state_and_always_ends_the_session(
    charger: Make, status: str, word: str
) -> None:
    async with charger() as station:
        await station.connect()
        started = await station.call("StartTransaction", START)
        await token(status=status)
        answer = await station.call(
            "StopTransaction",
            {
                "transactionId": started["transactionId"],
                "meterStop": 2000,
                "timestamp": "2026-11-20T10:00:00Z",
                "idTag": "BO-1",
            },
        )

    assert answer["idTagInfo"]["status"] == word
    assert (await rows(ChargingSession.objects.get)).status == "ended"


# --- StatusNotification (4.9)

STATUSES = (
    "Available", "Preparing", "Charging", "SuspendedEVSE", "SuspendedEV", "Finishing", "Reserved", "Unavailable",
    "Faulted",
)  # fmt: skip


@pytest.mark.parametrize("status", STATUSES)
async def test_each_status_of_a_connector_is_kept(charger: Make, status: str) -> None:
    payload = {
        "connectorId": 1,
        "errorCode": "NoError",
        "status": status,
        "timestamp": "2026-11-20T09:00:00Z",
    }
    assert await asked(charger, "StatusNotification", payload, times=2) == [{}, {}]

    assert (await rows(lambda: Connector.objects.get(evse__number=1))).status == status
    assert await rows(lambda: StatusChange.objects.filter(status=status).count()) == 1


ERRORS = (
    "ConnectorLockFailure", "EVCommunicationError", "GroundFailure", "HighTemperature", "InternalError",
    "LocalListConflict", "NoError", "OtherError", "OverCurrentFailure", "OverVoltage", "PowerMeterFailure",
    "PowerSwitchFailure", "ReaderFailure", "ResetFailure", "UnderVoltage", "WeakSignal",
)  # fmt: skip


async def test_each_error_of_a_connector_is_kept_with_the_vendors_words(charger: Make) -> None:
    async with charger() as station:
        await station.connect()
        for word in ERRORS:
            payload = {
                "connectorId": 1,
                "errorCode": word,
                "status": "Faulted",
                "vendorErrorCode": f"V-{word}"[:50],
            }
            await station.call("StatusNotification", payload)
            found = await rows(lambda: Connector.objects.get(evse__number=1))
            assert (found.error_code, found.vendor_error_code) == (
                "" if word == "NoError" else word, f"V-{word}",
            )  # fmt: skip


@pytest.mark.parametrize("status", ["Available", "Unavailable", "Faulted"])
async def test_connector_0_is_the_station_as_a_whole(
    charger: Make, ada: ChargingStation, status: str
) -> None:
    payload = {"connectorId": 0, "errorCode": "NoError", "status": status}
    await asked(charger, "StatusNotification", payload)

    found = await eventually(lambda: ChargingStation.objects.filter(pk=ada.pk, status=status).first())
    assert found.status == status


# --- what is no message at all


@pytest.mark.parametrize("action", ["RemoteStartTransaction", "ReserveNow", "Reset"])
async def test_a_request_of_ours_sent_by_a_station_is_not_supported(charger: Make, action: str) -> None:
    with pytest.raises(CallFailed, match="NotSupported"):
        await asked(charger, action, {})
