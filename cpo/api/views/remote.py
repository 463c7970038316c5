"""/sessions/{id}/stop/ and /stations/{id}/availability/: remote control whose outcome is awaited."""

from typing import ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api.endpoint import Endpoint
from cpo.api.errors import OFFLINE_EXAMPLE, refusals
from cpo.api.serializers.commands import CommandSerializer
from cpo.api.serializers.remote import AvailabilitySerializer, AvailabilityWriteSerializer
from cpo.api.views.reservations import evse_of
from stations.services import availability, remote


class SessionStop(Endpoint):
    """The remote stop of a session."""

    actions: ClassVar = {"POST": "command.safe"}
    object_type = "session"

    @extend_schema(
        summary="Stop a session from afar",
        request=None,
        responses={202: CommandSerializer, **refusals(404, 409)},
        examples=[OFFLINE_EXAMPLE],
    )
    def post(self, request: Request, uid: str) -> Response:
        """Ask its station and answer 202; what came of it is the command's `outcome`. 409 when it has ended."""
        session = get_object_or_404(access.sessions(self.principal).select_related("station"), uid=uid)
        command = remote.stop(session, requested_by=self.principal.name, user=self.principal.user)
        self.note(uid, command=command.uid)
        return Response(CommandSerializer(command).data, status=202)


class StationAvailability(Endpoint):
    """What a station and its EVSEs shall be."""

    actions: ClassVar = {"GET": "view", "PUT": "command.dangerous"}
    object_type = "station"

    @extend_schema(
        summary="List what availability is wanted of a station",
        responses={200: AvailabilitySerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, identity: str) -> Response:
        """Give each wish with whether the station is so; what nobody ever asked for is not in the list."""
        station = get_object_or_404(access.stations(self.principal), identity=identity)
        return Response(AvailabilitySerializer(availability.of_station(station), many=True).data)

    @extend_schema(
        summary="Put a station or an EVSE into or out of service",
        request=AvailabilityWriteSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
        examples=[OFFLINE_EXAMPLE],
    )
    def put(self, request: Request, identity: str) -> Response:
        """Ask the station, keep the wish and answer 202 with the command."""
        self.note(identity)
        station = get_object_or_404(access.stations(self.principal), identity=identity)
        body = AvailabilityWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        command = availability.change(
            station,
            evse=evse_of(station, asked["connector_id"]),
            connector=asked["connector"],
            is_operative=asked["operative"],
            requested_by=self.principal.name,
            user=self.principal.user,
            queue_offline=asked["queue"],
        )
        self.note(
            identity, command=command.uid, connector_id=asked["connector_id"], operative=asked["operative"]
        )
        return Response(CommandSerializer(command).data, status=202)
