"""The sending half of the outbox: claim, build, send, settle. One partner in trouble costs the others nothing.

A row is claimed with a lease, so a killed worker's rows come back by themselves. One sender at a time per connection
(advisory lock), a few requests in parallel, one per object: so an object's states never overtake each other.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import Case, F, Q, Value, When

from billing.tariff.errors import TariffError
from cpo.lib import clock, metrics, nudge
from roaming import breaker, client, marks, outgoing, profiles
from roaming.client import Answer
from roaming.models import Connection, Exchange, Push
from roaming.outgoing import NOTHING, CannotSend, Outgoing
from roaming.profiles import Profile
from stations.models import ChargingSession, ReviewItem
from stations.services import review

log = structlog.get_logger(__name__)
State = Push.State

LEASE = timedelta(seconds=90)  # longer than any request: then its sender is gone
BUDGET_S = 15.0  # of one run for one connection; what is left is done by the next
PROBE_S = 5.0  # for a partner who has not answered lately: he holds a worker no longer than this
FIRST_RETRY_S, LONGEST_RETRY_S = 5.0, 900.0
SENDER_LOCK = 0x0C92  # class of the advisory locks

CLAIM = """
update roaming_push set state = 'sent', lease_until = %(lease)s, sent_at = %(now)s, tries = tries + 1
where id in (
    select p.id from roaming_push p
    where p.connection_id = %(connection)s and p.state in ('due', 'sent', 'failed')
      and case when p.state = 'sent' then p.lease_until else p.next_try_at end <= %(now)s
      and (p.parent_key = '' or case when p.module = 'cdrs' then not exists (
          select 1 from roaming_push parent
          where parent.connection_id = p.connection_id and parent.module = p.module
            and parent.object_key = p.parent_key and parent.state <> 'acked')
        else exists (
          select 1 from roaming_push parent
          where parent.connection_id = p.connection_id and parent.module = p.module
            and parent.object_key = p.parent_key and parent.acked_version > 0
            and parent.state not in ('due', 'sent')) end)
    order by p.next_try_at, p.id limit %(limit)s
    for update of p skip locked
)
returning id
"""


# What a whole location carried: its EVSEs' rows that were due before it was read, unless they moved on since.
CARRIED = """
update roaming_push p
set state = 'acked', acked_version = p.dirty_version, acked_at = %(now)s, tries = 0, last_error = ''
from unnest(%(ids)s::bigint[], %(versions)s::bigint[]) as child (id, version)
where p.id = child.id and p.dirty_version = child.version and p.state in ('due', 'failed')
"""


def deliver(connection_id: int, *, budget_s: float = BUDGET_S) -> bool:
    """Send what is due for one connection; return whether something may be left for another run."""
    deadline = time.monotonic() + budget_s
    with _only_sender(connection_id) as is_mine:
        while is_mine and time.monotonic() < deadline:
            connection = (
                Connection.objects.sendable(clock.now())
                .prefetch_related("parties")
                .filter(pk=connection_id)
                .first()
            )
            if connection is None:
                return False
            profile = profiles.of(connection.profile)
            claimed = _claim(connection, limit=1 if connection.failures else profile.parallel)
            if not claimed:
                return False
            _send(connection, claimed, profile)
    return is_mine


def with_work() -> list[int]:
    """Return the connections that something is due for, and that may be sent to now."""
    now = clock.now()
    due = Push.objects.due(now).values("connection")
    found = Connection.objects.sendable(now).filter(pk__in=due)
    return list(found.order_by("last_success_at").values_list("pk", flat=True))


def retry(push: Push) -> None:
    """Send a row again at once, whatever became of it: an operator says so."""
    now = clock.now()
    Push.objects.filter(pk=push.pk).exclude(state=State.SENT).update(
        state=State.DUE,
        dirty_version=F("dirty_version") + 1,
        tries=0,
        next_try_at=now,
        marked_at=now,
        sent_digest="",
    )
    nudge.task("roaming.tasks.deliver", push.connection_id)


def resynchronise(connection: Connection) -> None:
    """Tell the partner everything again: locations, tariffs, running sessions; CDRs that he has not acknowledged."""
    now = clock.now()
    state = Push.objects.filter(connection=connection).exclude(module="cdrs")
    state.exclude(state=State.SENT).exclude(module="sessions", is_final=True).update(
        state=State.DUE,
        dirty_version=F("dirty_version") + 1,
        tries=0,
        next_try_at=now,
        marked_at=now,
        sent_digest="",
    )
    synchronise(connection)


def synchronise(connection: Connection) -> None:
    """Mark everything that this partner does not have: after a registration, or a change of his endpoints."""
    newest = ChargingSession.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    Connection.objects.filter(pk=connection.pk).update(session_watermark=newest, cdr_watermark=0)
    connection.refresh_from_db()
    marks.tariffs()
    marks.locations(connection=connection)
    marks.evses(connection=connection)
    running = ChargingSession.objects.active().exclude(party="").values_list("pk", flat=True)
    marks.sessions(running, connection=connection)
    marks.sweep_cdrs(connection)
    nudge.task("roaming.tasks.deliver", connection.pk)


def _claim(connection: Connection, *, limit: int) -> list[Push]:
    now = clock.now()
    values: dict[str, Any] = {"connection": connection.pk, "now": now, "lease": now + LEASE, "limit": limit}
    with database.cursor() as cursor:
        cursor.execute(CLAIM, values)
        ids = [row[0] for row in cursor.fetchall()]
    return list(Push.objects.filter(pk__in=ids).order_by("next_try_at", "pk"))


def _send(connection: Connection, claimed: Sequence[Push], profile: Profile) -> None:
    """Build the requests, send them side by side, and settle the rows in one transaction."""
    children = _children(connection, claimed)
    built = [(push, _build(push, connection)) for push in claimed]
    wanted = [
        (push, request)
        for push, request in built
        if isinstance(request, Outgoing) and _is_news(push, request)
    ]
    with ThreadPoolExecutor(max_workers=profile.parallel, thread_name_prefix="push") as threads:
        talks = list(threads.map(lambda pair: _talk(connection, *pair), wanted))
    answers = {push.pk: answer for (push, _), (answer, _) in zip(wanted, talks, strict=True)}
    outdated = _refused_for_an_old_token(connection, answers)
    with transaction.atomic():
        Exchange.objects.bulk_create([record for _, record in talks])
        for push, request in built:
            if not isinstance(request, Outgoing):
                _settle_unbuilt(connection, push, request)
            elif push.pk in outdated:
                _postpone(push, "the token was replaced meanwhile", 0.0)
            elif push.pk in answers:
                _settle(connection, push, request, answers[push.pk], profile)
                if request.method == "PUT" and answers[push.pk].is_ok:
                    _settle_carried(push, children.get(push.object_key, {}))
            else:
                _acknowledge(push, digest=request.digest if request is not NOTHING else "")
    for pk, answer in answers.items():
        if pk not in outdated:
            breaker.note(connection, answer)
    nudge.topics("partners", f"partner:{connection.pk}")


def _refused_for_an_old_token(connection: Connection, answers: dict[int, Answer]) -> set[int]:
    """Return the rows that were refused only because the partner got a new token in this moment."""
    refused = {pk for pk, answer in answers.items() if answer.is_unauthorized}
    if not refused:
        return set()
    used = connection.token_out
    connection.refresh_from_db(fields=["token_out"])
    return refused if connection.token_out != used else set()


def _children(connection: Connection, claimed: Sequence[Push]) -> dict[str, dict[int, int]]:
    """Return by location the rows of its EVSEs that are due now, with their versions."""
    keys = [push.object_key for push in claimed if push.module == "locations" and not push.parent_key]
    rows = Push.objects.filter(
        connection=connection, module="locations", parent_key__in=keys, state__in=[State.DUE, State.FAILED]
    )
    found: dict[str, dict[int, int]] = {key: {} for key in keys}
    for pk, key, version in rows.values_list("pk", "parent_key", "dirty_version") if keys else ():
        found[key][pk] = version
    return found


def _settle_carried(push: Push, children: dict[int, int]) -> None:
    """Note what a whole location has told about its EVSEs; which status that was is not known any more."""
    told = Push.objects.filter(connection=push.connection_id, module=push.module, parent_key=push.object_key)
    told.exclude(sent_digest="").update(sent_digest="")
    if children:
        values: dict[str, Any] = {
            "ids": list(children),
            "versions": list(children.values()),
            "now": clock.now(),
        }
        with database.cursor() as cursor:
            cursor.execute(CARRIED, values)


def _build(push: Push, connection: Connection) -> Outgoing | Exception:
    """Return the request, or why there is none: one object that cannot be built must not stop the others."""
    try:
        return outgoing.build(push, connection)
    except (
        CannotSend,
        TariffError,
        ArithmeticError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        if not isinstance(error, CannotSend):
            log.exception("push not built", push=push.pk, module=push.module)
        return error


def _is_news(push: Push, request: Outgoing) -> bool:
    """Tell whether the partner must hear it: the same content as last time needs no request."""
    if request is NOTHING:
        return False
    return push.module == "cdrs" or not push.acked_version or request.digest != push.sent_digest


def _talk(connection: Connection, push: Push, request: Outgoing) -> tuple[Answer, Exchange]:
    """Speak; runs in a thread, so it touches no database."""
    return client.exchange(
        connection,
        request.method,
        request.url,
        module=push.module,
        body=request.body,
        route=request.route,
        object_key=push.object_key,
        timeout_s=PROBE_S if connection.failures >= breaker.TOLERATED else None,
    )


def _settle(connection: Connection, push: Push, request: Outgoing, answer: Answer, profile: Profile) -> None:
    """Write down what became of a row."""
    push.last_http, push.last_code = answer.http_status, answer.status_code
    if _is_delivered(push, request, answer, profile):
        outcome = "acked"
        _acknowledge(
            push, digest=request.digest, remote_url=answer.headers.get("location", ""), answer=answer
        )
    elif request.method == "PATCH" and (answer.http_status == 404 or answer.status_code == 2003):
        outcome = "missing"
        _send_parent_again(push)
    elif answer.is_permanent:
        outcome = "refused"
        _refuse(connection, push, answer.reason)
    else:
        outcome = "failed"
        _postpone(push, answer.reason, answer.retry_after_s)
    metrics.ocpi_pushes.add(push.module, outcome)


def _is_delivered(push: Push, request: Outgoing, answer: Answer, profile: Profile) -> bool:
    if answer.is_ok:
        return True
    if request.method == "DELETE" and answer.http_status == 404:
        return True
    said = answer.message.lower()
    is_known = answer.http_status == 409 or any(word in said for word in profile.exists_words)
    return push.module == "cdrs" and answer.is_permanent and is_known


def _acknowledge(push: Push, *, digest: str, remote_url: str = "", answer: Answer | None = None) -> None:
    """Note that the partner has the state that was claimed; if it moved on meanwhile, the row is due again."""
    now = clock.now()
    is_running = push.module == "sessions" and not push.is_final
    pause = timedelta(seconds=settings.OCPI_SESSION_PUSH_S) if is_running else timedelta(0)
    moved_on = Q(dirty_version__gt=push.dirty_version)
    odd = push.module == "cdrs" and answer is not None and not remote_url
    Push.objects.filter(pk=push.pk, state=State.SENT).update(
        state=Case(When(moved_on, then=Value(State.DUE)), default=Value(State.ACKED)),
        next_try_at=Case(When(moved_on & Q(is_final=False), then=Value(now + pause)), default=Value(now)),
        acked_version=push.dirty_version,
        acked_at=now,
        tries=0,
        lease_until=None,
        sent_digest=digest,
        remote_url=remote_url[:1000] or push.remote_url,
        last_http=push.last_http,
        last_code=push.last_code,
        last_error="accepted without a Location header" if odd else "",
    )


def _postpone(push: Push, reason: str, wait_s: float | None) -> None:
    """Try again later: the longer it has failed, the later."""
    pause = wait_s
    if pause is None:
        pause = breaker.back_off_s(push.tries, first=FIRST_RETRY_S, longest=LONGEST_RETRY_S)
    Push.objects.filter(pk=push.pk, state=State.SENT).update(
        state=State.FAILED,
        next_try_at=clock.now() + timedelta(seconds=pause),
        lease_until=None,
        last_http=push.last_http,
        last_code=push.last_code,
        last_error=reason[:255],
    )


def _refuse(connection: Connection, push: Push, reason: str) -> None:
    """The partner will not take it: wait for a change of the object, or for a human."""
    moved_on = Q(dirty_version__gt=push.dirty_version)
    Push.objects.filter(pk=push.pk, state=State.SENT).update(
        state=Case(When(moved_on, then=Value(State.DUE)), default=Value(State.DEAD)),
        next_try_at=clock.now(),
        lease_until=None,
        last_http=push.last_http,
        last_code=push.last_code,
        last_error=reason[:255],
    )
    review.raise_item(
        ReviewItem.Kind.PARTNER_REFUSED,
        key=f"push:{push.pk}:{push.dirty_version}",
        summary=f"{connection.name} refuses {push.module} {push.object_key}: {reason}",
        facts={"connection": connection.pk, "push": push.pk, "reason": reason},
    )


def _settle_unbuilt(connection: Connection, push: Push, error: Exception) -> None:
    if isinstance(error, CannotSend | TariffError):
        _refuse(connection, push, str(error))
    else:
        _postpone(push, f"cannot be written: {type(error).__name__} {error}", None)
    metrics.ocpi_pushes.add(push.module, "unbuilt")


def _send_parent_again(push: Push) -> None:
    """The partner does not know the object that was to be changed: the whole location is sent, then this again."""
    now = clock.now()
    key = push.parent_key or push.object_key
    parent = Push.objects.filter(connection=push.connection_id, module=push.module, object_key=key)
    parent.exclude(state=State.SENT).exclude(pk=push.pk).update(
        state=State.DUE, acked_version=0, sent_digest="", tries=0, next_try_at=now, marked_at=now
    )
    if push.parent_key:
        _postpone(push, "the partner did not know the location: it is sent again", 1.0)
    else:
        _acknowledge(push, digest="")  # what he does not know need not be hidden from anybody


@contextmanager
def _only_sender(connection_id: int) -> Iterator[bool]:
    """Give whether this process is the connection's only sender; a killed one's lock ends with its session."""
    with database.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s, %s)", [SENDER_LOCK, connection_id])
        row = cursor.fetchone()
    is_mine = bool(row and row[0])
    try:
        yield is_mine
    finally:
        if is_mine:
            with database.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(%s, %s)", [SENDER_LOCK, connection_id])
