"""Forms for commands, made from the JSON schema of the request: a new action gets its form by itself.

`schema_forms` draws the fields, `command_words` and `member_words` have the words; here are what must be confirmed,
and the hints that give some fields a better control: which connectors there are, which transactions run, which
reservations wait.
"""

import json
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext_lazy as _

from cpo.console import command_words, member_words, schema_forms
from cpo.console.schema_forms import SchemaForm
from cpo.lib import clock
from stations.ocpp import outbound

Schema = dict[str, Any]
Payload = dict[str, Any]

_OUT_OF_SERVICE = _("Drivers can no longer charge there until it is made operative again.")
_CUT_OFF = _(
    "A wrong value can cut the station off (URL, network, heartbeat). Somebody may have to drive there."
)
_PRICES = _("Drivers pay these prices at the station from now on. They should be those of its tariff here.")


def _reset(payload: Payload) -> Any:
    if payload.get("type") in ("Hard", "Immediate"):
        return _(
            "A hard reset cuts running sessions off: drivers stop charging and the last readings may be lost."
        )
    if payload.get("type") == "ImmediateAndResume":
        return _(
            "Charging stops while the station restarts, and goes on afterwards if the station can do that."
        )
    return _("The station ends its sessions properly and restarts; it is away for a minute or two.")


def _update(payload: Payload) -> Any:
    if (payload.get("firmware") or {}).get("signature"):
        return _("The station restarts with new firmware; a bad image needs a visit.")
    return _("The station restarts with new firmware that nobody signed; a bad image needs a visit.")


# Before these are sent, somebody confirms what will happen. The answer depends on the payload.
CONFIRM: dict[str, Callable[[Payload], Any]] = {
    "AFRRSignal": lambda p: _(
        "Stations change their power at once; only the grid operator's signal may do that."
    ),
    "CertificateSigned": lambda p: _("With a wrong chain the station may not be able to connect any more."),
    "ChangeAvailability": lambda p: (
        _OUT_OF_SERVICE if "Inoperative" in (p.get("type"), p.get("operationalStatus")) else ""
    ),
    "ChangeConfiguration": lambda p: _CUT_OFF,
    "ChangeTransactionTariff": lambda p: _(
        "The driver pays another price from now on and must have agreed to it."
    ),
    "ClearDERControl": lambda p: _(
        "The station may feed into the grid without this limit. Ask the grid operator."
    ),
    "ClearTariffs": lambda p: _("The station shows and counts no prices of its own any more."),
    "CustomerInformation": lambda p: (
        _("The station forgets this customer: what it erases cannot be brought back.")
        if p.get("clear")
        else ""
    ),
    "DeleteCertificate": lambda p: _(
        "Without its root certificate a station may not be able to connect any more."
    ),
    "InstallCertificate": lambda p: _(
        "From now on the station trusts everybody whom this certificate signs."
    ),
    "RemoteStopTransaction": lambda p: _("The driver's session ends now."),
    "RequestBatterySwap": lambda p: _("The station opens its battery slots for whoever stands there."),
    "RequestStopTransaction": lambda p: _("The driver's session ends now."),
    "Reset": _reset,
    "SendLocalList": lambda p: (
        _("The station forgets every token that is not in this list.")
        if p.get("updateType") == "Full"
        else ""
    ),
    "SetDERControl": lambda p: _(
        "Power to and from the grid changes. Ask the grid operator for these values."
    ),
    "SetDefaultTariff": lambda p: _PRICES,
    "SetMonitoringBase": lambda p: (
        _("Monitors that were set by hand are removed.") if p.get("monitoringBase") != "All" else ""
    ),
    "SetNetworkProfile": lambda p: _CUT_OFF,
    "SetVariables": lambda p: _CUT_OFF,
    "SignedUpdateFirmware": lambda p: _("The station restarts with new firmware; a bad image needs a visit."),
    "UnlockConnector": lambda p: _(
        "The cable is released at once. Make sure that the driver stands beside it."
    ),
    "UpdateFirmware": _update,
}
WHOLE_STATION = frozenset(
    {
        "ChangeAvailability", "ClearChargingProfile", "ClearTariffs", "GetChargingProfiles",
        "GetCompositeSchedule", "GetTariffs", "SetChargingProfile", "SetDefaultTariff",
    }
)  # connector 0 (1.6) or EVSE 0 (2.x) means the whole station  # fmt: skip
ANY_CONNECTOR = frozenset({"ReserveNow"})  # 1.6: connector 0 reserves whichever is free
NUMBERED = frozenset({"remoteStartId", "requestId"})  # made up by us, found again in what the station reports


class CommandForm(SchemaForm):
    """Fields of one request; `payload()` gives the request itself."""

    label = staticmethod(lambda name: member_words.LABELS.get(name) or schema_forms.words(name))
    hint = staticmethod(lambda name: member_words.HINTS.get(name, ""))
    choice = staticmethod(member_words.choice)


def actions(version: str) -> list[str]:
    """Return what has a form here, of what can be sent to a station of this OCPP version; the API takes all of it."""
    return [action for action in outbound.actions(version) if action in command_words.of(version)]


def words(version: str, action: str) -> Any:
    """Say what an action does; empty for one without words."""
    return command_words.of(version).get(action, "")


def form_class(
    version: str,
    action: str,
    *,
    connectors: list[tuple[int, str]] = (),  # type: ignore[assignment]
    plugs: list[tuple[int, str]] = (),  # type: ignore[assignment]
    running: list[tuple[str, str]] = (),  # type: ignore[assignment]
    reservations: list[tuple[int, str]] = (),  # type: ignore[assignment]
) -> type[CommandForm]:
    """Return the form of an action. The choices of a station: `connectors` (EVSEs in 2.x, where `plugs` numbers the
    connectors of one EVSE), `running` (transaction id, words) and `reservations` (id, words)."""
    choices: dict[str, list[tuple[Any, Any]]] = {}
    is_2x = version.startswith("2")
    if connectors:
        has_zero = action in WHOLE_STATION or (action in ANY_CONNECTOR and not is_2x)
        numbers = [*([(0, _("0: the whole station"))] if has_zero else []), *connectors]
        choices |= {"evseId": numbers, "evse.id": list(connectors)} if is_2x else {"connectorId": numbers}
    if plugs and is_2x:
        choices["connectorId"] = list(plugs)
    if running and action != "GetTransactionStatus":  # which is asked about those that ended
        choices["transactionId"] = list(running)
    if reservations and action == "CancelReservation":
        choices["reservationId"] = list(reservations)
    facts = {"schema": outbound.schema(version, action), "choices": choices}
    return type(f"{action}Form", (CommandForm,), facts)


def confirmation(action: str, payload: Payload) -> Any:
    """Say what must be confirmed before this is sent; empty when nothing is dangerous about it."""
    return CONFIRM[action](payload) if action in CONFIRM else ""


def initial_from(query: dict[str, str], version: str, action: str) -> dict[str, Any]:
    """Take the values that a link gave for fields of this action, and a number of its own for one that has none."""
    known = outbound.schema(version, action).get("properties", {})
    number = int(clock.now().timestamp())  # far above the numbers of our own rows
    made_up = {name: number for name in NUMBERED if name in known}
    return made_up | {name: value for name, value in query.items() if name.partition(".")[0] in known}


def dump(payload: Payload) -> str:
    """Write a payload into a hidden field of the confirmation."""
    return json.dumps(payload, ensure_ascii=False)
