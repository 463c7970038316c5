"""Part 6, chapter 3: display messages (block O), and what its test cases leave open."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingSession, ChargingStation, Command, DisplayMessage, DisplayReport, Variable
from stations.services import commands, display_messages, display_reports
from stations.services.display_messages import Asked
from stations.services.display_rows import Content, Message
from stations.services.errors import InvalidPayload, NotDisplayable, NotOpen
from tests import factories
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import Payload, Station, station
from tests.stories.v2.station import visit

pytestmark = pytest.mark.usefixtures("ada")
BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
ACCEPTED = {"status": "Accepted"}
HELLO = Message((Content("Hello", language="en"),), priority="InFront", when="Idle")
State, Drift, Report = DisplayMessage.State, DisplayMessage.Drift, DisplayReport.State
SHOWN = {"id": 1, "priority": "InFront", "state": "Idle"} | {
    "message": {"format": "UTF8", "language": "en", "content": "Hello"}
}


async def do(act: Callable[[ChargingStation], Any]) -> Any:
    return await rows(lambda: act(ChargingStation.objects.get()))


def finished(asked: Asked | Command) -> Command:
    return commands.wait(asked.command if isinstance(asked, Asked) else asked, timeout_s=5)


async def put(there: Station, message: Message = HELLO, **options: Any) -> tuple[Payload, DisplayMessage]:
    """Write a message; return what the station was sent and what its row says then."""
    asked = await do(lambda ada: display_messages.put(ada, message, **options))
    await rows(lambda: finished(asked))
    row = await rows(lambda: DisplayMessage.objects.get(pk=asked.message.pk))
    found: Payload = there.requests("SetDisplayMessage")[-1]["message"]
    return found, row


async def only() -> DisplayMessage:
    return await rows(DisplayMessage.objects.get)


async def report(there: Station, *told: Payload, version: str = "2.0.1", **question: Any) -> Payload:
    """Ask what lies there; these are told, one in each part. Return the question."""
    there.reactions["GetDisplayMessages"] = {"status": "Accepted" if told else "Unknown"}
    await do(lambda ada: finished(display_messages.read(ada, **question)))
    asked: Payload = there.requests("GetDisplayMessages")[-1]
    for number, one in enumerate(told, start=1):
        part = {"requestId": asked["requestId"], "tbc": number < len(told), "messageInfo": [one]}
        assert await there.call("NotifyDisplayMessages", part) == {}
    return asked


async def of_report() -> str:
    return str((await rows(lambda: DisplayReport.objects.latest("pk"))).state)


# --- SetDisplayMessage (O01, O02, O06)


@BOTH
async def test_tc_o_01_csms_a_message_is_set(server: Server, version: str) -> None:
    async with station(server, version, SetDisplayMessage=ACCEPTED) as there:
        sent, row = await put(there)

    assert sent == SHOWN | {"id": row.message_id}
    assert (row.state, row.shown) == (State.ACCEPTED, HELLO.document())


async def test_tc_o_06_csms_a_message_for_a_session(server: Server) -> None:
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        await there.tell(visit()[0])
        sent, row = await put(there, replace(HELLO, transaction_id="tx-1"))

    assert (sent["transactionId"], sent["priority"], row.state) == ("tx-1", "InFront", State.ACCEPTED)


async def test_tc_o_10_csms_the_station_does_not_know_the_session(server: Server) -> None:
    async with station(server, SetDisplayMessage={"status": "UnknownTransaction"}) as there:
        sent, row = await put(there, replace(HELLO, transaction_id="tx-9"), anyway=True)

    assert (sent["transactionId"], sent["priority"]) == ("tx-9", "InFront")
    assert (row.state, row.reason, row.shown) == (State.REFUSED, "UnknownTransaction", None)


@BOTH
async def test_tc_o_12_csms_a_message_replaces_the_one_with_its_id(server: Server, version: str) -> None:
    async with station(server, version, SetDisplayMessage=ACCEPTED) as there:
        _, first = await put(there)
        sent, row = await put(
            there, Message((Content("Bye"),), priority="NormalCycle"), message_id=first.message_id
        )

    assert (sent["id"], sent["priority"], sent["message"]["content"]) == (
        first.message_id, "NormalCycle", "Bye",
    )  # fmt: skip
    assert (row.pk, row.shown["contents"][0]["content"]) == (first.pk, "Bye")


async def test_tc_o_13_csms_a_message_begins_at_a_moment(server: Server) -> None:
    begin = clock.now().replace(microsecond=0) + timedelta(hours=1)
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        sent, row = await put(there, replace(HELLO, starts_at=begin))

    assert (sent["startDateTime"], sent["id"]) == (f"{begin:%Y-%m-%dT%H:%M:%S}Z", row.message_id)


async def test_tc_o_14_csms_a_message_ends_at_a_moment(server: Server) -> None:
    end = clock.now().replace(microsecond=0) + timedelta(hours=1)
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        sent, row = await put(there, replace(HELLO, ends_at=end))

    assert (sent["endDateTime"], sent["id"]) == (f"{end:%Y-%m-%dT%H:%M:%S}Z", row.message_id)


async def refused(server: Server, word: str, message: Message = HELLO, version: str = "2.0.1") -> Payload:
    """Write a message that the station refuses with this word; return what it was sent."""
    async with station(server, version, SetDisplayMessage={"status": word}) as there:
        sent, row = await put(there, message)
    assert (row.state, row.reason, row.shown) == (State.REFUSED, word, None)
    assert sent["id"] == row.message_id
    return sent


async def test_tc_o_17_csms_the_priority_is_not_supported(server: Server) -> None:
    sent = await refused(server, "NotSupportedPriority", replace(HELLO, priority="AlwaysFront"))

    assert sent["priority"] == "AlwaysFront"


async def test_tc_o_18_csms_the_state_is_not_supported(server: Server) -> None:
    sent = await refused(server, "NotSupportedState", replace(HELLO, when="Faulted"))

    assert sent["state"] == "Faulted"


async def test_tc_o_19_csms_the_format_is_not_supported(server: Server) -> None:
    sent = await refused(
        server, "NotSupportedMessageFormat", replace(HELLO, contents=(Content("<b>Hi</b>", "HTML"),))
    )

    assert sent["message"]["format"] == "HTML"


async def test_tc_o_25_csms_a_message_for_one_state(server: Server) -> None:
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        sent, row = await put(there, replace(HELLO, when="Charging"))

    assert (sent["id"], sent["state"]) == (row.message_id, "Charging")


async def test_tc_o_26_csms_a_message_is_rejected(server: Server) -> None:
    sent = await refused(server, "Rejected", replace(HELLO, priority="NormalCycle"))

    assert sent["priority"] == "NormalCycle"


async def of_session(server: Server, **times: Any) -> Payload:
    """Write a message for a running session; return what the station was sent."""
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        await there.tell(visit()[0])
        sent, row = await put(there, replace(HELLO, when="Charging", transaction_id="tx-1", **times))
    assert (row.state, sent["transactionId"], sent["id"]) == (State.ACCEPTED, "tx-1", row.message_id)
    return sent


async def test_tc_o_27_csms_a_message_for_a_session_begins_at_a_moment(server: Server) -> None:
    begin = clock.now().replace(microsecond=0) + timedelta(minutes=5)

    assert (await of_session(server, starts_at=begin))["startDateTime"] == f"{begin:%Y-%m-%dT%H:%M:%S}Z"


async def test_tc_o_28_csms_a_message_for_a_session_ends_at_a_moment(server: Server) -> None:
    end = clock.now().replace(microsecond=0) + timedelta(minutes=5)
    sent = await of_session(server, ends_at=end)

    assert (sent["endDateTime"], sent["priority"], sent["state"]) == (
        f"{end:%Y-%m-%dT%H:%M:%S}Z", "InFront", "Charging",
    )  # fmt: skip


# --- GetDisplayMessages (O03, O04)


@BOTH
async def test_tc_o_02_csms_all_messages_are_read(server: Server, version: str) -> None:
    other = SHOWN | {"id": 2, "priority": "NormalCycle"}
    async with station(server, version, SetDisplayMessage=ACCEPTED) as there:
        await put(there)
        asked = await report(there, SHOWN, other, version=version)

    found = await rows(lambda: DisplayReport.objects.latest("pk"))
    assert (asked, found.state, found.seen) == ({"requestId": found.pk}, Report.COMPLETE, [1, 2])
    drifts = await rows(
        lambda: dict(DisplayMessage.objects.order_by("message_id").values_list("message_id", "drift"))
    )
    assert drifts == {1: "", 2: Drift.UNASKED}


async def test_tc_o_03_csms_no_messages_at_all(server: Server) -> None:
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        asked = await report(there)

    assert list(asked) == ["requestId"]
    assert await of_report() == Report.EMPTY


async def test_tc_o_07_csms_a_message_is_read_by_its_id(server: Server) -> None:
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        _, row = await put(there)
        asked = await report(there, SHOWN | {"id": row.message_id}, message_ids=[row.message_id])

    assert (asked["id"], set(asked)) == ([row.message_id], {"id", "requestId"})
    assert (await of_report(), (await only()).drift) == (Report.COMPLETE, "")


async def test_tc_o_08_csms_messages_are_read_by_priority(server: Server) -> None:
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        await put(there)
        asked = await report(there, SHOWN, priority="InFront")

    assert (asked["priority"], set(asked)) == ("InFront", {"priority", "requestId"})
    assert await of_report() == Report.COMPLETE


async def test_tc_o_09_csms_messages_are_read_by_state(server: Server) -> None:
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        await put(there)
        asked = await report(there, SHOWN, when="Idle")

    assert (asked["state"], set(asked)) == ("Idle", {"state", "requestId"})
    assert await of_report() == Report.COMPLETE


async def test_tc_o_11_csms_an_id_that_is_not_there(server: Server) -> None:
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        _, row = await put(there)
        asked = await report(there, message_ids=[row.message_id + 1])

    assert asked["id"] == [row.message_id + 1]
    assert (await of_report(), (await only()).drift) == (Report.EMPTY, "")


# --- ClearDisplayMessage (O05)


@BOTH
async def test_tc_o_04_csms_a_message_is_cleared(server: Server, version: str) -> None:
    async with station(server, version, SetDisplayMessage=ACCEPTED, ClearDisplayMessage=ACCEPTED) as there:
        _, row = await put(there)
        await do(lambda ada: finished(display_messages.clear(ada, row.message_id)))

    assert there.requests("ClearDisplayMessage") == [{"id": row.message_id}]
    assert ((await only()).state, (await only()).shown) == (State.GONE, None)


async def test_tc_o_05_csms_a_message_is_cleared_that_is_not_there(server: Server) -> None:
    async with station(server, ClearDisplayMessage={"status": "Unknown"}):
        command = await do(lambda ada: finished(display_messages.clear(ada, 77)))

    assert (command.status, command.result) == ("answered", {"status": "Unknown"})


# --- what the test cases leave open


async def test_o01_every_language_travels_in_one_message_of_2_1(server: Server) -> None:
    texts = (Content("Hallo", language="de"), Content("Hello", language="en"), Content("x:y", "QRCODE"))
    message = Message(
        texts, when="Discharging", display="Display", display_instance="left", display_evse=1, display_connector=1
    )  # fmt: skip
    async with station(server, "2.1", SetDisplayMessage=ACCEPTED) as there:
        sent, row = await put(there, message)
        await report(there, sent)

    assert [one["content"] for one in (sent["message"], *sent["messageExtra"])] == ["Hallo", "Hello", "x:y"]
    place = {"name": "Display", "instance": "left", "evse": {"id": 1, "connectorId": 1}}
    assert (sent["display"], sent["state"]) == (place, "Discharging")
    assert ((await only()).drift, row.shown) == ("", message.document())


async def test_o01_a_station_of_2_0_1_is_told_the_main_language_alone(server: Server) -> None:
    texts = (Content("Hallo", language="de"), Content("Hello", language="en"))
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        sent, _ = await put(there, replace(HELLO, contents=texts))
        await report(there, sent)

    assert "messageExtra" not in sent
    assert (sent["message"]["content"], (await only()).drift) == ("Hallo", "")


async def test_o01_fr_18_the_station_does_not_know_the_language(server: Server) -> None:
    await refused(server, "LanguageNotSupported", version="2.1")


async def test_o01_fr_16_what_is_always_in_front_takes_the_place_of_the_one_before(server: Server) -> None:
    front = replace(HELLO, priority="AlwaysFront")
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        _, first = await put(there, front)
        await put(there, replace(front, contents=(Content("New"),)))

    gone = await rows(lambda: DisplayMessage.objects.get(pk=first.pk))
    assert (gone.state, gone.reason, gone.shown) == (State.GONE, "replaced", None)


async def test_o06_what_should_have_been_replaced_stays_when_that_is_refused(server: Server) -> None:
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        _, first = await put(there)
        there.reactions["SetDisplayMessage"] = {"status": "Rejected"}
        _, row = await put(there, replace(HELLO, when="Faulted"), message_id=first.message_id)

    assert (row.state, row.when, row.shown["when"]) == (State.REFUSED, "Faulted", "Idle")


async def test_o05_fr_03_a_message_that_cannot_be_cleared_stays(server: Server) -> None:
    cannot = {"status": "Rejected"}
    async with station(server, "2.1", SetDisplayMessage=ACCEPTED, ClearDisplayMessage=cannot) as there:
        _, row = await put(there)
        await do(lambda ada: finished(display_messages.clear(ada, row.message_id)))

    assert ((await only()).state, (await only()).reason) == (State.ACCEPTED, "not cleared: Rejected")


async def test_an_unanswered_message_is_unknown_until_a_report_shows_it(server: Server) -> None:
    async with station(server, SetDisplayMessage=None, GetDisplayMessages=None) as there:
        await put(there)
        assert (await only()).state == State.UNKNOWN
        await report(there, SHOWN)

    assert ((await only()).state, (await only()).drift) == (State.ACCEPTED, "")


async def test_an_unanswered_question_is_over(server: Server) -> None:
    async with station(server, GetDisplayMessages=None):
        await do(lambda ada: finished(display_messages.read(ada)))

    assert await of_report() == Report.UNANSWERED


async def test_a_station_without_displays_says_so(server: Server) -> None:
    async with station(server) as there:
        _, row = await put(there)

    assert (row.state, row.reason) == (State.REFUSED, "NotImplemented")


async def test_a_message_waits_for_a_station_that_is_away(server: Server) -> None:
    async with station(server):
        pass
    asked = await do(lambda ada: display_messages.put(ada, HELLO, queue_offline=True))
    async with station(server, SetDisplayMessage=ACCEPTED):
        await eventually(lambda: DisplayMessage.objects.filter(pk=asked.message.pk, state="accepted").first())


async def test_a_message_that_went_missing_and_one_that_changed(server: Server) -> None:
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        _, one = await put(there)
        _, two = await put(there)
        await report(there, SHOWN | {"id": two.message_id, "priority": "NormalCycle"})

    drifts = await rows(lambda: dict(DisplayMessage.objects.values_list("message_id", "drift")))
    assert drifts == {one.message_id: Drift.MISSING, two.message_id: Drift.DIFFERENT}


async def test_a_message_that_is_missing_is_sent_again(server: Server) -> None:
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        await put(there)
        await report(there)
        assert (await only()).drift == Drift.MISSING
        row = await rows(lambda: DisplayMessage.objects.select_related("station").get())
        await rows(lambda: finished(display_messages.put_again(row)))

    assert ((await only()).state, (await only()).drift) == (State.ACCEPTED, "")


async def test_a_message_that_was_cleared_and_still_lies_there(server: Server) -> None:
    async with station(server, SetDisplayMessage=ACCEPTED, ClearDisplayMessage=ACCEPTED) as there:
        _, row = await put(there)
        await do(lambda ada: finished(display_messages.clear(ada, row.message_id)))
        await report(there, SHOWN)

    assert (await only()).drift == Drift.STILL_THERE


async def test_a_report_that_nobody_asked_for_is_stored(server: Server) -> None:
    async with station(server) as there:
        await there.call("NotifyDisplayMessages", {"requestId": 4711, "messageInfo": [SHOWN]})

    assert ((await only()).drift, (await only()).is_ours) == (Drift.UNASKED, False)


async def test_a_report_without_an_end_becomes_incomplete(server: Server) -> None:
    async with station(server, GetDisplayMessages=ACCEPTED):
        await do(lambda ada: finished(display_messages.read(ada)))
    long_ago = clock.now() - timedelta(minutes=10)
    await rows(lambda: DisplayReport.objects.update(asked_at=long_ago, heard_at=long_ago))

    assert await rows(display_reports.sweep) == 1
    assert await of_report() == Report.INCOMPLETE


async def test_a_command_written_by_hand_is_kept_too(server: Server) -> None:
    async with station(server, SetDisplayMessage=ACCEPTED):
        await do(
            lambda ada: finished(commands.queue(ada, action="SetDisplayMessage", payload={"message": SHOWN}))
        )

    assert ((await only()).message_id, (await only()).state) == (1, State.ACCEPTED)


async def test_o02_fr_02_a_message_is_over_with_its_session_or_its_time(server: Server) -> None:
    soon = clock.now() + timedelta(hours=1)
    started, *others = visit()
    async with station(server, SetDisplayMessage=ACCEPTED) as there:
        await there.tell(started)
        await put(there, replace(HELLO, transaction_id="tx-1"))
        await put(there, replace(HELLO, ends_at=soon))
        assert await rows(display_messages.sweep) == 0
        await there.tell(*others)
    await rows(lambda: DisplayMessage.objects.exclude(ends_at=None).update(ends_at=clock.now()))

    assert await rows(display_messages.sweep) == 2
    assert await rows(lambda: set(DisplayMessage.objects.values_list("state", "reason"))) == {
        ("gone", "over")
    }


async def test_a_message_for_a_site_reaches_every_station_that_can_show_it(server: Server) -> None:
    def write(ada: ChargingStation) -> list[Any]:
        bo = factories.station("BO-1", is_online=False)
        outcomes = display_messages.put_at([ada, bo], HELLO)
        finished(outcomes[0].asked)  # type: ignore[arg-type]
        return outcomes

    async with station(server, SetDisplayMessage=ACCEPTED):
        ours, theirs = await do(write)

    row = await only()
    assert (row.state, row.batch) == (State.ACCEPTED, ours.asked.message.batch)
    assert (theirs.asked, bool(theirs.fault)) == (None, True)


# --- what is refused before the station is asked


def told(ada: ChargingStation, name: str, value: str, **fields: Any) -> None:
    Variable.objects.create(station=ada, component="DisplayMessageCtrlr", name=name, value=value, **fields)


@pytest.mark.parametrize(
    ("name", "value", "fields"),
    [
        ("SupportedPriorities", "NormalCycle", {}),
        ("SupportedStates", "Charging,Faulted", {}),
        ("SupportedFormats", "ASCII", {}),
        ("Language", "de", {"values_list": "de,nl-NL"}),
        ("Available", "false", {}),
        ("Enabled", "false", {}),
        ("DisplayMessages", "0", {"max_limit": Decimal(0)}),
    ],
    ids=["priority", "state", "format", "language", "available", "enabled", "number"],
)
def test_what_the_station_says_it_cannot_show_is_refused(
    ada: ChargingStation, name: str, value: str, fields: dict[str, Any]
) -> None:
    told(ada, name, value, **fields)
    with pytest.raises(NotDisplayable):
        display_messages.put(ada, HELLO, queue_offline=True)
    ada.ocpp_version = "2.1"

    assert display_messages.put(ada, HELLO, queue_offline=True, anyway=True).message.state == State.WANTED


def test_what_the_station_can_show_is_not_refused(ada: ChargingStation) -> None:
    told(ada, "SupportedPriorities", "NormalCycle,InFront")
    told(ada, "Language", "de-DE", values_list="de-DE,en-GB")
    told(ada, "DisplayMessages", "3", max_limit=Decimal(10))
    ada.ocpp_version = "2.1"

    assert display_messages.put(ada, HELLO, queue_offline=True).command.action == "SetDisplayMessage"
    found = display_messages.limits(ada)
    assert (found.languages, found.most, found.lying) == (("de-DE", "en-GB"), 10, 3)


@pytest.mark.parametrize(
    "fields",
    [
        {"contents": ()},
        {"contents": (Content("  "),)},
        {"contents": (Content("x"),) * 6},
        {"ends_at": clock.now()},
        {"starts_at": clock.now() + timedelta(days=2), "ends_at": clock.now() + timedelta(days=1)},
    ],
    ids=["nothing", "blank", "many", "past", "reversed"],
)
def test_what_no_display_can_show_is_refused(ada: ChargingStation, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidPayload):
        display_messages.put(ada, replace(HELLO, **fields), anyway=True)


def test_a_message_for_a_session_that_is_not_there_or_over(ada: ChargingStation) -> None:
    with pytest.raises(NotDisplayable):
        display_messages.put(ada, replace(HELLO, transaction_id="tx-9"))
    factories.session(ada, ended=True, transaction_id="tx-1")
    with pytest.raises(NotOpen):
        display_messages.put(ada, replace(HELLO, transaction_id="tx-1"))

    assert not ChargingSession.objects.active().exists()
