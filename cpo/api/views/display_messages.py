"""/stations/{id}/display-messages/, /locations/{id}/display-messages/, /sessions/{id}/driver-message/."""

from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api.endpoint import Endpoint
from cpo.api.errors import refusals
from cpo.api.serializers.commands import CommandSerializer
from cpo.api.serializers.display_messages import (
    DisplayAskedSerializer,
    DisplayMessageSerializer,
    DisplayMessageWriteSerializer,
    DisplayReadSerializer,
    DriverMessageSerializer,
    DriverMessageWriteSerializer,
    SiteMessageClearSerializer,
    SiteMessageWriteSerializer,
    SiteOutcomeSerializer,
)
from cpo.api.views.monitoring import OfStation
from stations.models import DisplayMessage
from stations.services import display_messages, station_costs

SHOWN = 500
ASKED = {202: DisplayAskedSerializer, **refusals(400, 404, 409)}


class StationDisplayMessages(OfStation):
    """The messages of one station's display."""

    actions: ClassVar = {"GET": "view", "POST": "display.write"}

    @extend_schema(
        summary="List the messages of a station's display",
        responses={200: DisplayMessageSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, identity: str) -> Response:
        """Give what was wished and what lies there, the newest first; also what is gone."""
        rows = DisplayMessage.objects.filter(station=self.station(identity))[:SHOWN]
        return Response(DisplayMessageSerializer(rows, many=True).data)

    @extend_schema(
        summary="Show a message on a station", request=DisplayMessageWriteSerializer, responses=ASKED
    )
    def post(self, request: Request, identity: str) -> Response:
        """Queue SetDisplayMessage. 409 for what the station says that it cannot show, unless `anyway`."""
        station = self.station(identity)
        body = DisplayMessageWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        told = body.validated_data
        asked = display_messages.put(
            station, body.message(), message_id=told["id"], anyway=told["anyway"], queue_offline=told["queue"],
            **self.who(),
        )  # fmt: skip
        self.note(identity, message=asked.message.message_id)
        return Response(DisplayAskedSerializer(asked).data, status=202)


class StationDisplayMessagesRead(OfStation):
    """The reading of what lies on a display."""

    actions: ClassVar = {"POST": "command.safe"}

    @extend_schema(
        summary="Read the messages of a station's display",
        request=DisplayReadSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Queue GetDisplayMessages; the list then shows what differs."""
        station = self.station(identity)
        body = DisplayReadSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        told = body.validated_data
        command = display_messages.read(
            station, message_ids=told["ids"], priority=told["priority"], when=told["when"], **self.who()
        )
        self.note(identity, **told)
        return Response(CommandSerializer(command).data, status=202)


class StationDisplayMessageClear(OfStation):
    """The clearing of one message."""

    actions: ClassVar = {"POST": "display.write"}

    @extend_schema(
        summary="Clear a message from a station",
        request=None,
        responses={202: CommandSerializer, **refusals(404, 409)},
    )
    def post(self, request: Request, identity: str, message_id: str) -> Response:
        """Queue ClearDisplayMessage, also for one that only the station knows."""
        command = display_messages.clear(self.station(identity), int(message_id), **self.who())
        self.note(identity, message=message_id)
        return Response(CommandSerializer(command).data, status=202)


class StationDisplayMessageAgain(OfStation):
    """The sending of a message once more."""

    actions: ClassVar = {"POST": "display.write"}

    @extend_schema(summary="Send a message to a station again", request=None, responses=ASKED)
    def post(self, request: Request, identity: str, message_id: str) -> Response:
        """Queue SetDisplayMessage as it was written, under its own id."""
        rows = DisplayMessage.objects.select_related("station").filter(is_ours=True)
        row = get_object_or_404(rows, station=self.station(identity), message_id=message_id)
        asked = display_messages.put_again(row, **self.who())
        self.note(identity, message=message_id)
        return Response(DisplayAskedSerializer(asked).data, status=202)


class LocationDisplayMessages(Endpoint):
    """Messages for all stations of a site."""

    actions: ClassVar = {"POST": "display.write"}
    object_type = "location"

    @extend_schema(
        summary="Show a message on all stations of a location",
        request=SiteMessageWriteSerializer,
        responses={202: SiteOutcomeSerializer(many=True), **refusals(400, 404)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Queue SetDisplayMessage for each; the answer says which were asked, and why not the others."""
        location = get_object_or_404(access.locations(self.principal), uid=uid)
        body = SiteMessageWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        told: dict[str, Any] = body.validated_data
        rows = access.stations(self.principal).filter(location=location).order_by("identity")
        outcomes = display_messages.put_at(
            rows, body.message(), anyway=told["anyway"], queue_offline=told["queue"],
            requested_by=self.principal.name, user=self.principal.user,
        )  # fmt: skip
        self.note(uid, stations=[one.station.identity for one in outcomes if one.asked])
        return Response(SiteOutcomeSerializer(outcomes, many=True).data, status=202)


class LocationDisplayMessagesClear(Endpoint):
    """The clearing of what was written for all stations of a site."""

    actions: ClassVar = {"POST": "display.write"}
    object_type = "location"

    @extend_schema(
        summary="Clear a message from all stations of a location",
        request=SiteMessageClearSerializer,
        responses={202: SiteOutcomeSerializer(many=True), **refusals(400, 404)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Queue ClearDisplayMessage where it lies; the answer says which were asked, and why not the others."""
        location = get_object_or_404(access.locations(self.principal), uid=uid)
        body = SiteMessageClearSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        told = body.validated_data
        outcomes = display_messages.clear_batch(
            told["batch"], stations=access.stations(self.principal).filter(location=location),
            queue_offline=told["queue"], requested_by=self.principal.name, user=self.principal.user,
        )  # fmt: skip
        self.note(uid, **told)
        return Response(SiteOutcomeSerializer(outcomes, many=True).data, status=202)


class SessionDriverMessage(Endpoint):
    """What the driver of a running session shall read."""

    actions: ClassVar = {"PUT": "display.write"}
    object_type = "session"

    @extend_schema(
        summary="Tell the driver of a session",
        request=DriverMessageWriteSerializer,
        responses={200: DriverMessageSerializer, **refusals(400, 404, 409)},
    )
    def put(self, request: Request, uid: str) -> Response:
        """Let the station show it with the next message of the session. 409 when it has ended."""
        session = get_object_or_404(access.sessions(self.principal), uid=uid)
        body = DriverMessageWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        row = station_costs.tell_driver(session, **body.validated_data)
        self.note(uid, **body.validated_data)
        return Response(DriverMessageSerializer(row).data)
