"""/reservations/: make, list and cancel them."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import OFFLINE_EXAMPLE, refusals
from cpo.api.serializers.commands import CommandSerializer
from cpo.api.serializers.reservations import (
    CancelSerializer,
    ReservationSerializer,
    ReservationWriteSerializer,
)
from stations.models import ChargingStation, Evse, Reservation
from stations.services import reservations

RELATED = ("station", "evse", "session")


class ReservationFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    station = django_filters.CharFilter("station__identity", help_text="Identity of the station.")
    status = django_filters.ChoiceFilter(choices=Reservation.Status.choices)
    id_token = django_filters.CharFilter("id_token", lookup_expr="iexact")
    party = django_filters.CharFilter("party", help_text="Roaming partner who reserved, such as NL*ABC.")


class ReservationList(ListEndpoint):
    """All reservations in scope."""

    actions: ClassVar = {"GET": "view", "POST": "reservation.write"}
    object_type = "reservation"
    queryset = Reservation.objects.none()
    serializer_class = ReservationSerializer
    filterset_class = ReservationFilter

    def get_queryset(self) -> QuerySet[Reservation]:
        """Give the reservations at stations in scope."""
        return access.reservations(self.principal).select_related(*RELATED)

    @extend_schema(
        summary="List reservations", responses={200: ReservationSerializer(many=True), **refusals(400)}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Reserve an EVSE",
        request=ReservationWriteSerializer,
        responses={202: ReservationSerializer, **refusals(400, 404, 409)},
        examples=[
            OpenApiExample(
                "hold connector 1",
                value={
                    "station": "ADA-1",
                    "connector_id": 1,
                    "id_token": "BO-1",
                    "expires_at": "2026-01-01T12:30:00Z",
                },
                request_only=True,
            ),
            OFFLINE_EXAMPLE,
        ],
    )
    def post(self, request: Request) -> Response:
        """Ask the station and answer 202; its word changes the status: look again under /reservations/{id}/."""
        body = ReservationWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        self.note("", station=asked["station"], id_token=asked["id_token"])
        station = get_object_or_404(access.stations(self.principal), identity=asked["station"])
        made = reservations.reserve(
            station,
            id_token=asked["id_token"],
            group_id=asked.get("group_id"),
            evse=evse_of(station, asked["connector_id"]),
            expires_at=asked["expires_at"],
            replaces=self._replaced(station, asked.get("replaces", "")),
            requested_by=self.principal.name,
            user=self.principal.user,
            queue_offline=asked["queue"],
        )
        found = made.reservation
        self.note(found.uid, station=asked["station"], id_token=asked["id_token"], command=made.command.uid)
        return Response(ReservationSerializer(found).data, status=202)

    def _replaced(self, station: ChargingStation, uid: str) -> Reservation | None:
        if not uid:
            return None
        found = access.reservations(self.principal).filter(station=station, uid=uid).first()
        if found is None:
            raise ValidationError({"replaces": ["There is no such reservation at this station."]})
        return found


class ReservationDetail(Endpoint):
    """One reservation."""

    @extend_schema(summary="Show a reservation", responses={200: ReservationSerializer, **refusals(404)})
    def get(self, request: Request, uid: str) -> Response:
        """Show what became of it."""
        rows = access.reservations(self.principal).select_related(*RELATED)
        return Response(ReservationSerializer(get_object_or_404(rows, uid=uid)).data)


class ReservationCancel(Endpoint):
    """The end of a reservation."""

    actions: ClassVar = {"POST": "reservation.write"}
    object_type = "reservation"

    @extend_schema(
        summary="Cancel a reservation",
        request=CancelSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Ask the station, or take it back unsent; answer 202 with the command. 409 when it is over already."""
        reservation = get_object_or_404(access.reservations(self.principal), uid=uid)
        body = CancelSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        command = reservations.cancel(
            reservation,
            requested_by=self.principal.name,
            user=self.principal.user,
            queue_offline=body.validated_data["queue"],
        )
        self.note(uid, command=command.uid)
        return Response(CommandSerializer(command).data, status=202)


def evse_of(station: ChargingStation, number: int) -> Evse | None:
    """Return the station's EVSE with this number, None for 0; raise ValidationError when it has no such one."""
    if number == 0:
        return None
    evse: Evse | None = station.evses.filter(number=number, is_removed=False).first()
    if evse is None:
        raise ValidationError({"connector_id": ["The station has no such connector."]})
    return evse
