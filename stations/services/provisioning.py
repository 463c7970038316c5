"""Stations and their parts: registration, secrets, boot facts, topology (OCPP 2.1 block B, 1.6 section 4.2)."""

import hashlib
import hmac
import re
import secrets
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from cpo.lib import clock, events
from stations.events import OnboardingChanged, StationChanged
from stations.models import (
    ChargingStation,
    Connector,
    Evse,
    Location,
    OnboardingStation,
    PasswordChange,
)
from stations.services import configuration_templates, locations, wake
from stations.services.errors import InvalidIdentity, InvalidPassword

_IDENTITY = re.compile(r"[A-Za-z0-9*\-_=+|@.]{1,48}")
_PASSWORD = re.compile(r"[\x21-\x7e]{16,40}")
_HEX = re.compile(rb"([0-9A-Fa-f]{2})+")
ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
EVSE_FIELDS = ("evse_id", "physical_reference", "uid")  # of `ensure_connector` that belong to the EVSE
PASSWORD_LENGTH = 32  # characters of a generated secret: 185 bits

BOOT_FIELDS = (
    "vendor", "model", "serial_number", "firmware_version", "iccid", "imsi", "meter_type", "meter_serial_number",
)  # fmt: skip


def check_identity(identity: str) -> str:
    """Return the identity, or raise `InvalidIdentity` (OCPP 2.0.1 identifierString, at most 48 characters)."""
    if not _IDENTITY.fullmatch(identity) or set(identity) == {"."}:
        raise InvalidIdentity("1 to 48 of the characters A-Z a-z 0-9 * - _ = + | @ .")
    return identity


def is_password(text: str) -> bool:
    """Tell whether a station can be given this password: 16 to 40 printable characters without spaces."""
    return _PASSWORD.fullmatch(text) is not None


def hash_password(password: str | bytes, salt: bytes) -> bytes:
    """Return HMAC-SHA256(salt, password): secrets are machine-made, a slow hash would only slow reconnects."""
    raw = password.encode() if isinstance(password, str) else password
    return hmac.new(salt, raw, hashlib.sha256).digest()


def password_matches(password: bytes, *, salt: bytes, expected: bytes) -> bool:
    """Compare in constant time, also with a station that has no secret.

    A station may send the text that it was given, or the bytes that this text spells in hexadecimal (1.6 security
    white paper, AuthorizationKey), or hexadecimal in another case: all are accepted (quirk 22).
    """
    hits = [
        hmac.compare_digest(hash_password(spelling, salt), expected or b"-")
        for spelling in _spellings(password)
    ]
    return any(hits)


def _spellings(password: bytes) -> list[bytes]:
    """Return what may have been hashed of a password that was sent in this form."""
    told = password.hex().encode()
    found = [password, told, told.upper()]
    if _HEX.fullmatch(password):
        found += [password.lower(), password.upper(), bytes.fromhex(password.decode())]
    return found


@transaction.atomic(savepoint=False)
def upsert_station(
    identity: str,
    *,
    location: Location | None = None,
    name: str | None = None,
    password: str | None = None,
    security_profile: int | None = None,
    registration: str | None = None,
) -> tuple[ChargingStation, str | None]:
    """Create or change a station. Return it with its password when that was made or set now (shown once, never again).

    A new station gets a generated password unless one is given; an existing one keeps its own. Raise `InvalidIdentity`
    or `InvalidPassword`.
    """
    check_identity(identity)
    station, created = ChargingStation.objects.select_for_update().get_or_create(identity=identity)
    changes: dict[str, Any] = {
        "location": location,
        "name": name,
        "security_profile": security_profile,
        "registration": registration,
    }
    given = {field: value for field, value in changes.items() if value is not None}
    old_location_id = station.location_id
    for field, value in given.items():
        setattr(station, field, value)
    if given:
        station.save(update_fields=list(given))
    shown = None
    if password is not None or created:
        shown = set_password(station, password=password)
    OnboardingStation.objects.filter(identity=identity).delete()
    if created or station.location_id != old_location_id:
        configuration_templates.fit(station)
    wake.changed(station.pk)
    events.publish(StationChanged(station.pk))
    for location_id in {old_location_id, station.location_id}:
        if location_id is not None:
            locations.touch(Location(pk=location_id))
    return station, shown


@transaction.atomic(savepoint=False)
def set_password(station: ChargingStation, *, password: str | None = None) -> str:
    """Store a new secret as a salted hash and return it; generate one when none is given.

    It is in force at once: a password that is just being changed over OCPP is forgotten.
    """
    if password is None:
        password = "".join(secrets.choice(ALPHABET) for _ in range(PASSWORD_LENGTH))
    if not is_password(password):
        raise InvalidPassword("16 to 40 printable characters without spaces")
    station.secret_salt, station.secret_hash = salted(password)
    station.next_secret_salt = station.next_secret_hash = b""
    station.secret_changed_at = clock.now()
    station.save(
        update_fields=[
            "secret_salt",
            "secret_hash",
            "next_secret_salt",
            "next_secret_hash",
            "secret_changed_at",
        ]
    )
    PasswordChange.objects.filter(station=station, status__in=PasswordChange.OPEN).update(
        status=PasswordChange.Status.FAILED, secret="", reason="set by hand", finished_at=clock.now()
    )
    return password


