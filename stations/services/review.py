"""Raise and resolve what needs a human."""

from typing import Any

from django.db import transaction
from django.db.models import F

from cpo.lib import clock, events
from stations.events import ReviewItemChanged
from stations.models import ChargingSession, ChargingStation, ReviewItem


@transaction.atomic(savepoint=False)
def raise_item(
    kind: str,
    *,
    key: str,
    summary: str,
    station: ChargingStation | None = None,
    session: ChargingSession | None = None,
    facts: dict[str, Any] | None = None,
) -> ReviewItem:
    """Raise an item for an operator; the same `key` again only counts up (a resolved one stays resolved)."""
    now = clock.now()
    item, created = ReviewItem.objects.get_or_create(
        key=key[:100],
        defaults={
            "kind": kind,
            "station": station,
            "session": session,
            "summary": summary[:255],
            "facts": facts or {},
            "raised_at": now,
            "last_at": now,
        },
    )
    if not created:
        ReviewItem.objects.filter(pk=item.pk).update(count=F("count") + 1, last_at=now)
    events.publish(ReviewItemChanged(item.pk))
    return item


@transaction.atomic(savepoint=False)
def resolve(item: ReviewItem, *, by: str, resolution: str = "") -> ReviewItem:
    """Close an item: who, when and how."""
    item.resolved_at = clock.now()
    item.resolved_by = by[:100]
    item.resolution = resolution[:255]
    item.save(update_fields=["resolved_at", "resolved_by", "resolution"])
    events.publish(ReviewItemChanged(item.pk))
    return item
