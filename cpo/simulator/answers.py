"""What a charger may do with a call of the central system: answer, refuse, be silent, be late, talk rubbish.

A *reaction* is `async def reaction(charger, payload) -> Answer | dict`. Tests replace entries of
`Charger.reactions` with the ones made here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Payload = dict[str, Any]
Reaction = Callable[[Any, Payload], Awaitable["Answer | Payload"]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A CALLRESULT, and what the charger does once it has sent it."""

    payload: Payload = field(default_factory=dict)
    then: Callable[[], Awaitable[Any]] | None = None


class Refusal(Exception):
    """Answer with a CALLERROR (OCPP-J 1.6 section 4.2.3)."""

    def __init__(self, code: str, description: str = "", details: Payload | None = None) -> None:
        super().__init__(code, description)
        self.code, self.description, self.details = code, description, details or {}


class Silence(Exception):
    """Answer nothing at all."""


class RawAnswer(Exception):
    """Send this text instead of an answer; `{id}` in it becomes the message id."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def answers(payload: Payload) -> Reaction:
    """A reaction that always gives this payload."""

    async def reaction(charger: Any, request: Payload) -> Payload:
        return payload

    return reaction


def accepts() -> Reaction:
    return answers({"status": "Accepted"})


def rejects() -> Reaction:
    return answers({"status": "Rejected"})


def refuses(code: str = "InternalError", description: str = "") -> Reaction:
    """A reaction that sends a CALLERROR."""

    async def reaction(charger: Any, request: Payload) -> Payload:
        raise Refusal(code, description)

    return reaction


def keeps_silent() -> Reaction:
    """A reaction that lets the caller wait for ever."""

    async def reaction(charger: Any, request: Payload) -> Payload:
        raise Silence

    return reaction


def answers_late(seconds: int, reaction: Reaction) -> Reaction:
    """The same reaction after so many real seconds."""

    async def late(charger: Any, request: Payload) -> "Answer | Payload":
        await asyncio.sleep(seconds)
        return await reaction(charger, request)

    return late


def sends_garbage(text: str = '[3,"{id}",{"status":') -> Reaction:
    """A reaction that sends text that is no OCPP frame."""

    async def reaction(charger: Any, request: Payload) -> Payload:
        raise RawAnswer(text)

    return reaction
