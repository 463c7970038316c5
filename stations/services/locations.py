"""Operators and locations (OCPI 2.3.0 mod_locations)."""

from typing import Any

from django.conf import settings
from django.db import transaction

from cpo.lib import clock, events
from stations.events import LocationChanged
from stations.models import Location, Operator


@transaction.atomic(savepoint=False)
def save_operator(country_code: str, party_id: str, **fields: Any) -> Operator:
    """Create or change an own party; its key is (country code, party id), upper case."""
    operator, _ = Operator.objects.update_or_create(
        country_code=country_code.upper(), party_id=party_id.upper(), defaults=fields
    )
    return operator


def only_operator() -> Operator | None:
    """Return our own party if there is just one; the first is made from settings when there is none yet.

    Then whatever names no party, a station without a location say, is its own. None when there are several.
    """
    found = list(Operator.objects.order_by("pk")[:2])
    if not found:
        return save_operator(
            settings.OPERATOR_COUNTRY_CODE,
            settings.OPERATOR_PARTY_ID,
            name=settings.OPERATOR_NAME,
            currency=settings.OPERATOR_CURRENCY,
        )
    return found[0] if len(found) == 1 else None


@transaction.atomic(savepoint=False)
def save_location(uid: str | None = None, **fields: Any) -> Location:
    """Create a location, or change the one with this uid; partners are told."""
    fields["last_updated"] = clock.now()
    if uid is None:
        location = Location.objects.create(**fields)
    else:
        location, _ = Location.objects.update_or_create(uid=uid, defaults=fields)
    events.publish(LocationChanged(location.pk))
    return location


@transaction.atomic(savepoint=False)
def touch(location: Location) -> None:
    """Tell partners that something inside this location changed; its `last_updated` says so (OCPI mod_locations)."""
    Location.objects.filter(pk=location.pk).update(last_updated=clock.now())
    events.publish(LocationChanged(location.pk))
