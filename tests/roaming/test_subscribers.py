"""Subscribers run on the chargers' hot path: they nudge, and touch neither database nor network."""

import pytest

from billing.events import CdrIssued, TariffChanged
from cpo.lib import events, nudge
from stations.events import (
    LocationChanged,
    SessionChanged,
    SessionEnded,
    SessionStarted,
    SessionsUpdated,
    StationChanged,
    StationConnected,
    StationDisconnected,
    StatusesChanged,
)


@pytest.mark.parametrize(
    ("event", "task"),
    [
        (SessionStarted(7, 1), "mark_sessions"),
        (SessionEnded(7, 1), "mark_sessions"),
        (SessionChanged(7, 1), "mark_sessions"),
        (SessionsUpdated(frozenset({7}), frozenset({1})), "mark_running_sessions"),
        (StatusesChanged(frozenset({7}), frozenset({1})), "mark_evses"),
        (StatusesChanged(frozenset(), frozenset({7})), "mark_stations"),
        (StationConnected(7, 1), "mark_stations"),
        (StationDisconnected(7, 1), "mark_stations"),
        (StationChanged(7), "mark_stations"),
        (LocationChanged(7), "mark_locations"),
        (TariffChanged(7), "mark_tariffs"),
        (CdrIssued(7, 1), "mark_cdrs"),
    ],
)
def test_each_event_asks_a_worker_to_mark_without_touching_the_database(monkeypatch, event, task):
    asked = []
    monkeypatch.setattr(nudge, "task", lambda name, row_id, **_options: asked.append((name, row_id)))
    monkeypatch.setattr(nudge, "topics", lambda *_names: None)

    events.deliver(event)  # no database is open in this test: a query would raise and be logged

    assert (f"roaming.tasks.{task}", 7) in asked


def test_every_nudged_task_exists():
    from celery import current_app

    from roaming import tasks  # noqa: F401  (registers)

    names = ["mark_sessions", "mark_running_sessions", "mark_evses", "mark_stations", "mark_locations", "mark_tariffs",
             "mark_cdrs", "deliver", "synchronise", "sweep_pushes", "sweep_marks", "pull_tokens"]  # fmt: skip

    assert {f"roaming.tasks.{name}" for name in names} <= set(current_app.tasks)
