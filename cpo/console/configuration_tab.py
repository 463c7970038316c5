"""The configuration tab of a station's page: its keys as they are and as they are wanted, and the form of one."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from cpo.console.guard import ConsoleRequest
from cpo.console.parts import Part, Read
from stations.models import ChargingStation, Command, Variable
from stations.services import configuration
from stations.services.guarded_keys import is_secret


class KeyForm(forms.Form):
    """One configuration key and what it shall be (OCPP 1.6 section 5.3)."""

    key = forms.CharField(label=gettext_lazy("Key"), max_length=50)
    value = forms.CharField(label=gettext_lazy("Value"), max_length=500, required=False, strip=False)
    desired = forms.BooleanField(
        label=gettext_lazy("Keep it as the wanted value"),
        required=False,
        help_text=gettext_lazy("When the station reports another one, it is shown as drift."),
    )


def parts(found: ChargingStation) -> dict[str, Part]:
    """Give the live parts of the tab."""
    return {"configuration": Part("console/_station_configuration.html", lambda: _read(found))}


def form(request: ConsoleRequest, found: ChargingStation) -> Read:
    """Give what stands still beside them: the form of the key that was chosen."""

    def read() -> dict[str, Any]:
        key = request.GET.get("key", "")
        row = Variable.objects.filter(station=found, name=key).first() if key else None
        initial: dict[str, Any] = {"key": key}
        if row is not None:
            wanted = row.desired if row.desired is not None else row.value
            initial |= {"value": wanted or "", "desired": row.desired is not None and row.template_id is None}
        return {"form": KeyForm(initial=initial), "row": row}

    return read


def _read(found: ChargingStation) -> dict[str, Any]:
    known = Variable.objects.filter(station=found).select_related("template")
    rows = list(known[: configuration.KEYS_AT_MOST])
    for row in rows:
        row.drifts = configuration.is_drifting(row)  # type: ignore[attr-defined]
        row.is_hidden = is_secret(row.name)  # type: ignore[attr-defined]
    waiting = Command.objects.filter(
        station=found, action=configuration.READ, status__in=[Command.Status.QUEUED, Command.Status.SENT]
    )
    drifting = sum(configuration.is_drifting(row) for row in rows)
    return {"variables": rows, "drifting": drifting, "reading": waiting.exists()}
