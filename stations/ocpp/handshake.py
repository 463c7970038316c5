"""The handshake: who knocks, may he come in, which version is spoken (OCPP-J 1.6 sections 3 and 6; cases H1–H18).

Everything is decided before the upgrade. `decide` returns a `Welcome` or a `Refusal`; the consumer only carries it out.
"""

import base64
import binascii
import hashlib
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

from django.conf import settings

from cpo.lib import addresses, clock
from stations.models import ChargingStation, HandshakeRejection
from stations.ocpp import identities
from stations.ocpp.identities import Found, Spelling
from stations.pki import certificates as pki
from stations.services import (
    certificates,
    connections,
    password_changes,
    provisioning,
    quirks,
    security_profiles,
)

Reason = HandshakeRejection.Reason

# subprotocol -> OCPP version; the station's own order of preference wins
SUBPROTOCOLS = {"ocpp1.6": "1.6", "ocpp2.0.1": "2.0.1", "ocpp2.1": "2.1"}

REFUSALS_EVERY_S = 0.05  # refusals leave at multiples of this after the knock
WINDOW_S = 60.0
MAX_BUCKETS = 100_000  # addresses and identities remembered at once
MAX_HEADER = 1024  # characters of an Authorization header that are looked at
MAX_CERTIFICATE = 16_384  # characters of a proxy's certificate header that are looked at
NOBODY = hashlib.sha256(b"nobody").digest()  # salt and hash of whom we do not know
MAX_KNOCKERS = 1000  # unknown stations on the onboarding list; more are counted as refusals only
# Faults of somebody who tries: they count against the address and the identity.
GUESSES = frozenset(
    {
        Reason.BAD_PASSWORD, Reason.USERNAME_MISMATCH, Reason.BAD_CERTIFICATE, Reason.CERTIFICATE_EXPIRED,
        Reason.CERTIFICATE_REVOKED, Reason.CERTIFICATE_IDENTITY,
    }
)  # fmt: skip
# Faults of a connection's own security, which become security events (A00.FR.323, A00.FR.408).
INSECURE = GUESSES - {Reason.BAD_PASSWORD, Reason.USERNAME_MISMATCH} | {Reason.PROFILE, Reason.NO_CERTIFICATE}


@dataclass(frozen=True, slots=True)
class Knock:
    """A connection attempt as it came in."""

    spelling: Spelling
    remote_address: str
    authorization: tuple[str, ...]
    subprotocols: tuple[str, ...]
    user_agent: str
    is_tls: bool
    certificate: bytes = b""  # the client's, DER or PEM; b"" for none
    tls_version: str = ""  # '' behind a proxy
    tls_cipher: str = ""

    @property
    def identity(self) -> str:
        """Say for lists and logs who it says it is; never a password from the path."""
        return self.spelling.shown


@dataclass(frozen=True, slots=True)
class Welcome:
    """Let it in: as whom, with which security profile and quirks, which subprotocol to accept ('' for none named)."""

    station: ChargingStation
    version: str
    subprotocol: str
    profile: int
    quirks: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Keep it out: with this HTTP status, for this reason, which only our own people are told."""

    status: int
    reason: str
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def body(self) -> bytes:
        """What the peer reads: no more than the status says."""
        return HTTPStatus(self.status).phrase.encode()


UNAUTHORIZED = ((b"www-authenticate", b'Basic realm="ocpp"'),)


class Limiter:
    """Counts failures by key in the last minute; in memory of the process, before any hashing."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[float]] = defaultdict(deque)

    def is_over(self, key: str, limit: int) -> bool:
        """True when the key has failed `limit` times within the window."""
        failures = self._failures.get(key)
        if not failures:
            return False
        horizon = time.monotonic() - WINDOW_S
        while failures and failures[0] < horizon:
            failures.popleft()
        if not failures:
            del self._failures[key]
        return len(failures) >= limit

    def fail(self, *keys: str) -> None:
        """Count a failure for each key."""
        if len(self._failures) > MAX_BUCKETS:
            self._failures.clear()
        for key in keys:
            self._failures[key].append(time.monotonic())

    def forget(self, key: str) -> None:
        """Somebody with this key knew the password: what was before were mistakes."""
        self._failures.pop(key, None)


limiter = Limiter()


