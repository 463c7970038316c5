"""/stations/{id}/commands/ of OCPP 2.0.1 and 2.1: every request is taken, or refused with a reason."""

import json
from typing import Any

import pytest

from cpo.console import command_forms
from stations.models import Command
from stations.ocpp import codec, outbound
from tests import factories
from tests.cpo.console.filled import in_full

EVERY = [(version, action) for version in ("2.0.1", "2.1") for action in outbound.actions(version)]
URL = "https://127.0.0.1/file"
LOCATIONS = ("location", "remoteLocation")  # members that services look at closely


def asked(version: str, action: str) -> dict[str, Any]:
    build = command_forms.form_class(version, action)
    form = build(in_full(build, only_needed=True))
    assert form.is_valid(), form.errors
    text = codec.to_json(form.payload())
    for member in LOCATIONS:
        text = text.replace(f'"{member}":"A1"', f'"{member}":"{URL}"')
    return {"action": action, "payload": json.loads(text)}


@pytest.mark.parametrize(("version", "action"), EVERY)
def test_every_action_is_taken(api, db, settings, version, action):
    settings.FILES_EXTERNAL_HOSTS, settings.FIRMWARE_ALLOW_UNSIGNED = ["127.0.0.1"], True
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    factories.station("ADA-1", is_online=True, ocpp_version=version)

    made = api.post("stations/ADA-1/commands/", asked(version, action), expect=202)

    assert (made["action"], made["status"]) == (action, "queued")
    assert Command.objects.get().action == action


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
@pytest.mark.parametrize(("action", "reason"), [("GetLog", "only https"), ("UpdateFirmware", "not allowed")])
def test_a_place_that_is_not_ours_is_refused_with_the_reason(api, db, version, action, reason):
    factories.station("ADA-1", is_online=True, ocpp_version=version)
    body = json.loads(json.dumps(asked(version, action)).replace(URL, "gopher://files"))

    error = api.post("stations/ADA-1/commands/", body, expect=400)["error"]

    assert error["code"] == "invalid_payload"
    assert reason in error["message"]


@pytest.mark.parametrize("action", sorted(set(outbound.actions("2.1")) - set(outbound.actions("2.0.1"))))
def test_what_only_2_1_has_is_refused_for_2_0_1(api, db, action):
    factories.station("ADA-1", is_online=True, ocpp_version="2.0.1")

    error = api.post("stations/ADA-1/commands/", asked("2.1", action), expect=400)["error"]

    assert error["code"] == "unknown_action"
    assert "2.0.1" in error["message"]


@pytest.mark.parametrize("action", outbound.actions("2.1"))
def test_a_member_that_the_schema_does_not_know_is_refused(api, db, action):
    factories.station("ADA-1", is_online=True, ocpp_version="2.1")
    body = asked("2.1", action)
    body["payload"]["extra"] = 1

    error = api.post("stations/ADA-1/commands/", body, expect=400)["error"]

    assert error["code"] == "invalid_payload"
    assert not Command.objects.exists()
