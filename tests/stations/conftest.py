"""What tests of the charging network share."""

from collections.abc import Iterator

import pytest

from cpo.lib import events
from stations.events import SessionChanged, SessionEnded, SessionStarted


@pytest.fixture
def heard() -> Iterator[list[object]]:
    """Give the list of session events as they are delivered, from now on."""
    found: list[object] = []
    for kind in (SessionStarted, SessionEnded, SessionChanged):
        events.subscribe(kind)(found.append)
    yield found
    for kind in (SessionStarted, SessionEnded, SessionChanged):
        events.unsubscribe(kind, found.append)
