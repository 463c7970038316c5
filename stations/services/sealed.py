"""Secrets inside commands: encrypted in the row that waits, opened only when it is written to the wire.

A command may wait a day for its station, and rows are in backups: no password may lie in them (SECURITY.md, row 18).
"""

from typing import Any

from cpo.lib import keyring

PREFIX = "sealed:"


def seal(text: str) -> str:
    """Return the secret as it may stand in a command's payload."""
    return PREFIX + keyring.encrypt(text)


def is_sealed(value: Any) -> bool:
    """Tell whether a member of a payload is a sealed secret."""
    return isinstance(value, str) and value.startswith(PREFIX)


def opened(payload: Any) -> Any:
    """Return a payload as it goes over the wire; the same object when nothing is sealed. Raise `UnreadableSecret`."""
    if is_sealed(payload):
        return keyring.decrypt(payload[len(PREFIX) :])
    if isinstance(payload, dict):
        found = {name: opened(value) for name, value in payload.items()}
        return found if any(found[name] is not payload[name] for name in payload) else payload
    if isinstance(payload, list):
        members = [opened(value) for value in payload]
        return members if any(a is not b for a, b in zip(members, payload, strict=True)) else payload
    return payload
