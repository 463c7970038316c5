"""What lets a station in, in the words of 2.x: password, organization, network profiles (A01, A00.FR.509, B09, B10).

What becomes of a change reads `stations.ocpp.security_changes`.
"""

from typing import Any

from stations.models import Command, NetworkProfile
from stations.ocpp.route import Passwords, Payload
from stations.ocpp.v2 import device_model
from stations.services import network_profiles
from stations.services.variable_keys import VariableKey

State = NetworkProfile.State
PASSWORD = VariableKey("BasicAuthPassword", "SecurityCtrlr")
ORGANIZATION = VariableKey("OrganizationName", "SecurityCtrlr")
NEXT_BOOT = "RebootRequired"  # word for what is stored and takes effect at the next boot


def write_password(*, secret: str) -> tuple[str, Payload]:
    """Write the change of BasicAuthPassword (A01.FR.02)."""
    return device_model.write_change(changes=[(PASSWORD, secret)])


def write_organization(*, name: str) -> tuple[str, Payload]:
    """Write the change of OrganizationName, which the station puts into its request for a certificate (A00.FR.509)."""
    return device_model.write_change(changes=[(ORGANIZATION, name)])


def write_network_profile(*, slot: int, data: dict[str, Any]) -> tuple[str, Payload]:
    """Write SetNetworkProfile (B09)."""
    return "SetNetworkProfile", {"configurationSlot": slot, "connectionData": data}


def word_of_profile(answer: Payload) -> str:
    """Read the word for a SetNetworkProfile: what it holds is used from a boot on (B09, remark)."""
    word = str(answer["status"])
    return NEXT_BOOT if word == "Accepted" else word


def word_of_variables(answer: Payload) -> str:
    """Read one word out of the results of a SetVariables: the worst of them (A01.FR.03, A01.FR.04)."""
    words = [_word(item) for item in answer["setVariableResult"]]
    worse = [word for word in words if word not in ("Accepted", NEXT_BOOT)]
    return worse[0] if worse else NEXT_BOOT if NEXT_BOOT in words else "Accepted"


def _word(item: Payload) -> str:
    """Read one result; a variable of a slot is used once the slot is (B09.FR.28)."""
    word = str(item["attributeStatus"])
    is_of_slot = item["component"]["name"].casefold() == network_profiles.SLOT.casefold()
    return NEXT_BOOT if is_of_slot and word == "Accepted" else word


def set_network_profile(command: Command, answer: Payload | None) -> None:
    """Keep what the station made of a profile (B09.FR.01 to FR.03)."""
    words = {"Accepted": State.ACCEPTED, "Rejected": State.REJECTED, "Failed": State.FAILED}
    info = (answer or {}).get("statusInfo") or {}

    network_profiles.answered(
        command,
        slot=command.payload["configurationSlot"],
        data=command.payload["connectionData"],
        state=words[answer["status"]] if answer is not None else State.UNKNOWN,
        reason=str(info.get("reasonCode") or command.error_description),
    )


def set_variables(command: Command, answer: Payload | None) -> None:
    """See to it that what the station made of each change is known, also of a slot that is set so (B05, B09.FR.24)."""
    if command.subject.startswith(network_profiles.SUBJECT):
        word = word_of_variables(answer) if answer is not None else ""
        taken = {"": State.UNKNOWN, "Accepted": State.ACCEPTED, NEXT_BOOT: State.ACCEPTED}
        network_profiles.variables_answered(
            command, state=taken.get(word, State.REJECTED), reason=word or command.error_description
        )

    device_model.set_variables(command, answer)


def _passwords(action: str, payload: Payload) -> list[tuple[str | int, ...]]:
    """Say where in a request a password of the station stands."""
    if action == "SetNetworkProfile":
        has_one = "basicAuthPassword" in (payload.get("connectionData") or {})
        return [("connectionData", "basicAuthPassword")] if has_one else []
    if action != "SetVariables":
        return []
    names = [item["variable"]["name"].casefold() for item in payload["setVariableData"]]
    return [
        ("setVariableData", number, "attributeValue")
        for number, name in enumerate(names)
        if name == PASSWORD.name.casefold()
    ]


PASSWORDS = Passwords("plain", _passwords)  # a text, never encoded (2.1 BasicAuthPassword)
