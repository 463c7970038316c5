"""What the console says about a site's outlets and fuses."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from cpo.console.words import Look
from stations.models import PowerOutlet
from stations.services.site_state import OutletState

PRIORITIES = [(2, _("first")), (1, _("before others")), (0, _("ordinary")), (-1, _("after others"))]
LOOKS = {  # why -> icon, tone, word
    "all": ("bolt", "live", _("charges")),
    "fuse": ("adjustments", "info", _("shares")),
    "gives_back": ("arrow-down", "info", _("gives back")),
    "no_room": ("player-pause", "warn", _("waits")),
    "below_minimum": ("player-pause", "warn", _("waits")),
    "free": ("circle-dashed", "idle", _("free")),
    "away": ("wifi-off", "warn", _("offline")),
    "never_seen": ("circle-dashed", "idle", _("never seen")),
    "priority": ("arrow-up", "live", _("priority")),
    "uncontrolled": ("alert-triangle", "warn", _("takes no limits")),
    "ignores": ("alert-triangle", "bad", _("ignores its limit")),
    "site_paused": ("player-pause", "idle", _("site paused")),
}
SAFE_PROBLEMS = {
    "": _("The safe limit was never sent."),
    "refused": _("The station refused the safe limit: nothing holds it while the platform is away."),
    "unknown": _("The station did not answer to the safe limit; it is sent again."),
    "displaced": _("Another profile lies in place of the safe limit."),
}


def look(why: Mapping[str, Any]) -> Look:
    """Give the badge of what decided on a share."""
    icon, tone, word = LOOKS.get(str(why.get("why", "free")), LOOKS["free"])
    return Look(icon, tone, word, "")


def why(outlet: PowerOutlet, fuses: Mapping[int, str]) -> str:
    """Say in a sentence why an outlet may draw what it may; `fuses` are the names."""
    facts = outlet.why
    kind, amps = str(facts.get("why", "free")), facts.get("amps", "")
    place = _place(facts, fuses)
    least = number(outlet.minimum_a)
    said = {
        "all": _("It gets all that its connector gives.")
        if not facts.get("capped_by")
        else _("It gets all that others allow it: an operator's profile, an energy manager or the vehicle."),
        "fuse": _("%(place)s is used up; this is its share of it.") % {"place": place},
        "gives_back": _("It draws less than its share; the others make use of the rest."),
        "no_room": _("%(place)s has no %(least)s A left, and below that no vehicle charges. It is next.")
        % {"place": place, "least": least},
        "below_minimum": _("Others allow it less than %(least)s A, with which no vehicle charges.")
        % {"least": least},
        "free": _("No vehicle charges here."),
        "away": _("The station cannot be told; %(amps)s A are kept back for it.") % {"amps": amps},
        "never_seen": _("The station has never connected; nothing is kept back for it."),
        "priority": _("The driver uses priority charging: %(amps)s A, whatever the others get.")
        % {"amps": amps},
        "ignores": _("It draws %(amps)s A, its limit is %(limit)s A. The others share what is left.")
        % {"amps": amps, "limit": facts.get("limit", "")},
        "uncontrolled": _("The station takes no limits of ours; %(amps)s A are kept back for it.")
        % {"amps": amps},
        "site_paused": _("Nothing is shared while the site is paused: the safe limit holds."),
    }.get(kind, "")
    if facts.get("waits"):
        said += " " + _("It rises to %(share)s A when others have confirmed that they draw less.") % {
            "share": facts.get("share", "")
        }
    return said


def safe_problem(state: OutletState) -> str:
    """Say what is wrong with the safe limit of an outlet; '' when it lies there or is on its way."""
    if state.outlet.safe_a is None:
        return str(SAFE_PROBLEMS[""])
    return str(SAFE_PROBLEMS.get(state.safe_state, ""))


def phases(text: str) -> str:
    """Write phases: 'L2 L3 L1'."""
    return " ".join(f"L{phase}" for phase in text)


def number(value: Decimal | None) -> str:
    """Write A without needless zeros."""
    if value is None:
        return "–"
    return f"{value.quantize(Decimal('0.1')):f}".removesuffix(".0")


def _place(facts: Mapping[str, Any], fuses: Mapping[int, str]) -> str:
    fuse = facts.get("fuse")
    if fuse is None:
        return _("A fuse")
    if fuse < 0:
        return _("What others allow the whole station")
    return f"L{facts.get('phase')} · {fuses.get(fuse, '')}"
