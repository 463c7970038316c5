"""Forms for commands, made from the JSON schema of the request: a new action gets its form by itself.

`schema_forms` draws the fields; here are the words of the actions and the hints that give some fields a better
control: which connectors there are, which transactions run, which reservations wait.
"""

import json
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext_lazy as _

from cpo.console import schema_forms
from cpo.console.schema_forms import SchemaForm
from stations.ocpp import outbound

Schema = dict[str, Any]

# What an action does, said before it is sent. An action without words still gets its form.
WORDS: dict[str, Any] = {
    "CancelReservation": _("Frees a reserved connector before the reservation ends by itself."),
    "CertificateSigned": _("Hands the station the certificate chain that it asked for, signed, leaf first."),
    "ChangeAvailability": _(
        "Puts a connector, or with connector 0 the whole station, into or out of service. A running session ends first."
    ),
    "ChangeConfiguration": _(
        "Sets one configuration key. Some take effect only after a restart: the answer then is RebootRequired."
    ),
    "ClearCache": _("Empties the station's authorization cache; every token is asked about again."),
    "ClearChargingProfile": _("Removes charging profiles: one by its id, or all that fit the other fields."),
    "DataTransfer": _("Sends a vendor's own message. Its meaning is agreed with the vendor."),
    "DeleteCertificate": _("Removes an installed root certificate, named by its hashes."),
    "ExtendedTriggerMessage": _(
        "Asks the station to send a message now, a certificate request or log status included."
    ),
    "GetCompositeSchedule": _(
        "Asks what limit the station will apply for the coming seconds, all profiles together."
    ),
    "GetConfiguration": _("Reads configuration keys; all of them when no key is named."),
    "GetDiagnostics": _(
        "Asks the station to upload its diagnostics to a URL. The Logs tab makes the URL by itself."
    ),
    "GetInstalledCertificateIds": _("Asks which root certificates are installed."),
    "GetLocalListVersion": _("Asks for the version of the local list; 0 is an empty list, -1 none at all."),
    "GetLog": _(
        "Asks the station to upload its diagnostics or security log. The Logs tab makes the URL by itself."
    ),
    "InstallCertificate": _("Installs a root certificate: of this system, or of the maker."),
    "RemoteStartTransaction": _(
        "Starts a session for a token, as if the driver had shown it. The car must be plugged in soon."
    ),
    "RemoteStopTransaction": _("Ends a running session; the driver can unplug then."),
    "ReserveNow": _("Keeps a connector for one token until a time."),
    "Reset": _("Restarts the station. Soft ends sessions properly first; Hard restarts at once."),
    "SendLocalList": _(
        "Sends tokens that may charge while the station is offline. The list is kept in step by itself."
    ),
    "SetChargingProfile": _("Limits power or current for the station, a connector or a session."),
    "SignedUpdateFirmware": _(
        "Lets the station fetch and install a signed image. The Firmware tab fills this in."
    ),
    "TriggerMessage": _("Asks the station to send a message now: a status, readings, a Heartbeat."),
    "UnlockConnector": _("Opens the cable lock, for a driver who cannot unplug. Not meant to end a session."),
    "UpdateFirmware": _(
        "Lets the station fetch and install an image that nobody signed. The Firmware tab is safer."
    ),
}

