"""The configuration tab of a station's page: its keys as they are and as they are wanted, and the form of one."""

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy

from cpo.console.guard import ConsoleRequest
from cpo.console.parts import Part, Read
from stations.models import ChargingStation, Command, DeviceReport, NetworkProfile, Variable
from stations.services import configuration, device_model, variable_keys
from stations.services.errors import InvalidPayload
from stations.services.guarded_keys import is_secret


class KeyForm(forms.Form):
    """One configuration key, or one variable, and what it shall be (OCPP 1.6 section 5.3, 2.1 B05)."""

    key = forms.CharField(
        label=gettext_lazy("Key"),
        max_length=250,
        help_text=gettext_lazy("Of a 2.x station: Component{EVSE,connector}[instance]/Variable[instance]."),
    )
    value = forms.CharField(label=gettext_lazy("Value"), max_length=1000, required=False, strip=False)
    desired = forms.BooleanField(
        label=gettext_lazy("Keep it as the wanted value"),
        required=False,
        help_text=gettext_lazy("When the station reports another one, it is shown as drift."),
    )

    def clean_key(self) -> str:
        """Refuse what can be neither a key nor a variable; spaces around it are nobody's wish."""
        text: str = self.cleaned_data["key"].strip()
        try:
            variable_keys.parse(text)
        except InvalidPayload as error:
            raise forms.ValidationError(str(error)) from error
        return text


def parts(found: ChargingStation, wanted: str = "") -> dict[str, Part]:
    """Give the live parts of the tab; `wanted` is what the names shall hold."""
    return {"configuration": Part("console/_station_configuration.html", lambda: _read(found, wanted))}


def form(request: ConsoleRequest, found: ChargingStation) -> Read:
    """Give what stands still beside them: the form of the key that was chosen."""

    def read() -> dict[str, Any]:
        key = request.GET.get("key", "")
        row = _find(found, key)
        initial: dict[str, Any] = {"key": key}
        if row is not None:
            wanted = row.desired if row.desired is not None else row.value
            initial |= {"value": wanted or "", "desired": row.desired is not None and row.template_id is None}
        return {"form": KeyForm(initial=initial), "row": row}

    return read


def _find(found: ChargingStation, key: str) -> Variable | None:
    rows = Variable.objects.filter(station=found)
    plain = rows.filter(component="", name=key).first() if key else None
    if plain is not None or "/" not in key:
        return plain
    try:
        return rows.filter(**variable_keys.parse(key)._asdict()).first()
    except InvalidPayload:
        return None


def _read(found: ChargingStation, wanted: str) -> dict[str, Any]:
    known = Variable.objects.filter(station=found).select_related("template")
    if wanted:
        known = known.filter(Q(component__icontains=wanted) | Q(name__icontains=wanted))
    rows = list(known[: configuration.KEYS_AT_MOST])
    for row in rows:
        row.key = str(variable_keys.of(row))  # type: ignore[attr-defined]
        row.drifts = configuration.is_drifting(row)  # type: ignore[attr-defined]
        row.is_hidden = is_secret(row.name)  # type: ignore[attr-defined]
    waiting = Command.objects.filter(
        station=found, action=configuration.READ, status__in=[Command.Status.QUEUED, Command.Status.SENT]
    )
    reports = DeviceReport.objects.filter(station=found, kind=DeviceReport.Kind.VARIABLES)
    report = reports.order_by("-pk").first()
    is_coming = report is not None and report.state in DeviceReport.OPEN
    return {
        "variables": rows,
        "drifting": Variable.objects.filter(station=found, is_drifting=True).count(),
        "reading": is_coming or waiting.exists(),
        "report": report,
        "has_components": device_model.is_spoken(found),
        "network_profiles": list(NetworkProfile.objects.filter(station=found)),
        "wanted": wanted,
        "is_cut": len(rows) == configuration.KEYS_AT_MOST,
    }
