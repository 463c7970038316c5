"""The message log: a request and its answer in one row."""

from datetime import UTC, datetime, timedelta

from cpo.console import frames
from stations.models import Frame
from tests import factories

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def frame(
    ms: int, direction: str, kind: int, message_id: str = "a", text: str = "[]", **fields: object
) -> Frame:
    return Frame(
        id=ms, at=NOON + timedelta(milliseconds=ms), direction=direction, message_type=kind, message_id=message_id,
        action="Heartbeat", text=text, verdict="", station_id=1, epoch=1, **fields,
    )  # fmt: skip


def test_an_answer_stands_beside_its_call() -> None:
    call, answer = frame(1, "i", 2), frame(31, "o", 3)

    (exchange,) = frames.pair([answer, call])

    assert (exchange.call, exchange.answer, exchange.answered_in_ms) == (call, answer, 30)
    assert exchange.from_station


def test_both_sides_may_use_the_same_message_id() -> None:
    theirs, ours = frame(1, "i", 2), frame(2, "o", 2)
    to_ours, to_theirs = frame(3, "i", 3), frame(4, "o", 3)

    newest, oldest = frames.pair([to_theirs, to_ours, ours, theirs])

    assert (oldest.call, oldest.answer) == (theirs, to_theirs)
    assert (newest.call, newest.answer) == (ours, to_ours)


def test_a_reused_message_id_is_answered_once_each() -> None:
    rows = [frame(1, "i", 2), frame(2, "o", 3), frame(3, "i", 2), frame(4, "o", 3)]

    assert [e.answered_in_ms for e in frames.pair(rows[::-1])] == [1, 1]


def test_a_call_without_answer_and_an_unreadable_frame_are_shown() -> None:
    unreadable, call = frames.pair([frame(2, "i", 0, message_id=""), frame(1, "o", 2)])

    assert call.is_open
    assert unreadable.is_error
    assert not call.from_station


def test_the_gist_is_the_payload() -> None:
    (exchange,) = frames.pair([frame(1, "i", 2, text='[2,"a","Authorize",{"idTag":"BO-1"}]')])

    assert exchange.gist == '{"idTag":"BO-1"}'


def test_a_page_that_begins_in_the_middle_of_an_exchange_fetches_its_call(db: None) -> None:
    station = factories.station(location=None)
    rows = [
        frame(number, "i" if number % 2 else "o", 2 if number % 2 else 3, f"m{(number + 1) // 2}")
        for number in range(1, 103)
    ]
    for row in rows:
        row.station_id = station.pk
        row.save(force_insert=True)

    shown, more = frames.exchanges(station)
    older, end = frames.exchanges(station, before=more)

    assert (len(shown), len(older), end) == (40, 11, None)
    assert all(exchange.call and exchange.answer for exchange in shown + older)
