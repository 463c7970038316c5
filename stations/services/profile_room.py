"""Room for a profile on a 2.x station, which refuses a second one of the same purpose, level and place (K01.FR.06).

1.6 replaces it by itself (section 3.13.2). Here what lies there is cleared first; what was only set aside comes back.
"""

from django.db.models import Q, QuerySet

from stations.charging_profiles import ChargingProfile, Criteria, Purpose
from stations.models import InstalledProfile
from stations.services import profile_rows, requests
from stations.services.errors import UnsuitedProfile

State = InstalledProfile.State


def make(
    row: InstalledProfile, profile: ChargingProfile, *, requested_by: str = "", queue_offline: bool = False
) -> None:
    """Clear what would not lie beside a profile; nothing is done for a station that replaces by itself.

    Raise `UnsuitedProfile` where a default for all EVSEs and one for an EVSE would have the same level (K01.FR.52,
    K01.FR.53): clearing the first would take the limit of other EVSEs away.
    """
    if not row.station.ocpp_version.startswith("2"):
        return
    for other in _in_the_way(row, profile):
        if other.evse_number != profile.evse:
            raise UnsuitedProfile(
                "stackLevel",
                f"profile {other.profile_id} on EVSE {other.evse_number} has this level too (K01.FR.53)",
            )
        returns = comes_back(other, row)
        other.on_station, other.detail = None, f"replaced by profile {row.profile_id}"
        other.is_wanted = returns
        other.save(update_fields=["on_station", "detail", "is_wanted"])
        profile_rows.move(other, State.DISPLACED if returns else State.CLEARED)
        _clear(other, requested_by=requested_by, queue_offline=queue_offline)


def comes_back(other: InstalledProfile, row: InstalledProfile) -> bool:
    """Tell whether a profile is only set aside by another one: it is kept for when that is over."""
    balancer = (profile_rows.BALANCER, profile_rows.SAFE)
    if row.source in balancer and other.source not in balancer:
        return other.is_wanted  # the load balancer keeps to it in its own limits
    return other.is_wanted and other.source != row.source and _passes(row) and not _passes(other)


def _passes(row: InstalledProfile) -> bool:
    """Tell whether a profile ends by itself, or is somebody's who lifts it again."""
    return (
        row.valid_to is not None
        or row.session_id is not None
        or row.source not in (profile_rows.OPERATOR, profile_rows.BY_HAND, profile_rows.SAFE)
    )


def _in_the_way(row: InstalledProfile, profile: ChargingProfile) -> QuerySet[InstalledProfile]:
    places = Q(evse_number=profile.evse)
    if profile.purpose is Purpose.TX_DEFAULT:
        places = Q() if profile.evse == 0 else places | Q(evse_number=0)
    if profile.purpose is Purpose.TX:
        places &= Q(session=row.session)
    found = InstalledProfile.objects.select_for_update(of=["self"]).select_related("station").filter(
        places, station=row.station, purpose=profile.purpose, stack_level=profile.stack_level,
        on_station__isnull=False,
    )  # fmt: skip
    if profile.purpose is not Purpose.TX and profile.valid_from is not None:
        found = found.exclude(valid_to__lte=profile.valid_from)
    return found.exclude(pk=row.pk).order_by("id")


def _clear(other: InstalledProfile, *, requested_by: str, queue_offline: bool) -> None:
    requests.queue(
        other.station,
        "clear_charging_profile",
        facts={"criteria": Criteria(id=other.profile_id)},
        requested_by=requested_by,
        queue_offline=queue_offline,
    )
