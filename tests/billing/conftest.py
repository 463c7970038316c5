"""What billing tests share."""

from collections.abc import Iterator

import pytest

from billing.events import CdrIssued, TariffChanged
from cpo.lib import events


@pytest.fixture
def published() -> Iterator[list[object]]:
    """Collect billing's events as a subscriber does."""
    seen: list[object] = []
    for kind in (CdrIssued, TariffChanged):
        events.subscribe(kind)(seen.append)
    yield seen
    for kind in (CdrIssued, TariffChanged):
        events._subscribers[kind].remove(seen.append)
