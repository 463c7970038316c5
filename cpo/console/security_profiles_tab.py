"""The security tab of a station's page: its profile, password, TLS, aliases; changes under way, step by step."""

from copy import deepcopy
from functools import cache
from typing import Any

from django import forms
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy

from cpo.console.network_tab import ConnectionForm
from cpo.console.parts import Part
from cpo.console.tab import Shown
from cpo.lib import clock
from stations.models import (
    ChargingStation,
    HandshakeRejection,
    PasswordChange,
    RootCertificate,
    RootUse,
    SecurityProfileChange,
    StationAlias,
    StationCertificate,
)
from stations.services import network_profiles
from stations.services.network_profiles import Connection

CHANGES = 5  # shown of each kind
REFUSALS = 10
PROFILES = ChargingStation.SecurityProfile
TRUSTS_US = "trusts"  # instead of a root to install
CONNECTION_HINTS: dict[str, Any] = {  # of a 2.x station, whose profile is part of its connection
    "slot": gettext_lazy("Empty: a slot that it does not use."),
    "url": gettext_lazy("Empty: where we serve this profile."),
    "interface": "",
    "timeout_s": gettext_lazy("Empty: as now."),
}


class RaiseForm(forms.Form):
    """A higher profile, sent to the station (1.6 security white paper A05)."""

    profile = forms.TypedChoiceField(label=gettext_lazy("New profile"), coerce=int)
    root = forms.ChoiceField(
        label=gettext_lazy("Root certificate for our server"),
        help_text=gettext_lazy("The station must trust the authority of our server's certificate."),
    )

    def __init__(
        self, *args: Any, station: ChargingStation, roots: list[dict[str, Any]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        _choose(self, "profile", [c for c in PROFILES.choices if c[0] > station.security_profile])
        if roots is None:
            roots = [dict(root) for root in _roots().values("pk", "name", "subject")]
        _choose(
            self,
            "root",
            [
                ("", gettext_lazy("Our own authority's")),
                *((str(root["pk"]), root["name"] or root["subject"]) for root in roots),
                (TRUSTS_US, gettext_lazy("None: it trusts us already")),
            ],
        )
        self.fields["root"].required = False
        if network_profiles.is_spoken(station):
            for name, field in ConnectionForm.base_fields.items():
                self.fields[name] = deepcopy(field)
                self.fields[name].help_text = CONNECTION_HINTS[name]

    def facts(self) -> dict[str, Any]:
        """Give what `security_profiles.raise_to` takes."""
        chosen = self.cleaned_data["root"]
        root = RootCertificate.objects.filter(pk=chosen).first() if chosen.isdigit() else None
        told = self.cleaned_data
        facts = {"profile": told["profile"], "root": root, "trusts_us": chosen == TRUSTS_US}
        if "url" not in told:
            return facts
        connection = Connection(told["slot"], told["url"], told["interface"], told["timeout_s"])
        return facts | {"connection": connection}


class ByHandForm(forms.Form):
    """The profile that somebody set at the station."""

    profile = forms.TypedChoiceField(label=gettext_lazy("Profile"), coerce=int, choices=PROFILES.choices)
    confirmed = forms.BooleanField(
        label=gettext_lazy("Also if it is lower: it lets in what was kept out"), required=False
    )


def tab(found: ChargingStation) -> Shown:
    """Give the live part of the tab, and what stands still beside it."""
    rest = cache(lambda: _rest(found))

    def read() -> dict[str, Any]:
        connection = found.connections.order_by("-epoch").first()
        return {
            "profile": PROFILES(found.security_profile).label,
            "next_profile": PROFILES(found.next_security_profile).label
            if found.next_security_profile is not None
            else "",
            "connection": connection,
            "certificate": _certificate(found, connection.certificate) if connection else None,
            "network": network_profiles.known(found) if network_profiles.is_spoken(found) else None,
            "changes": [_shown(change) for change in found.profile_changes.order_by("-id")[:CHANGES]],
            "passwords": rest()["passwords"],
            "aliases": rest()["spellings"],
            "refusals": list(
                HandshakeRejection.objects.filter(identity__iexact=found.identity).order_by("-last_at")[
                    :REFUSALS
                ]
            ),
        }

    def beside() -> dict[str, Any]:
        return {
            "raise_form": RaiseForm(station=found, roots=rest()["roots"]),
            "by_hand_form": ByHandForm(initial={"profile": found.security_profile}, prefix="hand"),
            "can_rise": found.security_profile < PROFILES.CLIENT_CERTIFICATE,
        }

    return Shown({"security": Part("console/_station_security.html", read)}, beside)


def _rest(found: ChargingStation) -> dict[str, Any]:
    """Read the small lists in one question."""
    mine = OuterRef("pk")
    passwords = PasswordChange.objects.filter(station=mine).order_by("-id")[:CHANGES]
    aliases = StationAlias.objects.filter(station=mine).order_by("alias")
    fields = ("status", "reason", "requested_by", "created_at")
    row: dict[str, Any] = dict(
        ChargingStation.objects.filter(pk=found.pk)
        .values(
            passwords=ArraySubquery(passwords.values(row=JSONObject(**{name: name for name in fields}))),
            spellings=ArraySubquery(aliases.values(row=JSONObject(pk="pk", alias="alias"))),
            roots=ArraySubquery(_roots().values(row=JSONObject(pk="pk", name="name", subject="subject"))),
        )
        .get()
    )
    for change in row["passwords"]:
        change["created_at"] = parse_datetime(change["created_at"])
    return row


def _roots() -> QuerySet[RootCertificate]:
    """Give the roots under which a server may have its certificate; our own authority's are the first choice anyway."""
    rows = RootCertificate.objects.filter(use=RootUse.CSMS, is_own=False, not_after__gt=clock.now())
    return rows.order_by("name", "id")


def _certificate(found: ChargingStation, fingerprint: str) -> StationCertificate | None:
    if not fingerprint:
        return None
    return StationCertificate.objects.filter(station=found, fingerprint=fingerprint).first()


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
