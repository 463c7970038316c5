"""The security tab of a station's page: its profile, password, TLS, aliases; changes under way, step by step."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from cpo.console.guard import ConsoleRequest
from cpo.console.parts import Part, Read
from cpo.lib import clock
from stations.models import (
    ChargingStation,
    HandshakeRejection,
    RootCertificate,
    RootUse,
    SecurityProfileChange,
    StationCertificate,
)

CHANGES = 5  # shown of each kind
REFUSALS = 10
PROFILES = ChargingStation.SecurityProfile
TRUSTS_US = "trusts"  # instead of a root to install


class RaiseForm(forms.Form):
    """A higher profile, sent to the station (1.6 security white paper A05)."""

    profile = forms.TypedChoiceField(label=gettext_lazy("New profile"), coerce=int)
    root = forms.ChoiceField(
        label=gettext_lazy("Root certificate for our server"),
        help_text=gettext_lazy("The station must trust the authority of our server's certificate."),
    )

    def __init__(self, *args: Any, station: ChargingStation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose(self, "profile", [c for c in PROFILES.choices if c[0] > station.security_profile])
        roots = RootCertificate.objects.filter(use=RootUse.CSMS, not_after__gt=clock.now()).order_by(
            "name", "id"
        )
        own = [("", gettext_lazy("Our own authority's"))]
        _choose(
            self,
            "root",
            [
                *own,
                *((str(root.pk), str(root)) for root in roots if not root.is_own),
                (TRUSTS_US, gettext_lazy("None: it trusts us already")),
            ],
        )
        self.fields["root"].required = False

    def facts(self) -> dict[str, Any]:
        """Give what `security_profiles.raise_to` takes."""
        chosen = self.cleaned_data["root"]
        root = RootCertificate.objects.filter(pk=chosen).first() if chosen.isdigit() else None
        return {"profile": self.cleaned_data["profile"], "root": root, "trusts_us": chosen == TRUSTS_US}


class ByHandForm(forms.Form):
    """The profile that somebody set at the station."""

    profile = forms.TypedChoiceField(label=gettext_lazy("Profile"), coerce=int, choices=PROFILES.choices)
    confirmed = forms.BooleanField(
        label=gettext_lazy("Also if it is lower: it lets in what was kept out"), required=False
    )


def parts(found: ChargingStation) -> dict[str, Part]:
    """Give the live part of the tab."""

    def read() -> dict[str, Any]:
        connection = found.connections.order_by("-epoch").first()
        return {
            "profile": PROFILES(found.security_profile).label,
            "next_profile": PROFILES(found.next_security_profile).label
            if found.next_security_profile is not None
            else "",
            "connection": connection,
            "certificate": StationCertificate.objects.filter(
                station=found, fingerprint=connection.certificate
            ).first()
            if connection and connection.certificate
            else None,
            "changes": [_shown(change) for change in found.profile_changes.order_by("-id")[:CHANGES]],
            "passwords": list(found.password_changes.order_by("-id")[:CHANGES]),
            "refusals": list(
                HandshakeRejection.objects.filter(identity__iexact=found.identity).order_by("-last_at")[
                    :REFUSALS
                ]
            ),
        }

    return {"security": Part("console/_station_security.html", read)}


def form(request: ConsoleRequest, found: ChargingStation) -> Read:
    """Give what stands still beside it."""
    return lambda: {
        "raise_form": RaiseForm(station=found),
        "by_hand_form": ByHandForm(initial={"profile": found.security_profile}, prefix="hand"),
        "can_rise": found.security_profile < PROFILES.CLIENT_CERTIFICATE,
        "aliases": list(found.aliases.order_by("alias")),
    }


def _shown(change: SecurityProfileChange) -> dict[str, Any]:
    words = dict(SecurityProfileChange.Step.choices)
    return {
        "row": change,
        "steps": [step | {"word": words[step["step"]]} for step in change.steps],
        "from": PROFILES(change.from_profile).label,
        "to": PROFILES(change.to_profile).label,
    }


def _choose(form: forms.Form, name: str, choices: list[Any]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices
