"""The smart charging tab of a station's page: its profiles, both composite schedules, what to do with them."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from cpo import access
from cpo.composites import Composite, Side
from cpo.console import profile_forms, profile_words
from cpo.console.guard import ConsoleRequest
from cpo.console.parts import Part, Read
from stations.charging_profiles import RateUnit
from stations.models import ChargingSession, ChargingStation, Connector, InstalledProfile, LearnedCapability
from stations.services import capabilities

OVER = 15  # profiles shown that are over
HOURS = 24  # of the composite schedules


def parts(request: ConsoleRequest, found: ChargingStation, connectors: list[Connector]) -> dict[str, Part]:
    """Give the live parts of the tab."""
    return {
        "profiles": Part("console/_station_charging_profiles.html", lambda: _profiles(found)),
        "composite": Part("console/_station_composite.html", lambda: _composite(request, found, connectors)),
    }


def beside(
    request: ConsoleRequest,
    found: ChargingStation,
    connectors: list[Connector],
    running: list[ChargingSession],
) -> Read:
    """Give what stands still beside them: the forms, and what is known of the station."""

    def read() -> dict[str, Any]:
        numbers = numbers_of(connectors)
        return {
            "limit_form": profile_forms.LimitForm(
                numbers=numbers, running=running, initial={"place": request.GET.get("place", "")}
            ),
            "install_form": profile_forms.InstallForm(principal=request.principal, numbers=numbers),
            "has_library": access.profile_templates(request.principal).exists(),
            "clear_form": profile_forms.ClearForm(numbers=numbers),
            "can": capabilities.of(found),
            "learned": list(LearnedCapability.objects.filter(station=found).order_by("flag")),
        }

    return read


def numbers_of(connectors: list[Connector]) -> list[int]:
    """Give the numbers of the EVSEs."""
    return sorted({connector.evse.number for connector in connectors})


def chosen(request: ConsoleRequest, numbers: list[int]) -> tuple[int, RateUnit]:
    """Give the EVSE and the unit that the reader chose."""
    text = request.GET.get("evse", "")
    number = int(text) if text.isdecimal() and len(text) < 6 else (numbers[0] if numbers else 0)
    return number, RateUnit.W if request.GET.get("unit") == "W" else RateUnit.A


def columns(found: Composite, zone: str) -> dict[str, Any]:
    """Give a chart's columns: Unix seconds, both limits (null: no limit), and where the station allows otherwise."""
    sides = [side for side in (found.ours, found.theirs) if side]
    begin = min((side.start for side in sides), default=None)
    if begin is None:
        return {"zone": zone, "unit": "A", "at": [], "series": [], "marks": []}
    end = max(side.start + timedelta(seconds=side.duration_s) for side in sides)
    moments = sorted({begin, end, *(period.start for side in sides for period in side.periods)})
    series = [("ours", found.ours, _("Computed")), ("theirs", found.theirs, _("Told by the station"))]
    return {
        "zone": zone,
        "unit": sides[0].unit,
        "at": [moment.timestamp() for moment in moments],
        "series": [
            {"kind": kind, "label": label, "values": [_at(side, moment) for moment in moments]}
            for kind, side, label in series
            if side is not None
        ],
        "marks": [
            {"begin": d.begin.timestamp(), "end": d.end.timestamp(), "more": d.is_more}
            for d in found.differences
        ],
    }


def _at(side: Side, moment: datetime) -> float | None:
    """Give what a side says about a moment; its end still shows the last limit."""
    end = side.start + timedelta(seconds=side.duration_s)
    if not side.start <= moment <= end:
        return None
    begun = [period for period in side.periods if period.start <= moment]
    return _number(begun[-1].limit) if begun else None


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _profiles(found: ChargingStation) -> dict[str, Any]:
    rows = InstalledProfile.objects.filter(station=found, parent=None).select_related("template", "session")
    live = list(
        rows.filter(state__in=InstalledProfile.LIVE).order_by("evse_number", "purpose", "-stack_level")
    )
    over = list(rows.exclude(state__in=InstalledProfile.LIVE).order_by("-id")[:OVER])
    parts_ = InstalledProfile.objects.filter(parent__in=live, state__in=InstalledProfile.LIVE)
    given: dict[int | None, list[InstalledProfile]] = {}
    for part in parts_.select_related("session"):
        given.setdefault(part.parent_id, []).append(part)
    return {
        "live": [_shown(row, given.get(row.pk, [])) for row in live],
        "over": [_shown(row, []) for row in over],
    }


def _shown(row: InstalledProfile, given: list[InstalledProfile]) -> dict[str, Any]:
    is_going = row.is_live and not row.is_wanted and row.source != "command" and bool(row.command)
    return {
        "row": row,
        "look": profile_words.GOING if is_going else profile_words.STATES[InstalledProfile.State(row.state)],
        "purpose": profile_words.PURPOSES.get(row.wish["chargingProfilePurpose"], row.purpose),
        "what": profile_words.of_profile(row.on_station or row.profile),
        "fitted": profile_words.adaptations(row.adaptations),
        "tries": [f"{answer['rung']}: {answer['answer']}" for answer in row.answers],
        "given": [_shown(part, []) for part in given],
        "is_going": is_going,
    }


def _composite(
    request: ConsoleRequest, found: ChargingStation, connectors: list[Connector]
) -> dict[str, Any]:
    numbers = numbers_of(connectors)
    number, unit = chosen(request, numbers)
    both = Composite.read(found, evse_number=number, duration_s=HOURS * 3600, unit=unit)
    return {
        "both": both,
        "evse": number,
        "unit": unit.value,
        "numbers": numbers,
        "differences": [
            {
                "begin": each.begin,
                "end": each.end,
                "is_more": each.is_more,
                "ours": _said(each.ours, unit),
                "theirs": _said(each.theirs, unit),
            }
            for each in both.differences
        ],
        "is_more": any(each.is_more for each in both.differences),
        "periods": [(period.start, _said(period.limit, unit)) for period in both.ours.periods]
        if both.ours
        else [],
    }


def _said(limit: Decimal | None, unit: RateUnit) -> str:
    return _("no limit") if limit is None else profile_words.limit(limit, unit.value)
