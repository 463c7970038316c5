"""Rows into OCPI documents of a version, many at once: what each serializer needs is read in bulk here."""

from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from django.db.models import prefetch_related_objects

from billing.models import Cdr, Tariff, TariffVersion
from billing.services import choice, costs
from billing.tariff.errors import TariffError
from cpo.lib import clock
from roaming import published
from roaming.ocpi.versions import Version
from stations.models import ChargingSession, Connector, Evse, Location

log = structlog.get_logger(__name__)
Document = dict[str, Any]


def locations(rows: Sequence[Location], version: Version) -> list[Document]:
    """Write locations that were read by `visibility.whole`."""
    evses = [evse for location in rows for evse in published.evses(location)]
    serializer = version.location(context={"version": version, "tariff_ids": _tariff_ids(evses)})
    return [serializer.to_representation(row) for row in rows]


def hidden(row: Location, version: Version) -> tuple[str, Document]:
    """Write how a partner is told that a location is not published any more: HTTP method and body."""
    method, document = version.shapes.hidden(row, lambda: locations([row], version)[0])
    return method, document


def evse(row: Evse, version: Version) -> Document | None:
    """Write one EVSE; None when this version has no words for any of its connectors."""
    serializer = version.evse(context={"version": version, "tariff_ids": _tariff_ids([row])})
    document: Document = serializer.to_representation(row)
    return document if document.get("connectors") else None


def connector(row: Connector, version: Version) -> Document:
    """Write one connector."""
    serializer = version.connector(context={"version": version, "tariff_ids": _tariff_ids([row.evse])})
    document: Document = serializer.to_representation(row)
    return document


def sessions(rows: Sequence[ChargingSession], version: Version) -> list[Document]:
    """Write sessions: running ones with what they cost so far, billed ones as their CDR says."""
    if version.session.RELATED:
        prefetch_related_objects(list(rows), *version.session.RELATED)
    cdrs_of = Cdr.objects.newest_of(row.pk for row in rows)
    so_far = costs.running_costs([row for row in rows if row.pk not in cdrs_of])
    serializer = version.session(context={"version": version, "costs": so_far, "cdrs": cdrs_of})
    return [serializer.to_representation(row) for row in rows]


def cdrs(rows: Sequence[Cdr], version: Version) -> list[Document]:
    """Write CDRs; a tariff inside that this version cannot express is left out, the amounts stand."""
    serializer = version.cdr(context={"version": version})
    return [serializer.to_representation(row) for row in rows]


def tariffs(rows: Sequence[Tariff], version: Version) -> list[Document]:
    """Write tariffs; those that this version cannot express are not published."""
    newest = TariffVersion.objects.filter(tariff__in=[row.pk for row in rows]).order_by("tariff", "-number")
    data = {found.tariff_id: found.data for found in newest.distinct("tariff")}
    serializer = version.tariff(context={"version": version, "tariff_data": data})
    written = []
    for row in rows:
        try:
            written.append(serializer.to_representation(row))
        except (TariffError, KeyError) as error:
            log.warning("tariff not published", tariff=row.uid, version=version.number, reason=str(error))
    return written


def _tariff_ids(evses: Iterable[Evse]) -> dict[int, list[str]]:
    """Return connector id -> tariff ids that apply now; the EVSEs were read with station and location."""
    connectors = []
    for each in evses:
        for found in each.connectors.all():
            found.evse = each  # the row that carries station and location already
            connectors.append(found)
    chosen = choice.of_connectors(connectors, at=clock.now())
    return {pk: [tariff.uid for tariff in tariffs] for pk, tariffs in chosen.items()}
