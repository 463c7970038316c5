"""Sockets as facts: who owns a station, who was refused, who knocks (OCPP-J 1.6 section 3, RELIABILITY rule 8).

Each authenticated connection raises the station's epoch; the highest owns it. A process that holds sockets keeps an
advisory lock named after itself, so that the lock of a killed process is free and its stations can be told offline.
"""

import zlib
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from cpo.lib import clock, database, events
from stations.events import OnboardingChanged, StationConnected, StationDisconnected
from stations.models import ChargingStation, ConnectionEvent, OnboardingStation, ReviewItem
from stations.services import commands, provisioning, requests, review, wake

TAKEOVERS_WITHIN = timedelta(minutes=5)
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
    # The station before rows of its own, as whoever installs a charging profile locks them; else both wait for ever.
    list(ChargingStation.objects.select_for_update(no_key=True).filter(pk=station_id).values_list("pk"))
    commands.connection_lost(station_id, epoch=epoch)
    went = ChargingStation.objects.filter(pk=station_id, epoch=epoch, is_online=True).update(
        is_online=False, owner="", online_changed_at=now
    )
    if went:
        events.publish(StationDisconnected(station_id, epoch))


class Incumbent(NamedTuple):
    """Whoever owns a station's connection now, and how often it was taken over lately."""

    owner: str
    address: str
    takeovers: int


def incumbent(station_id: int) -> Incumbent | None:
    """Return the connection that a new one would replace; None when there is none."""
    station = ChargingStation.objects.filter(pk=station_id).values("epoch", "owner", "is_online").first()
    if station is None or not station["is_online"]:
        return None
    events_ = ConnectionEvent.objects.filter(station_id=station_id)
    current = events_.filter(epoch=station["epoch"]).values_list("remote_address", flat=True).first()
    lately = clock.now() - TAKEOVERS_WITHIN
    takeovers = events_.filter(closed_by="takeover", closed_at__gt=lately).count()
    return Incumbent(station["owner"], current or "", takeovers)


def duplicate(station_id: int, *, kept: str, refused: str) -> None:
    """Tell an operator that a second device speaks as this station, and was kept out (case H13)."""
    station = ChargingStation.objects.get(pk=station_id)
    review.raise_item(
        ReviewItem.Kind.DUPLICATE_CONNECTION,
        key=f"duplicate:{station_id}:{clock.now():%Y-%m-%d}",
        summary=f"{station.identity}: {refused} connected as this station while {kept} was alive",
        station=station,
        facts={"kept": kept, "refused": refused},
    )


def many_takeovers(station_id: int, *, takeovers: int) -> None:
    """Tell an operator that two connections of one station keep throwing each other out (case H15)."""
    station = ChargingStation.objects.get(pk=station_id)
    review.raise_item(
        ReviewItem.Kind.DUPLICATE_CONNECTION,
        key=f"takeovers:{station_id}:{clock.now():%Y-%m-%d}",
        summary=f"{station.identity}: {takeovers} takeovers in five minutes, two devices or a flapping line",
        station=station,
        facts={"takeovers": takeovers},
    )


@transaction.atomic(savepoint=False)
def is_dead(owner: str) -> bool:
    """Tell whether a process that held sockets has ended: its lock is free, and ours until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s, %s)", [LOCK_SPACE, lock_number(owner)])
        return bool(cursor.fetchone()[0])


# Of the connection before the present one, whose process did not live to say that it ended.
FORGOTTEN = """
update stations_connectionevent e
set closed_at = now(), closed_by = 'restart', close_reason = 'the serving process ended'
from stations_chargingstation s
join stations_connectionevent n on n.station_id = s.id and n.epoch = s.epoch
where e.station_id = s.id and e.epoch = s.epoch - 1 and e.closed_at is null
    and n.opened_at < now() - make_interval(secs => %s)
"""


def close_forgotten() -> int:
    """Close the records of connections that a newer one followed and that nobody closed; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(FORGOTTEN, [2 * settings.OCPP_CLOSE_GRACE_S])
        return int(cursor.rowcount)


@transaction.atomic(savepoint=False)
def probe(station_id: int, *, question: str) -> None:
    """Ask the process that holds a station's socket for a sign of life; it answers through `wake.alive`."""
    wake.probe(station_id, question)


@transaction.atomic(savepoint=False)
def answer_probe(station_id: int, *, question: str, is_alive: bool) -> None:
    """Answer another process's question."""
    wake.alive(station_id, question, is_alive=is_alive)


def superseded(epochs: dict[int, int]) -> dict[int, int]:
    """Return which of these stations have a newer connection than the one given, and its epoch."""
    rows = ChargingStation.objects.filter(pk__in=list(epochs)).values_list("pk", "epoch")
    return {pk: epoch for pk, epoch in rows if epoch > epochs[pk]}


def silence_s(station_id: int) -> float:
    """Return after how many seconds without a message a station counts as silent."""
    return settings.OCPP_SILENCE_FACTOR * provisioning.heartbeat_interval_s(station_id)


def silent(station_id: int, *, since: datetime, is_alive: bool) -> None:
    """Tell an operator that a connected station says nothing; `is_alive`: its socket still answers pings."""
    station = ChargingStation.objects.get(pk=station_id)
    what = "answers pings, but sends no message" if is_alive else "gave no sign of life and was disconnected"
    review.raise_item(
        ReviewItem.Kind.SILENT_STATION,
        key=f"silent:{station_id}:{clock.now():%Y-%m-%d}",
        summary=f"{station.identity} {what} since {since:%H:%M} UTC",
        station=station,
        facts={"since": since.isoformat(), "answers_pings": is_alive},
    )


def resolve_silence() -> int:
    """Close the items of stations that speak again; return how many."""
    open_items = ReviewItem.objects.filter(kind=ReviewItem.Kind.SILENT_STATION, resolved_at=None)
    speaking = open_items.filter(station__is_online=True, station__last_seen_at__gt=F("last_at"))
    for item in speaking:
        review.resolve(item, by="OpenCPO", resolution="it speaks again")
    return len(speaking)


def flooded(station_id: int, *, action: str) -> None:
    """Tell an operator that a station sent more than it may, without end, and was disconnected (cases D4 and D5)."""
    station = ChargingStation.objects.get(pk=station_id)
    review.raise_item(
        ReviewItem.Kind.FLOOD,
        key=f"flood:{station_id}:{clock.now():%Y-%m-%d}",
        summary=f"{station.identity} sends too many messages, the last one {action or 'unreadable'}",
        station=station,
        facts={"action": action, "per_s": settings.OCPP_MESSAGES_PER_S},
    )


def ask_for_boot(station: ChargingStation) -> None:
    """Ask a connected station for the BootNotification that it did not send (quirk 8; 1.6 section 5.17)."""
    requests.queue(
        station,
        "boot_notification",
        facts={},
        requested_by="missing boot",
        queue_offline=True,
        ttl_s=60,
        priority=commands.AUTOMATIC + 1,
    )


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
        with transaction.atomic():
            if not is_dead(owner):
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
