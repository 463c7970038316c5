"""Partners see only what is theirs: the one place that says what that is, for GET and for push alike.

Sessions and CDRs of their own drivers, published locations, tariffs that apply there, their own tokens. What is not
visible does not exist for them.
"""

from collections.abc import Collection
from datetime import datetime
from functools import cached_property

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from billing.models import Cdr, Tariff, TariffAssignment
from cpo.lib import clock
from roaming.models import Connection, RemoteParty
from stations.models import ChargingSession, ChargingStation, Connector, Evse, IdToken, Location, Operator


class VisibleTo:
    """The rows that one connection may see; narrowed to one of its parties and one of our operators when given."""

    def __init__(
        self, connection: Connection, *, party: str | None = None, operator: Operator | None = None
    ) -> None:
        self.connection, self.party, self.operator = connection, party, operator

    @cached_property
    def parties(self) -> Collection[str]:
        """Return the parties ('NL*ABC') whose drivers' data this is."""
        if not self.connection.is_registered:
            return []
        found = RemoteParty.objects.of_drivers().filter(connection=self.connection)
        keys = list(found.values_list("key", flat=True))
        return [key for key in keys if self.party in (None, key)]

    def locations(self) -> QuerySet[Location]:
        """Return published locations with their operator."""
        rows = Location.objects.filter(publish=True).select_related("operator")
        rows = rows if self.connection.is_registered else rows.none()
        return rows.filter(operator=self.operator) if self.operator else rows

    def evses(self) -> QuerySet[Evse]:
        """Return the EVSEs of those locations with their station and connectors."""
        rows = Evse.objects.filter(station__location__in=self.locations()).order_by("id")
        return rows.select_related("station__location__operator").prefetch_related("connectors")

    def tariffs(self) -> QuerySet[Tariff]:
        """Return the tariffs that apply, or will, at a connector of a published location."""
        rows = Tariff.objects.filter(is_active=True).select_related("operator")
        rows = rows if self.connection.is_registered else rows.none()
        rows = rows.filter(operator=self.operator) if self.operator else rows
        return rows.filter(Exists(_assignments(clock.now()).filter(tariff=OuterRef("pk"))))

    def sessions(self) -> QuerySet[ChargingSession]:
        """Return the sessions of the parties' drivers that we had agreed to."""
        rows = ChargingSession.objects.filter(
            party__in=self.parties, station__location__isnull=False, authorization_status="Accepted"
        )
        rows = rows.select_related("station__location__operator", "evse", "token")
        return rows.filter(station__location__operator=self.operator) if self.operator else rows

    def cdrs(self) -> QuerySet[Cdr]:
        """Return the CDRs of the parties' drivers."""
        rows = Cdr.objects.filter(party__in=self.parties).select_related("operator", "credit_reference")
        return rows.filter(operator=self.operator) if self.operator else rows

    def tokens(self) -> QuerySet[IdToken]:
        """Return the tokens that the parties own."""
        mine = Q(pk__in=[])
        for key in self.parties:
            country_code, _, party_id = key.partition("*")
            mine |= Q(country_code=country_code, party_id=party_id)
        return IdToken.objects.filter(mine)


def whole(locations: QuerySet[Location]) -> QuerySet[Location]:
    """Read locations with everything below them, in four queries."""
    stations = Prefetch("stations", ChargingStation.objects.order_by("pk"))
    evses = Prefetch("stations__evses", Evse.objects.order_by("station_id", "number"))
    connectors = Prefetch("stations__evses__connectors", Connector.objects.order_by("evse_id", "number"))
    return locations.prefetch_related(stations, evses, connectors)


def _assignments(moment: datetime) -> QuerySet[TariffAssignment]:
    """Return the assignments that stand now or later, somewhere that is published."""
    somewhere = (
        Q(location__publish=True)
        | Q(evse__station__location__publish=True)
        | Q(connector__evse__station__location__publish=True)
        | Q(operator__locations__publish=True)
    )
    return TariffAssignment.objects.filter(somewhere).filter(Q(valid_until=None) | Q(valid_until__gt=moment))
