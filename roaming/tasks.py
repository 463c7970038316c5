"""Celery tasks of roaming: nudged ones mark and send, sweeps find what no nudge brought."""

from collections.abc import Iterable
from datetime import timedelta

from celery import shared_task
from django.conf import settings

from cpo.lib import clock
from roaming import marks, pull, push
from roaming.models import Connection, Exchange
from stations.models import Evse, Location

EXCHANGES_AT_ONCE = 2000


@shared_task
def mark_sessions(ids: list[int]) -> None:
    _deliver_soon(marks.sessions(ids))


@shared_task
def mark_running_sessions(ids: list[int]) -> None:
    _deliver_soon(marks.sessions(ids))


@shared_task
def mark_evses(ids: list[int]) -> None:
    _deliver_soon(marks.evses(ids))


@shared_task
def mark_stations(ids: list[int]) -> None:
    """Mark what partners see of these stations: they came, went, or changed."""
    evses = list(Evse.objects.filter(station__in=ids).values_list("pk", flat=True))
    locations = list(Location.objects.filter(stations__in=ids).values_list("pk", flat=True))
    _deliver_soon(marks.locations(locations) | marks.evses(evses))


@shared_task
def mark_locations(ids: list[int]) -> None:
    evses = list(Evse.objects.filter(station__location__in=ids).values_list("pk", flat=True))
    _deliver_soon(marks.locations(ids) | marks.evses(evses) | marks.tariffs())


@shared_task
def mark_tariffs(_ids: list[int]) -> None:
    _deliver_soon(marks.tariffs())


@shared_task
def mark_cdrs(ids: list[int]) -> None:
    _deliver_soon(marks.cdrs(ids))


@shared_task
def deliver(ids: list[int] | int) -> None:
    """Send what is due for one connection; several become a task each, so that a slow one holds up nobody."""
    if isinstance(ids, list):
        return _deliver_soon(ids)
    if push.deliver(ids):
        deliver.delay(ids)
    return None


@shared_task
def sweep_pushes() -> None:
    _deliver_soon(push.with_work())


@shared_task
def sweep_marks() -> None:
    """Find objects that are newer than what partners know, tokens to pull, and exchanges to forget."""
    connections = list(Connection.objects.registered())
    found = marks.sweep_network(connections) | marks.tariffs() if connections else set()
    for connection in connections:
        found |= marks.sweep_sessions(connection) | marks.sweep_cdrs(connection)
    _deliver_soon(found)
    _pull_due(connections)
    _forget_exchanges()


@shared_task
def synchronise(ids: list[int]) -> None:
    """Tell a partner everything, and fetch all his tokens: after a registration."""
    for connection in Connection.objects.registered().filter(pk__in=ids):
        push.synchronise(connection)
        pull_tokens.delay(connection.pk, full=True)


@shared_task
def pull_tokens(connection_id: int, *, full: bool = False) -> None:
    connection = Connection.objects.sendable(clock.now()).filter(pk=connection_id).first()
    if connection is not None:
        pull.tokens(connection, full=full)


def _deliver_soon(connection_ids: Iterable[int]) -> None:
    for connection_id in connection_ids:
        deliver.delay(connection_id)


def _pull_due(connections: Iterable[Connection]) -> None:
    before = clock.now() - timedelta(seconds=settings.OCPI_TOKEN_PULL_S)
    for connection in connections:
        if connection.tokens_tried_at is None or connection.tokens_tried_at < before:
            pull_tokens.delay(connection.pk)


def _forget_exchanges() -> None:
    limit = clock.now() - timedelta(days=settings.OCPI_EXCHANGE_RETENTION_DAYS)
    old = Exchange.objects.filter(at__lt=limit).order_by("at").values("pk")[:EXCHANGES_AT_ONCE]
    Exchange.objects.filter(pk__in=old).delete()
