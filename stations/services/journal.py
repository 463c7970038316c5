"""Read the journal of frames."""

from datetime import datetime

from django.db.models import QuerySet

from stations.models import ChargingStation, Frame


def frames(
    station: ChargingStation,
    *,
    before: datetime | None = None,
    limit: int = 50,
    action: str | None = None,
    direction: str | None = None,
) -> list[Frame]:
    """Return a station's frames, the newest first: at most `limit`, older than `before`, of one action or direction."""
    rows: QuerySet[Frame] = Frame.objects.filter(station_id=station.pk)
    if before is not None:
        rows = rows.filter(at__lt=before)
    if action:
        rows = rows.filter(action=action)
    if direction:
        rows = rows.filter(direction=direction)
    return list(rows.order_by("-at", "-id")[:limit])
