"""Energy in both directions over a real socket (OCPP 2.1 block Q)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cpo.lib import clock
from stations.charging_profiles import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    Kind,
    OperationMode,
    RateUnit,
    composite,
    from_v2,
)
from stations.models import (
    BidirectionalSession,
    ChargingSession,
    ChargingStation,
    Command,
    GridSignal,
    IdToken,
    InstalledProfile,
    Variable,
)
from stations.services import composite_schedules, dynamic_charging, energy_transfers, profile_upkeep, v2x
from stations.services.errors import InvalidPayload, NotOpen, StationOffline, UnsuitedProfile
from tests.processes import Server
from tests.stories.raw import opened
from tests.stories.story import eventually, rows
from tests.stories.v2.device import accept, asked, reply
from tests.stories.v2.smart_charging import (
    EIGHT,
    charging,
    installed,
    needed,
    needs,
    profile,
    reaches,
    taken,
)
from tests.stories.v2.smart_charging import ada as ada_row
from tests.stories.v2.station import TOKEN, at, event, station, visit

pytestmark = pytest.mark.usefixtures("ada")
MODES = ["DC_BPT", "DC"]
Mode = OperationMode


async def do(act: Callable[[ChargingStation], Any]) -> Any:
    return await rows(lambda: act(ChargingStation.objects.get()))


async def begun(socket: Any) -> ChargingSession:
    await socket.call("TransactionEvent", visit()[0])
    return await eventually(lambda: ChargingSession.objects.select_related("station").first())


async def permitted(state: str) -> BidirectionalSession:
    return await eventually(lambda: BidirectionalSession.objects.filter(allowed_state=state).first())


def exporting(seq_no: int, wh: float, **info: Any) -> dict[str, Any]:
    """Give an Updated with an export register and a mode."""
    sample = {"value": wh, "measurand": "Energy.Active.Export.Register"}
    told = event("Updated", seq_no, info={"operationMode": "CentralSetpoint"} | info)
    return told | {"meterValue": [{"timestamp": at(seq_no), "sampledValue": [sample]}]}


@pytest.mark.parametrize(("word", "state"), [("Accepted", "accepted"), ("Rejected", "refused")])
async def test_q02_fr_05_notify_allowed_energy_transfer(server: Server, word: str, state: str) -> None:
    async with station(server, "2.1") as socket:
        session = await begun(socket)
        await rows(lambda: v2x.allow(session, MODES))
        request = await asked(socket, "NotifyAllowedEnergyTransfer")
        await reply(socket, request, {"status": word})

        assert (await permitted(state)).allowed == MODES
    assert request[3] == {"transactionId": "tx-1", "allowedEnergyTransfer": MODES}


async def test_q02_a_permission_without_an_answer_is_unknown(server: Server) -> None:
    async with station(server, "2.1") as socket:
        session = await begun(socket)
        await rows(lambda: v2x.allow(session, MODES))
        await asked(socket, "NotifyAllowedEnergyTransfer")

        await permitted("unknown")


@pytest.mark.parametrize("modes", [[], ["DC", "sideways"]])
async def test_q02_only_known_transfers_can_be_permitted(server: Server, modes: list[str]) -> None:
    async with station(server, "2.1") as socket:
        session = await begun(socket)
        with pytest.raises(InvalidPayload):
            await rows(lambda: v2x.allow(session, modes))


async def test_q02_nothing_is_permitted_to_a_session_that_is_over(server: Server) -> None:
    async with station(server, "2.1") as socket:
        for one in visit():
            await socket.call("TransactionEvent", one)
        session = await eventually(lambda: ChargingSession.objects.ended().select_related("station").first())
        with pytest.raises(NotOpen):
            await rows(lambda: v2x.allow(session, MODES))


@pytest.mark.parametrize(("word", "state"), [("Accepted", "accepted"), ("Rejected", "refused")])
async def test_q08_fr_10_afrr_signal(server: Server, word: str, state: str) -> None:
    async with station(server, "2.1") as socket:
        await do(lambda ada: v2x.signal(ada, -42))
        request = await asked(socket, "AFRRSignal")
        await reply(socket, request, {"status": word})

        await eventually(lambda: GridSignal.objects.filter(state=state).exists())
    assert request[3]["signal"] == -42


async def test_q08_a_grid_signal_does_not_wait_for_a_station_that_is_away(server: Server) -> None:
    async with station(server, "2.1"):
        pass
    await eventually(lambda: ChargingStation.objects.filter(is_online=False, ocpp_version="2.1").exists())

    with pytest.raises(StationOffline):
        await do(lambda ada: v2x.signal(ada, 1))


async def test_operation_mode_and_exported_energy_are_kept_apart_from_what_was_charged(
    server: Server,
) -> None:
    async with station(server, "2.1") as socket:
        session = await begun(socket)
        for seq_no, wh in ((1, 500), (2, 750), (3, 2000)):
            await socket.call("TransactionEvent", exporting(seq_no, wh))

        kept = await eventually(lambda: BidirectionalSession.objects.filter(exported_wh=1500).first())
    assert kept.operation_mode == "CentralSetpoint"
    assert await rows(lambda: ChargingSession.objects.get(pk=session.pk).energy_wh) == Decimal(0)


async def test_a_late_event_does_not_bring_an_old_mode_back(server: Server) -> None:
    async with station(server, "2.1") as socket:
        await begun(socket)
        await socket.call("TransactionEvent", exporting(3, 900, operationMode="Idle"))
        await socket.call("TransactionEvent", exporting(2, 500, operationMode="ChargingOnly"))

        kept = await eventually(lambda: BidirectionalSession.objects.filter(exported_wh=400).first())
    assert kept.operation_mode == "Idle"


# --- permission (Q01, Q02)


def contract(*modes: str, enabled: str = "true") -> None:
    """Let Bo's contract allow transfers, at a station that has switched energy in both directions on."""
    ada = ChargingStation.objects.get()
    for component in ("ISO15118Ctrlr", "V2XChargingCtrlr"):
        Variable.objects.create(station=ada, component=component, name="Enabled", value=enabled)
    supported = "AC_three_phase,AC_BPT,DC,DC_BPT"
    Variable.objects.create(
        station=ada, component="V2XChargingCtrlr", name="SupportedEnergyTransferModes", value=supported
    )
    energy_transfers.put(IdToken.objects.get(uid="BO-1"), modes)


