"""One fault in an otherwise right payload, for every action that a 1.6 station may send (stations/ocpp/README.md).

The payloads and the faults are made from the official schemas, so that an action that is added is told here too. What
must come back is written down below, not read from the code: the CALLERROR of the table, or 'accepted' and a flag.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from stations.models import ChargingStation
from stations.ocpp import codec
from stations.ocpp.v16.routes import INBOUND
from tests.processes import Server
from tests.stories.raw import RawSocket, incoming, opened

VERSION = "1.6"
TYPE, OCCURENCE = "TypeConstraintViolation", "OccurenceConstraintViolation"
FORMATION, ACCEPTED = "FormationViolation", "accepted"
MONEY = {"StartTransaction", "StopTransaction", "MeterValues"}
VITAL = {
    "StartTransaction": {"connectorId", "idTag"},
    "MeterValues": {"connectorId", "meterValue"},
    "StopTransaction": set(),  # the transaction id, or register and time: one of them may be missing
}
METERED = ("meterValue", "transactionData")
DATE = "2026-05-01T10:00:00Z"
Path = tuple[str | int, ...]
JSON = dict[str, Any]


class Member(NamedTuple):
    """A place in a payload: where it is, what the schema says, whether it must be there."""

    path: Path
    schema: JSON
    is_required: bool


class Mutation(NamedTuple):
    """A payload with one fault, and the answer that it must get."""

    fault: str
    payload: JSON
    answer: str


def valid(schema: JSON, name: str = "") -> Any:
    """Make a value that the schema allows, with every optional member."""
    kind = schema.get("type", "object")
    if kind == "object":
        return {key: valid(part, key) for key, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [valid(schema["items"])]
    if kind == "string":
        word = DATE if schema.get("format") == "date-time" else "12345678901234567890"
        return schema["enum"][-1] if "enum" in schema else word[: schema.get("maxLength", 20)]
    return {"integer": 1, "number": 1, "boolean": True}[kind]


def members(schema: JSON, path: Path = ()) -> Iterator[Member]:
    """Walk all members of a payload, those inside lists too."""
    for name, part in schema.get("properties", {}).items():
        here = (*path, name)
        yield Member(here, part, name in schema.get("required", ()))
        if part.get("type") == "array":
            yield from members(part["items"], (*here, 0))
        else:
            yield from members(part, here)


def resolved(schema: Any, definitions: JSON) -> Any:
    """Put definitions where they are referred to."""
    if isinstance(schema, list):
        return [resolved(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return resolved(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {key: resolved(part, definitions) for key, part in schema.items()}


def changed(payload: JSON, path: Path, value: Any) -> JSON:
    """Return the payload with another value at the path; `...` takes the member away."""
    found = copy.deepcopy(payload)
    holder: Any = found
    for step in path[:-1]:
        holder = holder[step]
    if value is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return found


def is_missed(action: str, member: Member) -> bool:
    """Whether the message is of no use without this member."""
    if action not in MONEY:
        return member.is_required
    return len(member.path) == 1 and member.path[0] in VITAL[action]


def of_the_wrong_type(action: str, member: Member) -> str:
    if action == "DataTransfer" and member.path == ("data",):
        return ACCEPTED  # an object there is a vendor's JSON
    if action in MONEY and (member.path[0] in METERED or not is_missed(action, member)):
        return ACCEPTED  # read without it
    return TYPE


def mutations(action: str) -> Iterator[Mutation]:
    """Give all payloads of an action with one fault each."""
    raw = codec.request_schema(VERSION, action)
    schema = resolved(raw, raw.get("definitions", {}))
    payload = valid(schema)
    assert codec.request_fault(VERSION, action, payload) is None
    for member in members(schema):
        path, part = member.path, member.schema
        name = ".".join(map(str, path))
        without = OCCURENCE if is_missed(action, member) else ACCEPTED
        if member.is_required:
            yield Mutation(f"{name} missing", changed(payload, path, ...), without)
        yield Mutation(f"{name} null", changed(payload, path, None), without)
        wrong = "words" if part.get("type") in ("object", "array") else {"no": "value"}
        yield Mutation(
            f"{name} of another type", changed(payload, path, wrong), of_the_wrong_type(action, member)
        )
        if "maxLength" in part:
            yield Mutation(
                f"{name} too long", changed(payload, path, "x" * (part["maxLength"] + 1)), ACCEPTED
            )
        if "enum" in part:
            yield Mutation(f"{name} unknown word", changed(payload, path, "Perhaps"), ACCEPTED)
        if part.get("format") == "date-time":
            yield Mutation(f"{name} no date", changed(payload, path, "2026-13-45T99:99:99Z"), ACCEPTED)
        if part.get("type") in ("object", "array"):
            holder = (*path, 0) if part["type"] == "array" else path
            extra = (
                changed(payload, (*holder, "extra"), 1) if part.get("items", part).get("properties") else None
            )
            if extra is not None:
                yield Mutation(f"{name} extra member", extra, ACCEPTED if action in MONEY else FORMATION)
    yield Mutation("extra member", payload | {"extra": 1}, ACCEPTED if action in MONEY else FORMATION)


async def answers(socket: RawSocket, texts: list[str]) -> list[str]:
    """Send all without waiting and read as many answers, each of which must be in its turn."""
    found = []
    for begin in range(0, len(texts), 20):
        for text in texts[begin : begin + 20]:
            await socket.send(text)
        for text in texts[begin : begin + 20]:
            answer = await socket.read()
            assert answer[1] == json.loads(text)[1]
            found.append(answer[2] if answer[0] == 4 else ACCEPTED)
    return found


@pytest.mark.parametrize("action", INBOUND)
async def test_one_fault_is_answered_as_the_table_says_and_its_frame_is_kept(
    server: Server, ada: ChargingStation, action: str
) -> None:
    cases = list(mutations(action))
    texts = [json.dumps([2, f"m{n}", action, case.payload]) for n, case in enumerate(cases)]
    async with opened(server) as socket:
        found = await answers(socket, texts)
        assert await socket.lives()

    assert dict(zip([case.fault for case in cases], found, strict=True)) == {
        case.fault: case.answer for case in cases
    }
    journal = [frame for frame in await incoming(skip="-") if frame.message_id.startswith("m")]
    assert [frame.text for frame in journal] == texts
    assert all(frame.verdict for frame in journal)


def test_every_action_has_faults_of_every_sort() -> None:
    assert {action: bool(list(mutations(action))) for action in INBOUND} == dict.fromkeys(INBOUND, True)
    faults = [case.fault for action in INBOUND for case in mutations(action)]
    for sort in ("missing", "null", "another type", "too long", "unknown word", "no date", "extra member"):
        assert sum(fault.endswith(sort) for fault in faults) >= 4, sort
