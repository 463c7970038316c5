"""Forms made from the schemas of the requests."""

import pytest

from cpo.console import command_forms
from stations.ocpp import outbound

PAYLOADS = {
    "ChangeAvailability": (
        {"connectorId": "0", "type": "Operative"},
        {"connectorId": 0, "type": "Operative"},
    ),
    "ChangeConfiguration": ({"key": "A", "value": " b "}, {"key": "A", "value": " b "}),
    "ClearCache": ({}, {}),
    "DataTransfer": ({"vendorId": "volt", "data": "x"}, {"vendorId": "volt", "data": "x"}),
    "GetConfiguration": ({"key": "A\r\n\r\n B "}, {"key": ["A", "B"]}),
    "RemoteStartTransaction": ({"connectorId": "1", "idTag": "BO-1"}, {"connectorId": 1, "idTag": "BO-1"}),
    "RemoteStopTransaction": ({"transactionId": "7"}, {"transactionId": 7}),
    "Reset": ({"type": "Soft"}, {"type": "Soft"}),
    "TriggerMessage": ({"requestedMessage": "Heartbeat"}, {"requestedMessage": "Heartbeat"}),
    "UnlockConnector": ({"connectorId": "2"}, {"connectorId": 2}),
}


def test_every_action_has_a_case_and_words() -> None:
    assert set(command_forms.actions("1.6")) == set(PAYLOADS) == set(command_forms.WORDS)


@pytest.mark.parametrize("action", PAYLOADS)
def test_a_form_gives_a_request_that_fits_the_schema(action: str) -> None:
    given, expected = PAYLOADS[action]
    form = command_forms.form_class("1.6", action, connectors=[(1, "1"), (2, "2")])(given)

    assert form.is_valid(), form.errors
    assert form.payload() == expected
    outbound.check("1.6", action, form.payload())


def test_what_is_missing_or_too_long_is_said_at_the_field() -> None:
    form = command_forms.form_class("1.6", "RemoteStartTransaction")({"idTag": "x" * 21})

    assert set(form.errors) == {"idTag"}


def test_a_connector_that_the_station_does_not_have_is_refused() -> None:
    form = command_forms.form_class("1.6", "UnlockConnector", connectors=[(1, "1")])({"connectorId": "9"})

    assert "connectorId" in form.errors


def test_a_deeper_object_is_written_as_json() -> None:
    build = command_forms.form_class("1.6", "RemoteStartTransaction")

    assert build({"idTag": "BO-1", "chargingProfile": '{"a": 1}'}).is_valid()
    assert not build({"idTag": "BO-1", "chargingProfile": "{"}).is_valid()
    assert "null" not in str(build()["chargingProfile"])


@pytest.mark.parametrize(
    ("action", "payload", "asks"),
    [
        ("Reset", {"type": "Hard"}, True),
        ("UnlockConnector", {"connectorId": 1}, True),
        ("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}, True),
        ("ChangeAvailability", {"connectorId": 0, "type": "Operative"}, False),
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}, False),
    ],
)
def test_only_what_can_do_harm_is_confirmed(action: str, payload: dict[str, object], asks: bool) -> None:
    assert bool(command_forms.confirmation(action, payload)) is asks
