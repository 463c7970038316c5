"""The certificates tab of a station's page: its own certificates, the roots in it, and the form that installs one."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from cpo import access
from cpo.console.guard import ConsoleRequest
from cpo.console.parts import Part, Read
from cpo.lib import clock
from stations.models import (
    ChargingStation,
    InstalledCertificate,
    RootCertificate,
    RootUse,
    SigningUse,
    StationCertificate,
)
from stations.services import certificates, client_certificates, device_model, installed_certificates

SHOWN = 20  # own certificates on a station's page
ROOTS = 100  # offered
USES = {use.value: use.label for use in RootUse} | {
    installed_certificates.OWN_CHAIN: gettext_lazy("Its own chain (V2G)")
}


class InstallForm(forms.Form):
    """A root to install (1.6 security white paper M05)."""

    root = forms.TypedChoiceField(
        label=gettext_lazy("Root"),
        coerce=int,
        help_text=gettext_lazy("The station believes whoever holds a certificate under it."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = RootCertificate.objects.filter(not_after__gt=clock.now()).order_by("use", "name", "id")
        field = self.fields["root"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [
            (root.pk, f"{root.get_use_display()}: {root} ({root.not_after:%Y-%m-%d})")
            for root in known[:ROOTS]
        ]
        self.has_roots = bool(field.choices)


def parts(request: ConsoleRequest, found: ChargingStation) -> dict[str, Part]:
    """Give the live parts of the tab."""

    def read() -> dict[str, Any]:
        own = list(
            access.station_certificates(request.principal).filter(station=found).order_by("-id")[:SHOWN]
        )
        installed = list(
            access.installed_certificates(request.principal).filter(station=found).select_related("root")
        )
        names = [] if own else client_certificates.organizations(found)
        labels = dict(SigningUse.choices)
        return {
            "own": own,
            "installed": _installed(found, installed),
            "cpo_name": names[0] if names else "",
            "cpo_key": "SecurityCtrlr/OrganizationName" if device_model.is_spoken(found) else "CpoName",
            "renewable": [(use, labels[use]) for use in certificates.uses(found)],
        }

    return {"certificates": Part("console/_station_certificates.html", read)}


def _installed(found: ChargingStation, rows: list[InstalledCertificate]) -> list[dict[str, Any]]:
    """Give what is told at the top of a chain, with what stands below it and, where it is known here, its end."""
    issued = dict(
        StationCertificate.objects.filter(
            station=found, serial_number__in=[row.serial_number for row in rows]
        )
        .exclude(serial_number="")
        .values_list("serial_number", "not_after")
    )
    return [
        {
            "row": row,
            "use": USES.get(row.use, row.use),
            "ends": row.root.not_after if row.root else issued.get(row.serial_number),
            "is_issued": row.serial_number in issued,
            "below": [child for child in rows if child.parent_id == row.pk],
        }
        for row in rows
        if row.parent_id is None
    ]


def form(request: ConsoleRequest, found: ChargingStation) -> Read:
    """Give what stands still beside them."""
    return lambda: {"form": InstallForm()}
