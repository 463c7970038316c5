"""/security-events/: what stations reported about their security."""

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
from cpo.api.serializers.security import SecurityEventSerializer
from stations.models import SecurityEvent


class SecurityEventFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    station = django_filters.CharFilter("station__identity", help_text="Identity of the station.")
    critical = filters.Flag("is_critical", help_text="true: only those that are critical.")
    type = django_filters.CharFilter("type")


class SecurityEventList(ListEndpoint):
    """All security events in scope."""

    queryset = SecurityEvent.objects.none()
    serializer_class = SecurityEventSerializer
    filterset_class = SecurityEventFilter

    def get_queryset(self) -> QuerySet[SecurityEvent]:
        """Give the security events of stations in scope."""
        return access.security_events(self.principal).select_related("station")

    @extend_schema(
        summary="List security events", responses={200: SecurityEventSerializer(many=True), **refusals(400)}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)
