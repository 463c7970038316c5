"""`/livez`, `/readyz` and `/metrics`: is the process alive, can it work, what has it done.

Everybody may learn whether we are ready; why not, and all numbers, only the networks of METRICS_ALLOWED_NETWORKS.
"""

from collections.abc import Iterable
from contextlib import suppress
from functools import cache, partial
from ipaddress import ip_address, ip_network
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cpo import audit
from cpo.lib import metrics_share

STATEMENT_MS = 2000  # milliseconds; a check that takes longer is a failed check
QUEUES = {
    # name on the page: how many rows wait, and by how many seconds the oldest is late
    "push_backlog": "select count(*), coalesce(extract(epoch from now() - min(next_try_at)), 0)"
    " from roaming_push where state in ('due', 'sent', 'failed')",
    "command_backlog": "select count(*), coalesce(extract(epoch from now() - min(expires_at)), 0)"
    " from stations_command where status in ('queued', 'sent')",
}


async def livez(_request: HttpRequest) -> JsonResponse:
    """Answer without touching anything: the event loop turns."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when requests can be served, else 503.

    The database and its migrations decide. Redis is soft: without it chargers charge and rows wait, so it is shown
    as degraded only. Ages are in seconds past the due time, 0 when nothing is late.
    """
    checks, ready = _checks()
    status = "ok" if ready else "unavailable"
    shown = {"status": status, "checks": checks} if _is_allowed(request) else {"status": status}
    return JsonResponse(shown, status=200 if ready else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Give the numbers of all processes in Prometheus' text format; 403 outside the allowed networks."""
    if not _is_allowed(request):
        return HttpResponse("not from here\n", status=403, content_type="text/plain")
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    share = metrics_share.start(settings.REDIS_URL)
    try:
        share.flush()
        totals, shared = share.totals(), 1
    except redis.RedisError:
        totals, shared = metrics_share.local(), 0
    registry.register(metrics_share.Shown(totals))
    registry.register(Rows(shared))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class Rows(Collector):
    """What only the database knows; left out while it is away."""

    def __init__(self, shared: int) -> None:
        self._shared = shared

    def collect(self) -> Iterable[Metric]:
        """Give the queues, and whether the counters are everybody's (1) or of this process alone (0)."""
        yield GaugeMetricFamily("opencpo_metrics_shared", "1: counters of all processes", value=self._shared)
        with suppress(psycopg.Error), _database() as database:
            for name, (count, late_s) in _queues(database).items():
                yield GaugeMetricFamily(f"opencpo_{name}", "rows that wait", value=count)
                yield GaugeMetricFamily(
                    f"opencpo_{name}_late_seconds", "lateness of the oldest", value=late_s
                )


def _checks() -> tuple[dict[str, Any], bool]:
    checks: dict[str, Any] = {"redis": _redis()}
    try:
        with _database() as database:
            missing = _unapplied(database)
            checks |= {"database": "ok", "migrations": missing or "ok"}
            if not missing:
                checks |= {name: {"rows": n, "late_s": late} for name, (n, late) in _queues(database).items()}
    except psycopg.Error as error:
        return {**checks, "database": type(error).__name__}, False
    return checks, not missing


def _database() -> psycopg.Connection[tuple[Any, ...]]:
    """Open a connection of our own: the pool would wait ten seconds for a server that is away."""
    params = connection.get_connection_params()
    ours = ("context", "cursor_factory", "prepare_threshold", "connect_timeout", "options")
    wanted = {name: value for name, value in params.items() if name not in ours}
    options = f"-c statement_timeout={STATEMENT_MS}"
    return psycopg.connect(**wanted, connect_timeout=2, autocommit=True, options=options)


def _unapplied(database: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    """Name the migrations that this code has and the database has not."""
    try:
        applied = set(database.execute("select app, name from django_migrations").fetchall())
    except psycopg.errors.UndefinedTable:
        applied = set()
    return [f"{app}.{name}" for app, name in sorted(_on_disk() - applied)]


@cache
def _on_disk() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations or {})


def _queues(database: psycopg.Connection[tuple[Any, ...]]) -> dict[str, tuple[int, float]]:
    """Count each outbox: (rows, seconds that the oldest is late)."""
    rows = {name: database.execute(statement).fetchone() for name, statement in QUEUES.items()}
    return {name: (row[0], max(0.0, round(float(row[1]), 1))) for name, row in rows.items() if row}


def _redis() -> str:
    share = metrics_share.start(settings.REDIS_URL)
    try:
        share.ping()
    except redis.RedisError as error:
        return type(error).__name__
    return "ok"


def _is_allowed(request: HttpRequest) -> bool:
    """Tell whether the peer may see details."""
    try:
        peer = ip_address(audit.address(request))
    except ValueError:  # a unix socket has no address
        return False
    peer = getattr(peer, "ipv4_mapped", None) or peer
    return any(
        peer in network
        for network in map(partial(ip_network, strict=False), settings.METRICS_ALLOWED_NETWORKS)
    )
