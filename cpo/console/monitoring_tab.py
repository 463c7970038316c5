"""The monitoring tab of a 2.x station's page: incidents, monitors, streams, events, and the form of a monitor."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from cpo.console.guard import ConsoleRequest
from cpo.console.parts import Part, Read
from stations.models import ChargingStation, DeviceEvent, MonitoringState, VariableMonitor
from stations.services import event_streams, monitoring, variable_keys
from stations.services.errors import InvalidPayload
from stations.services.monitoring import SEVERITIES, Wanted

EVENTS = 100  # shown
MONITORS = 500  # shown
LEVELS = [(number, f"{number} {word}") for number, word in enumerate(SEVERITIES)]


class MonitorForm(forms.Form):
    """One monitor to set (OCPP 2.1 N04)."""

    key = forms.CharField(
        label=gettext_lazy("Variable"),
        max_length=250,
        help_text=gettext_lazy(
            "Such as Connector{1,1}/Temperature: the component with its EVSE and connector."
        ),
    )
    type = forms.ChoiceField(label=gettext_lazy("Tell when"), choices=VariableMonitor.Type.choices)
    value = forms.DecimalField(
        label=gettext_lazy("Value"),
        max_digits=18,
        decimal_places=6,
        help_text=gettext_lazy(
            "The threshold, the difference, or for the periodic ones the seconds between two."
        ),
    )
    severity = forms.TypedChoiceField(
        label=gettext_lazy("Severity"), coerce=int, choices=LEVELS, initial=4,
        help_text=gettext_lazy("0 to 3 become an incident for an operator."),
    )  # fmt: skip
    is_transaction = forms.BooleanField(label=gettext_lazy("Only while a session runs"), required=False)

    def clean_key(self) -> str:
        """Refuse what names no variable of a component."""
        text: str = self.cleaned_data["key"]
        try:
            found = variable_keys.parse(text)
        except InvalidPayload as error:
            raise forms.ValidationError(str(error)) from error
        if not found.component:
            raise forms.ValidationError(gettext_lazy("Name the component too: Component/Variable."))
        return text

    def wanted(self) -> Wanted:
        """Give what `monitoring.set_monitors` takes."""
        told = self.cleaned_data
        return Wanted(
            key=variable_keys.parse(told["key"]),
            type=told["type"],
            value=told["value"].normalize(),
            severity=told["severity"],
            is_transaction=told["is_transaction"],
        )


def parts(found: ChargingStation) -> dict[str, Part]:
    """Give the live parts of the tab."""
    return {"monitoring": Part("console/_station_monitoring.html", lambda: _read(found))}


def form(request: ConsoleRequest, found: ChargingStation) -> Read:
    """Give what stands still beside them: the form, filled in for the variable that was chosen."""
    return lambda: {
        "form": MonitorForm(initial={"key": request.GET.get("key", "")}),
        "bases": monitoring.BASES,
        "levels": LEVELS,
    }


def _read(found: ChargingStation) -> dict[str, Any]:
    watched = list(VariableMonitor.objects.filter(station=found)[:MONITORS])
    told = list(DeviceEvent.objects.filter(station_id=found.pk).order_by("-at", "-event_id")[:EVENTS])
    incidents = monitoring.incidents(found)
    rows: list[Any] = [*watched, *told]
    for row in rows:
        row.place, row.grade = place_of(row), grade_of(row.severity)
    for incident in incidents:
        incident.grade = grade_of(incident.severity)  # type: ignore[attr-defined]
    return {
        "incidents": incidents,
        "monitors": watched,
        "device_events": told,
        "streams": event_streams.of_station(found),
        "state": MonitoringState.objects.filter(station=found).first(),
    }


def place_of(row: VariableMonitor | DeviceEvent) -> str:
    """Write where the variable of a monitor or an event stands."""
    return str(
        variable_keys.VariableKey(
            row.name,
            row.component,
            row.component_instance,
            row.evse_number,
            row.connector_number,
            row.instance,
        )
    )


def grade_of(severity: int | None) -> str:
    """Write a severity with its word; '' for one that is not known."""
    return "" if severity is None else f"{severity} {SEVERITIES[min(max(severity, 0), 9)]}"
