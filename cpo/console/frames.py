"""The message log of a station: each CALL with the answer to it, in one row; a SEND in a row of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stations.models import ChargingStation, Frame
from stations.services import journal

CALL, CALL_RESULT, CALL_ERROR, CALL_RESULT_ERROR, SEND = 2, 3, 4, 5, 6
ANSWER_WITHIN = timedelta(minutes=10)  # an answer's CALL is looked for this far back
FRAMES = 80  # on a page
GIST = 160  # characters of a payload shown in the closed row


@dataclass(slots=True)
class Exchange:
    """A CALL and its answer; either may be missing. `at` is the time of the newer one."""

    call: Frame | None = None
    answer: Frame | None = None

    @property
    def first(self) -> Frame:
        """The CALL, or the answer when its CALL is not at hand."""
        frame = self.call or self.answer
        assert frame is not None
        return frame

    @property
    def action(self) -> str:
        return self.first.action

    @property
    def from_station(self) -> bool:
        """True when the station asked."""
        if self.call is not None:
            return self.call.direction == Frame.Direction.IN
        by_asker = self.first.message_type == CALL_RESULT_ERROR  # who asked says that the answer is of no use
        return (self.first.direction == Frame.Direction.IN) is by_asker

    @property
    def needs_answer(self) -> bool:
        """False for a SEND (OCPP 2.1) and for an error about an answer."""
        return self.first.message_type not in (SEND, CALL_RESULT_ERROR)

    @property
    def verdict(self) -> str:
        """What was odd about either frame."""
        return ", ".join(frame.verdict for frame in (self.call, self.answer) if frame and frame.verdict)

    @property
    def is_error(self) -> bool:
        return any(
            frame.message_type in (0, CALL_ERROR, CALL_RESULT_ERROR)
            for frame in (self.call, self.answer)
            if frame is not None
        )

    @property
    def is_open(self) -> bool:
        """True when nobody has answered yet."""
        return self.answer is None and self.first.message_type == CALL

    @property
    def answered_in_ms(self) -> int | None:
        if self.call is None or self.answer is None:
            return None
        return round((self.answer.at - self.call.at) / timedelta(milliseconds=1))

    @property
    def gist(self) -> str:
        """The payload of the CALL in one line, cut."""
        text = self.first.text
        start = text.find("{")
        return text[start : start + GIST].rstrip("]") if start >= 0 else text[:GIST]


def exchanges(
    station: ChargingStation, *, before: datetime | None = None, action: str = ""
) -> tuple[list[Exchange], datetime | None]:
    """Return one page of exchanges, the newest first, and the time before which the next page lies (None: no more)."""
    frames = journal.frames(station, before=before, limit=FRAMES, action=action or None)
    more = frames[-1].at if len(frames) == FRAMES else None
    return pair(frames + _missing_calls(station, frames)), more


def pair(frames: Sequence[Frame]) -> list[Exchange]:
    """Join answers with their CALLs by message id and opposite direction; the frames come newest first."""
    paired: list[Exchange] = []
    unanswered: dict[tuple[str, str], Exchange] = {}
    for frame in sorted(frames, key=lambda f: (f.at, f.id)):
        if frame.message_type == SEND:
            paired.append(Exchange(call=frame))
            continue
        if frame.message_type == CALL:
            exchange = Exchange(call=frame)
            unanswered[frame.message_id, frame.direction] = exchange
            paired.append(exchange)
            continue
        other = Frame.Direction.OUT if frame.direction == Frame.Direction.IN else Frame.Direction.IN
        known = unanswered.pop((frame.message_id, other), None)
        if known is None:
            paired.append(Exchange(answer=frame))
        else:
            known.answer = frame
    return paired[::-1]


def _missing_calls(station: ChargingStation, frames: Sequence[Frame]) -> list[Frame]:
    """Fetch the CALLs of those answers whose CALL fell off the page."""
    calls = {frame.message_id for frame in frames if frame.message_type == CALL}
    wanted = {frame.message_id for frame in frames if frame.message_type in (CALL_RESULT, CALL_ERROR)} - calls
    if not wanted:
        return []
    oldest = frames[-1].at
    rows = Frame.objects.filter(station_id=station.pk, at__lte=oldest, at__gt=oldest - ANSWER_WITHIN)
    known = {frame.id for frame in frames}
    found = rows.filter(message_id__in=wanted, message_type=CALL)
    return [frame for frame in found if frame.id not in known]
