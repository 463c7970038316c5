"""What may be sent, and what then lies on a station (OCPP 2.1 K01, K02, K10, K28; 1.6 sections 3.13, 5.16)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest

from stations.charging_profiles import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    Criteria,
    InvalidProfile,
    Kind,
    OperationMode,
    Purpose,
    RateUnit,
    Recurrency,
    check,
    check_start,
    clear,
    end_transaction,
    faults,
    install,
    install_v2,
)

START = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MODE = OperationMode
EXTERNAL = Purpose.EXTERNAL_CONSTRAINTS


def period(start_period_s: int = 0, limit: str | None = "16", **members) -> ChargingSchedulePeriod:
    return ChargingSchedulePeriod(start_period_s, limit and D(limit), **members)


def schedule(*periods: ChargingSchedulePeriod, **members) -> ChargingSchedule:
    return ChargingSchedule(members.pop("rate_unit", RateUnit.A), periods or (period(),), **members)


def default(*periods: ChargingSchedulePeriod, **members) -> ChargingProfile:
    """Give a relative default profile; members of the schedule are told from those of the profile by name."""
    of_schedule = {
        name: members.pop(name)
        for name in list(members)
        if name in ChargingSchedule.__slots__ and name != "id"
    }
    defaults = {"id": 1, "stack_level": 0, "purpose": Purpose.TX_DEFAULT, "kind": Kind.RELATIVE}
    return ChargingProfile(**({"schedules": (schedule(*periods, **of_schedule),)} | defaults | members))


def transactional(*periods: ChargingSchedulePeriod, **members) -> ChargingProfile:
    return default(*periods, **({"purpose": Purpose.TX, "evse": 1, "transaction_id": "T1"} | members))


def rules(profile: ChargingProfile, transaction: str | None = "T1") -> list[str]:
    return [fault.rule for fault in faults(profile, transaction=transaction)]


def curve(*points: tuple[int, int]) -> tuple[tuple[D, D], ...]:
    return tuple((D(x), D(power)) for x, power in points)


V2X = {"limit": None, "operation_mode": MODE.LOCAL_FREQUENCY}
CURVE = curve((49, -1000), (50, 0))
W = RateUnit.W

ALLOWED = [
    default(),
    default(purpose=Purpose.STATION_MAX, kind=Kind.ABSOLUTE, start_schedule=START),
    default(kind=Kind.RECURRING, recurrency=Recurrency.DAILY, start_schedule=START, valid_to=START + DAY),
    default(valid_from=START, valid_to=START + DAY),
    default(kind=Kind.DYNAMIC, dyn_update_interval_s=60, dyn_update_time=START),
    transactional(),
    transactional(schedules=(schedule(), schedule(), schedule())),
    transactional(schedules=(schedule(period(limit_l2=D(10), limit_l3=D(8))),)),
    default(period(0), period(1), period(60, number_phases=1, phase_to_use=3), randomized_delay_s=60),
    default(period(limit=None, operation_mode=MODE.CENTRAL_SETPOINT, setpoint=D(-5), discharge_limit=D(-6))),
    default(period(limit=None, operation_mode=MODE.IDLE, evse_sleep=True)),
    default(period(limit="5", operation_mode=MODE.EXTERNAL_SETPOINT)),
    default(period(**V2X, v2x_freq_watt_curve=CURVE), rate_unit=W),
    default(period(operation_mode=MODE.EXTERNAL_LIMITS), purpose=Purpose.LOCAL_GENERATION),
    default(limit_at_soc=(80, D(6)), purpose=Purpose.PRIORITY_CHARGING),
]  # fmt: skip


@pytest.mark.parametrize("profile", ALLOWED)
def test_it_may_be_sent(profile):
    check(profile, transaction="T1")


@pytest.mark.parametrize(
    ("rule", "profile"),
    [
        ("K01.FR.22", default(purpose=EXTERNAL)),
        ("2.17", default(stack_level=-1)),
        ("K01.FR.16", transactional(evse=0)),
        ("K04.FR.03", default(purpose=Purpose.STATION_MAX, kind=Kind.ABSOLUTE, start_schedule=START, evse=1)),
        ("2.17", default(transaction_id="T1")),
        ("K01.FR.38", default(purpose=Purpose.STATION_MAX)),
        ("2.17", default(kind=Kind.RECURRING, start_schedule=START)),
        ("1.6 errata 3.56", default(recurrency=Recurrency.DAILY)),
        ("K01.FR.36", default(valid_from=START, valid_to=START)),
        ("K01.FR.122", default(dyn_update_interval_s=60)),
        ("K01.FR.122", default(dyn_update_time=START)),
        ("2.17", default(schedules=())),
        ("2.17", default(schedules=(schedule(), schedule()))),
        ("2.17", transactional(schedules=(schedule(),) * 4)),
        ("K28.FR.01", default(period(0), period(60), kind=Kind.DYNAMIC)),
        ("K01.FR.40", default(kind=Kind.ABSOLUTE)),
        ("K01.FR.40", default(kind=Kind.RECURRING, recurrency=Recurrency.WEEKLY)),
        ("K01.FR.41", default(start_schedule=START)),
        ("K01.FR.11", default(duration_s=0)),
        ("K01.FR.70", default(purpose=Purpose.PRIORITY_CHARGING, duration_s=60)),
        ("K01.FR.95", default(purpose=Purpose.LOCAL_GENERATION, randomized_delay_s=60)),
        ("2.19", default(randomized_delay_s=-1)),
        ("2.19", default(limit_at_soc=(101, D(1)))),
        ("2.19", default(schedules=(ChargingSchedule(W, ()),))),
        ("K01.FR.31", default(period(1))),
        ("K01.FR.35", default(period(0), period(60), period(60))),
        ("errata 2.62", default(period(limit="-1"))),
        ("2.18", default(period(operation_mode=MODE.CENTRAL_SETPOINT, setpoint=D(7), discharge_limit=D(6)))),
        ("K01.FR.143", default(period(limit_l2=D(5)))),
        ("K01.FR.145", transactional(period(limit=None, limit_l3=D(5), operation_mode=MODE.IDLE))),
        ("2.18", default(period(number_phases=4))),
        ("2.18", default(period(number_phases=1, phase_to_use=0))),
        ("K01.FR.19", default(period(phase_to_use=1))),
        ("K01.FR.111", default(period(limit=None, operation_mode=MODE.IDLE), purpose=Purpose.PRIORITY_CHARGING)),
        ("K01.FR.126", default(period(evse_sleep=True))),
        ("V2X.05", default(period(operation_mode=MODE.CENTRAL_SETPOINT, setpoint=D(17)))),
        ("V2X.05", default(period(operation_mode=MODE.CENTRAL_SETPOINT, setpoint=D(-7), discharge_limit=D(-6)))),
        ("Q 2.2", default(period(**V2X, v2x_freq_watt_curve=CURVE))),
        ("Q 2.2", default(period(**V2X), rate_unit=W)),
        ("2.18", default(period(v2x_signal_watt_curve=curve((0, 0))))),
        ("Q 2.2", default(period(limit=None))),
        ("Q 2.2", default(period(operation_mode=MODE.IDLE))),
        ("Q 2.2", default(period(operation_mode=MODE.CENTRAL_FREQUENCY))),
        ("Q 2.2", default(period(discharge_limit=D(-6)))),
        ("Q 2.2", default(period(operation_mode=MODE.EXTERNAL_LIMITS))),
        ("K01.FR.09", None),
        ("K01.FR.03", transactional(transaction_id=None)),
        ("K01.FR.33", transactional(transaction_id="T2")),
    ],
)  # fmt: skip
def test_one_broken_rule_is_the_one_that_is_named(rule, profile):
    found = rules(profile) if profile else rules(transactional(), transaction=None)

    assert found == [rule]


def test_check_raises_the_first_fault_with_its_path_and_reason():
    broken = default(period(0), period(60, phase_to_use=2), duration_s=-1)

    with pytest.raises(InvalidProfile) as raised:
        check(broken, transaction=None)

    assert (raised.value.path, raised.value.reason) == ("chargingSchedule[0].duration", "InvalidSchedule")
    assert str(raised.value) == "chargingSchedule[0].duration: nothing would be executed (K01.FR.11)"
    assert rules(broken) == ["K01.FR.11", "K01.FR.19"]


def test_a_remote_start_takes_a_transactions_profile_without_its_id():
    check_start(transactional(transaction_id=None))


@pytest.mark.parametrize(
    ("profile", "rule"),
    [
        (default(), "K05.FR.02"),
        (transactional(), "F01.FR.11"),
        (transactional(transaction_id=None, evse=0), "K01.FR.16"),
    ],
)
def test_a_remote_start_takes_nothing_else(profile, rule):
    with pytest.raises(InvalidProfile) as raised:
        check_start(profile)

    assert raised.value.rule == rule


# --- installing in OCPP 1.6


def test_the_same_id_is_replaced():
    old, new = default(id=1), default(id=1, stack_level=5)

    assert install([old], new) == ((new,), (old,))


def test_the_same_purpose_level_and_connector_is_replaced_even_for_later():
    old, new = default(id=1), default(id=2, valid_from=START + DAY)

    assert install([old], new) == ((new,), (old,))


def test_one_profile_may_replace_two():
    by_id, by_level = default(id=1), default(id=2, stack_level=5)

    assert install([by_level, by_id], default(id=1, stack_level=5)).removed == (by_id, by_level)


@pytest.mark.parametrize("other", [{"evse": 1}, {"stack_level": 1}, {"purpose": Purpose.LOCAL_GENERATION}])
def test_another_key_lies_beside_it(other):
    old, new = default(id=1), default(id=2, **other)

    assert install([old], new) == ((old, new), ())


# --- installing in OCPP 2.x


def test_in_2_the_same_id_is_replaced():
    old, new = default(id=1), default(id=1, stack_level=5)

    assert install_v2([old], new) == ((new,), (old,))


def test_in_2_validities_one_after_the_other_lie_side_by_side():
    old, new = default(id=1, valid_to=START), default(id=2, valid_from=START)

    assert install_v2([old], new) == ((old, new), ())


def test_transactions_have_their_own_levels():
    old, new = transactional(id=1), transactional(id=2, transaction_id="T2")

    assert install_v2([old], new).removed == ()


PHASE_1, PHASE_2 = (period(number_phases=1, phase_to_use=phase) for phase in (1, 2))


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (default(), default(id=2), "K01.FR.06"),
        (default(valid_to=START + DAY), default(id=2, valid_from=START), "K01.FR.06"),
        (transactional(), transactional(id=2), "K01.FR.39"),
        (default(evse=1), default(id=2), "K01.FR.52"),
        (default(), default(id=2, evse=1), "K01.FR.53"),
        (default(purpose=EXTERNAL), default(), "K01.FR.05"),
        (
            default(PHASE_1, purpose=EXTERNAL),
            default(PHASE_2, id=2, evse=1),
            "K01.FR.141",
        ),
    ],
)
def test_in_2_a_duplicate_is_refused(old, new, rule):
    with pytest.raises(InvalidProfile) as raised:
        install_v2([old], new)

    assert raised.value.rule == rule


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (default(PHASE_1, evse=2, purpose=EXTERNAL), default(PHASE_2, id=2, evse=1)),
        (default(PHASE_1, purpose=EXTERNAL, valid_to=START), default(PHASE_2, id=2, valid_from=START)),
        (default(purpose=EXTERNAL), default(PHASE_2, id=2)),
        (default(PHASE_2, purpose=EXTERNAL), default(PHASE_2, id=2)),
        (default(PHASE_1), default(PHASE_2, id=2, stack_level=1)),
    ],
)  # fmt: skip
def test_phases_that_never_meet_do_not_conflict(old, new):
    assert install_v2([old], new).removed == ()


# --- clearing

SET = (
    default(id=1),
    default(id=2, evse=1, stack_level=1),
    transactional(id=3),
    default(id=4, purpose=EXTERNAL),
    default(id=5, purpose=Purpose.LOCAL_GENERATION),
)


@pytest.mark.parametrize(
    ("criteria", "removed"),
    [
        (Criteria(), [1, 2, 3]),
        (Criteria(id=2), [2]),
        (Criteria(id=4), []),
        (Criteria(id=5), []),
        (Criteria(evse=1), [2, 3]),
        (Criteria(evse=0), [1]),
        (Criteria(purpose=Purpose.TX_DEFAULT), [1, 2]),
        (Criteria(purpose=Purpose.TX_DEFAULT, stack_level=1), [2]),
        (Criteria(evse=2), []),
    ],
)
def test_all_criteria_must_match_and_others_profiles_stay(criteria, removed):
    found = clear(reversed(SET), criteria)

    assert [each.id for each in found.removed] == removed
    assert [each.id for each in found.profiles] == [each.id for each in SET if each.id not in removed]


def test_a_transaction_takes_its_profiles_with_it():
    elsewhere = replace(SET[2], id=6, evse=2)

    found = end_transaction([*SET, elsewhere], evse=1)

    assert found.removed == (SET[2],)
    assert elsewhere in found.profiles
