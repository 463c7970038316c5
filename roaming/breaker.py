"""The circuit breaker of a connection: a partner in trouble is asked rarely, and costs the others nothing.

Only what says something about the platform moves it: no answer, HTTP 5xx and 429, bodies that are not OCPI, refused
tokens. That it refuses one object says nothing about it.
"""

import random
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import F

from cpo.lib import clock, nudge
from roaming.models import Connection
from stations.models import ReviewItem
from stations.services import review

if TYPE_CHECKING:
    from roaming.client import Answer

TOLERATED = 3  # failures in a row before the circuit opens
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 900.0
REFUSALS = 5  # HTTP 401 in a row before nothing is sent any more
REFUSED_PAUSE_S = 60.0


def note(connection: Connection, answer: "Answer") -> None:
    """Move the breaker by one answer; `connection` carries the new values afterwards."""
    if answer.is_unauthorized:
        _refused(connection, answer)
    elif answer.is_ok or (answer.status_code is not None and (answer.http_status or 500) < 429):
        _succeeded(connection)
    else:
        _failed(connection, answer)


def resume(connection: Connection) -> None:
    """Send again at once: after a registration, or because an operator says so."""
    connection.failures = connection.refusals = 0
    connection.retry_at = connection.suspended_at = None
    connection.save(update_fields=["failures", "refusals", "retry_at", "suspended_at"])


def back_off_s(failures: int, *, first: float, longest: float) -> float:
    """Return seconds to wait after so many failures in a row: doubled each time, spread by a quarter."""
    pause = min(longest, first * 2 ** min(max(failures - 1, 0), 20))
    return pause * random.uniform(0.75, 1.25)  # noqa: S311  (spreads load, hides nothing)


def _succeeded(connection: Connection) -> None:
    now = clock.now()
    was_broken = connection.failures or connection.refusals or connection.retry_at
    is_recent = connection.last_success_at and now - connection.last_success_at < timedelta(seconds=10)
    if not was_broken and is_recent:
        return
    connection.failures = connection.refusals = 0
    connection.retry_at = None
    connection.last_success_at = now
    connection.save(update_fields=["failures", "refusals", "retry_at", "last_success_at"])
    if was_broken:
        nudge.topics("partners", f"partner:{connection.pk}")


def _failed(connection: Connection, answer: "Answer") -> None:
    Connection.objects.filter(pk=connection.pk).update(failures=F("failures") + 1)
    connection.refresh_from_db(fields=["failures"])
    pause = answer.retry_after_s
    if pause is None and connection.failures >= TOLERATED:
        pause = back_off_s(connection.failures - TOLERATED + 1, first=FIRST_PAUSE_S, longest=LONGEST_PAUSE_S)
    _pause(connection, pause, answer)


def _refused(connection: Connection, answer: "Answer") -> None:
    Connection.objects.filter(pk=connection.pk).update(refusals=F("refusals") + 1)
    connection.refresh_from_db(fields=["refusals", "suspended_at"])
    if connection.refusals >= REFUSALS and connection.is_registered and connection.suspended_at is None:
        connection.suspended_at = clock.now()
        connection.save(update_fields=["suspended_at"])
        review.raise_item(
            ReviewItem.Kind.PARTNER_REFUSED,
            key=f"token refused:{connection.pk}:{connection.credentials_at}",
            summary=f"{connection.name} refuses our token: register again",
            facts={"connection": connection.pk, "answer": answer.reason},
        )
    pause = back_off_s(connection.refusals, first=REFUSED_PAUSE_S, longest=LONGEST_PAUSE_S)
    _pause(connection, pause, answer)


def _pause(connection: Connection, seconds: float | None, answer: "Answer") -> None:
    now = clock.now()
    connection.last_failure_at = now
    connection.last_error = answer.reason[:255]
    fields = ["last_failure_at", "last_error"]
    if seconds is not None:
        connection.retry_at = now + timedelta(seconds=seconds)
        fields.append("retry_at")
    connection.save(update_fields=fields)
    nudge.topics("partners", f"partner:{connection.pk}")
