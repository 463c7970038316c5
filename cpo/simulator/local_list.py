"""The local authorization list of a simulated OCPP 1.6 station (sections 3.5.2, 5.10 and 5.15)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cpo.simulator.answers import Payload, Reaction
from cpo.simulator.configuration import Key

if TYPE_CHECKING:
    from cpo.simulator.charger import Charger

EMPTY, UNSUPPORTED = 0, -1  # what a version of such a number means


@dataclass
class LocalList:
    """Tokens by their uid in capitals, each with its IdTagInfo."""

    version: int = EMPTY
    entries: dict[str, Payload] = field(default_factory=dict)

    def remembered(self) -> dict[str, Any]:
        """Give what survives a loss of power."""
        return {"version": self.version, "entries": self.entries}

    def status_of(self, id_tag: str, now: datetime) -> str | None:
        """Return what the list says of a token; None when it is not on it."""
        info = self.entries.get(id_tag.upper())
        if info is None:
            return None
        expires = info.get("expiryDate")
        if expires and datetime.fromisoformat(expires.replace("Z", "+00:00")) <= now:
            return "Expired"
        return str(info["status"])


def keys(configuration: dict[str, Key]) -> dict[str, Key]:
    """Give the keys of the profile (chapter 9.2), and its name among the others."""
    profiles = configuration["SupportedFeatureProfiles"].value
    return {
        "LocalAuthListEnabled": Key("true"),
        "LocalAuthListMaxLength": Key("500", readonly=True, number=True),
        "SendLocalListMaxLength": Key("50", readonly=True, number=True),
        "SupportedFeatureProfiles": Key(f"{profiles},LocalAuthListManagement", readonly=True),
    }


def is_enabled(charger: "Charger") -> bool:
    return charger.configuration["LocalAuthListEnabled"].value == "true"


def offline_status(charger: "Charger", id_tag: str) -> str | None:
    """Return what the list decides while nobody can be asked; None: it says nothing."""
    return charger.local_list.status_of(id_tag, charger.clock.now()) if is_enabled(charger) else None


async def get_local_list_version(charger: "Charger", payload: Payload) -> Payload:
    """Tell the version; -1 while the list is switched off (5.10)."""
    return {"listVersion": charger.local_list.version if is_enabled(charger) else UNSUPPORTED}


async def send_local_list(charger: "Charger", payload: Payload) -> Payload:
    """Replace the list, or change it if the version goes forward and everything fits (5.15)."""
    if not is_enabled(charger):
        return {"status": "NotSupported"}
    held, version = charger.local_list, payload["listVersion"]
    changes = payload.get("localAuthorizationList") or []
    is_whole = payload["updateType"] == "Full"
    if not is_whole and version <= held.version:
        return {"status": "VersionMismatch"}
    entries = {} if is_whole else dict(held.entries)
    for change in changes:
        if "idTagInfo" in change:
            entries[change["idTag"].upper()] = change["idTagInfo"]
        else:
            entries.pop(change["idTag"].upper(), None)
    in_one = int(charger.configuration["SendLocalListMaxLength"].value)
    if len(changes) > in_one or len(entries) > int(charger.configuration["LocalAuthListMaxLength"].value):
        return {"status": "Failed"}
    charger.local_list = LocalList(version, entries)
    if charger.memory is not None:
        charger.memory.save(charger)
    return {"status": "Accepted"}


REACTIONS: dict[str, Reaction] = {
    "GetLocalListVersion": get_local_list_version,
    "SendLocalList": send_local_list,
}
