"""Rows of the charging network, one module per subject."""

from stations.models.aliases import StationAlias
from stations.models.battery_swap import BatterySwap
from stations.models.campaigns import CampaignStation, FirmwareCampaign
from stations.models.certificates import (
    AuthorityCertificate,
    InstalledCertificate,
    RevokedCertificate,
    RootCertificate,
    RootUse,
    SigningUse,
    StationCertificate,
)
from stations.models.charging_needs import ChargingNeeds, ExternalLimit, PriorityCharging, ProfileReport
from stations.models.commands import Command
from stations.models.configuration import ConfigurationTemplate, TemplateValue
from stations.models.connections import ConnectionEvent, HandshakeRejection, OnboardingStation
from stations.models.corrections import SessionCorrection
from stations.models.cost import SessionCost, StationTariff
from stations.models.customers import CustomerPart, CustomerRequest, UnlistedToken
from stations.models.der import DERAlarm, DERControl, DERReport
from stations.models.display_messages import DisplayMessage, DisplayReport
from stations.models.files import FileLink, StoredFile
from stations.models.firmware import FirmwareImage, FirmwareStatus, FirmwareUpdate, TrustedSigner
from stations.models.journal import Frame, MeterSample, ReadingKind
from stations.models.limits import SessionLimit, StartLimit
from stations.models.local_list import LocalList, LocalListContent, LocalListMark, LocalListSite
from stations.models.locations import (
    ChargingStation,
    Connector,
    ConnectorStatus,
    Evse,
    Location,
    Operator,
    StatusChange,
)
from stations.models.logs import LogStatus, LogUpload
from stations.models.monitoring import (
    DeviceEvent,
    EventStream,
    MonitoringState,
    StationIncident,
    VariableMonitor,
)
from stations.models.payments import DirectPayment, Settlement, VatNumber, WebPaymentCode
from stations.models.profiles import CompositeReport, InstalledProfile, LearnedCapability, ProfileTemplate
from stations.models.publications import FirmwarePublication, PublicationStatus
from stations.models.quirks import StationQuirk
from stations.models.remote import AvailabilityWish, RemoteRequest
from stations.models.reservations import Reservation
from stations.models.review import ReviewItem
from stations.models.security_profiles import PasswordChange, SecurityProfileChange
from stations.models.sessions import ChargingSession
from stations.models.signed_readings import SignedReading
from stations.models.site_power import MeterReading, PowerNode, PowerOutlet
from stations.models.tokens import IdToken, TokenGroup, UnknownToken
from stations.models.transactions import TransactionEvent
from stations.models.unmatched import UnmatchedStop
from stations.models.v2x import BidirectionalSession, GridSignal, TransferPermission
from stations.models.variables import DeviceReport, NetworkProfile, SecurityEvent, Variable

__all__ = [
    "PublicationStatus",
    "UnlistedToken",
    "AuthorityCertificate",
    "AvailabilityWish",
    "BatterySwap",
    "BidirectionalSession",
    "CampaignStation",
    "ChargingNeeds",
    "ChargingSession",
    "ChargingStation",
    "Command",
    "CompositeReport",
    "ConfigurationTemplate",
    "ConnectionEvent",
    "Connector",
    "ConnectorStatus",
    "CustomerPart",
    "CustomerRequest",
    "DERAlarm",
    "DERControl",
    "DERReport",
    "DeviceEvent",
    "DeviceReport",
    "DisplayMessage",
    "DisplayReport",
    "EventStream",
    "Evse",
    "ExternalLimit",
    "FileLink",
    "FirmwareCampaign",
    "FirmwareImage",
    "FirmwarePublication",
    "FirmwareStatus",
    "FirmwareUpdate",
    "Frame",
    "GridSignal",
    "SessionCost",
    "StationTariff",
    "DirectPayment",
    "Settlement",
    "VatNumber",
    "WebPaymentCode",
    "HandshakeRejection",
    "IdToken",
    "InstalledCertificate",
    "InstalledProfile",
    "LearnedCapability",
    "LocalList",
    "LocalListContent",
    "LocalListMark",
    "LocalListSite",
    "Location",
    "LogStatus",
    "LogUpload",
    "MeterReading",
    "MeterSample",
    "MonitoringState",
    "NetworkProfile",
    "OnboardingStation",
    "Operator",
    "PasswordChange",
    "PowerNode",
    "PowerOutlet",
    "PriorityCharging",
    "ProfileReport",
    "ProfileTemplate",
    "ReadingKind",
    "RemoteRequest",
    "Reservation",
    "ReviewItem",
    "RevokedCertificate",
    "RootCertificate",
    "RootUse",
    "SecurityEvent",
    "SecurityProfileChange",
    "SessionCorrection",
    "SessionLimit",
    "SignedReading",
    "SigningUse",
    "StartLimit",
    "StationAlias",
    "StationCertificate",
    "StationIncident",
    "StationQuirk",
    "StatusChange",
    "StoredFile",
    "TokenGroup",
    "TrustedSigner",
    "TransactionEvent",
    "UnknownToken",
    "UnmatchedStop",
    "TemplateValue",
    "TransferPermission",
    "Variable",
    "VariableMonitor",
]
