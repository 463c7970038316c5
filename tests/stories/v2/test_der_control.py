"""DER controls over a real socket (OCPP 2.1 R01 to R05)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import (
    ChargingNeeds,
    ChargingSession,
    ChargingStation,
    DERAlarm,
    DERControl,
    DERReport,
    ReviewItem,
)
from stations.services import der_control, der_reports
from stations.services.errors import InvalidPayload, UnknownAction
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.device import asked, reply
from tests.stories.v2.smart_charging import needed
from tests.stories.v2.station import EVSE, TOKEN, at, event, station

pytestmark = pytest.mark.usefixtures("ada")
STARTS = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CURVE = {"curveData": [{"x": 90, "y": 44.5}, {"x": 110, "y": -44}], "yUnit": "PctMaxVar"}
VAR = {"setpoint": 20, "unit": "PctMaxVar"}


async def do(act: Callable[[ChargingStation], Any]) -> Any:
    return await rows(lambda: act(ChargingStation.objects.get()))


def default_curve(ada: ChargingStation) -> Any:
    return der_control.put(ada, type="VoltVar", is_default=True, priority=3, settings=CURVE)


def scheduled(ada: ChargingStation) -> Any:
    return der_control.put(
        ada, type="FixedVar", is_default=False, priority=1, settings=VAR, starts_at=STARTS,
        duration_s=Decimal(900),
    )  # fmt: skip


async def control_is(state: str, **facts: Any) -> DERControl:
    return await eventually(lambda: DERControl.objects.filter(state=state, **facts).first())


def notice(control_id: str, started: bool, minute: int, **more: Any) -> dict[str, Any]:
    return {"controlId": control_id, "started": started, "timestamp": at(minute)} | more


def alarm(minute: int, **more: Any) -> dict[str, Any]:
    return {"controlType": "VoltWatt", "gridEventFault": "OverVoltage", "timestamp": at(minute)} | more


async def accepted(socket: Any, make: Callable[[ChargingStation], Any], **answer: Any) -> DERControl:
    """Give the station a control that it accepts."""
    made = await do(make)
    await reply(socket, await asked(socket, "SetDERControl"), {"status": "Accepted"} | answer)
    return await control_is("accepted", control_id=made.control.control_id)


async def test_r04_set_der_control_gives_a_default_curve(server: Server) -> None:
    async with station(server, "2.1") as socket:
        made = await do(default_curve)
        request = await asked(socket, "SetDERControl")
        await reply(socket, request, {"status": "Accepted"})
        await control_is("accepted")

    points = [{"x": 90, "y": Decimal("44.5")}, {"x": 110, "y": -44}]
    assert request[3] == {
        "isDefault": True, "controlId": made.control.control_id, "controlType": "VoltVar",
        "curve": {"curveData": points, "yUnit": "PctMaxVar", "priority": 3},
    }  # fmt: skip


async def test_r04_fr_05_a_scheduled_control_has_its_time_in_the_field_of_its_type(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await do(scheduled)
        request = await asked(socket, "SetDERControl")

    assert request[3]["fixedVar"] == VAR | {
        "priority": 1, "startTime": "2026-11-20T12:00:00Z", "duration": 900,
    }  # fmt: skip


@pytest.mark.parametrize("word", ["Rejected", "NotSupported"])
async def test_r04_fr_01_a_refused_control_keeps_the_stations_word(server: Server, word: str) -> None:
    async with station(server, "2.1") as socket:
        await do(default_curve)
        await reply(socket, await asked(socket, "SetDERControl"), {"status": word})

        assert (await control_is("refused")).reason == word


async def test_r04_fr_06_the_answer_names_the_control_that_was_superseded(server: Server) -> None:
    async with station(server, "2.1") as socket:
        first = await accepted(socket, scheduled)
        second = await accepted(socket, scheduled, supersededIds=[first.control_id])

        assert (await control_is("superseded")).superseded_by == second.control_id


async def test_r04_fr_08_a_new_control_may_be_superseded_at_once(server: Server) -> None:
    async with station(server, "2.1") as socket:
        made = await do(scheduled)
        answer = {"status": "Accepted", "supersededIds": [made.control.control_id]}
        await reply(socket, await asked(socket, "SetDERControl"), answer)

        assert (await control_is("superseded")).pk == made.control.pk


@pytest.mark.parametrize(
    ("type", "is_default", "starts_at"),
    [("VoltVar", True, STARTS), ("EnterService", False, None), ("Gradients", False, None)],
)
async def test_r04_fr_12_and_14_what_the_csms_shall_not_send_is_refused(
    server: Server, type: str, is_default: bool, starts_at: datetime | None
) -> None:
    async with station(server, "2.1"):
        with pytest.raises(InvalidPayload):
            await do(
                lambda ada: der_control.put(
                    ada, type=type, is_default=is_default, priority=0, settings={}, starts_at=starts_at
                )
            )


async def test_r04_a_station_of_2_0_1_has_no_words_for_it(server: Server) -> None:
    async with station(server, "2.0.1"):
        with pytest.raises(UnknownAction):
            await do(default_curve)


async def test_r04_fr_20_and_22_notify_der_start_stop_tells_when_it_runs(server: Server) -> None:
    async with station(server, "2.1") as socket:
        control = await accepted(socket, scheduled)
        assert (await socket.call("NotifyDERStartStop", notice(control.control_id, True, 1)))[2] == {}
        await control_is("started")
        await socket.call("NotifyDERStartStop", notice(control.control_id, False, 16))

        ended = await control_is("ended")
    assert (ended.started_at.minute, ended.ended_at.minute) == (1, 16)


async def test_r04_a_late_start_after_the_end_does_not_start_it_again(server: Server) -> None:
    async with station(server, "2.1") as socket:
        control = await accepted(socket, scheduled)
        for started, minute in ((False, 16), (True, 1), (True, 1)):
            await socket.call("NotifyDERStartStop", notice(control.control_id, started, minute))

        assert (await control_is("ended")).started_at.minute == 1


async def test_r04_fr_21_a_start_supersedes_another_control(server: Server) -> None:
    async with station(server, "2.1") as socket:
        first, second = await accepted(socket, scheduled), await accepted(socket, scheduled)
        told = notice(second.control_id, True, 2, supersededIds=[first.control_id])
        await socket.call("NotifyDERStartStop", told)

        assert (await control_is("superseded")).control_id == first.control_id
        await control_is("started", control_id=second.control_id)


async def test_r04_fr_32_a_report_in_parts_adds_what_is_there_and_closes_what_is_not(server: Server) -> None:
    async with station(server, "2.1") as socket:
        gone = await accepted(socket, default_curve)
        await do(der_reports.ask)
        request = await asked(socket, "GetDERControl")
        number = request[3]["requestId"]
        await reply(socket, request, {"status": "Accepted"})
        item = {"id": "theirs", "isDefault": True, "isSuperseded": False, "fixedVar": VAR | {"priority": 2}}
        gradient = {"id": "ramp", "gradient": {"priority": 1, "gradient": 100, "softGradient": 10}}
        await socket.call("ReportDERControl", {"requestId": number, "tbc": True, "fixedVar": [item]})
        await socket.call("ReportDERControl", {"requestId": number, "gradient": [gradient]})

        assert (await control_is("cleared")).pk == gone.pk
        assert (await control_is("accepted", control_id="theirs")).settings == VAR
        await control_is("accepted", control_id="ramp", type="Gradients", is_default=True)
        await eventually(lambda: DERReport.objects.filter(state="complete").exists())


async def test_r04_fr_30_a_station_that_has_none_closes_ours(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await accepted(socket, default_curve)
        await do(lambda ada: der_reports.ask(ada, is_default=True, type="VoltVar"))
        request = await asked(socket, "GetDERControl")
        await reply(socket, request, {"status": "NotFound"})

        await control_is("cleared")
    assert request[3] == {"requestId": 1, "isDefault": True, "controlType": "VoltVar"}


async def test_r04_an_unasked_report_is_kept(server: Server) -> None:
    told = {
        "id": "a",
        "curveType": "WattVar",
        "isDefault": True,
        "isSuperseded": True,
        "curve": CURVE | {"priority": 1},
    }
    async with station(server, "2.1") as socket:
        await socket.call("ReportDERControl", {"requestId": 77, "curve": [told]})

        assert (await control_is("superseded")).type == "WattVar"


@pytest.mark.parametrize(
    ("word", "state"), [("Accepted", "cleared"), ("NotFound", "cleared"), ("NotSupported", "accepted")]
)
async def test_r04_fr_45_clear_der_control(server: Server, word: str, state: str) -> None:
    async with station(server, "2.1") as socket:
        await accepted(socket, default_curve)
        command = await do(lambda ada: der_control.clear(ada, is_default=True, type="VoltVar"))
        request = await asked(socket, "ClearDERControl")
        await reply(socket, request, {"status": word})

        await eventually(lambda: type(command).objects.filter(pk=command.pk, status="answered").exists())
        await control_is(state)
    assert request[3] == {"isDefault": True, "controlType": "VoltVar"}


async def test_r04_a_control_without_an_answer_is_unknown_until_it_starts(server: Server) -> None:
    async with station(server, "2.1") as socket:
        made = await do(scheduled)
        await asked(socket, "SetDERControl")
    await control_is("unknown")

    async with station(server, "2.1") as socket:
        await socket.call("NotifyDERStartStop", notice(made.control.control_id, True, 1))
        await control_is("started")


async def test_r05_notify_der_alarm_is_an_incident_until_it_ends(server: Server) -> None:
    async with station(server, "2.1") as socket:
        for _ in range(2):  # repeated, for the answer got lost
            await socket.call("NotifyDERAlarm", alarm(1, extraInfo="L1 253 V"))
        item = await eventually(
            lambda: ReviewItem.objects.filter(kind="station_alert", resolved_at=None).get()
        )
        await socket.call("NotifyDERAlarm", alarm(9, alarmEnded=True))

        await eventually(lambda: DERAlarm.objects.filter(ended_at__isnull=False).get())
    assert "OverVoltage" in item.summary
    assert await rows(lambda: ReviewItem.objects.get(pk=item.pk).resolved_at)


async def test_r05_fr_03_another_control_takes_the_alarm_over(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await socket.call("NotifyDERAlarm", alarm(1))
        await socket.call("NotifyDERAlarm", alarm(3, controlType="FreqWatt", gridEventFault="OverFrequency"))
        await socket.call("NotifyDERAlarm", alarm(2, controlType="VoltVar"))  # late

    found = await rows(
        lambda: list(DERAlarm.objects.order_by("began_at").values_list("type", "ended_at__minute"))
    )
    assert found == [("VoltWatt", 3), ("VoltVar", 3), ("FreqWatt", None)]


# --- sessions with DER control in the EVSE, in the vehicle, in both (R01 to R03)

FULL = {
    "requestedEnergyTransfer": "DC_BPT", "controlMode": "DynamicControl",
    "v2xChargingParameters": {"maxChargePower": 11000, "maxDischargePower": 10000},
}  # fmt: skip
INVERTER = {"evSupportedDERControl": ["HFMustTrip", "LimitMaxDischarge"], "evInverterManufacturer": "Volt"}


def utility(ada: ChargingStation) -> list[str]:
    """Give a station what a utility asks for: a curve, and half of the power back at the most."""
    made = [
        der_control.put(ada, type="VoltWatt", is_default=True, priority=1, settings=CURVE),
        der_control.put(
            ada, type="LimitMaxDischarge", is_default=True, priority=1, settings={"pctMaxDischargePower": 50}
        ),
    ]
    return [one.control.control_id for one in made]


async def with_controls(socket: Any) -> list[str]:
    ids: list[str] = await do(utility)
    for _ in ids:
        await reply(socket, await asked(socket, "SetDERControl"), {"status": "Accepted"})
    await eventually(lambda: DERControl.objects.filter(state="accepted").count() == 2)
    return ids


async def begin(socket: Any, needs: dict[str, Any]) -> dict[str, Any]:
    """Begin a transaction whose vehicle needs this; give the profile that it gets."""
    started = event("Started", 0, register_wh=1000, idToken=TOKEN, evse=EVSE, triggerReason="Authorized")
    await socket.call("TransactionEvent", started)
    await eventually(lambda: ChargingSession.objects.active().exists())
    answer, sent = await needed(socket, {"evseId": 1, "chargingNeeds": needs})
    assert answer == "Accepted"
    found: dict[str, Any] = sent["chargingProfile"]
    return found


async def test_r01_a_session_under_the_controls_of_the_evses_inverter(server: Server) -> None:
    async with station(server, "2.1") as socket:
        ids = await with_controls(socket)
        sent = await begin(socket, FULL)
        started = notice(ids[1], True, 1)
        assert (await socket.call("NotifyDERStartStop", started))[2] == {}

    assert sent["transactionId"] == "tx-1"
    states = await rows(lambda: dict(DERControl.objects.values_list("type", "state")))
    assert states == {"VoltWatt": "accepted", "LimitMaxDischarge": "started"}


async def test_r02_a_vehicle_tells_the_controls_of_its_own_inverter(server: Server) -> None:
    """R02.FR.01: what it can is kept with its needs."""
    needs = FULL | {"requestedEnergyTransfer": "AC_BPT_DER", "derChargingParameters": INVERTER}
    async with station(server, "2.1") as socket:
        await with_controls(socket)
        await begin(socket, needs)

    kept = await rows(ChargingNeeds.objects.get)
    assert (kept.transfer, kept.told["derChargingParameters"]) == ("AC_BPT_DER", INVERTER)


async def test_r03_an_alarm_of_the_vehicles_inverter_ends_with_it(server: Server) -> None:
    """R03: the vehicle does some, the station the rest; both tell what they do in the same words."""
    needs = FULL | {"requestedEnergyTransfer": "AC_BPT_DER", "derChargingParameters": INVERTER}
    async with station(server, "2.1") as socket:
        await with_controls(socket)
        await begin(socket, needs)
        told = alarm(1, controlType="HFMustTrip", gridEventFault="OverFrequency")
        await socket.call("NotifyDERAlarm", told)
        await eventually(lambda: DERAlarm.objects.filter(ended_at=None, type="HFMustTrip").exists())
        await socket.call("NotifyDERAlarm", told | {"timestamp": at(5), "alarmEnded": True})

    assert (await rows(DERAlarm.objects.get)).ended_at.minute == 5


# --- what lies there is read again


def ours(ada: ChargingStation) -> Any:
    return der_control.put(
        ada, type="VoltVar", is_default=True, priority=3, settings=CURVE, requested_by="ada"
    )


async def booted(server: Server, controls: list[dict[str, Any]]) -> None:
    """Let the station boot and answer the question that the sweep asks then."""
    async with station(server, "2.1") as socket:
        assert await rows(der_reports.sweep) == 1
        assert await rows(der_reports.sweep) == 0  # once is enough
        request = await asked(socket, "GetDERControl")
        status = "Accepted" if controls else "NotFound"
        await reply(socket, request, {"status": status})
        if controls:
            await socket.call("ReportDERControl", {"requestId": request[3]["requestId"], "curve": controls})
        await eventually(lambda: DERReport.objects.filter(state__in=["complete", "empty"]).exists())


async def test_r01_fr_03_after_a_boot_a_control_that_is_gone_is_drift(server: Server) -> None:
    async with station(server, "2.1") as socket:
        control = await accepted(socket, ours)
    await booted(server, [])

    assert (await control_is("lost")).pk == control.pk
    assert await rows(ReviewItem.objects.filter(key__startswith="der_lost", resolved_at=None).count) == 1


async def test_r01_fr_03_after_a_boot_a_control_that_lies_there_stays(server: Server) -> None:
    async with station(server, "2.1") as socket:
        control = await accepted(socket, ours)
    told = {"id": control.control_id, "curveType": "VoltVar", "isDefault": True, "isSuperseded": False}
    await booted(server, [told | {"curve": CURVE | {"priority": 3}}])

    assert (await control_is("accepted")).reported_at is not None


async def test_a_lost_control_is_given_again(server: Server) -> None:
    async with station(server, "2.1") as socket:
        control = await accepted(socket, ours)
        await rows(lambda: DERControl.objects.filter(pk=control.pk).update(state="lost"))
        lost = await control_is("lost")
        made = await rows(lambda: der_control.again(lost, requested_by="ada"))
        request = await asked(socket, "SetDERControl")
        await reply(socket, request, {"status": "Accepted"})
        fresh = await control_is("accepted")

    assert (fresh.pk, request[3]["controlId"]) == (made.control.pk, made.control.control_id)
    assert (await control_is("cleared")).superseded_by == fresh.control_id


async def test_a_control_whose_time_is_over_is_looked_for(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await accepted(socket, scheduled)
        await rows(lambda: DERReport.objects.all().delete())
        past = clock.now() - timedelta(hours=1)
        await rows(lambda: DERControl.objects.update(starts_at=past))
        assert await rows(der_reports.sweep) == 1
        await reply(socket, await asked(socket, "GetDERControl"), {"status": "NotFound"})

        await control_is("ended")