def salted(password: str) -> tuple[bytes, bytes]:
    """Return a fresh salt and the hash to store; hexadecimal is hashed in lower case, for either case is accepted."""
    raw = password.encode()
    salt = secrets.token_bytes(16)
    return salt, hash_password(raw.lower() if _HEX.fullmatch(raw) else raw, salt)


@transaction.atomic(savepoint=False)
def accept(
    onboarding: OnboardingStation, *, location: Location | None = None, security_profile: int = 1
) -> tuple[ChargingStation, str | None]:
    """Register a station that knocked; its next attempt with the returned password is let in."""
    station, password = upsert_station(
        onboarding.identity, location=location, security_profile=security_profile
    )
    events.publish(OnboardingChanged(onboarding.identity))
    return station, password


@transaction.atomic(savepoint=False)
def ignore(onboarding: OnboardingStation) -> None:
    """Hide a knocking station from the list; its attempts are still counted."""
    onboarding.is_ignored = True
    onboarding.save(update_fields=["is_ignored"])
    events.publish(OnboardingChanged(onboarding.identity))


@transaction.atomic(savepoint=False)
def boot(station_id: int, *, facts: dict[str, str], now: datetime, is_reboot: bool = True) -> ChargingStation:
    """Store what a station says about itself at boot and count the boot. Unknown facts stay as they were.

    Without `is_reboot` it said so on a socket that lived on: the facts are stored, a boot is not counted.
    """
    station = ChargingStation.objects.select_for_update(no_key=True).get(pk=station_id)
    changed = [
        name for name in BOOT_FIELDS if facts.get(name) and getattr(station, name) != facts[name][:255]
    ]
    for name in changed:
        setattr(station, name, facts[name][:255])
    station.last_seen_at = now
    if is_reboot:
        station.boot_count += 1
        station.last_boot_at = now
    station.save(update_fields=[*changed, "boot_count", "last_boot_at", "last_seen_at"])
    if {"vendor", "model"} & set(changed):
        configuration_templates.fit(station)
    events.publish(StationChanged(station_id))
    return station


def heartbeat_interval_s(station_id: int) -> int:
    """Return the station's heartbeat interval in seconds: the setting ±20 %, so that a fleet does not march."""
    base = settings.OCPP_HEARTBEAT_INTERVAL_S
    return round(base * (0.8 + 0.4 * ((station_id * 2654435761) % 1000) / 1000))


@transaction.atomic(savepoint=False)
def ensure_connector(
    station: ChargingStation, *, number: int, connector: int = 1, **fields: Any
) -> Connector:
    """Return the connector of EVSE `number`, made if the station never had it; `fields` are Connector fields to set.

    `evse_id` and `physical_reference` go to the EVSE.
    """
    now = clock.now()
    evse_fields: dict[str, Any] = {
        key: fields.pop(key) for key in ("evse_id", "physical_reference", "uid") if key in fields
    }
    evse, evse_created = Evse.objects.get_or_create(
        station=station, number=number, defaults={"last_updated": now, **evse_fields}
    )
    found, created = Connector.objects.get_or_create(
        evse=evse, number=connector, defaults={"last_updated": now, **fields}
    )
    changed = {key: value for key, value in fields.items() if getattr(found, key) != value}
    if changed and not created:
        Connector.objects.filter(pk=found.pk).update(**changed, last_updated=now)
        found.refresh_from_db()
    evse_changed = {key: value for key, value in evse_fields.items() if getattr(evse, key) != value}
    if evse_changed and not evse_created:
        Evse.objects.filter(pk=evse.pk).update(**evse_changed, last_updated=now)
        evse.refresh_from_db()
    if (created or changed or evse_changed) and station.location_id:
        locations.touch(Location(pk=station.location_id))
    if created:
        wake.changed(station.pk)
    return found


@transaction.atomic(savepoint=False)
def firmware_status(station_id: int, *, status: str) -> None:
    """Keep what the station last said about a firmware update (OCPP 1.6 section 4.5)."""
    ChargingStation.objects.filter(pk=station_id).update(firmware_status=status[:40])
    events.publish(StationChanged(station_id))


@transaction.atomic(savepoint=False)
def diagnostics_status(station_id: int, *, status: str) -> None:
    """Keep what the station last said about a diagnostics upload (OCPP 1.6 section 4.4)."""
    ChargingStation.objects.filter(pk=station_id).update(diagnostics_status=status[:40])
    events.publish(StationChanged(station_id))
