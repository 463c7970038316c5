"""Every command of a station's version, from its page to the queue: opened, filled in, sent, and read back."""

import re
from typing import Any

import pytest
from django.test import Client

from cpo.console import commands_tab, member_words
from stations.models import ChargingSession, ChargingStation, Command, Connector
from stations.ocpp import codec
from stations.ocpp.pipeline import CONTENTS
from stations.services import firmware_library, sealed
from tests import factories, signing
from tests.cpo.console.filled import in_full

VERSIONS = sorted(CONTENTS)
MAKER = signing.maker()
URL = "https://127.0.0.1/1"
# What is looked at beyond the schema: where files lie, and who signs firmware.
REAL = {
    "basicauthpassword": "correct-horse-battery",
    "location": URL,
    "remotelocation": URL,
    "signingcertificate": MAKER.certificate,
}
EXTENT = pytest.mark.parametrize("only_needed", [False, True], ids=["maximal", "minimal"])


@pytest.fixture(params=VERSIONS)
def station(request: pytest.FixtureRequest, db: None, settings: Any) -> ChargingStation:
    """Give a station of the version, with two EVSEs and a session that runs, and files that it may fetch."""
    settings.FILES_EXTERNAL_HOSTS, settings.FIRMWARE_ALLOW_UNSIGNED = ["127.0.0.1"], True
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    firmware_library.trust("", name="maker", certificate=MAKER.root, added_by="ada")
    found = factories.station("BEO-1", is_online=True, epoch=1, ocpp_version=request.param, connectors=2)
    factories.session(found, status="active", transaction_id="7", ended_at=None)
    return found


def outbound(station: ChargingStation) -> list[str]:
    return sorted(CONTENTS[station.ocpp_version].outbound)


def given(station: ChargingStation, action: str, *, only_needed: bool) -> dict[str, Any]:
    """Fill in the form of this station as somebody does who knows every field, or only what must be."""
    connectors = list(Connector.objects.filter(evse__station=station).select_related("evse"))
    running = list(ChargingSession.objects.filter(station=station).select_related("evse"))
    filled = in_full(commands_tab.form_of(station, action, connectors, running), only_needed=only_needed)
    known = {name: REAL.get(name.rpartition(".")[2].lower(), filled[name]) for name in filled}
    return known | {"action": action, "confirmed": "yes"}


def drawn(text: str) -> set[str]:
    """Give the names of the controls in the form of a command; those of rows that wait to be copied too."""
    form = text[text.index('name="action" value=') :]
    return set(re.findall(r' name="([^"]+)"', form[: form.index("</form>")]))


def test_the_form_of_each_command_opens_with_a_control_for_each_member(
    ada: Client, station: ChargingStation
) -> None:
    wrong = {}
    for action in outbound(station):
        text = ada.get(f"/stations/BEO-1/?tab=commands&action={action}").content.decode()
        names = {re.sub(r"\.\d+\.", ".", name) for name in given(station, action, only_needed=False)}
        names -= {"action", "confirmed"}
        shown = {re.sub(r"\.(\d+|__row\d__)\.", ".", name) for name in drawn(text)}
        wrong[action] = names - shown

    assert {action: missing for action, missing in wrong.items() if missing} == {}


@EXTENT
def test_each_command_is_sent_from_its_form_and_queued_as_it_was_filled_in(
    ada: Client, station: ChargingStation, only_needed: bool
) -> None:
    wrong = {}
    for action in outbound(station):
        response = ada.post("/stations/BEO-1/commands/", given(station, action, only_needed=only_needed))
        command = Command.objects.filter(station=station, action=action).last()
        if command is None:
            wrong[action] = response.status_code
            continue
        fault = codec.request_fault(station.ocpp_version, action, sealed.opened(command.payload))
        empty = not only_needed and set(command.payload) < members(station, action)
        if fault or empty:
            wrong[action] = fault or set(command.payload)

    assert wrong == {}


def members(station: ChargingStation, action: str) -> set[str]:
    return set(codec.request_schema(station.ocpp_version, action).get("properties", {})) - {"customData"}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("TxProfile", "one session (TxProfile)"),
        ("SecurityLog", "Security log"),
        ("AC_single_phase", "AC single phase"),
        ("OCPP21", "OCPP21"),
    ],
)
def test_words_of_choices_are_said_plainly(word: str, said: str) -> None:
    assert str(member_words.choice(word)) == said
