"""What a station can do of local lists, as it tells (OCPP 1.6 chapter 9.2, 2.x LocalAuthListCtrlr, D01.FR.11)."""

from datetime import timedelta
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from cpo.lib import clock
from stations.models import ChargingStation, Command, Variable
from stations.services import configuration, device_model
from stations.services.errors import StationsError
from stations.services.variable_keys import ACTUAL, VariableKey

BY = "local list"  # who asks a station, where nobody did
ASKED_LATELY = timedelta(hours=1)  # a station that did not tell is not asked again for so long
KEYS = ("LocalAuthListEnabled", "LocalAuthListMaxLength", "SendLocalListMaxLength")  # 1.6 chapter 9.2
CONTROLLER = "LocalAuthListCtrlr"
READS = (configuration.READ, "GetReport")  # a report tells limits of values too, which GetVariables does not
CHANGES = (configuration.CHANGE, "SetVariables")
# a key of 1.6 or a variable of the controller, in small letters -> fact
FACTS = {
    "localauthlistenabled": "is_enabled",
    "localauthlistmaxlength": "max_entries",
    "sendlocallistmaxlength": "entries_in_one",
    "enabled": "is_enabled",
    "entries": "max_entries",  # its limit is: its value is how many are in the list now
    "itemspermessage": "entries_in_one",
    "bytespermessage": "bytes_in_one",
}


class Limits(NamedTuple):
    """What a station told about its list; None: it did not."""

    is_told: bool = False
    is_enabled: bool | None = None
    max_entries: int | None = None
    entries_in_one: int | None = None
    bytes_in_one: int | None = None


def of(station: ChargingStation) -> Limits:
    """Return what the station told about its list in its configuration, in the words of the version it speaks."""
    words: dict[str, Any] = {}
    for row in _told(station):
        fact = FACTS.get(row.name.lower())
        if fact is None:
            continue
        words["is_told"] = True
        if fact == "is_enabled":
            words[fact] = _flag(row.value)
        elif row.component and fact == "max_entries":
            words[fact] = None if row.max_limit is None else int(row.max_limit)
        else:
            words[fact] = _number(row.value)
    return Limits(**words)


def _told(station: ChargingStation) -> QuerySet[Variable]:
    rows = Variable.objects.filter(station=station, reported_at__isnull=False)
    if not device_model.is_spoken(station):
        return rows.filter(component="", name__iregex=f"^({'|'.join(KEYS)})$")
    mine = Q(component__iexact=CONTROLLER) | Q(
        component__iexact=CONTROLLER.removesuffix("r")
    )  # both are written
    return rows.filter(mine, attribute=ACTUAL)


def prepare(station: ChargingStation, limits: Limits) -> bool:
    """Ask for the limits that nobody knows, enable a list that is switched off; True when nothing is awaited.

    A station that does not tell or does not obey is asked once an hour, and gets its list all the same: some tell
    less than they can (quirk 24).
    """
    try:
        if not limits.is_told and not _is_over(station, READS):
            if _is_new(station, READS):
                _ask(station)
            return False
        if limits.is_enabled is False and not _is_over(station, CHANGES):
            if _is_new(station, CHANGES):
                enabled = (
                    str(VariableKey("Enabled", CONTROLLER)) if device_model.is_spoken(station) else KEYS[0]
                )
                configuration.change(station, key=enabled, value="true", requested_by=BY)
            return False
    except StationsError:
        pass  # its version has no such words, or it is just gone: what it says to the list itself will tell
    return True


def _ask(station: ChargingStation) -> None:
    if device_model.is_spoken(station):
        device_model.ask_some(station, keys=[VariableKey("", CONTROLLER)], requested_by=BY)
    else:
        configuration.read(station, keys=KEYS, requested_by=BY)


def _lately(station: ChargingStation, actions: tuple[str, ...]) -> Command | None:
    since = clock.now() - ASKED_LATELY
    found = Command.objects.filter(station=station, action__in=actions, requested_by=BY, created_at__gt=since)
    return found.order_by("-id").first()


def _is_new(station: ChargingStation, actions: tuple[str, ...]) -> bool:
    return _lately(station, actions) is None


def _is_over(station: ChargingStation, actions: tuple[str, ...]) -> bool:
    command = _lately(station, actions)
    return command is not None and not command.is_open


def _flag(value: str | None) -> bool | None:
    return {"true": True, "false": False}.get((value or "").strip().lower())


def _number(value: str | None) -> int | None:
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