@pytest.mark.parametrize(
    ("version", "enabled", "told"), [("2.1", "true", True), ("2.1", "false", False), ("2.0.1", "true", False)]
)
async def test_q01_fr_01_authorize_names_the_permitted_transfers(
    server: Server, version: str, enabled: str, told: bool
) -> None:
    await rows(lambda: contract("DC", "DC_BPT", "WPT", enabled=enabled))
    async with station(server, version) as socket:
        answer = await socket.call("Authorize", {"idToken": TOKEN})

    assert answer[2]["idTokenInfo"]["status"] == "Accepted"
    assert answer[2].get("allowedEnergyTransfer") == (["DC", "DC_BPT"] if told else None)


async def test_q01_fr_08_nothing_is_said_of_transfers_that_nobody_decided_about(server: Server) -> None:
    async with station(server, "2.1") as socket:
        answer = await socket.call("Authorize", {"idToken": TOKEN})

    assert "allowedEnergyTransfer" not in answer[2]


@pytest.mark.parametrize(("transfer", "status"), [("DC_BPT", "Rejected"), ("DC", "Accepted")])
async def test_q01_fr_04_a_transfer_that_is_not_permitted_is_rejected(
    server: Server, transfer: str, status: str
) -> None:
    await rows(lambda: contract("DC"))
    needs = {"requestedEnergyTransfer": transfer, "v2xChargingParameters": {"maxChargePower": 9000}}
    async with station(server, "2.1") as socket:
        await begun(socket)
        answer = await socket.call("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": needs})

    assert answer[2]["status"] == status


