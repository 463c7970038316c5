"""Forms of the requests to stations of OCPP 2.0.1 and 2.1, each filled in from its own schema."""

from decimal import Decimal
from typing import Any

import pytest

from cpo import access
from cpo.console import command_forms, command_words
from stations.ocpp import codec, outbound
from tests.cpo.console.filled import in_full

VERSIONS = ("2.0.1", "2.1")
EVERY = [(version, action) for version in VERSIONS for action in outbound.actions(version)]
PROFILE = "chargingProfile."
SCHEDULE = "chargingProfile.chargingSchedule.0."
PERIOD = f"{SCHEDULE}chargingSchedulePeriod."
GIVEN = {
    "evseId": "1",
    f"{PROFILE}id": "7",
    f"{PROFILE}stackLevel": "0",
    f"{PROFILE}chargingProfilePurpose": "TxDefaultProfile",
    f"{PROFILE}chargingProfileKind": "Relative",
    f"{SCHEDULE}id": "1",
    f"{SCHEDULE}chargingRateUnit": "A",
    f"{PERIOD}0.startPeriod": "0",
    f"{PERIOD}0.limit": "16",
    f"{PERIOD}3.startPeriod": "3600",
    f"{PERIOD}3.limit": "8.5",
}
COMPONENT = {"component.name": "EVSE", "component.evse.id": "2", "variable.name": "Power"}
CLOCK = {"component.name": "ClockCtrlr", "variable.name": "TimeOffset"}


def built(version: str, action: str, **choices: Any) -> type[command_forms.CommandForm]:
    return command_forms.form_class(version, action, **choices)


def rows(name: str, *given: dict[str, str]) -> dict[str, str]:
    return {f"{name}.{n}.{key}": value for n, row in enumerate(given) for key, value in row.items()}


def test_every_action_of_both_versions_has_a_form_and_words() -> None:
    assert {version: command_forms.actions(version) for version in VERSIONS} == {
        version: outbound.actions(version) for version in VERSIONS
    }
    assert set(command_words.WORDS_2X) == set(outbound.actions("2.1"))
    assert len(outbound.actions("2.1")) == len(outbound.actions("2.0.1")) + 15


@pytest.mark.parametrize(("version", "action"), EVERY)
def test_a_form_filled_to_the_last_field_fits_the_schema(version: str, action: str) -> None:
    build = built(version, action)
    form = build(in_full(build))

    assert form.is_valid(), form.errors
    outbound.check(version, action, form.payload())
    assert set(form.payload()) == {*outbound.schema(version, action).get("properties", {})} - {"customData"}


@pytest.mark.parametrize(("version", "action"), EVERY)
def test_what_must_be_filled_in_is_enough(version: str, action: str) -> None:
    build = built(version, action)
    form = build(in_full(build, only_needed=True))

    assert form.is_valid(), form.errors
    outbound.check(version, action, form.payload())


@pytest.mark.parametrize(("version", "action"), EVERY)
def test_an_empty_form_says_what_is_missing_or_fits(version: str, action: str) -> None:
    form = built(version, action)({})

    assert form.is_valid() == (
        codec.request_fault(version, action, form.payload() if form.is_valid() else {}) is None
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_lists_in_lists_are_read(version: str) -> None:
    form = built(version, "SetChargingProfile")(GIVEN)

    assert form.is_valid(), form.errors
    assert form.payload()["chargingProfile"]["chargingSchedule"] == [
        {
            "id": 1,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [
                {"startPeriod": 0, "limit": Decimal(16)},
                {"startPeriod": 3600, "limit": Decimal("8.5")},
            ],
        }
    ]


def test_a_row_to_copy_brings_the_first_row_of_a_list_that_it_needs() -> None:
    profile = built("2.1", "SetChargingProfile")().layout[-1]
    schedules = next(node for node in profile.nodes if node.name == "chargingSchedule")  # type: ignore[union-attr]
    periods = next(node for node in schedules.blank.nodes if node.name == "chargingSchedulePeriod")

    assert [row.path.rpartition("__.")[2] for row in periods.rows] == ["chargingSchedulePeriod.0"]
    assert periods.blank.path.count("__row0__") == periods.blank.path.count("__row1__") == 1


def test_variables_are_set_on_components_of_an_evse() -> None:
    given = rows("setVariableData", COMPONENT | {"attributeValue": " 7 "}, CLOCK | {"attributeValue": "1"})
    form = built("2.0.1", "SetVariables", connectors=[(1, "1"), (2, "2")])(given)

    assert form.is_valid(), form.errors
    assert form.payload()["setVariableData"][0] == {
        "attributeValue": "7",
        "component": {"evse": {"id": 2}, "name": "EVSE"},
        "variable": {"name": "Power"},
    }


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("RequestStartTransaction", "evseId"),
        ("ChangeAvailability", "evse.id"),
        ("UnlockConnector", "connectorId"),
    ],
)
def test_a_place_that_the_station_does_not_have_is_refused(action: str, name: str) -> None:
    build = built("2.0.1", action, connectors=[(1, "1")], plugs=[(1, "1")])

    assert name in build(in_full(build) | {name: "9"}).errors
    assert name not in build(in_full(build) | {name: "1"}).errors


