"""Locations (OCPI 2.2.1 mod_locations#Sender Interface): the list, and one location, EVSE or connector."""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from roaming import documents, visibility
from roaming.ocpi.base import OcpiView
from roaming.ocpi.envelope import UNKNOWN_LOCATION, Missing, answer
from roaming.ocpi.paging import Window
from stations.models import ChargingStation, Connector, Evse, Location


class LocationsView(OcpiView):
    """GET the list; what is missing in it is no longer valid."""

    module = "locations"

    def get(self, request: Request, **_names: Any) -> Response:
        window = Window.read(request.query_params)
        rows = changed(self.visible.locations(), window.date_from, window.date_to)
        page = self.page(visibility.whole(rows), window)
        return answer(documents.locations(page.rows, self.version), headers=page.headers)


class LocationView(OcpiView):
    """GET one location."""

    module = "locations"

    def get(self, request: Request, uid: str, **_names: Any) -> Response:
        return answer(documents.locations([self.location(uid)], self.version)[0])

    def location(self, uid: str) -> Location:
        found = visibility.whole(self.visible.locations()).filter(uid__iexact=uid).first()
        if found is None:
            raise Missing(UNKNOWN_LOCATION, "unknown location")
        return found

    def evse(self, uid: str, evse_uid: str) -> Evse:
        """Return an EVSE of that location, read with station, location and connectors."""
        rows = self.visible.evses().filter(station__location__uid__iexact=uid, uid__iexact=evse_uid)
        found = rows.first()
        if found is None:
            raise Missing(UNKNOWN_LOCATION, "unknown EVSE")
        return found


class EvseView(LocationView):
    """GET one EVSE."""

    def get(self, request: Request, uid: str, evse_uid: str = "", **_names: Any) -> Response:
        document = documents.evse(self.evse(uid, evse_uid), self.version)
        if document is None:
            raise Missing(UNKNOWN_LOCATION, "unknown EVSE")
        return answer(document)


class ConnectorView(LocationView):
    """GET one connector."""

    def get(
        self, request: Request, uid: str, evse_uid: str = "", connector_id: str = "", **_names: Any
    ) -> Response:
        evse = self.evse(uid, evse_uid)
        found = [c for c in self.version.evse.connectors_of(evse) if str(c.number) == connector_id]
        if not found:
            raise Missing(UNKNOWN_LOCATION, "unknown connector")
        return answer(documents.connector(found[0], self.version))


def changed(
    rows: QuerySet[Location], date_from: datetime | None, date_to: datetime | None
) -> QuerySet[Location]:
    """Keep locations that changed in the window, themselves or in any EVSE (see `published.location_changed_at`)."""
    if date_from is not None:
        rows = rows.filter(_since(date_from))
    if date_to is not None:
        rows = rows.exclude(_since(date_to))
    return rows


def _since(moment: datetime) -> Q:
    connectors = Connector.objects.filter(evse__station__location=OuterRef("pk"))
    evses = Evse.objects.filter(station__location=OuterRef("pk"), connectors__isnull=False)
    stations = ChargingStation.objects.filter(
        location=OuterRef("pk"), online_changed_at__gte=moment, evses__connectors__isnull=False
    )
    return (
        Q(last_updated__gte=moment)
        | Q(Exists(evses.filter(last_updated__gte=moment)))
        | Q(Exists(connectors.filter(last_updated__gte=moment)))
        | Q(Exists(stations))
    )
