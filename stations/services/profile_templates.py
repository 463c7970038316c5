"""The library of charging profiles: what an operator installs again and again (2.1 K, 1.6 section 3.13)."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction

from cpo.lib import clock, events
from stations.charging_profiles import (
    CompositeSchedule,
    Kind,
    Purpose,
    RateUnit,
    Recurrency,
    composite,
    faults,
)
from stations.charging_profiles.timeline import EVERY_S
from stations.charging_profiles.units import plain
from stations.events import ProfileTemplateChanged
from stations.models import Operator, ProfileTemplate
from stations.services import profile_shapes
from stations.services.errors import UnsuitedProfile

FIELDS = (
    "name", "purpose", "kind", "recurrency", "rate_unit", "stack_level", "periods", "start_at", "duration_s",
    "min_charging_rate", "is_local_time", "valid_from", "valid_to",
)  # fmt: skip
MAX_PERIODS = 1024  # 2.1 ChargingScheduleType; stations take far fewer
PATHS = {"validTo": "valid_to", "chargingSchedule[0].duration": "duration_s", "stackLevel": "stack_level"}
MAX_LIMIT = Decimal(10_000_000)  # A or W


@transaction.atomic(savepoint=False)
def save(
    template: ProfileTemplate | None = None, *, operator: Operator | None = None, **fields: Any
) -> ProfileTemplate:
    """Add a template for an operator, or change one; what lies on stations stays as it is until it is installed again.

    `periods` are `{"start_s", "limit", "number_phases"}`; they are put in order. Raise `UnsuitedProfile` for what no
    station could be sent.
    """
    now = clock.now()
    template = template or ProfileTemplate(operator=operator, created_at=now)
    for name, value in fields.items():
        if name not in FIELDS:
            raise UnsuitedProfile(name, "is no field of a template")
        setattr(template, name, value)
    if template.kind != Kind.RECURRING:
        template.recurrency = ""
    if template.kind != Kind.ABSOLUTE:
        template.start_at = None
    template.periods = ordered(template.periods)
    check(template)
    template.last_updated = now
    try:
        with transaction.atomic():
            template.save()
    except IntegrityError as error:
        raise UnsuitedProfile("name", "there is a profile of this name already") from error
    events.publish(ProfileTemplateChanged(template.pk))
    return template


@transaction.atomic(savepoint=False)
def delete(template: ProfileTemplate) -> None:
    """Take a template out of the library; what was installed from it stays."""
    pk = template.pk
    template.delete()
    events.publish(ProfileTemplateChanged(pk))


def check(template: ProfileTemplate) -> None:
    """Raise `UnsuitedProfile` for the first thing that is wrong with a template."""
    for name, words in (("purpose", Purpose), ("kind", Kind), ("rate_unit", RateUnit)):
        if getattr(template, name) not in [word.value for word in words]:
            raise UnsuitedProfile(name, "is no word of the standard")
    if (
        template.purpose not in ProfileTemplate.Purpose.values
        or template.kind not in ProfileTemplate.Kind.values
    ):
        raise UnsuitedProfile("purpose", "no station of ours takes this")
    if template.kind == Kind.RECURRING and template.recurrency not in [word.value for word in Recurrency]:
        raise UnsuitedProfile("recurrency", "every day or every week?")
    if template.kind == Kind.RELATIVE and template.purpose == Purpose.STATION_MAX:
        raise UnsuitedProfile("kind", "the whole station has no start of charging: choose another kind")
    _check_times(template)
    wish = profile_shapes.of_template(
        template,
        evse=0 if template.purpose == Purpose.STATION_MAX else 1,
        now=clock.now(),
        zone=ZoneInfo("UTC"),
    )
    for fault in faults(wish, transaction=None):
        if not fault.path.startswith("transactionId"):
            raise UnsuitedProfile(PATHS.get(fault.path, fault.path), fault.message)


def preview(
    template: ProfileTemplate, *, zone: ZoneInfo, start: datetime, duration_s: int
) -> CompositeSchedule:
    """Lay a template out over time as if it alone held, for a transaction that begins at `start`."""
    wish = profile_shapes.of_template(template, evse=1, now=start, zone=zone)
    if template.purpose == Purpose.STATION_MAX:
        wish = replace(wish, evse=0)
    wish, _ = profile_shapes.at_site(wish, zone, start)
    return composite(
        [replace(wish, id=1)],
        evse=wish.evse,
        start=start,
        duration_s=duration_s,
        unit=RateUnit(template.rate_unit),
        session_start=start,
        now=start,
    )


def ordered(periods: Any) -> list[dict[str, Any]]:
    """Return periods as they are stored, by their start; raise `UnsuitedProfile` for what is none."""
    if not isinstance(periods, list) or not 0 < len(periods) <= MAX_PERIODS:
        raise UnsuitedProfile("periods", f"1 to {MAX_PERIODS} of them")
    found = [_period(period, index) for index, period in enumerate(periods)]
    found.sort(key=lambda period: int(period["start_s"]))
    if found[0]["start_s"] != 0:
        raise UnsuitedProfile("periods.0.start_s", "the first period starts at 0")
    for index, (before, after) in enumerate(pairwise(found), 1):
        if before["start_s"] == after["start_s"]:
            raise UnsuitedProfile(f"periods.{index}.start_s", "two periods start at the same time")
    return found


def _period(period: Any, index: int) -> dict[str, Any]:
    where = f"periods.{index}"
    if not isinstance(period, dict) or not set(period) <= {"start_s", "limit", "number_phases"}:
        raise UnsuitedProfile(where, "start_s, limit and, if you like, number_phases")
    try:
        start_s, limit = int(period["start_s"]), Decimal(str(period["limit"]))
        phases = None if period.get("number_phases") in (None, "") else int(period["number_phases"])
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise UnsuitedProfile(where, "needs a start in seconds and a limit") from error
    if start_s < 0 or isinstance(period["start_s"], float | bool):
        raise UnsuitedProfile(f"{where}.start_s", "whole seconds from 0 on")
    if not limit.is_finite() or not 0 <= limit <= MAX_LIMIT:
        raise UnsuitedProfile(f"{where}.limit", f"0 to {MAX_LIMIT}")
    if phases not in (None, 1, 2, 3):
        raise UnsuitedProfile(f"{where}.number_phases", "1, 2 or 3")
    return {"start_s": start_s, "limit": str(plain(limit)), "number_phases": phases}


def _check_times(template: ProfileTemplate) -> None:
    last_s = template.periods[-1]["start_s"]
    if template.kind == Kind.RECURRING and last_s >= EVERY_S[Recurrency(template.recurrency)]:
        raise UnsuitedProfile("periods", "the last period starts after the day or week is over")
    if template.duration_s is not None and last_s >= template.duration_s:
        raise UnsuitedProfile("periods", "the last period starts after the schedule is over")
