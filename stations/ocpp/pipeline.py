"""The inbound pipeline: a station's CALL in, its answer out, after the commit (docs/architecture.md).

    consumer -> gate -> codec -> route -> handler -> rows -> commit -> reply

Two lanes. Fast: the handler is a pure function, the writer commits its facts together with those of other sockets.
Careful: one hop to a worker thread, where services act. Errors become CALLERRORs here and nowhere else.
"""

import asyncio
from dataclasses import replace
from datetime import datetime

import structlog
from django.conf import settings

from cpo.lib import metrics, redact
from cpo.lib.threads import Unavailable, Workers
from stations.models import ChargingStation
from stations.ocpp import codec, frames, signed
from stations.ocpp.link import Lacking, Link
from stations.ocpp.route import Contents, Incoming, Payload, Plain, Route
from stations.ocpp.v2.routes import CONTENTS as V2
from stations.ocpp.v16.routes import CONTENTS as V16
from stations.ocpp.writer import Unstorable, Writer
from stations.services import quirks, review
from stations.services.errors import StationsError
from stations.services.ingest import Facts, FrameRow

log = structlog.get_logger(__name__)

CONTENTS: dict[str, Contents] = {"1.6": V16, **V2}
CALL, CALL_RESULT, CALL_ERROR = 2, 3, 4
PENDING = ChargingStation.Registration.PENDING
MOST_LACKING = 3  # things that one message may have to look up: its connector, its session, its signed values


