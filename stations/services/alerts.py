"""Review items about what may come again: one open item per subject that counts, a new one after it was resolved."""

from typing import Any

from django.db.models import Max

from stations.models import ChargingStation, ReviewItem
from stations.services import review


def alert(
    kind: str,
    about: str,
    *,
    summary: str,
    station: ChargingStation | None = None,
    facts: dict[str, Any] | None = None,
) -> ReviewItem:
    """Count up the open item about this subject, or raise a new one: what was resolved says nothing of what comes."""
    mine = ReviewItem.objects.filter(key__startswith=f"{about}:")
    key = mine.filter(resolved_at=None).values_list("key", flat=True).first()
    if key is None:
        key = f"{about}:{(mine.aggregate(last=Max('pk'))['last'] or 0) + 1}"
    return review.raise_item(kind, key=key, summary=summary, station=station, facts=facts)


def settle(about: str, *, why: str) -> None:
    """Resolve what is open about a subject, for it has settled itself."""
    for item in ReviewItem.objects.filter(key__startswith=f"{about}:", resolved_at=None):
        review.resolve(item, by="OpenCPO", resolution=why)
