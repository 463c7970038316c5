"""Payloads of every OCPP version made from the official schemas, to be bent at one place or another."""

import copy
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from stations.ocpp import codec
from tests.stories.raw import RawSocket

VERSION = "1.6"
OMITTED = "customData"  # vendors' own members, of any shape
DATE = "2026-05-01T10:00:00Z"
TOGETHER = 20  # frames sent before their answers are read
Path = tuple[str | int, ...]
JSON = dict[str, Any]


class Member(NamedTuple):
    """A place in a payload: where it is, what the schema says, whether it must be there."""

    path: Path
    schema: JSON
    is_required: bool


def schema_of(action: str, version: str = VERSION) -> JSON:
    """Return the schema of a request, self-contained."""
    raw = codec.request_schema(version, action)
    found: JSON = resolved(raw, raw.get("definitions", {}))
    return found


def valid(schema: JSON, name: str = "") -> Any:
    """Make a value that the schema allows, with every optional member."""
    kind = schema.get("type", "object")
    if kind == "object":
        parts = schema.get("properties", {}).items()
        return {key: valid(part, key) for key, part in parts if key != OMITTED}
    if kind == "array":
        return [valid(schema["items"])]
    if kind == "string":
        word = DATE if schema.get("format") == "date-time" else "12345678901234567890"
        return schema["enum"][-1] if "enum" in schema else word[: schema.get("maxLength", 20)]
    number = min(max(1, schema.get("minimum", 1)), schema.get("maximum", 1))
    return {"integer": number, "number": number, "boolean": True}[kind]


def members(schema: JSON, path: Path = ()) -> Iterator[Member]:
    """Walk all members of a payload, those inside lists too."""
    for name, part in schema.get("properties", {}).items():
        if name == OMITTED:
            continue
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


async def in_turn(socket: RawSocket, texts: list[str]) -> list[str]:
    """Send all without waiting and read as many answers, each of which must be in its turn."""
    found = []
    for begin in range(0, len(texts), TOGETHER):
        for text in texts[begin : begin + TOGETHER]:
            await socket.send(text)
        for text in texts[begin : begin + TOGETHER]:
            answer = await socket.read()
            assert answer[1] == json.loads(text.strip("\x00"), strict=False)[1]
            found.append(str(answer[2]) if answer[0] == 4 else "accepted")
    return found
