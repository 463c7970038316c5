"""One fault in an otherwise right payload, for every action that a 2.x station may send (stations/ocpp/README.md).

Payloads and faults are made from the official schemas, so that an action that is added is told here too. What must
come back is written down below, not read from the code: the CALLERROR of part 4, section 4.3, or 'accepted' and a
flag. 2.1 is told where its schema says more than that of 2.0.1.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from stations.models import ChargingStation
from stations.ocpp import codec
from stations.ocpp.v2.routes import INBOUND_21, INBOUND_201
from tests.processes import Server
from tests.stories.payloads import JSON, Member, changed, in_turn, members, schema_of, valid
from tests.stories.raw import incoming, opened

TYPE, OCCURRENCE = "TypeConstraintViolation", "OccurrenceConstraintViolation"
FORMAT, PROPERTY, ACCEPTED = "FormatViolation", "PropertyConstraintViolation", "accepted"
VITAL: dict[str, set[tuple[str | int, ...]]] = {
    "MeterValues": {("evseId",), ("meterValue",)},
    "TransactionEvent": {
        ("eventType",), ("seqNo",), ("transactionInfo",), ("transactionInfo", "transactionId"),
    },
}  # fmt: skip
MONEY = frozenset(VITAL)  # refused only if nothing can be made of it
DECIDES = ("TransactionEvent", ("eventType",))  # what happens next: never guessed
KEY = ("TransactionEvent", ("seqNo",))
HUGE = 2**40
INBOUND = {"2.0.1": INBOUND_201, "2.1": INBOUND_21}
CALLS = [
    (version, action)
    for version, routes in INBOUND.items()
    for action in routes
    if codec.is_confirmed(version, action)
]
SENDS = [(v, action) for v, routes in INBOUND.items() for action in routes if (v, action) not in CALLS]


class Mutation(NamedTuple):
    """A payload with one fault, and the answer that it must get."""

    fault: str
    payload: JSON
    answer: str


def is_missed(action: str, member: Member) -> bool:
    """Whether the message is of no use without this member."""
    return member.path in VITAL[action] if action in MONEY else member.is_required


def without(action: str, member: Member) -> str:
    return OCCURRENCE if is_missed(action, member) else ACCEPTED


def of_the_wrong_type(action: str, member: Member) -> str:
    kind, items = member.schema.get("type"), member.schema.get("items", {})
    if member.path == ("data",):
        return ACCEPTED  # an object for a text becomes its JSON
    if kind is None or (kind == "array" and items.get("type") == "string"):
        return ACCEPTED  # any type, or one text for a list of texts
    if action in MONEY and (member.path[0] == "meterValue" or not is_missed(action, member)):
        return ACCEPTED  # read without it
    return TYPE


def out_of_range(action: str, member: Member) -> str:
    return ACCEPTED if action in MONEY and (action, member.path) != KEY else PROPERTY


def empty(action: str, member: Member) -> str:
    return OCCURRENCE if member.is_required and action not in MONEY else ACCEPTED


def mutations(version: str, action: str) -> Iterator[Mutation]:
    """Give the payloads of an action with one fault each; of 2.1 where 2.0.1 does not say the same."""
    schema = schema_of(action, version)
    payload = valid(schema)
    assert codec.request_fault(version, action, payload) is None
    for member in members(schema):
        if version == "2.0.1" or member not in known(action):
            name = ".".join(map(str, member.path))
            for fault, value, answer in faults(action, member):
                yield Mutation(f"{name} {fault}", changed(payload, member.path, value), answer)
            yield from strangers(action, member, payload)
    yield Mutation("extra member", payload | {"extra": 1}, ACCEPTED if action in MONEY else FORMAT)


def known(action: str) -> list[Member]:
    """Return what 2.0.1 says of an action, nothing if it is new."""
    return list(members(schema_of(action, "2.0.1"))) if action in INBOUND_201 else []


def faults(action: str, member: Member) -> Iterator[tuple[str, Any, str]]:
    """Give what can be wrong with a member: name, value (`...`: none), answer."""
    part = member.schema
    if not part.keys() - {"description"}:
        return  # anything may be there
    if member.is_required:
        yield "missing", ..., without(action, member)
    yield "null", None, without(action, member)
    wrong = "words" if part.get("type") in ("object", "array") else {"no": "value"}
    yield "of another type", wrong, of_the_wrong_type(action, member)
    if "maxLength" in part:
        yield "too long", "x" * (part["maxLength"] + 1), ACCEPTED
    if "enum" in part:
        yield "unknown word", "Perhaps", PROPERTY if (action, member.path) == DECIDES else ACCEPTED
    if part.get("format") == "date-time":
        yield "no date", "2026-13-45T99:99:99Z", ACCEPTED
    if "minimum" in part:
        yield "too small", part["minimum"] - 1, out_of_range(action, member)
    if "maximum" in part:
        yield "too large", HUGE, out_of_range(action, member)
    if "minItems" in part:
        yield "without elements", [], empty(action, member)
    if "maxItems" in part:
        many = [least(part["items"])] * (part["maxItems"] + 1)
        yield "with too many elements", many, ACCEPTED if action in MONEY else OCCURRENCE


def least(schema: JSON) -> Any:
    """Make a value with no more than what must be there, for a frame is not large without end."""
    if schema.get("type") != "object":
        return valid(schema)
    return {name: least(schema["properties"][name]) for name in schema.get("required", ())}


def strangers(action: str, member: Member, payload: JSON) -> Iterator[Mutation]:
    """Give the payload with a member that nobody knows inside of an object or of the first of a list."""
    part, path = member.schema, member.path
    if part.get("items", part).get("properties"):
        holder = (*path, 0) if part.get("type") == "array" else path
        answer = ACCEPTED if action in MONEY else FORMAT
        yield Mutation(
            f"{'.'.join(map(str, path))} extra member", changed(payload, (*holder, "extra"), 1), answer
        )


def socket_of(server: Server, version: str) -> Any:
    return opened(server, subprotocols=[f"ocpp{version}"])


@pytest.mark.parametrize(("version", "action"), CALLS)
async def test_one_fault_is_answered_as_part_4_says_and_its_frame_is_kept(
    server: Server, ada: ChargingStation, version: str, action: str
) -> None:
    cases = list(mutations(version, action))
    texts = [json.dumps([2, f"m{n}", action, case.payload]) for n, case in enumerate(cases)]
    async with socket_of(server, version) as socket:
        found = await in_turn(socket, texts)
        assert await socket.lives()

    assert dict(zip([case.fault for case in cases], found, strict=True)) == {
        case.fault: case.answer for case in cases
    }
    journal = [frame for frame in await incoming(skip="-") if frame.message_id.startswith("m")]
    assert [frame.message_id for frame in journal] == [f"m{n}" for n in range(len(cases))]
    assert all(frame.verdict for frame in journal)


@pytest.mark.parametrize(("version", "action"), SENDS)
async def test_a_faulty_message_without_an_answer_is_in_the_journal(
    server: Server, ada: ChargingStation, version: str, action: str
) -> None:
    texts = [
        json.dumps([6, f"m{n}", action, case.payload]) for n, case in enumerate(mutations(version, action))
    ]
    async with socket_of(server, version) as socket:
        for text in texts:
            await socket.send(text)
        assert await socket.lives()  # the next frame answers the Heartbeat: nothing else was answered

    journal = [frame for frame in await incoming() if frame.action == action]
    assert len(journal) == len(texts)
    assert all(frame.verdict for frame in journal)


def test_every_sort_of_fault_is_told() -> None:
    told = [case.fault for version, action in CALLS for case in mutations(version, action)]
    for sort in (
        "missing", "null", "another type", "too long", "unknown word", "no date", "extra member", "too small",
        "too large", "without elements", "too many elements",
    ):  # fmt: skip
        assert sum(fault.endswith(sort) for fault in told) >= 2, sort


# --- the frame itself (part 4, sections 4.2 and 4.3)


@pytest.mark.parametrize("version", INBOUND)
@pytest.mark.parametrize(
    ("text", "id", "code"),
    [
        ('[2,"a","Heartbeat",{', "a", FORMAT),
        ('[2,"a', "-1", "RpcFrameworkError"),
        ("{}", "-1", "RpcFrameworkError"),
        ("[]", "-1", "RpcFrameworkError"),
        ('["2","a","Heartbeat",{}]', "a", "MessageTypeNotSupported"),
        ('[2,"","Heartbeat",{}]', "-1", "RpcFrameworkError"),
        ('[2,7,"Heartbeat",{}]', "-1", "RpcFrameworkError"),
        ('[2,"%s","Heartbeat",{}]' % ("x" * 37), "-1", "RpcFrameworkError"),
        ('[2,"a","Heartbeat",[]]', "a", FORMAT),
        ('[2,"a",7,{}]', "a", "NotImplemented"),
        ('[7,"a","Heartbeat",{}]', "a", "MessageTypeNotSupported"),
        ('[2,"a","Dance",{}]', "a", "NotImplemented"),
        ('[2,"a","RequestStartTransaction",{}]', "a", "NotSupported"),
    ],
)
async def test_a_frame_that_is_none_is_answered_as_part_4_says(
    server: Server, ada: ChargingStation, version: str, text: str, id: str, code: str
) -> None:
    async with socket_of(server, version) as socket:
        answer = await socket.ask(text)
        assert await socket.lives()

    assert (answer[0], answer[1], answer[2]) == (4, id, code)
    assert len(answer) == 5
    assert isinstance(answer[4], dict)


@pytest.mark.parametrize("version", INBOUND)
async def test_what_expects_no_answer_gets_none_whatever_is_wrong_with_it(
    server: Server, ada: ChargingStation, version: str
) -> None:
    async with socket_of(server, version) as socket:
        for text in ('[6,"s","Dance",{}]', '[5,"e","GenericError","",{}]', '[4,"x"]', '[3,"y",{}]', "[6]"):
            await socket.send(text)
        assert await socket.lives()  # the next frame answers the Heartbeat
