"""Forms for commands, made from the JSON schema of the request: a new action gets its form by itself.

Plain values become fields, lists of words a text area with one per line, deeper objects JSON. Hints give some fields a
better control: which connectors there are, which transactions run, which tokens are known.
"""

import json
from collections.abc import Callable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from stations.ocpp import outbound

Schema = dict[str, Any]

# What an action does, said before it is sent. An action without words still gets its form.
WORDS: dict[str, Any] = {
    "ChangeAvailability": _(
        "Puts a connector, or with connector 0 the whole station, into or out of service. A running session ends first."
    ),
    "ChangeConfiguration": _(
        "Sets one configuration key. Some take effect only after a restart: the answer then is RebootRequired."
    ),
    "ClearCache": _("Empties the station's authorization cache; every token is asked about again."),
    "DataTransfer": _("Sends a vendor's own message. Its meaning is agreed with the vendor."),
    "GetConfiguration": _("Reads configuration keys; all of them when no key is named."),
    "RemoteStartTransaction": _(
        "Starts a session for a token, as if the driver had shown it. The car must be plugged in soon."
    ),
    "RemoteStopTransaction": _("Ends a running session; the driver can unplug then."),
    "Reset": _("Restarts the station. Soft ends sessions properly first; Hard restarts at once."),
    "TriggerMessage": _("Asks the station to send a message now: a status, readings, a Heartbeat."),
    "UnlockConnector": _("Opens the cable lock, for a driver who cannot unplug. Not meant to end a session."),
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
}
LABELS = {
    "connectorId": _("Connector"),
    "idTag": _("Token"),
    "transactionId": _("Session"),
    "type": _("Type"),
    "key": _("Key"),
    "value": _("Value"),
    "vendorId": _("Vendor"),
    "messageId": _("Message"),
    "data": _("Data"),
    "requestedMessage": _("Message"),
    "chargingProfile": _("Charging profile"),
}
WHOLE_STATION = frozenset({"ChangeAvailability"})  # connector 0 means the whole station


class CommandForm(forms.Form):
    """Fields of one request; `payload()` gives the request itself."""

    schema: Schema = {}

    def payload(self) -> dict[str, Any]:
        """Return the request without the fields that were left empty."""
        given = {name: self.cleaned_data[name] for name in self.schema.get("properties", {})}
        return {name: value for name, value in given.items() if value not in (None, "", [])}


class Json(forms.JSONField):
    """A deeper object, written as JSON; empty when it is not sent."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)


class Lines(forms.CharField):
    """Words, one per line."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in (value or "").splitlines() if line.strip()]

    def validate(self, value: Any) -> None:
        if self.required and not value:
            raise forms.ValidationError(self.error_messages["required"], code="required")

    def run_validators(self, value: Any) -> None:
        return None


def actions(version: str) -> list[str]:
    """Return what has a form here, of what can be sent to a station of this OCPP version; the API takes all of it."""
    return [action for action in outbound.actions(version) if action in WORDS]


def form_class(
    version: str,
    action: str,
    *,
    connectors: list[tuple[int, str]] = (),  # type: ignore[assignment]
    running: list[tuple[str, str]] = (),  # type: ignore[assignment]
) -> type[CommandForm]:
    """Return the form of an action: `connectors` and `running` (transaction id, words) are the choices of a station."""
    schema = outbound.schema(version, action)
    required = set(schema.get("required", ()))
    choices: dict[str, list[tuple[Any, Any]]] = {}
    if connectors:
        whole = [(0, _("0: the whole station"))] if action in WHOLE_STATION else []
        choices["connectorId"] = [*whole, *connectors]
    if running:
        choices["transactionId"] = list(running)
    fields = {
        name: _field(name, spec, required=name in required, choices=choices.get(name))
        for name, spec in schema.get("properties", {}).items()
    }
    return type(f"{action}Form", (CommandForm,), {**fields, "schema": schema})


def confirmation(action: str, payload: dict[str, Any]) -> Any:
    """Say what must be confirmed before this is sent; empty when nothing is dangerous about it."""
    return CONFIRM[action](payload) if action in CONFIRM else ""


def _field(name: str, spec: Schema, *, required: bool, choices: list[tuple[Any, Any]] | None) -> forms.Field:
    label = LABELS.get(name, name)
    kind = spec.get("type")
    shared: dict[str, Any] = {"label": label, "required": required}
    empty = [] if required else [("", _("not sent"))]
    if choices is not None:
        return forms.TypedChoiceField(
            choices=[*empty, *choices], coerce=int if kind == "integer" else str, empty_value=None, **shared
        )
    if "enum" in spec:
        return forms.ChoiceField(choices=[*empty, *((word, word) for word in spec["enum"])], **shared)
    if kind == "integer":
        return forms.IntegerField(**shared)
    if kind == "number":
        return forms.DecimalField(**shared)
    if kind == "boolean":
        return forms.TypedChoiceField(
            choices=[*empty, ("true", _("yes")), ("false", _("no"))],
            coerce=lambda text: text == "true",
            empty_value=None,
            **shared,
        )
    if kind == "array" and spec.get("items", {}).get("type") == "string":
        return Lines(
            help_text=_("One per line; none means all."), widget=forms.Textarea(attrs={"rows": 3}), **shared
        )
    if kind in ("object", "array"):
        return Json(
            help_text=_("JSON, as in the OCPP specification."),
            widget=forms.Textarea(attrs={"rows": 4}),
            **shared,
        )
    return forms.CharField(max_length=spec.get("maxLength"), strip=name != "value", **shared)


def initial_from(query: dict[str, str], version: str, action: str) -> dict[str, str]:
    """Take the values that a link gave for fields of this action."""
    known = outbound.schema(version, action).get("properties", {})
    return {name: value for name, value in query.items() if name in known}


def dump(payload: dict[str, Any]) -> str:
    """Write a payload into a hidden field of the confirmation."""
    return json.dumps(payload, ensure_ascii=False)
