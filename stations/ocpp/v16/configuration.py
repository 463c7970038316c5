"""Answers to GetConfiguration and ChangeConfiguration (OCPP 1.6 sections 5.8 and 5.3)."""

from typing import Any

from cpo.lib import clock
from stations.models import Command
from stations.ocpp.route import Payload
from stations.services import configuration, configuration_templates
from stations.services.errors import InvalidPayload, UnknownAction
from stations.services.variable_keys import VariableKey


def write_read(*, keys: list[VariableKey]) -> tuple[str, Payload]:
    """Write GetConfiguration of these keys, or of everything."""
    return "GetConfiguration", {"key": [_name(key) for key in keys]} if keys else {}


def write_change(*, changes: list[tuple[VariableKey, str]]) -> tuple[str, Payload]:
    """Write ChangeConfiguration, which takes one key."""
    if len(changes) != 1:
        raise InvalidPayload("changes", "1.6 changes one key at a time")
    key, value = changes[0]
    return "ChangeConfiguration", {"key": _name(key), "value": value}


def get_configuration(command: Command, answer: Payload | None) -> None:
    """Store the keys that were told and, of those asked for, the unknown ones; ask again if the list was cut off."""
    if answer is None:
        return
    keys = [entry for entry in map(_entry, _list(answer.get("configurationKey"))) if entry is not None]
    asked = {name.casefold() for name in command.payload.get("key") or ()}
    unknown = [text for text in map(_text, _list(answer.get("unknownKey"))) if text.casefold() in asked]

    configuration.store(command.station_id, keys=keys, unknown=unknown, now=clock.now())
    if not asked:
        configuration.complete(command.station_id, told=[key["key"] for key in keys])
    configuration_templates.enforce(command.station_id)


def change_configuration(command: Command, answer: Payload | None) -> None:
    """See to it that what the station made of a change is known."""
    if answer is None:
        return
    configuration.changed(command.station_id, key=command.payload["key"], status=answer["status"])


def _entry(entry: Any) -> dict[str, Any] | None:
    """Read one key as tolerantly as the codec lets answers through; None for what has no name."""
    if not isinstance(entry, dict) or not _text(entry.get("key")):
        return None
    value = entry.get("value")
    return {
        "key": _text(entry["key"]),
        "value": None if value is None else _text(value),
        "readonly": _text(entry.get("readonly")).lower() == "true",
    }


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _list(members: Any) -> list[Any]:
    if isinstance(members, list):
        return members
    return [] if members is None else [members]


def _name(key: VariableKey) -> str:
    if key.component:
        raise UnknownAction(f"OCPP 1.6 has keys and no components: {key}")
    return key.name
