"""OCPP 2.0.1 and 2.1: the contents page. What stations send us, what we send them, what we do not offer and why.

2.1 removes nothing of 2.0.1: its tables are those of 2.0.1 and what it adds. The union of a version's three tables is
the set of its schemas; `tests/architecture/test_routes.py` holds that.
"""

from dataclasses import replace

from stations.ocpp.route import Contents, OutcomeHandler, Plain, RequestWriter, careful, fast
from stations.ocpp.v2 import (
    authorization,
    availability,
    device_model,
    local_list,
    metering,
    provisioning,
    remote,
    reservations,
    transactions,
)

INBOUND_201 = {
    "Authorize": careful(authorization.authorize),
    "BootNotification": careful(provisioning.boot_notification, from_memory=provisioning.boot_pending),
    "Heartbeat": fast(provisioning.heartbeat, from_memory=provisioning.heartbeat),
    "MeterValues": fast(metering.meter_values),
    "NotifyReport": careful(device_model.notify_report, vital=True),
    "ReservationStatusUpdate": careful(reservations.reservation_status_update),
    "StatusNotification": fast(availability.status_notification),
    "TransactionEvent": careful(
        transactions.transaction_event,
        vital=True,
        plain=Plain(transactions.prepare, transactions.finish),
        quick=transactions.quick,
    ),
}

# Requests to stations; the value hears what becomes of one, where rows of ours depend on it.
OUTBOUND_201: dict[str, OutcomeHandler | None] = {
    "CancelReservation": reservations.cancel_reservation,
    "CertificateSigned": None,
    "ChangeAvailability": availability.change_availability,
    "ClearCache": None,
    "ClearChargingProfile": None,
    "ClearDisplayMessage": None,
    "ClearVariableMonitoring": None,
    "CostUpdated": None,
    "CustomerInformation": None,
    "DataTransfer": None,
    "DeleteCertificate": None,
    "GetBaseReport": device_model.report,
    "GetChargingProfiles": None,
    "GetCompositeSchedule": None,
    "GetDisplayMessages": None,
    "GetInstalledCertificateIds": None,
    "GetLocalListVersion": local_list.get_local_list_version,
    "GetLog": None,
    "GetMonitoringReport": None,
    "GetReport": device_model.report,
    "GetTransactionStatus": transactions.get_transaction_status,
    "GetVariables": device_model.get_variables,
    "InstallCertificate": None,
    "PublishFirmware": None,
    "RequestStartTransaction": remote.request_start_transaction,
    "RequestStopTransaction": remote.request_stop_transaction,
    "ReserveNow": reservations.reserve_now,
    "Reset": remote.reset,
    "SendLocalList": local_list.send_local_list,
    "SetChargingProfile": None,
    "SetDisplayMessage": None,
    "SetMonitoringBase": None,
    "SetMonitoringLevel": None,
    "SetNetworkProfile": None,
    "SetVariableMonitoring": None,
    "SetVariables": device_model.set_variables,
    "TriggerMessage": None,
    "UnlockConnector": None,
    "UnpublishFirmware": None,
    "UpdateFirmware": None,
}

# Requests of services: the domain's words in, the action and its payload out.
WRITERS: dict[str, RequestWriter] = {
    "ask_local_list": local_list.write_ask,
    "base_report": device_model.write_base_report,
    "boot_notification": provisioning.ask_for_boot,
    "cancel_reservation": reservations.write_cancel,
    "change_availability": availability.write_change,
    "change_variables": device_model.write_change,
    "clear_cache": authorization.write_clear_cache,
    "read_variables": device_model.write_read,
    "report": device_model.write_report,
    "reserve": reservations.write_reserve,
    "restart": remote.write_restart,
    "send_local_list": local_list.write_send,
    "start": remote.write_start,
    "stop": remote.write_stop,
    "transaction_status": transactions.write_status,
}

LATER = "not built yet"
NOT_OFFERED_201: dict[str, str] = dict.fromkeys(
    (
        "ClearedChargingLimit", "FirmwareStatusNotification", "Get15118EVCertificate", "GetCertificateStatus",
        "LogStatusNotification", "NotifyChargingLimit", "NotifyCustomerInformation", "NotifyDisplayMessages",
        "NotifyEVChargingNeeds", "NotifyEVChargingSchedule", "NotifyEvent", "NotifyMonitoringReport",
        "PublishFirmwareStatusNotification", "ReportChargingProfiles",
        "SecurityEventNotification", "SignCertificate",
    ),
    LATER,
)  # fmt: skip

