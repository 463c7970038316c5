"""Forms made from the schemas of the requests."""

from decimal import Decimal
from typing import Any

import pytest

from cpo.console import command_forms, command_words
from stations.ocpp import outbound

PROFILE = {
    "csChargingProfiles.chargingProfileId": "7",
    "csChargingProfiles.stackLevel": "0",
    "csChargingProfiles.chargingProfilePurpose": "TxDefaultProfile",
    "csChargingProfiles.chargingProfileKind": "Absolute",
    "csChargingProfiles.chargingSchedule.chargingRateUnit": "A",
    "csChargingProfiles.chargingSchedule.startSchedule": "2026-11-20T10:00",
    "csChargingProfiles.chargingSchedule.chargingSchedulePeriod.0.startPeriod": "0",
    "csChargingProfiles.chargingSchedule.chargingSchedulePeriod.0.limit": "16",
    "csChargingProfiles.chargingSchedule.chargingSchedulePeriod.4.startPeriod": "3600",
    "csChargingProfiles.chargingSchedule.chargingSchedulePeriod.4.limit": "8.5",
    "csChargingProfiles.chargingSchedule.chargingSchedulePeriod.4.numberPhases": "3",
    "csChargingProfiles.chargingSchedule.chargingSchedulePeriod.9.limit": "",
}
WIRE_PROFILE = {
    "chargingProfileId": 7,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {
        "startSchedule": "2026-11-20T10:00:00Z",
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": Decimal(16)},
            {"startPeriod": 3600, "limit": Decimal("8.5"), "numberPhases": 3},
        ],
    },
}
HASHES = {"hashAlgorithm": "SHA256", "issuerNameHash": "a1", "issuerKeyHash": "b2", "serialNumber": "c3"}
WHEN, ON_WIRE = "2026-11-21T06:30", "2026-11-21T06:30:00Z"
FIRMWARE = {"location": "https://f.example/i", "signingCertificate": "PEM", "signature": "c2ln"}

PAYLOADS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "CancelReservation": ({"reservationId": "3"}, {"reservationId": 3}),
    "CertificateSigned": ({"certificateChain": "PEM"}, {"certificateChain": "PEM"}),
    "ClearChargingProfile": ({"stackLevel": "0"}, {"stackLevel": 0}),
    "DeleteCertificate": (
        {f"certificateHashData.{name}": value for name, value in HASHES.items()},
        {"certificateHashData": HASHES},
    ),
    "ExtendedTriggerMessage": (
        {"requestedMessage": "LogStatusNotification"},
        {"requestedMessage": "LogStatusNotification"},
    ),
    "GetCompositeSchedule": (
        {"connectorId": "0", "duration": "60", "chargingRateUnit": "W"},
        {"connectorId": 0, "duration": 60, "chargingRateUnit": "W"},
    ),
    "GetDiagnostics": (
        {"location": "https://f.example/d", "startTime": WHEN},
        {"location": "https://f.example/d", "startTime": ON_WIRE},
    ),
    "GetInstalledCertificateIds": (
        {"certificateType": "CentralSystemRootCertificate"},
        {"certificateType": "CentralSystemRootCertificate"},
    ),
    "GetLocalListVersion": ({}, {}),
    "GetLog": (
        {"logType": "SecurityLog", "requestId": "1", "log.remoteLocation": "https://f.example/l"},
        {"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": "https://f.example/l"}},
    ),
    "InstallCertificate": (
        {"certificateType": "ManufacturerRootCertificate", "certificate": "PEM"},
        {"certificateType": "ManufacturerRootCertificate", "certificate": "PEM"},
    ),
    "ReserveNow": (
        {"connectorId": "0", "expiryDate": WHEN, "idTag": "BO-1", "reservationId": "3"},
        {"connectorId": 0, "expiryDate": ON_WIRE, "idTag": "BO-1", "reservationId": 3},
    ),
    "SendLocalList": (
        {
            "listVersion": "4",
            "updateType": "Differential",
            "localAuthorizationList.0.idTag": "BO-1",
            "localAuthorizationList.0.idTagInfo.status": "Accepted",
            "localAuthorizationList.1.idTag": "BO-2",
        },
        {
            "listVersion": 4,
            "updateType": "Differential",
            "localAuthorizationList": [
                {"idTag": "BO-1", "idTagInfo": {"status": "Accepted"}},
                {"idTag": "BO-2"},
            ],
        },
    ),
    "SetChargingProfile": (
        {"connectorId": "1", **PROFILE},
        {"connectorId": 1, "csChargingProfiles": WIRE_PROFILE},
    ),
    "SignedUpdateFirmware": (
        {
            "requestId": "2",
            "firmware.retrieveDateTime": WHEN,
            **{f"firmware.{name}": value for name, value in FIRMWARE.items()},
        },
        {"requestId": 2, "firmware": {"retrieveDateTime": ON_WIRE, **FIRMWARE}},
    ),
    "UpdateFirmware": (
        {"location": "https://f.example/i", "retrieveDate": WHEN},
        {"location": "https://f.example/i", "retrieveDate": ON_WIRE},
    ),
    "ChangeAvailability": (
        {"connectorId": "0", "type": "Operative"},
        {"connectorId": 0, "type": "Operative"},
    ),
    "ChangeConfiguration": ({"key": "A", "value": " b "}, {"key": "A", "value": " b "}),
    "ClearCache": ({}, {}),
    "DataTransfer": ({"vendorId": "volt", "data": "x"}, {"vendorId": "volt", "data": "x"}),
    "GetConfiguration": ({"key": "A\r\n\r\n B "}, {"key": ["A", "B"]}),
    "RemoteStartTransaction": ({"connectorId": "1", "idTag": "BO-1"}, {"connectorId": 1, "idTag": "BO-1"}),
    "RemoteStopTransaction": ({"transactionId": "7"}, {"transactionId": 7}),
    "Reset": ({"type": "Soft"}, {"type": "Soft"}),
    "TriggerMessage": ({"requestedMessage": "Heartbeat"}, {"requestedMessage": "Heartbeat"}),
    "UnlockConnector": ({"connectorId": "2"}, {"connectorId": 2}),
}


