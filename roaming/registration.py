"""Registration with partners, as receiver and as sender (OCPI 2.2.1 credentials).

Two words keep the directions apart: the token *they show us* (`InboundToken`, hashed) and the token *we show them*
(`Connection.token_we_send_them`, encrypted). The other platform is asked first, outside any transaction; then
everything is written in one. An advisory lock per connection keeps two registrations from crossing.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db import connection as database

from cpo.lib import clock, nudge
from roaming import breaker, client, handshake, keyring
from roaming.handshake import HandshakeFailed
from roaming.models import Connection, InboundToken, RemoteParty
from roaming.ocpi import versions
from roaming.ocpi.envelope import INVALID, SERVER_ERROR
from roaming.ocpi.versions import Version
from stations.models import Operator, ReviewItem
from stations.services import review

Purpose, Status = InboundToken.Purpose, Connection.Status

LOST_ANSWER_GRACE = timedelta(minutes=15)  # in which token A may repeat a registration whose answer was lost
OVERLAP = timedelta(hours=24)  # in which a replaced token is accepted, unless the new one is used earlier
REGISTRATION_LOCK = 0x0C91  # class of the advisory locks
LOCK_WAIT_S = 3.0  # short: the other side may hold its own lock and wait for us


class NotRegistered(Exception):
    """The connection has no finished registration."""


class AlreadyRegistered(Exception):
    """The connection is registered: it can be updated or ended, not registered again."""


# --- for the operator ---------------------------------------------------------------------------------------------


@transaction.atomic
def issue_token_a(name: str, *, profile: str = "standard") -> tuple[Connection, str]:
    """Invite a partner: return the connection and the token A for him, which is shown only now.

    A name that exists and is not registered gets a new token; the older one is void. Raise AlreadyRegistered.
    """
    connection, created = Connection.objects.select_for_update().get_or_create(
        name=name, defaults={"created_at": clock.now(), "profile": profile}
    )
    if connection.is_registered:
        raise AlreadyRegistered(name)
    if not created:
        connection.status = Status.INVITED
        connection.save(update_fields=["status"])
    connection.inbound_tokens.all().delete()
    token = _accept_from_them(connection, Purpose.REGISTRATION)
    _tell(connection)
    return connection, token


@transaction.atomic
def prepare(name: str, *, versions_url: str, token_a: str, profile: str = "standard") -> Connection:
    """Enter a partner's versions URL and token A, for `register_with`. Raise HandshakeFailed, AlreadyRegistered."""
    handshake.check_url(versions_url)
    connection, _ = Connection.objects.select_for_update().get_or_create(
        name=name, defaults={"created_at": clock.now(), "profile": profile}
    )
    if connection.is_registered:
        raise AlreadyRegistered(name)
    connection.status = Status.PREPARED
    connection.versions_url = versions_url
    connection.token_we_send_them = token_a.strip()
    connection.save(update_fields=["status", "versions_url", "token_out"])
    _tell(connection)
    return connection


def register_with(connection: Connection) -> Connection:
    """Register at the partner, with his token A, as sender. Raise HandshakeFailed, AlreadyRegistered."""
    with _alone(connection):
        connection.refresh_from_db()
        if connection.is_registered:
            raise AlreadyRegistered(connection.name)
        return _offer(connection, "POST")


def rotate(connection: Connection) -> Connection:
    """Replace both tokens and fetch the endpoints again (PUT). Raise HandshakeFailed, NotRegistered."""
    with _alone(connection):
        connection.refresh_from_db()
        if not connection.is_registered:
            raise NotRegistered(connection.name)
        return _offer(connection, "PUT")


def unregister(connection: Connection) -> client.Answer:
    """Tell the partner that it is over (DELETE) and end it here, whatever he answers. Raise NotRegistered."""
    if not connection.is_registered:
        raise NotRegistered(connection.name)
    url = connection.endpoint("credentials", versions.RECEIVER)
    answer = client.Answer(error="no credentials endpoint")
    if url is not None:
        answer = client.call(connection, "DELETE", url, module="credentials")
    end(connection)
    return answer


@transaction.atomic
def revoke(connection: Connection) -> None:
    """Make every token that the partner shows us void at once; he has to register anew."""
    connection.inbound_tokens.all().delete()
    _tell(connection)


def resume(connection: Connection) -> None:
    """Send again after a suspension or pause."""
    connection.is_paused = False
    connection.save(update_fields=["is_paused"])
    breaker.resume(connection)
    nudge.task("roaming.tasks.deliver", connection.pk)
    _tell(connection)


def pause(connection: Connection) -> None:
    """Send nothing more until `resume`; what changes meanwhile stays due."""
    connection.is_paused = True
    connection.save(update_fields=["is_paused"])
    _tell(connection)


# --- as receiver --------------------------------------------------------------------------------------------------