INBOUND_21 = INBOUND_201 | {
    "TransactionEvent": replace(
        INBOUND_201["TransactionEvent"], handler=transactions.transaction_event_with_limits
    ),
}
OUTBOUND_21: dict[str, OutcomeHandler | None] = OUTBOUND_201 | {
    "AFRRSignal": None,
    "AdjustPeriodicEventStream": None,
    "ChangeTransactionTariff": None,
    "ClearDERControl": None,
    "ClearTariffs": None,
    "GetDERControl": None,
    "GetPeriodicEventStream": None,
    "GetTariffs": None,
    "NotifyAllowedEnergyTransfer": None,
    "NotifyWebPaymentStarted": None,
    "RequestBatterySwap": None,
    "SetDERControl": None,
    "SetDefaultTariff": None,
    "UpdateDynamicSchedule": None,
    "UsePriorityCharging": None,
}
NOT_OFFERED_21 = NOT_OFFERED_201 | dict.fromkeys(
    (
        "BatterySwap", "ClosePeriodicEventStream", "GetCertificateChainStatus", "NotifyDERAlarm",
        "NotifyDERStartStop", "NotifyPeriodicEventStream", "NotifyPriorityCharging", "NotifySettlement",
        "OpenPeriodicEventStream", "PullDynamicScheduleUpdate", "ReportDERControl", "VatNumberValidation",
    ),
    LATER,
)  # fmt: skip

# Functional blocks of part 2 with the first use case of the message.
SECTIONS_201 = {
    "Authorize": "C01",
    "BootNotification": "B01",
    "CancelReservation": "H02",
    "CertificateSigned": "A02",
    "ChangeAvailability": "G03",
    "ClearCache": "C11",
    "ClearChargingProfile": "K10",
    "ClearDisplayMessage": "O05",
    "ClearVariableMonitoring": "N06",
    "ClearedChargingLimit": "K13",
    "CostUpdated": "I02",
    "CustomerInformation": "N09",
    "DataTransfer": "P02",
    "DataTransfer.out": "P01",
    "DeleteCertificate": "M04",
    "FirmwareStatusNotification": "L01",
    "Get15118EVCertificate": "M01",
    "GetBaseReport": "B07",
    "GetCertificateStatus": "M06",
    "GetChargingProfiles": "K09",
    "GetCompositeSchedule": "K08",
    "GetDisplayMessages": "O03",
    "GetInstalledCertificateIds": "M03",
    "GetLocalListVersion": "D02",
    "GetLog": "N01",
    "GetMonitoringReport": "N02",
    "GetReport": "B08",
    "GetTransactionStatus": "E14",
    "GetVariables": "B06",
    "Heartbeat": "G02",
    "InstallCertificate": "M05",
    "LogStatusNotification": "N01",
    "MeterValues": "J01",
    "NotifyChargingLimit": "K12",
    "NotifyCustomerInformation": "N09",
    "NotifyDisplayMessages": "O03",
    "NotifyEVChargingNeeds": "K15",
    "NotifyEVChargingSchedule": "K15",
    "NotifyEvent": "N07",
    "NotifyMonitoringReport": "N02",
    "NotifyReport": "B07",
    "PublishFirmware": "L03",
    "PublishFirmwareStatusNotification": "L03",
    "ReportChargingProfiles": "K09",
    "RequestStartTransaction": "F01",
    "RequestStopTransaction": "F03",
    "ReservationStatusUpdate": "H04",
    "ReserveNow": "H01",
    "Reset": "B11",
    "SecurityEventNotification": "A04",
    "SendLocalList": "D01",
    "SetChargingProfile": "K01",
    "SetDisplayMessage": "O01",
    "SetMonitoringBase": "N03",
    "SetMonitoringLevel": "N05",
    "SetNetworkProfile": "B09",
    "SetVariableMonitoring": "N04",
    "SetVariables": "B05",
    "SignCertificate": "A02",
    "StatusNotification": "G01",
    "TransactionEvent": "E01",
    "TriggerMessage": "F06",
    "UnlockConnector": "F05",
    "UnpublishFirmware": "L04",
    "UpdateFirmware": "L01",
}
SECTIONS_21 = SECTIONS_201 | {
    "AFRRSignal": "Q11",
    "AdjustPeriodicEventStream": "N13",
    "BatterySwap": "S01",
    "ChangeTransactionTariff": "I11",
    "ClearDERControl": "R04",
    "ClearTariffs": "I10",
    "ClosePeriodicEventStream": "N12",
    "GetCertificateChainStatus": "M07",
    "GetDERControl": "R04",
    "GetPeriodicEventStream": "N14",
    "GetTariffs": "I09",
    "NotifyAllowedEnergyTransfer": "Q02",
    "NotifyDERAlarm": "R05",
    "NotifyDERStartStop": "R04",
    "NotifyPeriodicEventStream": "N15",
    "NotifyPriorityCharging": "K21",
    "NotifySettlement": "C21",
    "NotifyWebPaymentStarted": "C25",
    "OpenPeriodicEventStream": "N11",
    "PullDynamicScheduleUpdate": "K28",
    "ReportDERControl": "R04",
    "RequestBatterySwap": "S02",
    "SetDERControl": "R01",
    "SetDefaultTariff": "I07",
    "UpdateDynamicSchedule": "K28",
    "UsePriorityCharging": "K22",
    "VatNumberValidation": "C22",
}

CONTENTS = {
    version: Contents(version, *tables, writers=WRITERS)
    for version, tables in {
        "2.0.1": (INBOUND_201, OUTBOUND_201, NOT_OFFERED_201, SECTIONS_201),
        "2.1": (INBOUND_21, OUTBOUND_21, NOT_OFFERED_21, SECTIONS_21),
    }.items()
}