def test_every_action_has_a_case_and_words() -> None:
    assert set(command_forms.actions("1.6")) == set(PAYLOADS) == set(command_words.WORDS)


@pytest.mark.parametrize("action", PAYLOADS)
def test_a_form_gives_a_request_that_fits_the_schema(action: str) -> None:
    given, expected = PAYLOADS[action]
    form = command_forms.form_class("1.6", action, connectors=[(1, "1"), (2, "2")])(given)

    assert form.is_valid(), form.errors
    assert form.payload() == expected
    outbound.check("1.6", action, form.payload())


def test_what_is_missing_or_too_long_is_said_at_the_field() -> None:
    form = command_forms.form_class("1.6", "RemoteStartTransaction")({"idTag": "x" * 21})

    assert set(form.errors) == {"idTag"}


def test_a_connector_that_the_station_does_not_have_is_refused() -> None:
    form = command_forms.form_class("1.6", "UnlockConnector", connectors=[(1, "1")])({"connectorId": "9"})

    assert "connectorId" in form.errors


def test_an_optional_group_that_is_begun_must_be_complete() -> None:
    build = command_forms.form_class("1.6", "RemoteStartTransaction")
    begun = build({"idTag": "BO-1", "chargingProfile.stackLevel": "1"})

    assert build({"idTag": "BO-1"}).is_valid()
    assert "chargingProfile.chargingProfileId" in begun.errors
    assert "chargingProfile.chargingSchedule.chargingRateUnit" in begun.errors


def test_a_list_that_must_be_there_asks_for_its_first_row() -> None:
    given = {name: value for name, value in PROFILE.items() if "Period" not in name}
    form = command_forms.form_class("1.6", "SetChargingProfile")({"connectorId": "1", **given})

    assert "csChargingProfiles.chargingSchedule.chargingSchedulePeriod.0.limit" in form.errors


def test_rows_beyond_what_a_form_may_hold_are_not_read() -> None:
    rows = {f"localAuthorizationList.{n}.idTag": f"T{n}" for n in range(600)}
    form = command_forms.form_class("1.6", "SendLocalList")(
        {"listVersion": "1", "updateType": "Full", **rows}
    )

    assert form.is_valid()
    assert len(form.payload()["localAuthorizationList"]) == 500


@pytest.mark.parametrize(
    ("action", "payload", "asks"),
    [
        ("Reset", {"type": "Hard"}, True),
        ("UnlockConnector", {"connectorId": 1}, True),
        ("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}, True),
        ("ChangeAvailability", {"connectorId": 0, "type": "Operative"}, False),
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}, False),
        ("SendLocalList", {"updateType": "Full"}, True),
        ("SendLocalList", {"updateType": "Differential"}, False),
        ("UpdateFirmware", {}, True),
    ],
)
def test_only_what_can_do_harm_is_confirmed(action: str, payload: dict[str, object], asks: bool) -> None:
    assert bool(command_forms.confirmation(action, payload)) is asks
