"""Where a tariff may apply, as a caller names it."""

from typing import Any

from rest_framework.exceptions import ValidationError

from cpo import access
from cpo.access import Principal
from stations.models import Evse, Operator


def place_of(principal: Principal, operator: Operator, place: dict[str, Any]) -> dict[str, Any]:
    """Return the one row that the place names, as an argument of `tariffs.assign`; raise ValidationError.

    It must lie in the principal's scope and belong to the tariff's operator.
    """
    if "operator" in place:
        _only(place, "operator")
        if place["operator"].upper() != str(operator):
            raise ValidationError({"operator": ["The tariff belongs to another operator."]})
        return {"operator": operator}
    if "location" in place:
        _only(place, "location")
        rows = access.locations(principal).filter(operator=operator)
        return {"location": _one(rows.filter(uid=place["location"]), "location")}
    evse = _evse(principal, operator, place)
    if "connector" in place:
        return {"connector": _one(evse.connectors.filter(number=place["connector"]), "connector")}
    return {"evse": evse}


def _evse(principal: Principal, operator: Operator, place: dict[str, Any]) -> Evse:
    stations = access.stations(principal).filter(location__operator=operator)
    rows = Evse.objects.filter(station__in=stations)
    if "evse" in place:
        _only(place, "evse", "connector")
        rows = rows.filter(uid=place["evse"])
    elif "station" in place and "connector_id" in place:
        _only(place, "station", "connector_id", "connector")
        rows = rows.filter(station__identity=place["station"], number=place["connector_id"])
    else:
        raise ValidationError("Name an operator, a location, an evse, or a station and its connector_id.")
    evse: Evse = _one(rows, "evse")
    return evse


def _one(rows: Any, field: str) -> Any:
    found = rows.first()
    if found is None:
        raise ValidationError({field: ["There is no such place at the tariff's operator."]})
    return found


def _only(place: dict[str, Any], *fields: str) -> None:
    surplus = set(place) - set(fields) - {"valid_from"}
    if surplus:
        raise ValidationError({min(surplus): ["Name one place only."]})
