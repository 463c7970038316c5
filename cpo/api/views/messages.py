"""/stations/{id}/messages/: the journal of frames, as they were on the wire."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api import filters
from cpo.api.endpoint import ListEndpoint
from cpo.api.errors import refusals
from stations.models import Frame


class FrameSerializer(serializers.Serializer[Frame]):
    """One OCPP frame, secrets blanked."""

    at = serializers.DateTimeField(help_text="Received or sent.")
    direction = serializers.SerializerMethodField(help_text="'in': from the station; 'out': to it.")
    message_type = serializers.IntegerField(help_text="2 CALL, 3 CALLRESULT, 4 CALLERROR; 0: unreadable.")
    message_id = serializers.CharField()
    action = serializers.CharField(help_text="Of the CALL that it is or answers.")
    text = serializers.CharField(help_text="The frame.")
    verdict = serializers.CharField(help_text="Empty: ordinary; else flags or the error code.")

    def get_direction(self, frame: Frame) -> str:
        """Give the direction in a word."""
        return "in" if frame.direction == Frame.Direction.IN else "out"


class FrameFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    action = django_filters.CharFilter()
    direction = django_filters.ChoiceFilter(choices=[("in", "in"), ("out", "out")], method="by_direction")
    at_from = filters.Moment("at", "gte")
    at_to = filters.Moment("at", "lt", ends=True)

    def by_direction(self, rows: QuerySet[Frame], name: str, word: str) -> QuerySet[Frame]:
        """Give frames of one direction."""
        return rows.filter(direction=Frame.Direction.IN if word == "in" else Frame.Direction.OUT)


class StationMessages(ListEndpoint):
    """The frames of one station."""

    actions: ClassVar = {"GET": "message.view"}
    queryset = Frame.objects.none()
    serializer_class = FrameSerializer
    filterset_class = FrameFilter

    def get_queryset(self) -> QuerySet[Frame]:
        """Give the station's frames; 404 when it is out of scope."""
        station = get_object_or_404(access.stations(self.principal), identity=self.kwargs["identity"])
        return Frame.objects.filter(station_id=station.pk)

    @extend_schema(
        summary="List a station's messages", responses={200: FrameSerializer(many=True), **refusals(400, 404)}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)
