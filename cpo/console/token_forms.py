"""Forms of tokens and their groups. They check words; what is allowed, the services decide."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cpo import access
from cpo.access import Principal
from stations.models import IdToken, Location, Operator, TokenGroup

MOST_SESSIONS = 32_767  # what the column holds


class TokenForm(forms.Form):
    """An own driver's token. Its uid and type are its key: they do not change."""

    uid = forms.CharField(
        label=_("Token"),
        max_length=36,
        help_text=_(
            "As the charger reads it: usually the card's UID in hexadecimal, at most 20 characters for OCPP 1.6."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    type = forms.ChoiceField(
        label=_("Type"),
        choices=[(t, t) for t in ("RFID", "APP_USER", "AD_HOC_USER", "EMAID", "OTHER")],
        initial="RFID",
    )
    name = forms.CharField(label=_("Whose it is"), max_length=100, required=False)
    status = forms.ChoiceField(label=_("Status"), choices=IdToken.Status.choices, initial="Accepted")
    group_id = forms.CharField(
        label=_("Group"),
        max_length=36,
        required=False,
        help_text=_("Tokens of one group may stop each other's sessions (OCPP parentIdTag)."),
    )
    expires_at = forms.DateTimeField(
        label=_("Expires"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("In UTC; empty: never."),
    )
    max_sessions = forms.IntegerField(
        label=_("Sessions at one time"),
        min_value=1,
        max_value=MOST_SESSIONS,
        required=False,
        help_text=_("One more is refused as ConcurrentTx; empty: any number."),
    )
    charging_priority = forms.IntegerField(
        label=_("Charging priority"),
        min_value=-9,
        max_value=9,
        required=False,
        help_text=_(
            "-9 to 9, told to stations of OCPP 2.x: a higher one charges first. Empty: as everybody."
        ),
    )
    locations = forms.ModelMultipleChoiceField(
        label=_("Only at these sites"),
        queryset=Location.objects.none(),
        required=False,
        help_text=_("None chosen: everywhere. Keep Ctrl pressed to choose several."),
    )
    operators = forms.ModelMultipleChoiceField(
        label=_("Only at these operators"), queryset=Operator.objects.none(), required=False
    )

    def __init__(self, *args: Any, principal: Principal, token: IdToken | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, rows in {
            "locations": access.locations(principal).order_by("name"),
            "operators": access.operators(principal).order_by("name"),
        }.items():
            field = self.fields[name]
            assert isinstance(field, forms.ModelMultipleChoiceField)
            field.queryset = rows
            field.widget.attrs["size"] = 4
        if token is not None:
            del self.fields["uid"], self.fields["type"]


def initial_of(token: IdToken) -> dict[str, Any]:
    """Give what a token's form is filled with."""
    names = ("name", "status", "group_id", "expires_at", "max_sessions", "charging_priority")
    places = {"locations": token.locations.all(), "operators": token.operators.all()}
    return {name: getattr(token, name) for name in names} | places


class GroupForm(forms.Form):
    """A group of own drivers' tokens. Its uid is its key: it does not change."""

    uid = forms.CharField(
        label=_("Group"),
        max_length=36,
        help_text=_("What stations are told (OCPP parentIdTag): at most 20 characters for OCPP 1.6."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    name = forms.CharField(label=_("Name"), max_length=100, required=False)
    status = forms.ChoiceField(
        label=_("Status"),
        choices=TokenGroup.Status.choices,
        initial="Accepted",
        help_text=_("A blocked group blocks all its tokens."),
    )
    max_sessions = forms.IntegerField(
        label=_("Sessions at one time"),
        min_value=1,
        max_value=MOST_SESSIONS,
        required=False,
        help_text=_("Of all its tokens together; empty: any number."),
    )

    def __init__(self, *args: Any, group: TokenGroup | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if group is not None:
            del self.fields["uid"]
