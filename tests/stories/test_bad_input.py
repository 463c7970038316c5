"""One fault in an otherwise right payload, for every action that a 1.6 station may send (stations/ocpp/README.md).

The payloads and the faults are made from the official schemas, so that an action that is added is told here too. What
must come back is written down below, not read from the code: the CALLERROR of the table, or 'accepted' and a flag.
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from stations.models import ChargingStation
from stations.ocpp import codec
from stations.ocpp.v16.routes import INBOUND
from tests.processes import Server
from tests.stories.payloads import JSON, VERSION, Member, changed, in_turn, members, schema_of, valid
from tests.stories.raw import incoming, opened

TYPE, OCCURENCE = "TypeConstraintViolation", "OccurenceConstraintViolation"
FORMATION, ACCEPTED = "FormationViolation", "accepted"
MONEY = {"StartTransaction", "StopTransaction", "MeterValues"}
VITAL = {
    "StartTransaction": {"connectorId", "idTag"},
    "MeterValues": {"connectorId", "meterValue"},
    "StopTransaction": set(),  # the transaction id, or register and time: one of them may be missing
}
METERED = ("meterValue", "transactionData")


class Mutation(NamedTuple):
    """A payload with one fault, and the answer that it must get."""

    fault: str
    payload: JSON
    answer: str


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
    schema = schema_of(action)
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


@pytest.mark.parametrize("action", INBOUND)
async def test_one_fault_is_answered_as_the_table_says_and_its_frame_is_kept(
    server: Server, ada: ChargingStation, action: str
) -> None:
    cases = list(mutations(action))
    texts = [json.dumps([2, f"m{n}", action, case.payload]) for n, case in enumerate(cases)]
    async with opened(server) as socket:
        found = await in_turn(socket, texts)
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