# Before these are sent, somebody confirms what will happen. The answer depends on the payload.
CONFIRM: dict[str, Callable[[dict[str, Any]], Any]] = {
    "Reset": lambda p: (
        _("A hard reset cuts running sessions off: drivers stop charging and the last readings may be lost.")
        if p.get("type") == "Hard"
        else _("The station ends its sessions properly and restarts; it is away for a minute or two.")
    ),
    "UnlockConnector": lambda p: _(
        "The cable is released at once. Make sure that the driver stands beside it."
    ),
    "ChangeConfiguration": lambda p: _(
        "A wrong value can cut the station off (URL, network, heartbeat). Somebody may have to drive there."
    ),
    "ChangeAvailability": lambda p: (
        _("Drivers can no longer charge there until it is made operative again.")
        if p.get("type") == "Inoperative"
        else ""
    ),
    "RemoteStopTransaction": lambda p: _("The driver's session ends now."),
    "ClearCache": lambda p: "",
    "CertificateSigned": lambda p: _("With a wrong chain the station may not be able to connect any more."),
    "DeleteCertificate": lambda p: _(
        "Without its root certificate a station may not be able to connect any more."
    ),
    "InstallCertificate": lambda p: _(
        "From now on the station trusts everybody whom this certificate signs."
    ),
    "SendLocalList": lambda p: (
        _("The station forgets every token that is not in this list.")
        if p.get("updateType") == "Full"
        else ""
    ),
    "SignedUpdateFirmware": lambda p: _("The station restarts with new firmware; a bad image needs a visit."),
    "UpdateFirmware": lambda p: _(
        "The station restarts with new firmware that nobody signed; a bad image needs a visit."
    ),
}
LABELS = {
    "connectorId": _("Connector"),
    "csChargingProfiles": _("Charging profile"),
    "data": _("Data"),
    "duration": _("Duration in seconds"),
    "idTag": _("Token"),
    "idTagInfo": _("What may be done with it"),
    "key": _("Key"),
    "limit": _("Limit in A or W"),
    "messageId": _("Message"),
    "minChargingRate": _("Least charging rate in A or W"),
    "parentIdTag": _("Group of the token"),
    "requestedMessage": _("Message"),
    "reservationId": _("Reservation"),
    "retryInterval": _("Seconds between tries"),
    "startPeriod": _("Starts after seconds"),
    "transactionId": _("Session"),
    "vendorId": _("Vendor"),
}
WHOLE_STATION = frozenset(
    {"ChangeAvailability", "ClearChargingProfile", "GetCompositeSchedule", "ReserveNow", "SetChargingProfile"}
)  # connector 0 means the whole station


class CommandForm(SchemaForm):
    """Fields of one request; `payload()` gives the request itself."""

    label = staticmethod(lambda name: LABELS.get(name) or schema_forms.words(name))


def actions(version: str) -> list[str]:
    """Return what has a form here, of what can be sent to a station of this OCPP version; the API takes all of it."""
    return [action for action in outbound.actions(version) if action in WORDS]


def form_class(
    version: str,
    action: str,
    *,
    connectors: list[tuple[int, str]] = (),  # type: ignore[assignment]
    running: list[tuple[str, str]] = (),  # type: ignore[assignment]
    reservations: list[tuple[int, str]] = (),  # type: ignore[assignment]
) -> type[CommandForm]:
    """Return the form of an action: `connectors`, `running` (transaction id, words) and `reservations` (id, words) are
    the choices of a station."""
    choices: dict[str, list[tuple[Any, Any]]] = {}
    if connectors:
        whole = [(0, _("0: the whole station"))] if action in WHOLE_STATION else []
        choices["connectorId"] = [*whole, *connectors]
    if running:
        choices["transactionId"] = list(running)
    if reservations and action == "CancelReservation":
        choices["reservationId"] = list(reservations)
    facts = {"schema": outbound.schema(version, action), "choices": choices}
    return type(f"{action}Form", (CommandForm,), facts)


def confirmation(action: str, payload: dict[str, Any]) -> Any:
    """Say what must be confirmed before this is sent; empty when nothing is dangerous about it."""
    return CONFIRM[action](payload) if action in CONFIRM else ""


def initial_from(query: dict[str, str], version: str, action: str) -> dict[str, str]:
    """Take the values that a link gave for fields of this action."""
    known = outbound.schema(version, action).get("properties", {})
    return {name: value for name, value in query.items() if name in known}


def dump(payload: dict[str, Any]) -> str:
    """Write a payload into a hidden field of the confirmation."""
    return json.dumps(payload, ensure_ascii=False)
