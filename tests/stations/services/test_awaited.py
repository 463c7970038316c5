"""What is awaited of a station is followed up as soon as it says something; of all others nothing is asked."""

import pytest

from cpo.lib import events, nudge
from stations.events import SessionEnded, SessionStarted, StationChanged, StatusesChanged
from stations.services import awaited

EVENTS = [
    SessionStarted(1, 7),
    SessionEnded(1, 7),
    StationChanged(7),
    StatusesChanged(frozenset({3}), frozenset({7, 8})),
]


@pytest.fixture
def asked(monkeypatch):
    """Give the ids that a worker is asked to follow up; no database is open in these tests."""
    found = []
    monkeypatch.setattr(
        nudge,
        "task",
        lambda name, row_id, **_: found.append(row_id) if name == awaited.TASK else None,
    )
    monkeypatch.setattr(nudge, "topics", lambda *_: None)
    monkeypatch.setattr(awaited, "_until", {})
    return found


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_of_a_station_of_which_something_is_awaited_is_followed_up(asked, event):
    awaited.expect(7, for_s=60)

    events.deliver(event)

    assert asked == [7]


@pytest.mark.parametrize("event", EVENTS)
def test_nothing_is_asked_about_a_station_of_which_nothing_is_awaited(asked, event):
    awaited.expect(9, for_s=60)

    events.deliver(event)

    assert asked == []


def test_what_was_awaited_long_ago_is_left_to_the_sweep(asked):
    awaited.expect(7, for_s=-1)

    events.deliver(EVENTS[0])

    assert (asked, awaited._until) == ([], {})


def test_the_task_that_is_nudged_exists():
    from celery import current_app

    from stations import tasks  # noqa: F401  (registers)

    assert awaited.TASK in current_app.tasks