async def test_q02_fr_01_a_vehicle_that_only_charges_gets_limits_only(server: Server) -> None:
    async with charging(server, "2.1") as socket:
        _, sent = await needed(socket, needs())

    [schedule] = sent["chargingProfile"]["chargingSchedule"]
    for period in schedule["chargingSchedulePeriod"]:
        assert period.keys() <= {"startPeriod", "limit", "numberPhases", "operationMode"}
        assert period.get("operationMode", "ChargingOnly") == "ChargingOnly"


async def test_q02_a_permission_given_later_lets_the_vehicle_ask_again(server: Server) -> None:
    """Q02.FR.05 to FR.07: after the permission, needs in both directions are accepted."""
    await rows(lambda: contract("DC"))
    needs = {"requestedEnergyTransfer": "DC_BPT", "v2xChargingParameters": {"maxChargePower": 9000}}
    async with station(server, "2.1") as socket:
        session = await begun(socket)
        await rows(lambda: v2x.allow(session, MODES))
        await reply(socket, await asked(socket, "NotifyAllowedEnergyTransfer"), {"status": "Accepted"})
        await permitted("accepted")
        answer = await socket.call("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": needs})

    assert answer[2]["status"] == "Accepted"


# --- control with profiles (Q03 to Q10): the sign of discharging is negative everywhere


async def on_the_wire(server: Server, *periods: ChargingSchedulePeriod, **fields: Any) -> dict[str, Any]:
    """Install a default profile of these periods, in W; give it as the station got it."""
    made = steering(*periods, **fields)
    async with station(server, "2.1") as socket:
        row = await installed(made, may_fall_back=False)
        sent = await taken(socket)
        await reaches(row, "installed")
    found: dict[str, Any] = sent["chargingProfile"]
    return found


def steering(*periods: ChargingSchedulePeriod, **fields: Any) -> ChargingProfile:
    begin = None if fields.get("kind") is Kind.DYNAMIC else clock.now().replace(microsecond=0)
    schedule = ChargingSchedule(RateUnit.W, periods, start_schedule=begin)
    return profile(schedules=(schedule,), valid_from=None, valid_to=None, **fields)


def steered(setpoint: int) -> dict[str, Any]:
    """Give the composite schedule of a station that follows a set point."""
    period = {"startPeriod": 0, "limit": 11000, "setpoint": setpoint, "operationMode": "CentralSetpoint"}
    return {
        "evseId": 1, "duration": 3600, "scheduleStart": clock.now().isoformat(), "chargingRateUnit": "W",
        "chargingSchedulePeriod": [period],
    }  # fmt: skip


def wanted(start_s: int, mode: OperationMode, **watts: Any) -> ChargingSchedulePeriod:
    return ChargingSchedulePeriod(start_s, operation_mode=mode, **watts)


async def test_q03_a_schedule_of_set_points_charges_and_discharges(server: Server) -> None:
    sent = await on_the_wire(
        server,
        wanted(
            0,
            Mode.CENTRAL_SETPOINT,
            setpoint=Decimal(-5000),
            limit=Decimal(11000),
            discharge_limit=Decimal(-6000),
        ),
        wanted(3600, Mode.CENTRAL_SETPOINT, setpoint=Decimal(7000), limit=Decimal(11000)),
    )

    first, second = sent["chargingSchedule"][0]["chargingSchedulePeriod"]
    assert (first["setpoint"], first["dischargeLimit"], first["operationMode"]) == (
        -5000,
        -6000,
        "CentralSetpoint",
    )
    assert (second["setpoint"], "dischargeLimit" in second) == (7000, False)


@pytest.mark.parametrize(("setpoint", "verified"), [(-5000, True), (5000, False)])
async def test_q03_a_station_that_turns_the_sign_around_is_found_out(
    server: Server, setpoint: int, verified: bool
) -> None:
    made = steering(wanted(0, Mode.CENTRAL_SETPOINT, setpoint=Decimal(-5000), limit=Decimal(11000)))
    async with station(server, "2.1") as socket:
        row = await installed(made, may_fall_back=False)
        await taken(socket)
        await accept(socket, "GetCompositeSchedule", schedule=steered(setpoint))
        found = await eventually(
            lambda: InstalledProfile.objects.filter(pk=row.pk).exclude(is_verified=None).first()
        )

    assert (found.is_verified, "instead of -5000" in found.detail) == (verified, not verified)


