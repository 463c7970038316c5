"""What a station can do of local lists, as it tells itself (OCPP 1.6 chapter 9.2, 2.x LocalAuthListCtrlr)."""

from datetime import timedelta
from typing import Any, NamedTuple

from cpo.lib import clock
from stations.models import ChargingStation, Command, Variable
from stations.services import configuration
from stations.services.errors import StationsError

BY = "local list"  # who asks a station, where nobody did
ASKED_LATELY = timedelta(hours=1)  # a station that did not tell is not asked again for so long
KEYS = ("LocalAuthListEnabled", "LocalAuthListMaxLength", "SendLocalListMaxLength")  # 1.6 chapter 9.2
# the variable in each version, in small letters: (component, name) -> fact
VARIABLES = {
    ("", "localauthlistenabled"): "is_enabled",
    ("", "localauthlistmaxlength"): "max_entries",
    ("", "sendlocallistmaxlength"): "entries_in_one",
    ("localauthlistctrlr", "enabled"): "is_enabled",
    ("localauthlistctrlr", "entries"): "max_entries",
    ("localauthlistctrlr", "itemspermessage"): "entries_in_one",
}
NAMES = (
    "^(localauthlistenabled|localauthlistmaxlength|sendlocallistmaxlength|enabled|entries|itemspermessage)$"
)


class Limits(NamedTuple):
    """What a station told about its list; None: it did not."""

    is_told: bool = False
    is_enabled: bool | None = None
    max_entries: int | None = None
    entries_in_one: int | None = None


def of(station: ChargingStation) -> Limits:
    """Return what the station told about its list in its configuration."""
    words: dict[str, Any] = {}
    for row in Variable.objects.filter(station=station, reported_at__isnull=False, name__iregex=NAMES):
        fact = VARIABLES.get((row.component.lower(), row.name.lower()))
        if fact is not None:
            words["is_told"] = True
            words[fact] = _flag(row.value) if fact == "is_enabled" else _number(row.value)
    return Limits(**words)


def prepare(station: ChargingStation, limits: Limits) -> bool:
    """Ask for the limits that nobody knows, enable a list that is switched off; True when nothing is awaited.

    A station that does not tell or does not obey is asked once an hour, and gets its list all the same: some tell
    less than they can (quirk 24).
    """
    try:
        if not limits.is_told and not _is_over(station, configuration.READ):
            if _is_new(station, configuration.READ):
                configuration.read(station, keys=KEYS, requested_by=BY)
            return False
        if limits.is_enabled is False and not _is_over(station, configuration.CHANGE):
            if _is_new(station, configuration.CHANGE):
                configuration.change(station, key=KEYS[0], value="true", requested_by=BY)
            return False
    except StationsError:
        pass  # its version has no such words, or it is just gone: what it says to the list itself will tell
    return True


def _lately(station: ChargingStation, action: str) -> Command | None:
    since = clock.now() - ASKED_LATELY
    found = Command.objects.filter(station=station, action=action, requested_by=BY, created_at__gt=since)
    return found.order_by("-id").first()


def _is_new(station: ChargingStation, action: str) -> bool:
    return _lately(station, action) is None


def _is_over(station: ChargingStation, action: str) -> bool:
    command = _lately(station, action)
    return command is not None and not command.is_open


def _flag(value: str | None) -> bool | None:
    return {"true": True, "false": False}.get((value or "").strip().lower())


def _number(value: str | None) -> int | None:
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
