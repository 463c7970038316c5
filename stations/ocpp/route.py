"""What a version's contents page is made of: an action, its lane, its handler."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from stations.models import Command
from stations.ocpp.link import Link
from stations.services.ingest import Facts

Payload = dict[str, Any]


@dataclass(slots=True)
class Incoming:
    """One CALL of a station as a handler reads it. Handlers add to `facts` and `flags`."""

    action: str
    payload: Payload
    message_id: str
    received_at: datetime
    facts: Facts
    flags: list[str]
    is_journalled: bool = False  # the frame itself is in the journal already
    is_kept: bool = False  # what takes a closer look than the fast lane has been stored already
    later: Facts | None = None  # what a plain start leaves behind once its session has an id
    is_quick: bool = False  # answered from the link alone: nothing is stored yet


Handler = Callable[[Link, Incoming], Payload]
# What became of a command, in the transaction that stores it. None: no answer that can be read (`command.status` says
# why: failed, timed out, expired, cancelled). After a time-out an answer may still come (`command.answered_late`).
OutcomeHandler = Callable[[Command, Payload | None], None]
# Says a request of a service in the version's words where even its name differs: facts -> action and payload.
RequestWriter = Callable[..., tuple[str, Payload]]


@dataclass(frozen=True, slots=True)
class Plain:
    """How a careful message about which nothing is odd rides in the group commit.

    `prepare` adds a start or stop to the facts if it can tell from the link alone that nothing is odd; `finish` writes
    the answer from what came of it, or returns None: then the careful handler takes a closer look.
    """

    prepare: Callable[[Link, Incoming], bool]
    finish: Callable[[Link, Incoming], Payload | None]


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers an action.

    Fast: the handler touches no database; its facts are committed with those of other sockets. Careful: the handler
    runs in a worker thread and acts through services, each call a transaction. `vital`: without a commit there is no
    answer, so that the station keeps the message and repeats it; `from_memory` is what may be answered all the same.
    `quick` is the fast lane of a careful message: it answers from the link alone, or returns None.
    """

    handler: Handler
    is_fast: bool = False
    vital: bool = False
    from_memory: Handler | None = None
    plain: Plain | None = None
    quick: Callable[[Link, Incoming], Payload | None] | None = None


def fast(handler: Handler, *, from_memory: Handler | None = None) -> Route:
    """Route to a handler that is a pure function of the frame and the link."""
    return Route(handler, is_fast=True, vital=True, from_memory=from_memory)


def careful(
    handler: Handler,
    *,
    vital: bool = False,
    from_memory: Handler | None = None,
    plain: Plain | None = None,
    quick: Callable[[Link, Incoming], Payload | None] | None = None,
) -> Route:
    """Route to a handler that acts through services."""
    return Route(handler, vital=vital, from_memory=from_memory, plain=plain, quick=quick)


@dataclass(frozen=True, slots=True)
class Passwords:
    """How a version writes a station's password, and the paths in (action, payload) where one stands."""

    form: str = "plain"  # or hex: the octets in hexadecimal
    found: Callable[[str, Payload], list[tuple[str | int, ...]]] = lambda action, payload: []


@dataclass(frozen=True, slots=True)
class Contents:
    """A version's contents page: what stations may send us, what we may send, what we do not offer and why.

    `sections` names the paragraph of an action in the version's specification; an action that goes both ways has a
    second one as `<action>.out`.
    """

    version: str
    inbound: Mapping[str, Route]
    outbound: Mapping[str, OutcomeHandler | None]
    not_offered: Mapping[str, str]
    sections: Mapping[str, str]
    writers: Mapping[str, RequestWriter] = field(default_factory=dict)
    before_acceptance: frozenset[str] | None = None  # all that a pending station may send; None: everything
    passwords: Passwords = field(default_factory=Passwords)
    has_signed: bool = False  # any message may come signed, as `<action>-Signed` (2.1 part 4 chapter 7)