class Pipeline:
    """Answers stations' CALLs; one per process."""

    def __init__(self, writer: Writer, workers: Workers) -> None:
        self.writer = writer
        self.workers = workers

    async def answer(self, link: Link, call: frames.Call, *, text: str, received_at: datetime) -> str | None:
        """Process one CALL and return the frame to send back; None: send nothing, the station shall repeat it."""
        contents = CONTENTS[link.version]
        incoming = Incoming(
            call.action, call.payload, call.message_id, received_at, Facts(), list(call.flags)
        )
        route = contents.inbound.get(call.action)
        error: codec.CallFault | None = None
        response: Payload | None = None
        if route is None and contents.has_signed and signed.is_signed(call.action):
            return await self._answer_signed(link, call, text=text, received_at=received_at)
        if route is None:
            error = codec.unknown_action(
                link.version, call.action, offered=call.action in contents.not_offered
            )
        elif link.station.registration == PENDING and not _is_allowed(contents, call.action):
            error = codec.fault(link.version, "SecurityError", "this station is not accepted yet")
        else:
            checked = codec.check_request(link.version, call.action, call.payload)
            incoming.payload = checked.payload
            incoming.flags += checked.flags
            error = checked.fault
        if route is not None and error is None:
            try:
                if route.plain is not None and route.plain.prepare(link, incoming):
                    reply = await self._ride(route.plain, link, incoming, text=text)
                    if reply is not None:
                        return reply
                response = await self._handle(route, link, incoming)
            except Unavailable:
                return self._without_database(route, link, incoming)
            except StationsError as fact:
                error = codec.fault(link.version, "PropertyConstraintViolation", str(fact))
            except Exception:
                log.exception("handler failed", action=call.action, station=link.station.identity)
                error = codec.fault(link.version, "InternalError", "")
        if response is not None:
            reply = codec.encode_result(call.message_id, response)
        else:
            assert error is not None
            reply = codec.encode_error(call.message_id, error)
            incoming.flags.append(error.code)
        return await self._commit(route, link, incoming, text=text, reply=reply, is_error=response is None)

    async def _answer_signed(
        self, link: Link, call: frames.Call, *, text: str, received_at: datetime
    ) -> str | None:
        """Answer what a signed CALL holds as if it had come alone (2.1 part 4 section 7.2)."""
        opened = await self._opened(link, call)
        if opened is None:
            return None
        if isinstance(opened.frame, frames.Call):
            inner = replace(opened.frame, flags=(*opened.frame.flags, opened.verdict))
            reply = await self.answer(link, inner, text=opened.text, received_at=received_at)
            is_result = reply is not None and reply.startswith(f"[{CALL_RESULT},")
            return (is_result and signed.sign_result(call.message_id, inner.action, str(reply))) or reply
        code, words = opened.fault or ("FormatViolation", "")
        error = codec.fault(link.version, code, words)
        incoming = Incoming(
            call.action, call.payload, call.message_id, received_at, Facts(), [opened.verdict, error.code]
        )  # fmt: skip
        reply = codec.encode_error(call.message_id, error)
        return await self._commit(None, link, incoming, text=text, reply=reply, is_error=True)

    async def _opened(self, link: Link, sent: frames.Call | frames.Send) -> signed.Opened | None:
        """Take a signed message apart; None while nobody can look at the keys: it is not answered, but repeated."""
        try:
            return await self.workers.patiently(
                settings.OCPP_STORE_TIMEOUT_S, signed.open_request, link.version, link.station, sent
            )
        except Unavailable:
            log.error("a signed message could not be checked", station=link.station.identity)
            return None

    async def take(self, link: Link, sent: frames.Send, *, text: str, received_at: datetime) -> None:
        """Process one SEND, which is never answered: what cannot be used is in the journal (2.1 N15.FR.02)."""
        if signed.is_signed(sent.action):
            opened = await self._opened(link, sent)
            if opened is None:
                return
            if isinstance(opened.frame, frames.Send):
                text, sent = opened.text, replace(opened.frame, flags=(*opened.frame.flags, opened.verdict))
            else:
                sent = replace(sent, flags=(*sent.flags, opened.verdict))
        incoming = Incoming(
            sent.action, sent.payload, sent.message_id, received_at, Facts(), list(sent.flags)
        )  # fmt: skip
        route = CONTENTS[link.version].inbound.get(sent.action)
        if route is None or codec.is_confirmed(link.version, sent.action):
            incoming.flags.append("message_type")
            route = None
        else:
            checked = codec.check_request(link.version, sent.action, sent.payload)
            incoming.payload = checked.payload
            incoming.flags += checked.flags if checked.fault is None else [*checked.flags, checked.fault.code]
            route = route if checked.fault is None else None
        try:
            if route is not None:
                await self._handle(route, link, incoming)
        except Unavailable:
            log.error("a message without an answer is lost", station=link.station.identity)
            return
        except Exception:
            log.exception("handler failed", action=sent.action, station=link.station.identity)
            incoming.facts, route = Facts(), None
            incoming.flags.append("InternalError")
        facts = incoming.facts
        facts.frames = [self._frame_in(link, incoming, text, kind=frames.SEND)]
        facts.seen = link.seen(received_at)
        metrics.ocpp_messages.add(
            link.version, sent.action if route else "?", "in", "ok" if route else "refused"
        )  # fmt: skip
        try:
            await self.writer.add(facts)
        except Unavailable:
            log.error("a message without an answer is lost", station=link.station.identity)
        except Unstorable:
            await self._keep_unstorable(link, incoming, facts)

    async def record(
        self, link: Link, *, direction: str, message_type: int, message_id: str, action: str, text: str,
        at: datetime, verdict: str = "",
    ) -> None:  # fmt: skip
        """Write a frame to the journal that is no CALL with an answer: our own CALLs, their answers, garbage."""
        row = FrameRow(
            at, link.station_id, link.epoch, direction, message_type, message_id[:255], action[:64],
            redact.frame(text), verdict,
        )  # fmt: skip
        try:
            await self.writer.add(Facts(frames=[row], seen=link.seen(at) if direction == "i" else None))
        except (Unavailable, Unstorable):
            log.error("frame not journalled", station=link.station.identity, message_type=message_type)

    async def _ride(self, plain: Plain, link: Link, incoming: Incoming, *, text: str) -> str | None:
        """Commit a plain start or stop with the others and return its answer; None: look more closely.

        The answer follows from what was committed, so its own frame goes to the journal a batch later.
        """
        facts, incoming.is_journalled = incoming.facts, True
        facts.frames = [self._frame_in(link, incoming, text)]
        facts.seen = link.seen(incoming.received_at)
        try:
            await self.writer.add(facts)
        except Unstorable:
            incoming.is_journalled = False
            return None
        response = plain.finish(link, incoming)
        if response is None:
            return None
        reply = codec.encode_result(incoming.message_id, response)
        rest = incoming.later or Facts()
        rest.frames.append(self._frame_out(link, incoming, reply))
        stored = self.writer.add(rest)
        stored.add_done_callback(_forget)
        if incoming.later is not None:
            await stored  # it is part of what the answer says is safe
        metrics.ocpp_messages.add(link.version, incoming.action, "in", "ok")
        return reply

    def _frame_in(self, link: Link, incoming: Incoming, text: str, *, kind: int = CALL) -> FrameRow:
        if incoming.flags:
            quirks.tally.note(link.station_id, incoming.flags)
        return FrameRow(
            incoming.received_at, link.station_id, link.epoch, "i", kind, incoming.message_id, incoming.action[:64],
            redact.frame(text), ",".join(incoming.flags),
        )  # fmt: skip

    def _frame_out(
        self, link: Link, incoming: Incoming, reply: str, *, is_error: bool = False, verdict: str = ""
    ) -> FrameRow:
        return FrameRow(
            incoming.received_at, link.station_id, link.epoch, "o", CALL_ERROR if is_error else CALL_RESULT,
            incoming.message_id, incoming.action[:64], redact.frame(reply), verdict,
        )  # fmt: skip

    async def _handle(self, route: Route, link: Link, incoming: Incoming) -> Payload:
        if route.quick is not None:
            response = route.quick(link, incoming)
            if response is not None:
                incoming.is_quick = True
                return response
        if not route.is_fast:
            if route.from_memory is not None and self.workers.pending > settings.OCPP_CAREFUL_BACKLOG:
                raise Unavailable("everyone comes at once")
            return await self.workers.patiently(
                settings.OCPP_STORE_TIMEOUT_S, _carefully, route, link, incoming
            )
        for _ in range(MOST_LACKING):
            try:
                return route.handler(link, incoming)
            except Lacking as lack:
                await self.workers.patiently(settings.OCPP_STORE_TIMEOUT_S, lack.load)
        return route.handler(link, incoming)

    async def _commit(
        self, route: Route | None, link: Link, incoming: Incoming, *, text: str, reply: str, is_error: bool
    ) -> str | None:
        facts = incoming.facts
        late_verdict = ",".join(incoming.flags) if incoming.is_journalled else ""
        facts.frames = [] if incoming.is_journalled else [self._frame_in(link, incoming, text)]
        facts.frames.append(self._frame_out(link, incoming, reply, is_error=is_error, verdict=late_verdict))
        facts.seen = link.seen(incoming.received_at)
        metrics.ocpp_messages.add(
            link.version, incoming.action if route else "?", "in", "error" if is_error else "ok"
        )
        try:
            await self.writer.add(facts)
        except Unavailable:
            if route is not None and (route.is_fast or incoming.is_quick):
                return self._without_database(route, link, incoming)
            return reply if not is_error else None  # a careful handler has committed already
        except Unstorable:
            return reply if await self._keep_unstorable(link, incoming, facts) else None
        return reply

    def _without_database(self, route: Route, link: Link, incoming: Incoming) -> str | None:
        if route.from_memory is not None:
            return codec.encode_result(incoming.message_id, route.from_memory(link, incoming))
        if route.vital:
            return None
        return codec.encode_error(
            incoming.message_id, codec.fault(link.version, "InternalError", "try again later")
        )

    async def _keep_unstorable(self, link: Link, incoming: Incoming, facts: Facts) -> bool:
        """Keep at least the frame of a message whose facts the database refused, and tell an operator."""
        frames = [row._replace(verdict="unstorable" if row.direction == "i" else "") for row in facts.frames]
        try:
            await self.writer.add(Facts(frames=frames))
            await self.workers.run(_raise_unstorable, link, incoming)
        except (Unavailable, Unstorable):
            log.error("frame not stored", station=link.station.identity, action=incoming.action)
            return False
        return True


def _is_allowed(contents: Contents, action: str) -> bool:
    """Tell whether a station that is not accepted yet may say this (2.1 B02.FR.09)."""
    return contents.before_acceptance is None or action in contents.before_acceptance


def _forget(stored: "asyncio.Future[None]") -> None:
    if not stored.cancelled() and stored.exception() is not None:
        log.error("answer not journalled", error=type(stored.exception()).__name__)


def _carefully(route: Route, link: Link, incoming: Incoming) -> Payload:
    incoming.facts = Facts()  # a repetition after a lost connection starts afresh
    return route.handler(link, incoming)


def _raise_unstorable(link: Link, incoming: Incoming) -> None:
    review.raise_item(
        "bad_frame",
        key=f"unstorable:{link.station_id}:{incoming.action}",
        summary=f"{link.station.identity}: values of {incoming.action} could not be stored",
        station=link.station,
        facts={"message_id": incoming.message_id},
    )
