"""Rows of the charging network, one module per subject."""

from stations.models.commands import Command
from stations.models.connections import ConnectionEvent, HandshakeRejection, OnboardingStation
from stations.models.journal import Frame, MeterSample, ReadingKind
from stations.models.locations import (
    ChargingStation,
    Connector,
    ConnectorStatus,
    Evse,
    Location,
    Operator,
    StatusChange,
)
from stations.models.quirks import StationQuirk
from stations.models.remote import AvailabilityWish, RemoteRequest
from stations.models.reservations import Reservation
from stations.models.review import ReviewItem
from stations.models.sessions import ChargingSession
from stations.models.tokens import IdToken
from stations.models.variables import SecurityEvent, Variable

__all__ = [
    "AvailabilityWish",
    "ChargingSession",
    "ChargingStation",
    "Command",
    "ConnectionEvent",
    "Connector",
    "ConnectorStatus",
    "Evse",
    "Frame",
    "HandshakeRejection",
    "IdToken",
    "Location",
    "MeterSample",
    "OnboardingStation",
    "Operator",
    "ReadingKind",
    "RemoteRequest",
    "Reservation",
    "ReviewItem",
    "SecurityEvent",
    "StationQuirk",
    "StatusChange",
    "Variable",
]