def accept(
    connection: Connection, credentials: Mapping[str, Any], *, version: Version, shown: InboundToken
) -> str:
    """Answer a POST of credentials: ask their platform, store all, return token C.

    Raise AlreadyRegistered, HandshakeFailed. A repeated POST with token A is a redo while token C is unused: then the
    answer to the first one was lost.
    """
    with _alone(connection):
        connection.refresh_from_db()
        if connection.is_registered and not _may_redo(connection, shown):
            raise AlreadyRegistered(connection.name)
        platform = handshake.ask(
            connection,
            url=handshake.check_url(credentials["url"]),
            token=credentials["token"],
            wanted=version,
        )
        return _store_accepted(connection, credentials, platform, LOST_ANSWER_GRACE)


def update(connection: Connection, credentials: Mapping[str, Any], *, version: Version) -> str:
    """Answer a PUT of credentials: their endpoints are always fetched again. Return the new token for them.

    Raise NotRegistered, HandshakeFailed. The replaced token is good until the new one is used.
    """
    with _alone(connection):
        connection.refresh_from_db()
        if not connection.is_registered:
            raise NotRegistered(connection.name)
        platform = handshake.ask(
            connection,
            url=handshake.check_url(credentials["url"]),
            token=credentials["token"],
            wanted=version,
        )
        return _store_accepted(connection, credentials, platform, OVERLAP)


@transaction.atomic
def end(connection: Connection) -> None:
    """End a registration: no token is good any more, nothing is sent. CDRs that are due stay in the outbox."""
    connection.inbound_tokens.all().delete()
    connection.parties.update(is_active=False)
    connection.status = Status.ENDED
    connection.ended_at = clock.now()
    connection.token_out = ""
    connection.endpoints = []
    connection.save(update_fields=["status", "ended_at", "token_out", "endpoints"])
    connection.pushes.exclude(module="cdrs").delete()
    _tell(connection)


@transaction.atomic
def confirm(token: InboundToken) -> None:
    """Note the first use of an access token: it has arrived, so those that it replaces are void."""
    InboundToken.objects.filter(pk=token.pk, first_used_at=None).update(first_used_at=clock.now())
    older = InboundToken.objects.filter(connection=token.connection_id, pk__lt=token.pk)
    older.exclude(purpose=Purpose.PENDING).delete()


def own_credentials(version: Version, token: str) -> dict[str, Any]:
    """Return our credentials object: where our versions are, and all our own parties."""
    roles = [
        {
            "role": "CPO",
            "country_code": operator.country_code,
            "party_id": operator.party_id,
            "business_details": {"name": operator.name[:100]}
            | ({"website": operator.website} if operator.website else {}),
        }
        for operator in Operator.objects.order_by("pk")
    ]
    if not roles:
        raise HandshakeFailed("this platform has no operator yet", code=SERVER_ERROR)
    credentials: dict[str, Any] = version.shapes.write_credentials(token, versions.versions_url(), roles)
    return credentials


# --- inside -------------------------------------------------------------------------------------------------------


def _may_redo(connection: Connection, shown: InboundToken) -> bool:
    used = connection.inbound_tokens.filter(purpose=Purpose.ACCESS).exclude(first_used_at=None)
    return shown.purpose == Purpose.REGISTRATION and not used.exists()


def _offer(connection: Connection, method: str) -> Connection:
    """Ask the platform, send it our credentials (POST or PUT) and store what it answers."""
    shown = connection.token_we_send_them
    platform = handshake.ask(connection, url=connection.versions_url, token=shown)
    url = next(e["url"] for e in platform.endpoints if e["identifier"] == "credentials")
    with transaction.atomic():
        connection.inbound_tokens.filter(purpose=Purpose.PENDING).delete()
        offered = _accept_from_them(connection, Purpose.PENDING)
    answer, record = client.exchange(
        connection,
        method,
        url,
        module="credentials",
        body=own_credentials(platform.version, offered),
        token=shown,
        encoding=platform.encoding,
        timeout_s=30,
    )
    record.save()
    if not answer.is_ok:
        raise HandshakeFailed(f"{method} credentials: {answer.reason}")
    received = _read_credentials(answer.data, platform.version)
    _store_offered(connection, received, platform, keyring.digest(offered))
    return connection


def _read_credentials(data: Any, version: Version) -> dict[str, Any]:
    reader = version.credentials(data=data, context={"warnings": []})
    if not reader.is_valid():
        raise HandshakeFailed("credentials in the answer cannot be read")
    handshake.check_url(reader.validated_data["url"])
    values: dict[str, Any] = reader.validated_data
    return values


@transaction.atomic
def _store_accepted(
    connection: Connection, credentials: Mapping[str, Any], platform: handshake.Platform, grace: timedelta
) -> str:
    """Write everything about a partner who registered or updated, and return his new token."""
    connection = Connection.objects.select_for_update().get(pk=connection.pk)
    now = clock.now()
    connection.inbound_tokens.filter(
        purpose=Purpose.ACCESS, first_used_at=None
    ).delete()  # its answer was lost
    connection.inbound_tokens.filter(purpose=Purpose.REGISTRATION, spent_at=None).update(spent_at=now)
    connection.inbound_tokens.exclude(purpose=Purpose.PENDING).filter(expires_at=None).update(
        expires_at=now + grace
    )
    token = _accept_from_them(connection, Purpose.ACCESS)
    _store(connection, credentials, platform)
    return token


