"""The tab of a 2.x station's page with what others want of its power: vehicles, energy managers, grid operators.

Beside that what the station says lies on it, against what we wished; priority and dynamic schedules of 2.1.
"""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cpo.console import profile_words
from cpo.console.parts import Part
from cpo.console.tab import Seen, Shown
from stations.charging_profiles import Kind, Purpose
from stations.models import (
    ChargingNeeds,
    ChargingStation,
    ExternalLimit,
    InstalledProfile,
    PriorityCharging,
    ProfileReport,
)
from stations.ocpp import outbound

LIMITS, REPORTS = 15, 3  # shown, the newest
PURPOSES = [("", _("all")), *((purpose.value, purpose.value) for purpose in Purpose)]


class ReportForm(forms.Form):
    """Which profiles a station is asked for."""

    evse = forms.IntegerField(
        label=_("EVSE"), min_value=0, max_value=1000, required=False,
        help_text=_("0: of the station itself; empty: of all."),
    )  # fmt: skip
    purpose = forms.ChoiceField(label=_("Purpose"), choices=PURPOSES, required=False)


class RenegotiateForm(forms.Form):
    """What a vehicle may have from now on."""

    kilowatts = forms.DecimalField(
        label=_("At the most, in kW"), min_value=0, max_digits=9, decimal_places=3, required=False,
        help_text=_("Empty: as much as it told that it needs."),
    )  # fmt: skip


class ValuesForm(forms.Form):
    """New values of a dynamic profile, in its own unit."""

    limit = forms.DecimalField(label=_("Limit"), max_digits=12, decimal_places=1, required=False)
    setpoint = forms.DecimalField(
        label=_("Set point"), max_digits=12, decimal_places=1, required=False,
        help_text=_("Less than 0: the vehicle feeds back."),
    )  # fmt: skip
    discharge_limit = forms.DecimalField(
        label=_("Limit of feeding back"), max_digits=12, decimal_places=1, required=False, max_value=0,
        help_text=_("0 or less."),
    )  # fmt: skip


def show(seen: Seen) -> Shown:
    """Give the live part, and the form that asks for a report."""
    found = seen.station
    return Shown(
        {"vehicles": Part("console/_station_vehicles.html", lambda: _read(found))},
        lambda: {"report_form": ReportForm()},
    )


def _read(found: ChargingStation) -> dict[str, Any]:
    limits = ExternalLimit.objects.filter(station=found).order_by("-told_at")[:LIMITS]
    needs = ChargingNeeds.objects.filter(station=found).select_related("session", "profile")
    reports = ProfileReport.objects.filter(station=found).order_by("-id")[:REPORTS]
    running = list(found.sessions.active().select_related("evse").order_by("evse__number"))
    priorities = {row.session_id: row for row in PriorityCharging.objects.filter(session__in=running)}
    return {
        "external": [_limit(row) for row in limits],
        "needs": [_needs(row) for row in needs.order_by("evse_number")],
        "reports": [_report(row) for row in reports],
        "priorities": [(session, priorities.get(session.pk)) for session in running],
        "dynamic": _dynamic(found),
        "has_priority": "UsePriorityCharging" in outbound.actions(found.ocpp_version),
        "renegotiate_form": RenegotiateForm(),
    }


def _limit(row: ExternalLimit) -> dict[str, Any]:
    return {"row": row, "what": [_schedule(schedule) for schedule in row.schedules]}


def _schedule(schedule: dict[str, Any]) -> str:
    unit = str(schedule.get("chargingRateUnit") or "")
    told = []
    for period in schedule.get("chargingSchedulePeriod") or []:
        values = [f"{name} {period[name]}" for name in ("setpoint", "dischargeLimit") if name in period]
        if "limit" in period:
            values.insert(0, profile_words.limit(period["limit"], unit))
        told.append(
            f"{profile_words.clock(int(period.get('startPeriod') or 0))} {', '.join(map(str, values))}"
        )
    return " · ".join(told[:6])


def _needs(row: ChargingNeeds) -> dict[str, Any]:
    answered = profile_words.of_profile(row.profile.on_station or row.profile.profile) if row.profile else ""
    chosen = _schedule(row.schedule) if row.schedule else ""
    return {"row": row, "answered": answered, "chosen": chosen}


def _report(row: ProfileReport) -> dict[str, Any]:
    told = [
        {
            "evse": each["evse"],
            "source": each["source"],
            "id": each["profile"].get("id"),
            "purpose": each["profile"].get("chargingProfilePurpose"),
            "is_unknown": each["profile"].get("id") in row.unknown,
        }
        for each in row.told
    ]
    return {"row": row, "told": told}


def _dynamic(found: ChargingStation) -> list[dict[str, Any]]:
    rows = InstalledProfile.objects.filter(
        station=found, state__in=InstalledProfile.LIVE, profile__chargingProfileKind=Kind.DYNAMIC.value
    )
    shown = []
    for row in rows.order_by("evse_number", "id"):
        [schedule] = row.profile["chargingSchedule"][:1]
        period = schedule["chargingSchedulePeriod"][0]
        names = {"limit": "limit", "setpoint": "setpoint", "discharge_limit": "dischargeLimit"}
        form = ValuesForm(
            initial={ours: period.get(name) for ours, name in names.items()}, auto_id=f"dynamic-{row.pk}-%s"
        )
        shown.append(
            {
                "row": row,
                "unit": schedule["chargingRateUnit"],
                "mode": period.get("operationMode", ""),
                "form": form,
            }
        )
    return shown
