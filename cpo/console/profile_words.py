"""Charging profiles in words: limits, periods by the clock, states, adaptations."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cpo.console.words import Look
from stations.models import InstalledProfile, ProfileTemplate

State = InstalledProfile.State
DAY_S = 86_400
DAYS = (
    gettext_lazy("Mon"), gettext_lazy("Tue"), gettext_lazy("Wed"), gettext_lazy("Thu"), gettext_lazy("Fri"),
    gettext_lazy("Sat"), gettext_lazy("Sun"),
)  # fmt: skip
_CLOCK = re.compile(
    r"(?:(?P<day>[^\W\d]{2,9})\.?\s+)?(?P<hours>\d{1,4}):(?P<minutes>[0-5]\d)(?::(?P<seconds>[0-5]\d))?"
)

STATES = {
    State.WANTED: Look(
        "hourglass", "info", gettext_lazy("waiting"), gettext_lazy("It is sent once the station is back.")
    ),
    State.SENT: Look("send", "info", gettext_lazy("sent"), gettext_lazy("The station has yet to answer.")),
    State.INSTALLED: Look(
        "circle-check", "ok", gettext_lazy("installed"), gettext_lazy("The station accepted it.")
    ),
    State.UNKNOWN: Look(
        "help-circle",
        "warn",
        gettext_lazy("not answered"),
        gettext_lazy("It is sent again by itself; see the messages."),
    ),
    State.DISPLACED: Look(
        "player-pause",
        "idle",
        gettext_lazy("set aside"),
        gettext_lazy("It comes back when the other one is over."),
    ),
    State.STANDING: Look(
        "stack-2",
        "info",
        gettext_lazy("each transaction"),
        gettext_lazy("Every transaction is given its own copy."),
    ),
    State.REFUSED: Look(
        "circle-x",
        "bad",
        gettext_lazy("refused"),
        gettext_lazy("Read what it said to each try; change unit, level or purpose."),
    ),
    State.CLEARED: Look("trash", "idle", gettext_lazy("cleared")),
    State.ENDED: Look("check", "idle", gettext_lazy("over")),
}
GOING = Look(
    "hourglass", "info", gettext_lazy("being cleared"), gettext_lazy("The station is asked to drop it.")
)

PURPOSES: dict[str, str | Promise] = {
    "ChargingStationMaxProfile": gettext_lazy("Maximum of the station"),
    "TxDefaultProfile": gettext_lazy("Default of transactions"),
    "TxProfile": gettext_lazy("One transaction"),
}
ADAPTATIONS: dict[str, str | Promise] = {
    "absolute": gettext_lazy("as an absolute schedule"),
    "watts": gettext_lazy("converted to W"),
    "amperes": gettext_lazy("converted to A"),
    "shared": gettext_lazy("shared evenly among the connectors"),
    "default_instead": gettext_lazy("as the default of transactions"),
    "per_transaction": gettext_lazy("given to each transaction"),
    "raised": gettext_lazy("raised to the smallest current: it cannot pause by a limit"),
    "paused": gettext_lazy("below the smallest current: paused"),
    "site_clock": gettext_lazy("by the site's clock"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A period as people read it."""

    when: str
    limit: str
    phases: str


def clock(start_s: int, recurrency: str = "") -> str:
    """Say when a period starts: `17:00`, `Mon 17:00`, or after how many hours and minutes."""
    rest, seconds = divmod(start_s, 60)
    hours, minutes = divmod(rest, 60)
    day = ""
    if recurrency == ProfileTemplate.Recurrency.WEEKLY:
        number, hours = divmod(hours, 24)
        day = f"{DAYS[min(number, 6)]} "
    return f"{day}{hours:02d}:{minutes:02d}" + (f":{seconds:02d}" if seconds else "")


def start_s(text: str, recurrency: str = "") -> int:
    """Read what `clock` says; raise ValueError for anything else."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    seconds = int(found["hours"]) * 3600 + int(found["minutes"]) * 60 + int(found["seconds"] or 0)
    if found["day"] is None:
        return seconds
    names = [str(day).casefold() for day in DAYS]
    english = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    word = found["day"].casefold()
    for known in (names, english):
        for number, name in enumerate(known):
            if word.startswith(name[:2]) and recurrency == ProfileTemplate.Recurrency.WEEKLY:
                return number * DAY_S + seconds
    raise ValueError(text)


def limit(value: Any, unit: str) -> str:
    """Write a limit: `16 A`, `11.04 kW`; pause for nothing."""
    number = Decimal(str(value))
    if number == 0:
        return _("pause")
    if unit == "A":
        return f"{_short(number)} A"
    return f"{_short(number / 1000)} kW" if number >= 1000 else f"{_short(number)} W"


def lines(periods: list[dict[str, Any]], *, unit: str, recurrency: str = "") -> list[Line]:
    """Write the periods of a template."""
    return [
        Line(
            clock(int(period["start_s"]), recurrency),
            limit(period["limit"], unit),
            _("%(count)s-phase") % {"count": period["number_phases"]} if period.get("number_phases") else "",
        )
        for period in periods
    ]


def of_template(template: ProfileTemplate) -> str:
    """Say a template in one line."""
    found = lines(template.periods, unit=template.rate_unit, recurrency=template.recurrency)
    if len(found) == 1:
        return found[0].limit
    shown = ", ".join(f"{line.when} {line.limit}" for line in found[:4])
    return shown + (" …" if len(found) > 4 else "")


def of_profile(profile: dict[str, Any]) -> str:
    """Say a profile as it was sent in one line (ChargingProfileType of OCPP 2.1)."""
    schedule = profile["chargingSchedule"][0]
    unit, periods = schedule["chargingRateUnit"], schedule["chargingSchedulePeriod"]
    limits = [limit(period["limit"], unit) for period in periods if period.get("limit") is not None]
    if len(limits) == 1:
        return limits[0]
    shown = " · ".join(limits[:5]) + (" …" if len(limits) > 5 else "")
    return f"{profile.get('recurrencyKind') or profile['chargingProfileKind']}: {shown}"


def adaptations(words: list[str]) -> list[str]:
    """Say what was fitted to the station."""
    return [str(ADAPTATIONS.get(word, word)) for word in words]


def _short(number: Decimal) -> str:
    rounded = number.quantize(Decimal("0.01")).normalize()
    return format(rounded, "f")