@transaction.atomic
def _store_offered(
    connection: Connection, credentials: Mapping[str, Any], platform: handshake.Platform, digest: str
) -> None:
    """Write everything after the partner took what we offered."""
    now = clock.now()
    connection.inbound_tokens.filter(purpose=Purpose.REGISTRATION).delete()
    connection.inbound_tokens.filter(purpose=Purpose.ACCESS, expires_at=None).update(expires_at=now + OVERLAP)
    connection.inbound_tokens.filter(digest=digest).update(purpose=Purpose.ACCESS, first_used_at=None)
    _store(connection, credentials, platform)


_STORED = [
    "versions_url", "token_out", "version", "endpoints", "auth_encoding", "status", "registered_at", "credentials_at",
    "ended_at", "is_hub", "failures", "refusals", "retry_at", "suspended_at", "last_error",
]  # fmt: skip


def _store(connection: Connection, credentials: Mapping[str, Any], platform: handshake.Platform) -> None:
    now = clock.now()
    connection.versions_url = credentials["url"]
    connection.token_we_send_them = credentials["token"]
    connection.version = platform.version.number
    connection.endpoints = platform.endpoints
    connection.auth_encoding = platform.encoding
    connection.status = Status.REGISTERED
    connection.registered_at = connection.registered_at or now
    connection.credentials_at = now
    connection.ended_at = None
    connection.is_hub = bool(credentials.get("hub_party_id")) or any(
        role["role"] == "HUB" for role in credentials["roles"]
    )
    connection.failures = connection.refusals = 0
    connection.retry_at = connection.suspended_at = None
    connection.last_error = ""
    connection.save(update_fields=_STORED)
    _store_parties(connection, credentials["roles"])
    _tell(connection)
    transaction.on_commit(lambda: nudge.task("roaming.tasks.synchronise", connection.pk))


def _store_parties(connection: Connection, roles: Sequence[Mapping[str, Any]]) -> None:
    """Write the parties of a platform; raises HandshakeFailed when another connection has one of them."""
    connection.parties.update(is_active=False)
    for role in roles:
        details = role.get("business_details") or {}
        key = f"{role['country_code']}*{role['party_id']}"
        try:
            with transaction.atomic():
                RemoteParty.objects.update_or_create(
                    connection=connection,
                    role=role["role"],
                    country_code=role["country_code"],
                    party_id=role["party_id"],
                    defaults={
                        "key": key,
                        "name": details.get("name", "")[:100],
                        "website": details.get("website", "")[:255],
                        "is_active": True,
                    },
                )
        except IntegrityError as error:
            raise PartyTaken(key, connection) from error


class PartyTaken(HandshakeFailed):
    """Another connection serves this party in this role: two would see its drivers' sessions."""

    def __init__(self, key: str, connection: Connection) -> None:
        super().__init__(f"{key} is registered through another connection", code=INVALID)
        self.key, self.connection = key, connection


def report_conflict(error: PartyTaken) -> None:
    """Let an operator know that two platforms claim one party; outside the transaction that failed."""
    review.raise_item(
        ReviewItem.Kind.PARTNER_REFUSED,
        key=f"party taken:{error.connection.pk}:{error.key}",
        summary=f"{error.connection.name} claims {error.key}, which another connection serves",
        facts={"connection": error.connection.pk, "party": error.key},
    )


def _accept_from_them(connection: Connection, purpose: str) -> str:
    """Make a token that the partner may show us, and return it in clear for the only time."""
    token = keyring.new_token()
    InboundToken.objects.create(
        connection=connection,
        purpose=purpose,
        digest=keyring.digest(token),
        prefix=token[: keyring.PREFIX_LENGTH],
        created_at=clock.now(),
    )
    return token


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Hold the connection's advisory lock; raises HandshakeFailed when somebody else has it for too long."""
    deadline = time.monotonic() + LOCK_WAIT_S
    while not _try_lock(connection.pk):
        if time.monotonic() > deadline:
            raise HandshakeFailed("another registration of this connection is going on", code=SERVER_ERROR)
        time.sleep(0.1)
    try:
        yield
    finally:
        with database.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock(%s, %s)", [REGISTRATION_LOCK, connection.pk])


def _try_lock(number: int) -> bool:
    with database.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s, %s)", [REGISTRATION_LOCK, number])
        row = cursor.fetchone()
    return bool(row and row[0])


def _tell(connection: Connection) -> None:
    transaction.on_commit(lambda: nudge.topics("partners", f"partner:{connection.pk}"))
