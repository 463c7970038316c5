"""Limits that others than we put on a station: an energy manager, the grid operator (2.x K11 to K14, K23, K27)."""

from datetime import datetime
from typing import Any

from django.db import transaction

from cpo.lib import clock, events
from stations.charging_profiles import ChargingProfile, InvalidProfile, from_v2
from stations.events import ChargingProfilesChanged
from stations.models import ChargingStation, ExternalLimit, InstalledProfile
from stations.services import profile_rows

EXTERNAL, LOCAL = "ChargingStationExternalConstraints", "LocalGeneration"


@transaction.atomic(savepoint=False)
def told(
    station: ChargingStation,
    *,
    evse_number: int,
    source: str,
    is_grid_critical: bool | None,
    is_local_generation: bool = False,
    schedules: list[dict[str, Any]],
    at: datetime,
) -> ExternalLimit:
    """Keep a limit from outside (K12.FR.02, K12.FR.03); the last one of a source at a place is the one in force."""
    limit, _ = ExternalLimit.objects.update_or_create(
        station=station,
        evse_number=evse_number,
        source=source[:20],
        defaults={
            "is_grid_critical": is_grid_critical,
            "is_local_generation": is_local_generation,
            "schedules": schedules,
            "told_at": at,
            "cleared_at": None,
        },
    )
    events.publish(ChargingProfilesChanged(station.pk))
    return limit


@transaction.atomic(savepoint=False)
def cleared(station: ChargingStation, *, evse_number: int | None, source: str) -> int:
    """Note that a limit from outside is gone (K13.FR.02); None: everywhere on the station. Return how many were."""
    rows = ExternalLimit.objects.filter(station=station, source=source[:20], cleared_at=None)
    profiles = InstalledProfile.objects.filter(
        station=station,
        source=f"{profile_rows.FOUND}{source}"[:32],
        purpose__in=[EXTERNAL, LOCAL],
        state__in=InstalledProfile.LIVE,
    )
    if evse_number is not None:
        rows, profiles = rows.filter(evse_number=evse_number), profiles.filter(evse_number=evse_number)
    count = rows.update(cleared_at=clock.now())
    for row in profiles.select_for_update(of=["self"]):
        row.on_station = None
        row.save(update_fields=["on_station"])
        profile_rows.move(row, InstalledProfile.State.CLEARED)
        count += 1
    events.publish(ChargingProfilesChanged(station.pk))
    return count


def in_force(station: ChargingStation) -> list[ExternalLimit]:
    """Return the limits that others have put on a station."""
    return list(
        ExternalLimit.objects.filter(station=station, cleared_at=None).order_by("evse_number", "source")
    )


def profiles(station: ChargingStation) -> list[ChargingProfile]:
    """Give the limits from outside as profiles, for a composite schedule; one that cannot be read limits nothing."""
    found = []
    for limit in in_force(station):
        for schedule in limit.schedules[:1]:
            wire = {
                "id": -limit.pk,
                "stackLevel": 0,
                "chargingProfilePurpose": LOCAL if limit.is_local_generation else EXTERNAL,
                "chargingProfileKind": "Absolute",
                "chargingSchedule": [{"startSchedule": limit.told_at.isoformat()} | schedule],
            }
            try:
                found.append(from_v2(wire, evse=limit.evse_number))
            except InvalidProfile:
                continue
    return found
