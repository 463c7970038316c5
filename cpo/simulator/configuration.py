"""The configuration keys of a simulated OCPP 1.6 station (section 9.1, Core profile and security keys)."""

from dataclasses import dataclass


@dataclass
class Key:
    value: str
    readonly: bool = False
    hidden: bool = False
    number: bool = False
    reboot: bool = False


MEASURANDS = "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage,SoC"


def core_keys(*, connectors: int, meter_interval_s: int) -> dict[str, Key]:
    """A fresh set of keys for one station."""
    return {
        "AuthorizationKey": Key("", hidden=True),
        "AuthorizeRemoteTxRequests": Key("true"),
        "ClockAlignedDataInterval": Key("0", number=True),
        "ConnectionTimeOut": Key("60", number=True),
        "ConnectorPhaseRotation": Key(",".join(f"{number}.RST" for number in range(connectors + 1))),
        "GetConfigurationMaxKeys": Key("50", readonly=True, number=True),
        "HeartbeatInterval": Key("300", number=True),
        "LocalAuthorizeOffline": Key("true"),
        "LocalPreAuthorize": Key("false"),
        "MeterValueSampleInterval": Key(str(meter_interval_s), number=True),
        "MeterValuesAlignedData": Key("Energy.Active.Import.Register"),
        "MeterValuesSampledData": Key(MEASURANDS),
        "NumberOfConnectors": Key(str(connectors), readonly=True, number=True),
        "ReserveConnectorZeroSupported": Key("true", readonly=True),
        "ResetRetries": Key("1", number=True),
        "StopTransactionOnEVSideDisconnect": Key("true"),
        "StopTransactionOnInvalidId": Key("true"),
        "StopTxnAlignedData": Key(""),
        "StopTxnSampledData": Key("Energy.Active.Import.Register"),
        "SupportedFeatureProfiles": Key("Core,RemoteTrigger,Reservation,SmartCharging", readonly=True),
        "TransactionMessageAttempts": Key("3", number=True),
        "TransactionMessageRetryInterval": Key("1", number=True),
        "UnlockConnectorOnEVSideDisconnect": Key("true"),
        "WebSocketPingInterval": Key("0", number=True, reboot=True),
    }