async def test_q04_a_dynamic_set_point_of_ours_follows_the_market(server: Server) -> None:
    made = steering(
        wanted(
            0,
            Mode.CENTRAL_SETPOINT,
            setpoint=Decimal(3000),
            limit=Decimal(11000),
            discharge_limit=Decimal(-8000),
        ),
        kind=Kind.DYNAMIC,
    )
    async with station(server, "2.1") as socket:
        row = await installed(made, may_fall_back=False)
        await taken(socket)
        await accept(socket, "GetCompositeSchedule", status="Rejected")
        await reaches(row, "installed")
        await rows(lambda: dynamic_charging.update(row, values={"setpoint": Decimal(-8000)}))
        told = await accept(socket, "UpdateDynamicSchedule")
        with pytest.raises(UnsuitedProfile, match=r"V2X\.05"):
            await rows(lambda: dynamic_charging.update(row, values={"setpoint": Decimal(-9000)}))

    assert told["scheduleUpdate"] == {"setpoint": -8000}


@pytest.mark.parametrize("mode", [OperationMode.EXTERNAL_SETPOINT, OperationMode.EXTERNAL_LIMITS])
async def test_q05_a_profile_of_ours_leaves_its_values_to_an_external_system(
    server: Server, mode: OperationMode
) -> None:
    sent = await on_the_wire(server, wanted(0, mode), kind=Kind.DYNAMIC)

    [period] = sent["chargingSchedule"][0]["chargingSchedulePeriod"]
    assert (sent["chargingProfileKind"], period) == (
        "Dynamic",
        {"startPeriod": 0, "operationMode": mode.value},
    )
    with pytest.raises(UnsuitedProfile):  # its set point is not ours to give
        await installed(steering(wanted(0, mode, setpoint=Decimal(-1000)), kind=Kind.DYNAMIC))


async def test_q06_an_external_systems_set_point_is_kept_with_its_sign(server: Server) -> None:
    period = {
        "startPeriod": 0,
        "setpoint": -4000,
        "dischargeLimit": -6000,
        "operationMode": "ExternalSetpoint",
    }
    schedule = {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [period]}
    async with station(server, "2.1") as socket:
        payload = {"chargingLimit": {"chargingLimitSource": "EMS"}, "chargingSchedule": [schedule]}
        answer = await socket.call("NotifyChargingLimit", payload)

    ours = await rows(lambda: composite_schedules.computed(ada_row(), evse_number=1, unit=RateUnit.W))
    assert answer[2] == {}
    assert (ours.periods[0].setpoint, ours.periods[0].discharge_limit) == (-4000, -6000)


async def test_q07_central_frequency_support_is_a_set_point(server: Server) -> None:
    sent = await on_the_wire(server, wanted(0, Mode.CENTRAL_FREQUENCY, setpoint=Decimal(-2500)))

    [period] = sent["chargingSchedule"][0]["chargingSchedulePeriod"]
    assert (period["operationMode"], period["setpoint"]) == ("CentralFrequency", -2500)


CURVE = ((Decimal("49.8"), Decimal(-5000)), (Decimal("50.2"), Decimal(5000)))


async def test_q08_local_frequency_support_is_a_curve_around_a_baseline(server: Server) -> None:
    sent = await on_the_wire(
        server, wanted(0, Mode.LOCAL_FREQUENCY, v2x_baseline=Decimal(0), v2x_freq_watt_curve=CURVE)
    )

    [period] = sent["chargingSchedule"][0]["chargingSchedulePeriod"]
    assert [(one["frequency"], one["power"]) for one in period["v2xFreqWattCurve"]] == [
        (Decimal("49.8"), -5000),
        (Decimal("50.2"), 5000),
    ]
    with pytest.raises(UnsuitedProfile):  # Q08.FR.04
        await installed(
            steering(
                wanted(0, Mode.LOCAL_FREQUENCY, limit=EIGHT, v2x_baseline=EIGHT, v2x_freq_watt_curve=CURVE)
            )
        )


