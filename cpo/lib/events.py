"""Domain events: published after commit, delivered in the process that committed.

An event is a frozen dataclass of ids. Only `services/` modules publish. A subscriber writes a row or nudges and never
speaks to the network; if one fails, the others still run and the sweep repairs what was missed.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from django.db import transaction

log = structlog.get_logger(__name__)
F = TypeVar("F", bound=Callable[..., None])
_subscribers: dict[type, list[Callable[[Any], None]]] = defaultdict(list)


def subscribe(event_type: type) -> Callable[[F], F]:
    """Register the decorated function to be called with every event of that type."""

    def register(function: F) -> F:
        _subscribers[event_type].append(function)
        return function

    return register


def unsubscribe(event_type: type, function: Callable[..., None]) -> None:
    """Take a subscription back; unknown ones are ignored."""
    if function in _subscribers[event_type]:
        _subscribers[event_type].remove(function)


def publish(event: object) -> None:
    """Deliver the event once the current transaction has committed (at once when there is none)."""
    transaction.on_commit(lambda: deliver(event))


def deliver(event: object) -> None:
    """Deliver an event whose facts are already committed."""
    for function in _subscribers[type(event)]:
        try:
            function(event)
        except Exception:
            log.exception(
                "subscriber failed", subscriber=function.__qualname__, event_type=type(event).__name__
            )
