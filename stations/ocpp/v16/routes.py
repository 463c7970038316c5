"""OCPP 1.6: the contents page. What stations send us, what we send them, what we do not offer and why.

The union of the three tables is the set of the version's schemas; `tests/architecture/test_routes.py` holds that.
"""

from stations.ocpp import notices, outcomes
from stations.ocpp.route import Contents, OutcomeHandler, Plain, RequestWriter, careful, fast
from stations.ocpp.security_changes import security_or
from stations.ocpp.v16 import (
    authorization,
    availability,
    certificates,
    configuration,
    data_transfer,
    diagnostics,
    firmware,
    local_list,
    metering,
    provisioning,
    remote,
    reservations,
    security_profiles,
    smart_charging,
    transactions,
)

INBOUND = {
    "Authorize": careful(authorization.authorize),
    "BootNotification": careful(provisioning.boot_notification, from_memory=provisioning.boot_pending),
    "DataTransfer": careful(data_transfer.data_transfer),
    "DiagnosticsStatusNotification": careful(diagnostics.diagnostics_status_notification),
    "FirmwareStatusNotification": careful(notices.firmware_status),
    "Heartbeat": fast(provisioning.heartbeat, from_memory=provisioning.heartbeat),
    "LogStatusNotification": careful(notices.log_status),
    "MeterValues": fast(metering.meter_values),
    "SecurityEventNotification": careful(security_profiles.security_event, vital=True),
    "SignCertificate": careful(notices.sign_certificate),
    "SignedFirmwareStatusNotification": careful(notices.firmware_status),
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

# Requests to stations; the value hears what becomes of one, where rows of ours depend on it.
OUTBOUND: dict[str, OutcomeHandler | None] = {
    "CancelReservation": outcomes.cancel_reservation,
    "CertificateSigned": certificates.certificate_signed,
    "ChangeAvailability": availability.change_availability,
    "ChangeConfiguration": security_or(configuration.change_configuration),
    "ClearCache": None,
    "ClearChargingProfile": smart_charging.clear_charging_profile,
    "DataTransfer": data_transfer.outcome,
    "DeleteCertificate": certificates.delete_certificate,
    "ExtendedTriggerMessage": security_or(certificates.extended_trigger_message),
    "GetCompositeSchedule": smart_charging.get_composite_schedule,
    "GetConfiguration": configuration.get_configuration,
    "GetDiagnostics": diagnostics.diagnostics_outcome,
    "GetInstalledCertificateIds": certificates.get_installed_certificate_ids,
    "GetLocalListVersion": local_list.get_local_list_version,
    "GetLog": diagnostics.log_outcome,
    "InstallCertificate": security_or(certificates.install_certificate),
    "RemoteStartTransaction": remote.remote_start_transaction,
    "RemoteStopTransaction": remote.remote_stop_transaction,
    "ReserveNow": reservations.reserve_now,
    "Reset": remote.reset,
    "SendLocalList": outcomes.send_local_list,
    "SetChargingProfile": smart_charging.set_charging_profile,
    "SignedUpdateFirmware": firmware.signed_update_outcome,
    "TriggerMessage": None,
    "UnlockConnector": None,
    "UpdateFirmware": firmware.update_outcome,
}

# Requests of services: the domain's words in, the action and its payload out.
WRITERS: dict[str, RequestWriter] = {
    "certificate_signed": certificates.write_certificate_signed,
    "delete_certificate": certificates.write_delete,
    "install_certificate": certificates.write_install,
    "read_certificates": certificates.write_read,
    "request_certificate": certificates.write_request_certificate,
    "ask_local_list": local_list.write_ask,
    "boot_notification": provisioning.ask_for_boot,
    "cancel_reservation": reservations.write_cancel,
    "change_availability": availability.write_change,
    "change_variables": configuration.write_change,
    "change_password": security_profiles.write_password,
    "read_variables": configuration.write_read,
    "raise_security_profile": security_profiles.write_profile,
    "clear_cache": authorization.write_clear_cache,
    "clear_charging_profile": smart_charging.write_clear,
    "get_composite_schedule": smart_charging.write_composite,
    "get_log": diagnostics.get_log,
    "reserve": reservations.write_reserve,
    "restart": security_profiles.write_restart,
    "set_organization": security_profiles.write_organization,
    "send_local_list": local_list.write_send,
    "set_charging_profile": smart_charging.write_set,
    "start": remote.write_start,
    "stop": remote.write_stop,
    "update_firmware": firmware.update_firmware,
}

NOT_OFFERED: dict[str, str] = {}

# Sections of the 1.6 specification; those with WP, of the security white paper.
SECTIONS = {
    "Authorize": "4.1",
    "BootNotification": "4.2",
    "CancelReservation": "5.1",
    "CertificateSigned": "WP 5.1",
    "ChangeAvailability": "5.2",
    "ChangeConfiguration": "5.3",
    "ClearCache": "5.4",
    "ClearChargingProfile": "5.5",
    "DataTransfer": "4.3",
    "DataTransfer.out": "5.6",
    "DeleteCertificate": "WP 5.3",
    "DiagnosticsStatusNotification": "4.4",
    "ExtendedTriggerMessage": "WP 5.5",
    "FirmwareStatusNotification": "4.5",
    "GetCompositeSchedule": "5.7",
    "GetConfiguration": "5.8",
    "GetDiagnostics": "5.9",
    "GetInstalledCertificateIds": "WP 5.7",
    "GetLocalListVersion": "5.10",
    "GetLog": "WP 5.9",
    "Heartbeat": "4.6",
    "InstallCertificate": "WP 5.11",
    "LogStatusNotification": "WP 5.13",
    "MeterValues": "4.7",
    "RemoteStartTransaction": "5.11",
    "RemoteStopTransaction": "5.12",
    "ReserveNow": "5.13",
    "Reset": "5.14",
    "SecurityEventNotification": "WP 5.15",
    "SendLocalList": "5.15",
    "SetChargingProfile": "5.16",
    "SignCertificate": "WP 5.17",
    "SignedFirmwareStatusNotification": "WP 5.19",
    "SignedUpdateFirmware": "WP 5.21",
    "StartTransaction": "4.8",
    "StatusNotification": "4.9",
    "StopTransaction": "4.10",
    "TriggerMessage": "5.17",
    "UnlockConnector": "5.18",
    "UpdateFirmware": "5.19",
}

CONTENTS = Contents(
    "1.6", INBOUND, OUTBOUND, NOT_OFFERED, SECTIONS, writers=WRITERS, passwords=security_profiles.PASSWORDS
)