async def test_q09_local_load_balancing_has_limits_in_both_directions(server: Server) -> None:
    sent = await on_the_wire(
        server, wanted(0, Mode.LOCAL_LOAD_BALANCING, limit=Decimal(9000), discharge_limit=Decimal(-4000))
    )

    [period] = sent["chargingSchedule"][0]["chargingSchedulePeriod"]
    assert (period["limit"], period["dischargeLimit"]) == (9000, -4000)


async def test_q10_idle_says_nothing_of_power(server: Server) -> None:
    """Q10.FR.01."""
    sent = await on_the_wire(server, wanted(0, Mode.IDLE, evse_sleep=True))

    [period] = sent["chargingSchedule"][0]["chargingSchedulePeriod"]
    assert period == {"startPeriod": 0, "operationMode": "Idle", "evseSleep": True}
    with pytest.raises(UnsuitedProfile):
        await installed(steering(wanted(0, Mode.IDLE, limit=EIGHT)))


# --- offline (Q11, Q12)


@pytest.mark.parametrize(("seconds", "mode"), [(30, "CentralSetpoint"), (90, "ChargingOnly")])
@pytest.mark.parametrize("is_over", [False, True])
async def test_q11_and_when_offline_too_long_the_next_profile_holds(
    server: Server, seconds: int, mode: str, is_over: bool
) -> None:
    sent = await on_the_wire(
        server, wanted(0, Mode.CENTRAL_SETPOINT, setpoint=Decimal(-5000)), max_offline_duration_s=60,
        invalid_after_offline_duration=is_over, stack_level=1,
    )  # fmt: skip
    plain = profile(valid_from=None, valid_to=None)
    found = composite(
        [plain, from_v2(sent, evse=1)], evse=1, start=clock.now(), duration_s=60, unit=RateUnit.W,
        offline_since=clock.now() - timedelta(seconds=seconds),
    )  # fmt: skip

    assert (sent["maxOfflineDuration"], found.periods[0].mode.value) == (60, mode)


async def test_q12_after_an_offline_time_the_stations_schedule_is_asked_for(server: Server) -> None:
    """Whether it resumed or fell back is its profile's word: what it does now is read from it, and verified."""
    made = steering(
        wanted(0, Mode.CENTRAL_SETPOINT, setpoint=Decimal(-5000), limit=Decimal(11000)),
        max_offline_duration_s=60, invalid_after_offline_duration=True,
    )  # fmt: skip
    async with station(server, "2.1") as socket:
        row = await installed(made, may_fall_back=False)
        await taken(socket)
        await accept(socket, "GetCompositeSchedule", schedule=steered(-5000))
        await eventually(lambda: InstalledProfile.objects.filter(pk=row.pk, is_verified=True).exists())
    async with opened(server, subprotocols=["ocpp2.1"]) as socket:
        assert await socket.lives()
        await rows(profile_upkeep.recheck)

    questions = Command.objects.filter(action="GetCompositeSchedule", subject=f"charging_profile:{row.pk}")
    assert await rows(questions.count) == 2  # after it was installed, and now


# --- energy that was fed back, whatever the version says of modes


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_an_export_register_counts_without_an_operation_mode(server: Server, version: str) -> None:
    async with station(server, version) as socket:
        await begun(socket)
        for seq_no, wh in ((1, 500), (2, 750), (3, 2000)):
            told = exporting(seq_no, wh)
            del told["transactionInfo"]["operationMode"]
            await socket.call("TransactionEvent", told)
        assert await socket.lives()
        assert await rows(v2x.sweep) == 1

    found = await rows(BidirectionalSession.objects.select_related("session").get)
    assert (found.exported_wh, found.operation_mode, found.session.energy_wh) == (1500, "", 0)
