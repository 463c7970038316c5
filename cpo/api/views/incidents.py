"""/incidents/: grave things that the stations in scope reported of their parts."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api import filters
from cpo.api.endpoint import ListEndpoint
from cpo.api.errors import refusals
from cpo.api.serializers.monitoring import FleetIncidentSerializer
from stations.models import StationIncident


class IncidentFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    station = django_filters.CharFilter("station__identity", help_text="Identity of the station.")
    open = filters.Flag("cleared_at", lookup_expr="isnull", help_text="true: only what goes on.")
    severity = django_filters.NumberFilter(
        "severity", lookup_expr="lte", help_text="This one and graver ones; 0 is danger."
    )


class IncidentList(ListEndpoint):
    """All incidents in scope."""

    queryset = StationIncident.objects.none()
    serializer_class = FleetIncidentSerializer
    filterset_class = IncidentFilter

    def get_queryset(self) -> QuerySet[StationIncident]:
        """Give the incidents of stations in scope."""
        return access.incidents(self.principal).select_related("station")

    @extend_schema(
        summary="List incidents", responses={200: FleetIncidentSerializer(many=True), **refusals(400)}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)
