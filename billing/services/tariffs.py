"""Tariffs: kept in versions, assigned to connectors up to whole operators, chosen at session start."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from billing.errors import UnknownOperator
from billing.events import TariffChanged
from billing.models import Tariff, TariffAssignment, TariffVersion
from billing.services import choice
from billing.tariff import model, wire
from billing.tariff.errors import InvalidTariff
from cpo.lib import clock, events
from stations.models import ChargingSession, Connector, Evse, Location, Operator
from stations.services import locations

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)  # the first version of a tariff is what it has been so far


@transaction.atomic
def save(data: Mapping[str, Any], *, operator: Operator | None = None) -> Tariff:
    """Create or change the tariff with this id from an OCPI 2.3.0 object; a change is a new version.

    A missing owner is the operator, or our only one. Raise `InvalidTariff` (with the path of the fault) or
    `UnknownOperator`. Saving the same content again changes nothing.
    """
    operator = operator or _owner(data)
    parties = {"country_code": operator.country_code, "party_id": operator.party_id}
    parsed = model.Tariff.from_ocpi({**data, **parties, "last_updated": wire.write_moment(clock.now())})
    if not 0 < len(parsed.id) <= 36:
        raise InvalidTariff("id", "must have 1 to 36 characters")
    tariff = _locked(operator, parsed)
    newest = tariff.versions.order_by("-number").first()
    document = choice.as_json(parsed.to_ocpi())
    if newest is not None and _same(newest.data, document) and tariff.is_active:
        return tariff
    if newest is None or not _same(newest.data, document):
        _add_version(tariff, newest, document, parsed.start_date_time)
    Tariff.objects.filter(pk=tariff.pk).update(
        currency=parsed.currency, type=parsed.type or "", is_active=True, last_updated=clock.now()
    )
    tariff.refresh_from_db()
    events.publish(TariffChanged(tariff.pk))
    return tariff


@transaction.atomic
def withdraw(tariff: Tariff) -> Tariff:
    """End all its assignments now and show it as inactive; sessions that run keep it."""
    now = clock.now()
    still_open = Q(valid_until=None) | Q(valid_until__gt=now)
    tariff.assignments.filter(still_open).update(valid_until=now)
    tariff.is_active = False
    tariff.last_updated = now
    tariff.save(update_fields=["is_active", "last_updated"])
    events.publish(TariffChanged(tariff.pk))
    _tell_locations(Connector.objects.filter(tariff_assignments__tariff=tariff))
    return tariff


@transaction.atomic
def assign(
    tariff: Tariff,
    *,
    connector: Connector | None = None,
    evse: Evse | None = None,
    location: Location | None = None,
    operator: Operator | None = None,
    valid_from: datetime | None = None,
) -> TariffAssignment:
    """Let the tariff apply at exactly one of these from now on (or from `valid_from`).

    It replaces the tariff of the same type that applied there. The first one of a place counts as always valid, so
    that sessions that arrive late have a price. Raise ValueError unless exactly one place is given.
    """
    place = {"connector": connector, "evse": evse, "location": location, "operator": operator}
    if sum(target is not None for target in place.values()) != 1:
        raise ValueError("exactly one of connector, evse, location and operator")
    Tariff.objects.select_for_update().get(pk=tariff.pk)
    rivals = _rivals(TariffAssignment.objects.filter(**place, tariff__type=tariff.type), tariff)
    begin = valid_from or (clock.now() if rivals else ALWAYS)
    open_rivals = [row for row in rivals if row.valid_until is None or row.valid_until > begin]
    for earlier in open_rivals:
        if earlier.tariff_id == tariff.pk and earlier.valid_from <= begin and earlier.valid_until is None:
            return earlier
        earlier.valid_until = max(begin, earlier.valid_from)
        earlier.save(update_fields=["valid_until"])
    assignment = TariffAssignment.objects.create(tariff=tariff, **place, valid_from=begin)
    events.publish(TariffChanged(tariff.pk))
    _tell_locations(_connectors_at(assignment))
    return assignment


@transaction.atomic
def unassign(assignment: TariffAssignment) -> None:
    """End an assignment now; sessions that run keep their tariff."""
    assignment.valid_until = max(clock.now(), assignment.valid_from)
    assignment.save(update_fields=["valid_until"])
    events.publish(TariffChanged(assignment.tariff_id))
    _tell_locations(_connectors_at(assignment))


def for_session(session: ChargingSession) -> TariffVersion | None:
    """Return the tariff that applied when the session started, as it was then; None when there was none."""
    return choice.versions([session]).get(session.pk)


def of_connector(connector: Connector) -> list[Tariff]:
    """Return the tariffs that a session at this connector may get now, for OCPI `tariff_ids`: one for each type."""
    return choice.of_connectors([connector], at=clock.now()).get(connector.pk, [])


def _owner(data: Mapping[str, Any]) -> Operator:
    parties = {key: str(data[key]).upper() for key in ("country_code", "party_id") if data.get(key)}
    found = list(Operator.objects.filter(**parties)[:2])
    if len(found) == 1:
        return found[0]
    only = locations.only_operator()  # with one own party a tariff is its own, whoever wrote it first
    if only is None:
        raise UnknownOperator(f"{len(found) or 'no'} operators fit: name country_code and party_id")
    return only


def _locked(operator: Operator, parsed: model.Tariff) -> Tariff:
    """Return the tariff's row, locked; made when there is none (two writers at once meet at the constraint)."""
    Operator.objects.select_for_update().get(pk=operator.pk)
    tariff = Tariff.objects.filter(operator=operator, uid__iexact=parsed.id).first()
    if tariff is not None:
        return tariff
    return Tariff.objects.create(
        operator=operator,
        uid=parsed.id,
        currency=parsed.currency,
        type=parsed.type or "",
        last_updated=clock.now(),
    )


def _add_version(
    tariff: Tariff, newest: TariffVersion | None, document: dict[str, Any], start: datetime | None
) -> None:
    """Store what the tariff says from now on; the first version says what it has said always or since its start."""
    TariffVersion.objects.create(
        tariff=tariff,
        number=newest.number + 1 if newest else 1,
        data=document,
        valid_from=clock.now() if newest else start or ALWAYS,
    )


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    ignored = {"last_updated": None}
    return {**one, **ignored} == {**other, **ignored}


def _rivals(assignments: QuerySet[TariffAssignment], tariff: Tariff) -> list[TariffAssignment]:
    """Give assignments, ended ones too, of tariffs whose own validity overlaps with this one's, newest first."""
    window = choice.validity(tariff)
    return [
        row
        for row in assignments.select_related("tariff").order_by("-valid_from")
        if row.tariff_id == tariff.pk or choice.overlap(choice.validity(row.tariff), window)
    ]


def _connectors_at(assignment: TariffAssignment) -> QuerySet[Connector]:
    """Give the connectors whose list of tariffs an assignment changes."""
    rows = Connector.objects.all()
    if assignment.connector_id:
        return rows.filter(pk=assignment.connector_id)
    if assignment.evse_id:
        return rows.filter(evse=assignment.evse_id)
    if assignment.location_id:
        return rows.filter(evse__station__location=assignment.location_id)
    return rows.filter(evse__station__location__operator=assignment.operator_id)


def _tell_locations(connectors: QuerySet[Connector]) -> None:
    """Touch the locations: `tariff_ids` of their connectors changed in what partners see."""
    ids = connectors.order_by().values_list("evse__station__location", flat=True).distinct()
    for location in Location.objects.filter(pk__in=[pk for pk in ids if pk is not None]):
        locations.touch(location)
