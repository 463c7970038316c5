"""OCPP 1.6: the contents page. What stations send us, what we send them, what we do not offer and why.

The union of the three tables is the set of the version's schemas; `tests/architecture/test_routes.py` holds that.
"""

from stations.ocpp.route import Contents, Plain, careful, fast
from stations.ocpp.v16 import (
    authorization,
    availability,
    data_transfer,
    firmware,
    metering,
    provisioning,
    transactions,
)

INBOUND = {
    "Authorize": careful(authorization.authorize),
    "BootNotification": careful(provisioning.boot_notification, from_memory=provisioning.boot_pending),
    "DataTransfer": fast(data_transfer.data_transfer),
    "DiagnosticsStatusNotification": careful(firmware.diagnostics_status_notification),
    "FirmwareStatusNotification": careful(firmware.firmware_status_notification),
    "Heartbeat": fast(provisioning.heartbeat, from_memory=provisioning.heartbeat),
    "MeterValues": fast(metering.meter_values),
    "StartTransaction": careful(
        transactions.start_transaction,
        vital=True,
        plain=Plain(transactions.prepare_start, transactions.finish_start),
    ),
    "StatusNotification": fast(availability.status_notification),
    "StopTransaction": careful(
        transactions.stop_transaction,
        vital=True,
        plain=Plain(transactions.prepare_stop, transactions.finish_stop),
    ),
}

# Requests to stations; the value handles the answer where rows of ours depend on it.
OUTBOUND = {
    "ChangeAvailability": None,
    "ChangeConfiguration": None,
    "ClearCache": None,
    "DataTransfer": None,
    "GetConfiguration": None,
    "RemoteStartTransaction": None,
    "RemoteStopTransaction": None,
    "Reset": None,
    "TriggerMessage": None,
    "UnlockConnector": None,
}

_LATER = "later: the profile's service does not exist yet"
NOT_OFFERED = {
    "CancelReservation": _LATER,
    "CertificateSigned": _LATER,
    "ClearChargingProfile": _LATER,
    "DeleteCertificate": _LATER,
    "ExtendedTriggerMessage": _LATER,
    "GetCompositeSchedule": _LATER,
    "GetDiagnostics": _LATER,
    "GetInstalledCertificateIds": _LATER,
    "GetLocalListVersion": _LATER,
    "GetLog": _LATER,
    "InstallCertificate": _LATER,
    "LogStatusNotification": _LATER,
    "ReserveNow": _LATER,
    "SecurityEventNotification": _LATER,
    "SendLocalList": _LATER,
    "SetChargingProfile": _LATER,
    "SignCertificate": _LATER,
    "SignedFirmwareStatusNotification": _LATER,
    "SignedUpdateFirmware": _LATER,
    "UpdateFirmware": _LATER,
}

CONTENTS = Contents("1.6", INBOUND, OUTBOUND, NOT_OFFERED)