def test_evse_0_is_offered_where_it_means_the_whole_station() -> None:
    def offered(action: str) -> list[Any]:
        return [
            number
            for number, _words in built("2.1", action, connectors=[(1, "1")])().fields["evseId"].choices
        ]

    assert (0 in offered("SetChargingProfile"), 0 in offered("ReserveNow")) == (True, False)


def test_a_running_session_is_chosen_and_one_that_ended_can_be_asked_about() -> None:
    running = [("tx-1", "tx-1 · BO-1")]

    assert (
        "transactionId"
        in built("2.1", "RequestStopTransaction", running=running)({"transactionId": "tx-9"}).errors
    )
    assert built("2.1", "GetTransactionStatus", running=running)({"transactionId": "tx-9"}).is_valid()


def test_a_group_that_must_be_there_is_sent_empty() -> None:
    form = built("2.1", "UpdateDynamicSchedule")({"chargingProfileId": "4"})

    assert form.is_valid(), form.errors
    assert form.payload() == {"chargingProfileId": 4, "scheduleUpdate": {}}


@pytest.mark.parametrize(
    ("text", "sent"), [("17", "17"), ('{"a": 1.10}', {"a": Decimal("1.10")}), ("[1]", [1]), ("x", "x")]
)
def test_data_of_a_vendor_is_a_text_or_json(text: str, sent: Any) -> None:
    form = built("2.0.1", "DataTransfer")({"vendorId": "volt", "data": text})

    assert form.is_valid(), form.errors
    assert form.payload()["data"] == sent


def test_numbers_are_written_one_per_line() -> None:
    build = built("2.0.1", "ClearVariableMonitoring")

    form = build({"id": "1\r\n\r\n22"})
    assert form.is_valid()
    assert form.payload() == {"id": [1, 22]}
    assert "id" in build({"id": "1\r\nx"}).errors


@pytest.mark.parametrize("action", ["GetBaseReport", "RequestStartTransaction"])
def test_a_request_has_a_number_of_its_own_to_begin_with(action: str) -> None:
    initial = command_forms.initial_from({"evseId": "1", "other": "x"}, "2.0.1", action)
    number = initial.pop("requestId", None) or initial.pop("remoteStartId")

    assert 10**9 < number < 2**31
    assert set(initial) <= {"evseId"}


@pytest.mark.parametrize(
    ("action", "payload", "asks"),
    [
        ("Reset", {"type": "Immediate"}, "cuts running sessions"),
        ("Reset", {"type": "OnIdle"}, "properly"),
        ("ChangeAvailability", {"operationalStatus": "Inoperative"}, "can no longer charge"),
        ("ChangeAvailability", {"operationalStatus": "Operative"}, ""),
        ("UpdateFirmware", {"firmware": {"location": "x"}}, "nobody signed"),
        ("CustomerInformation", {"clear": True}, "cannot be brought back"),
        ("CustomerInformation", {"clear": False}, ""),
        ("SetVariables", {}, "cut the station off"),
        ("GetVariables", {}, ""),
    ],
)
def test_what_can_do_harm_is_confirmed(action: str, payload: dict[str, Any], asks: str) -> None:
    said = str(command_forms.confirmation(action, payload))

    assert asks in said if asks else said == ""


@pytest.mark.parametrize("action", outbound.actions("2.1"))
def test_what_only_reads_is_safe_and_what_must_be_confirmed_never_is(action: str) -> None:
    for_drivers = {"RequestStopTransaction", "UnlockConnector"}  # of first-line support all the same
    is_safe = access.command_action(action, {"type": "Immediate"}) == "command.safe"

    assert not is_safe or action.startswith("Get") or action in for_drivers | {"TriggerMessage"}
    assert not (is_safe and command_forms.confirmation(action, {"clear": True})) or action in for_drivers
