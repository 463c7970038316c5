"""The handshake: who knocks, may he come in, which version is spoken (OCPP-J 1.6 sections 3 and 6; cases H1–H18).

Everything is decided before the upgrade. `decide` returns a `Welcome` or a `Refusal`; the consumer only carries it out.
"""

import base64
import binascii
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from django.conf import settings

from cpo.lib import addresses, clock
from stations.models import ChargingStation, HandshakeRejection
from stations.services import connections, provisioning
from stations.services.errors import InvalidIdentity

Reason = HandshakeRejection.Reason

# subprotocol -> OCPP version; the station's own order of preference wins
SUBPROTOCOLS = {"ocpp1.6": "1.6"}

WINDOW_S = 60.0
MAX_BUCKETS = 100_000  # addresses and identities remembered at once
MAX_HEADER = 1024  # characters of an Authorization header that are looked at
MAX_KNOCKERS = 1000  # unknown stations on the onboarding list; more are counted as refusals only


@dataclass(frozen=True, slots=True)
class Knock:
    """A connection attempt as it came in."""

    identity: str
    remote_address: str
    authorization: tuple[str, ...]
    subprotocols: tuple[str, ...]
    user_agent: str
    is_tls: bool


@dataclass(frozen=True, slots=True)
class Welcome:
    """Let it in: as whom, and which subprotocol to accept ('' for none named)."""

    station: ChargingStation
    version: str
    subprotocol: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Keep it out: with this HTTP status, for this reason."""

    status: int
    reason: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


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


limiter = Limiter()


def knock_of(scope: dict[str, Any]) -> Knock:
    """Read an ASGI scope: `/ocpp/<identity>`, with the identity percent-decoded once."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.split(b"?")[0].decode("latin-1")
    tail = path.removeprefix(scope.get("root_path", "")).removeprefix("/ocpp").strip("/")
    headers = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    client = scope.get("client") or ("", 0)
    address = client[0]
    is_tls = scope.get("scheme") == "wss"
    if addresses.is_trusted(address):
        forwarded = [value for name, value in headers if name == b"x-forwarded-for"]
        address = addresses.client(address, forwarded[-1] if forwarded else "")
        is_tls = ("https" in [value for name, value in headers if name == b"x-forwarded-proto"]) or is_tls
    return Knock(
        identity=unquote(tail),
        remote_address=address,
        authorization=tuple(value for name, value in headers if name == b"authorization"),
        subprotocols=tuple(word.strip() for word in scope.get("subprotocols", []) if word.strip()),
        user_agent=next((value for name, value in headers if name == b"user-agent"), "")[:255],
        is_tls=is_tls,
    )


def negotiate(offered: tuple[str, ...]) -> str | None:
    """Return the first offered subprotocol that we speak, in the station's spelling (quirk 20); None: there is none."""
    if not offered:
        return settings.OCPP_DEFAULT_SUBPROTOCOL or None
    return next((word for word in offered if word.lower() in SUBPROTOCOLS), None)


def decide(knock: Knock) -> Welcome | Refusal:
    """Look the station up and check its credentials (blocking). Each refusal is recorded with reason and address."""
    pair = f"{knock.identity[:64]}\x1f{knock.remote_address}"
    over_id = limiter.is_over(pair, settings.OCPP_HANDSHAKES_PER_MINUTE_ID)
    over_ip = limiter.is_over(knock.remote_address, settings.OCPP_HANDSHAKES_PER_MINUTE_IP)
    if over_id or over_ip:
        return _refuse(knock, 429, Reason.RATE_LIMITED, headers=((b"retry-after", b"60"),))
    try:
        provisioning.check_identity(knock.identity)
    except InvalidIdentity:
        return _refuse(knock, 404, Reason.BAD_IDENTITY)
    station = ChargingStation.objects.filter(identity=knock.identity).first()
    if station is None:
        _remember_unknown(knock)
        return _refuse(knock, 404 if settings.OCPP_REVEAL_UNKNOWN else 401, Reason.UNKNOWN_IDENTITY)
    reason = _credentials_fault(station, knock)
    if reason is not None:
        if reason in (Reason.BAD_PASSWORD, Reason.USERNAME_MISMATCH):
            limiter.fail(pair, knock.remote_address)
        return _refuse(knock, 401, reason, headers=UNAUTHORIZED)
    if station.registration == ChargingStation.Registration.REJECTED:
        return _refuse(knock, 403, Reason.REGISTRATION)
    subprotocol = negotiate(knock.subprotocols)
    if subprotocol is None:
        return _refuse(knock, 101, Reason.SUBPROTOCOL)
    return Welcome(station, SUBPROTOCOLS[subprotocol.lower()], subprotocol if knock.subprotocols else "")


def _credentials_fault(station: ChargingStation, knock: Knock) -> str | None:
    profile = station.security_profile
    if profile == 0:
        return None if settings.OCPP_ALLOW_PROFILE_0 else Reason.PROFILE
    if profile >= 2 and not knock.is_tls:
        return Reason.PROFILE
    if not knock.authorization:
        return Reason.NO_AUTH
    credentials = parse_basic(knock.authorization)
    if credentials is None:
        return Reason.BAD_AUTH_HEADER
    username, password = credentials
    if username != knock.identity:
        return Reason.USERNAME_MISMATCH
    matches = provisioning.password_matches(
        password, salt=bytes(station.secret_salt), expected=bytes(station.secret_hash)
    )
    return None if matches else Reason.BAD_PASSWORD


def parse_basic(headers: tuple[str, ...]) -> tuple[str, bytes] | None:
    """Read one `Basic` Authorization header as (user name, password bytes); None when it is not one."""
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
        return None
    try:
        return name.decode(), password
    except UnicodeDecodeError:
        return None


def _remember_unknown(knock: Knock) -> None:
    limiter.fail(knock.remote_address + "\x1funknown")
    if connections.known_knockers() >= MAX_KNOCKERS:
        return
    connections.knocked(
        identity=knock.identity,
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
