"""The certificates tab of a station's page: its own certificates, the roots in it, and the form that installs one."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from cpo import access
from cpo.console.guard import ConsoleRequest
from cpo.console.parts import Part, Read
from cpo.lib import clock
from stations.models import ChargingStation, RootCertificate
from stations.services import client_certificates

SHOWN = 20  # own certificates on a station's page
ROOTS = 100  # offered


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
        for row in installed:
            row.below = [child for child in installed if child.parent_id == row.pk]  # type: ignore[attr-defined]
        names = [] if own else client_certificates.organizations(found)
        return {
            "own": own,
            "installed": [row for row in installed if row.parent_id is None],
            "cpo_name": names[0] if names else "",
        }

    return {"certificates": Part("console/_station_certificates.html", read)}


def form(request: ConsoleRequest, found: ChargingStation) -> Read:
    """Give what stands still beside them."""
    return lambda: {"form": InstallForm()}
