"""Rows of changes to a station's security, password or profile: one open for a station, ended once, failure told.

What each step means says `password_changes` and `security_profiles`.
"""

from typing import Any, TypeVar

from django.db import IntegrityError, models, transaction

from cpo.lib import clock, events
from stations.events import StationChanged
from stations.models import PasswordChange, ReviewItem, SecurityProfileChange
from stations.services import review
from stations.services.errors import ChangeUnderWay

Change = TypeVar("Change", PasswordChange, SecurityProfileChange)


def begin(change: PasswordChange | SecurityProfileChange, *, otherwise: str) -> None:
    """Store a new change; raise `ChangeUnderWay`, which says `otherwise`, when one is open already."""
    try:
        with transaction.atomic():
            change.save()
    except IntegrityError as error:
        raise ChangeUnderWay(otherwise) from error


def open_one(kind: type[Change], **which: Any) -> Change | None:
    """Return a change that is under way, locked; None when it is over."""
    rows: models.QuerySet[Change] = kind._default_manager.select_for_update(of=("self",)).select_related(
        "station"
    )
    return rows.filter(status__in=kind.OPEN, **which).first()


def close(
    change: PasswordChange | SecurityProfileChange, status: str, reason: str, *, also: tuple[str, ...] = ()
) -> None:
    """End a change."""
    change.status, change.reason, change.finished_at = status, reason[:255], clock.now()
    change.save(update_fields=["status", "reason", "finished_at", *also])
    events.publish(StationChanged(change.station_id))


def tell_operator(
    change: PasswordChange | SecurityProfileChange, *, key: str, summary: str, reason: str, **facts: Any
) -> None:
    """Let an operator know what did not come about: `key` names the change among all review items."""
    review.raise_item(
        ReviewItem.Kind.SECURITY_PROFILE,
        key=f"{key}{change.pk}",
        summary=f"{change.station.identity}{summary} {reason}"[:255],
        station=change.station,
        facts={"change": change.pk, "reason": reason, **facts},
    )
