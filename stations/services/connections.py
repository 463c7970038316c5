"""Sockets as facts: who owns a station, who was refused, who knocks (OCPP-J 1.6 section 3, RELIABILITY rule 8).

Each authenticated connection raises the station's epoch; the highest owns it. A process that holds sockets keeps an
advisory lock named after itself, so that the lock of a killed process is free and its stations can be told offline.
"""

import zlib
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from cpo.lib import clock, database, events
from stations.events import OnboardingChanged, StationConnected, StationDisconnected
from stations.models import ChargingStation, ConnectionEvent, OnboardingStation
from stations.services import commands, wake

LOCK_SPACE = 0x0CB0  # first half of the advisory lock; the second is a hash of the owner's name


def lock_number(owner: str) -> int:
    """Return the signed 32-bit number of an owner's advisory lock."""
    return zlib.crc32(owner.encode()) - 2**31


# One statement, one transaction: the epoch, the owner, the event and the wake-up of whoever holds an older socket.
OPEN = """
with owned as (
    update stations_chargingstation
    set epoch = epoch + 1, owner = %s, ocpp_version = %s, last_seen_at = %s, is_online = true,
        online_changed_at = case when is_online then online_changed_at else %s end
    where id = %s
    returning id, epoch
), event as (
    insert into stations_connectionevent
        (station_id, epoch, opened_at, remote_address, subprotocol, offered_subprotocols, user_agent, is_tls,
         security_profile, tls_version, tls_cipher, certificate, closed_by, close_reason, frames_in, frames_out)
    select id, epoch, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, '', '', 0, 0 from owned
    returning station_id, epoch
)
select epoch, case when epoch > 1 then pg_notify(%s, 'epoch:' || station_id || ':' || epoch)::text end from event
"""


def opened(station_id: int, *, owner: str, version: str, facts: dict[str, Any]) -> int:
    """Make the new connection the owner of its station and return its epoch; the older one is told to close.

    `facts` are ConnectionEvent fields: remote_address, subprotocol, offered_subprotocols, user_agent, is_tls, and what
    is known of TLS: security_profile, tls_version, tls_cipher, certificate.
    """
    now = clock.now()
    rows = database.prepared(
        OPEN,
        [
            owner, version, now, now, station_id, now, facts["remote_address"], facts["subprotocol"],
            facts["offered_subprotocols"], facts["user_agent"], facts["is_tls"],
            facts.get("security_profile"), facts.get("tls_version", ""), facts.get("tls_cipher", ""),
            facts.get("certificate", ""), wake.CHANNEL,
        ],
    )  # fmt: skip
    epoch: int = rows[0][0]
    events.publish(StationConnected(station_id, epoch))
    return epoch


@transaction.atomic(savepoint=False)
def closed(
    station_id: int,
    *,
    epoch: int,
    code: int | None,
    by: str,
    reason: str = "",
    frames_in: int = 0,
    frames_out: int = 0,
) -> None:
    """Record the end of a connection; the station goes offline unless a newer connection owns it."""
    now = clock.now()
    ConnectionEvent.objects.filter(station_id=station_id, epoch=epoch, closed_at=None).update(
        closed_at=now,
        close_code=code,
        closed_by=by,
        close_reason=reason[:128],
        frames_in=frames_in,
        frames_out=frames_out,
    )
    commands.connection_lost(station_id, epoch=epoch)
    went = ChargingStation.objects.filter(pk=station_id, epoch=epoch, is_online=True).update(
        is_online=False, owner="", online_changed_at=now
    )
    if went:
        events.publish(StationDisconnected(station_id, epoch))


def reclaim(owner: str, epochs: dict[int, int]) -> None:
    """Say again that these stations are ours, after the database or our lock had been away."""
    for station_id, epoch in epochs.items():
        went = ChargingStation.objects.filter(pk=station_id, epoch=epoch, is_online=False).update(
            is_online=True, owner=owner, online_changed_at=clock.now()
        )
        if went:
            events.deliver(StationConnected(station_id, epoch))


def release_orphans() -> int:
    """Tell stations offline whose owning process is dead; return how many."""
    owners = ChargingStation.objects.online().values_list("owner", flat=True).distinct()
    count = 0
    for owner in list(owners):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select pg_try_advisory_xact_lock(%s, %s)", [LOCK_SPACE, lock_number(owner)])
            (is_dead,) = cursor.fetchone()
            if not is_dead:
                continue
            held = list(ChargingStation.objects.online().filter(owner=owner).values_list("pk", "epoch"))
        for station_id, epoch in held:
            closed(station_id, epoch=epoch, code=None, by="restart", reason="the serving process ended")
            count += 1
    return count


@transaction.atomic(savepoint=False)
def refused(*, identity: str, remote_address: str, reason: str, user_agent: str, now: datetime) -> None:
    """Count a refused handshake by identity, address and reason."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            insert into stations_handshakerejection
                (identity, remote_address, reason, user_agent, count, first_at, last_at)
            values (%s, %s, %s, %s, 1, %s, %s)
            on conflict (identity, remote_address, reason) do update
                set count = stations_handshakerejection.count + 1, last_at = excluded.last_at,
                    user_agent = excluded.user_agent
            """,
            [identity[:255], remote_address[:64], reason, user_agent[:255], now, now],
        )
    events.publish(OnboardingChanged(identity))


@transaction.atomic(savepoint=False)
def knocked(
    *,
    identity: str,
    remote_address: str,
    user_agent: str,
    subprotocols: str,
    had_password: bool,
    now: datetime,
) -> None:
    """Put an unknown station on the onboarding list, or count its attempt."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            insert into stations_onboardingstation
                (identity, remote_address, user_agent, subprotocols, had_password, attempts, first_at, last_at,
                 is_ignored)
            values (%s, %s, %s, %s, %s, 1, %s, %s, false)
            on conflict (identity) do update
                set attempts = stations_onboardingstation.attempts + 1, last_at = excluded.last_at,
                    remote_address = excluded.remote_address, user_agent = excluded.user_agent,
                    subprotocols = excluded.subprotocols, had_password = excluded.had_password
            """,
            [identity, remote_address[:64], user_agent[:255], subprotocols[:255], had_password, now, now],
        )
    events.publish(OnboardingChanged(identity))


def known_knockers() -> int:
    """Return how many unknown stations are on the list."""
    return OnboardingStation.objects.count()