def knock_of(scope: dict[str, Any]) -> Knock:
    """Read an ASGI scope. What a header says about TLS is believed from a trusted proxy only (case H12)."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.split(b"?")[0].decode("latin-1").removeprefix(scope.get("root_path", ""))
    headers: dict[bytes, list[str]] = defaultdict(list)
    for name, value in scope["headers"]:
        headers[name.lower()].append(value.decode("latin-1"))
    address = (scope.get("client") or ("", 0))[0]
    is_tls, certificate, peer = scope.get("scheme") == "wss", b"", scope.get("extensions", {}).get("tls")
    if addresses.is_trusted(address):
        address = addresses.client(
            address, headers[b"x-forwarded-for"][-1] if headers[b"x-forwarded-for"] else ""
        )
        if headers[b"x-forwarded-proto"]:
            is_tls = headers[b"x-forwarded-proto"][-1] in ("https", "wss")
        if is_tls and len(headers[b"x-client-cert"]) == 1:
            certificate = unquote_to_bytes(headers[b"x-client-cert"][0][:MAX_CERTIFICATE])
        peer = None
    elif peer is not None:
        certificate = peer.certificate_der
    return Knock(
        spelling=identities.spelling_of(path),
        remote_address=address,
        authorization=tuple(headers[b"authorization"]),
        subprotocols=tuple(word.strip() for word in scope.get("subprotocols", []) if word.strip()),
        user_agent=(headers[b"user-agent"] or [""])[0][:255],
        is_tls=is_tls,
        certificate=certificate,
        tls_version=peer.version if peer else "",
        tls_cipher=peer.cipher if peer else "",
    )


def facts_of(welcome: Welcome, knock: Knock) -> dict[str, Any]:
    """Give what is kept of a connection that was let in: fields of ConnectionEvent."""
    return {
        "remote_address": knock.remote_address[:64],
        "subprotocol": welcome.subprotocol,
        "offered_subprotocols": ",".join(knock.subprotocols)[:255],
        "user_agent": knock.user_agent,
        "is_tls": knock.is_tls,
        "security_profile": welcome.profile,
        "tls_version": knock.tls_version,
        "tls_cipher": knock.tls_cipher,
        "certificate": _mark_of(knock.certificate),
    }


def pause_s(elapsed_s: float) -> float:
    """Return how long to hold a refusal back, so that its time tells nothing about its reason (case H4)."""
    return -elapsed_s % REFUSALS_EVERY_S


def _mark_of(certificate: bytes) -> str:
    """Return the name of a certificate in our tables, '' for none that can be read."""
    try:
        return pki.fingerprint(pki.read_one(certificate)) if certificate else ""
    except pki.Unreadable:
        return ""


def negotiate(offered: tuple[str, ...], pinned: str = "") -> str | None:
    """Return the first offered subprotocol that we speak, in the station's spelling (quirk 20); None: there is none.

    A station that is pinned to a version gets the word for it if it offers that, else the first that it does offer.
    """
    if not offered:
        return f"ocpp{pinned}" if pinned else settings.OCPP_DEFAULT_SUBPROTOCOL or None
    spoken = [word for word in offered if SUBPROTOCOLS.get(word.lower()) in settings.OCPP_VERSIONS]
    if pinned:
        return next((word for word in spoken if SUBPROTOCOLS[word.lower()] == pinned), offered[0])
    return next(iter(spoken), None)


def _pinned(flags: Mapping[str, Any]) -> str:
    """Return the version that a station speaks whatever it offers, '' if nobody said so or we do not serve it."""
    pinned = str(flags.get("pinned_version", ""))
    return pinned if pinned in SUBPROTOCOLS.values() else ""


def decide(knock: Knock) -> Welcome | Refusal:
    """Look the station up and check its credentials (blocking). Each refusal is recorded with reason and address."""
    pair = f"{knock.identity[:64].strip().casefold()}\x1f{knock.remote_address}"
    over_id = limiter.is_over(pair, settings.OCPP_HANDSHAKES_PER_MINUTE_ID)
    over_ip = limiter.is_over(knock.remote_address, settings.OCPP_HANDSHAKES_PER_MINUTE_IP)
    if over_id or over_ip:
        return _refuse(knock, 429, Reason.RATE_LIMITED, headers=((b"retry-after", b"60"),))
    found = identities.find(knock.spelling)
    if found is None:
        return _unknown(knock)
    entry = _enter(found, knock)
    station = found.station
    if isinstance(entry, str):
        if entry in GUESSES:
            limiter.fail(pair, knock.remote_address)
        if entry in INSECURE:
            security_profiles.refused(station, reason=entry)
        return _refuse(knock, 401, entry, headers=UNAUTHORIZED)
    if station.registration == ChargingStation.Registration.REJECTED:
        return _refuse(knock, 403, Reason.REGISTRATION)
    flags = quirks.flags(station)
    pinned = _pinned(flags)
    subprotocol = negotiate(knock.subprotocols, pinned)
    if subprotocol is None:
        return _refuse(knock, 101, Reason.SUBPROTOCOL)
    _arrived(station, entry)
    limiter.forget(pair)
    return Welcome(
        station,
        pinned or SUBPROTOCOLS[subprotocol.lower()],
        subprotocol if knock.subprotocols else "",
        entry.profile,
        flags,
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """With which security profile a station may come in, and whether with the password it is just being given."""

    profile: int
    has_next_password: bool = False


def _enter(found: Found, knock: Knock) -> Entry | str:
    """Return the profile that lets the station in, or why none does.

    One profile at a time (A00.FR.001, A00.FR.002), and two while one is changed: then either does.
    """
    station = found.station
    faults: dict[int, str] = {}
    for profile in (station.next_security_profile, station.security_profile):
        if profile is not None:
            entry = PROFILES[profile](found, knock)
            if isinstance(entry, Entry):
                return entry
            faults[profile] = entry
    looks_like = 3 if knock.certificate else 2 if knock.is_tls else 1
    return faults.get(looks_like, faults[station.security_profile])


def _profile_0(found: Found, knock: Knock) -> Entry | str:
    return Entry(0) if settings.OCPP_ALLOW_PROFILE_0 else Reason.PROFILE


def _profile_1(found: Found, knock: Knock) -> Entry | str:
    if knock.is_tls and not settings.OCPP_ALLOW_HIGHER_PROFILE:
        return Reason.PROFILE
    return _with_password(found, knock, 1)


def _profile_2(found: Found, knock: Knock) -> Entry | str:
    return _with_password(found, knock, 2) if knock.is_tls else Reason.PROFILE


def _profile_3(found: Found, knock: Knock) -> Entry | str:
    if not knock.is_tls:
        return Reason.PROFILE
    if not knock.certificate:
        return Reason.NO_CERTIFICATE
    return certificates.check_client(knock.certificate, station=found.station) or Entry(3)


PROFILES = {0: _profile_0, 1: _profile_1, 2: _profile_2, 3: _profile_3}


def _with_password(found: Found, knock: Knock, profile: int) -> Entry | str:
    station = found.station
    if found.path_password and not knock.authorization:
        password = found.path_password.encode()
    elif not knock.authorization:
        return Reason.NO_AUTH
    else:
        credentials = parse_basic(knock.authorization)
        if credentials is None:
            return Reason.BAD_AUTH_HEADER
        name, password = credentials
        if not _may_be_named(name, found, knock):
            return Reason.BAD_AUTH_HEADER if name is None else Reason.USERNAME_MISMATCH
    is_current = provisioning.password_matches(
        password, salt=bytes(station.secret_salt), expected=bytes(station.secret_hash)
    )
    is_next = bool(station.next_secret_hash) and provisioning.password_matches(
        password, salt=bytes(station.next_secret_salt), expected=bytes(station.next_secret_hash)
    )
    return Entry(profile, is_next) if is_current or is_next else Reason.BAD_PASSWORD


def _may_be_named(name: str | None, found: Found, knock: Knock) -> bool:
    if name:
        return identities.is_same(name, knock.spelling, found.station)
    return bool(quirks.flags(found.station).get("basic_auth_without_name"))


def _arrived(station: ChargingStation, entry: Entry) -> None:
    """Finish the changes that this arrival proves. No statement for a station of which nothing is changed."""
    if station.next_security_profile is not None and entry.profile == station.next_security_profile:
        security_profiles.returned(station, profile=entry.profile)
    if entry.has_next_password:
        password_changes.used(station)


def _unknown(knock: Knock) -> Refusal:
    """Refuse a stranger in the time that a wrong password takes (case H4)."""
    credentials = parse_basic(knock.authorization)
    provisioning.password_matches(credentials[1] if credentials else b"", salt=NOBODY, expected=NOBODY)
    identity = identities.told_identity(knock.spelling)
    if identity is None:
        return _refuse(knock, 404, Reason.BAD_IDENTITY)
    _remember_unknown(knock, identity)
    if settings.OCPP_REVEAL_UNKNOWN:
        return _refuse(knock, 404, Reason.UNKNOWN_IDENTITY)
    return _refuse(knock, 401, Reason.UNKNOWN_IDENTITY, headers=UNAUTHORIZED)


def parse_basic(headers: tuple[str, ...]) -> tuple[str | None, bytes] | None:
    """Read one `Basic` Authorization header as (user name, password bytes); None when it is not one.

    Without a colon there is no user name, only a password: some stations mean that (quirk 22).
    """
    if len(headers) != 1 or len(headers[0]) > MAX_HEADER:
        return None
    scheme, _, encoded = headers[0].partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    name, colon, password = decoded.partition(b":")
    if not colon:
        return None, name
    if b"\x00" in name:
        return None
    try:
        return name.decode(), password
    except UnicodeDecodeError:
        return None


def _remember_unknown(knock: Knock, identity: str) -> None:
    if connections.known_knockers() >= MAX_KNOCKERS:
        return
    connections.knocked(
        identity=identity,
        remote_address=knock.remote_address,
        user_agent=knock.user_agent,
        subprotocols=",".join(knock.subprotocols),
        had_password=bool(knock.authorization),
        now=clock.now(),
    )


def _refuse(
    knock: Knock, status: int, reason: str, *, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> Refusal:
    connections.refused(
        identity=knock.identity.replace("\x00", "").encode("utf-8", "replace").decode(),
        remote_address=knock.remote_address,
        reason=reason,
        user_agent=knock.user_agent,
        now=clock.now(),
    )
    return Refusal(status, reason, headers)
