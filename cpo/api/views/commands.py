"""/stations/{id}/commands/ and /commands/: any request of the station's version, and its answer."""

import re
import threading
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import OFFLINE_EXAMPLE, refusals
from cpo.api.exact_json import OcppJSONParser
from cpo.api.permissions import require
from cpo.api.serializers.commands import CommandSerializer, CommandWriteSerializer
from stations.models import Command
from stations.services import commands

MAX_WAIT_S = 60
# Per process: each waits in a thread of its own; beyond that the answer comes without waiting.
WAITERS = threading.BoundedSemaphore(200)


class CommandFilter(django_filters.FilterSet):
    """Query parameters of the lists."""

    status = django_filters.ChoiceFilter(choices=Command.Status.choices)
    action = django_filters.CharFilter()


class CommandList(ListEndpoint):
    """All commands in scope."""

    queryset = Command.objects.none()
    serializer_class = CommandSerializer
    filterset_class = CommandFilter

    def get_queryset(self) -> QuerySet[Command]:
        """Give the commands in scope."""
        return access.commands(self.principal).select_related("station", "remote__session")

    @extend_schema(summary="List commands", responses={200: CommandSerializer(many=True), **refusals(400)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


class StationCommands(CommandList):
    """The commands of one station."""

    actions: ClassVar = {"GET": "view", "POST": "command.safe"}
    object_type = "station"
    parser_classes = (OcppJSONParser,)

    def get_queryset(self) -> QuerySet[Command]:
        """Give the station's commands; 404 when it is out of scope."""
        station = get_object_or_404(access.stations(self.principal), identity=self.kwargs["identity"])
        return Command.objects.filter(station=station).select_related("station", "remote__session")

    @extend_schema(
        summary="List a station's commands",
        responses={200: CommandSerializer(many=True), **refusals(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Give a command to a station",
        request=CommandWriteSerializer,
        parameters=[
            OpenApiParameter(
                "wait", float, description=f"Seconds to wait for the answer, at most {MAX_WAIT_S}."
            )
        ],
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
        examples=[
            OpenApiExample(
                "start charging",
                value={"action": "RemoteStartTransaction", "payload": {"connectorId": 1, "idTag": "BO-1"}},
                request_only=True,
            ),
            OFFLINE_EXAMPLE,
        ],
    )
    def post(self, request: Request, identity: str) -> Response:
        """Queue it and answer 202; with `wait`, look for its answer first.

        A "Rejected" from the station is a result, not an HTTP error. A command that is still open after the wait goes
        on: look at it again under /commands/{id}/.
        """
        self.wait_s = _wait_s(request)
        body = CommandWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        action, payload = body.validated_data["action"], body.validated_data["payload"]
        self.note(identity, command=action)
        station = get_object_or_404(access.stations(self.principal), identity=identity)
        require(self.principal, access.command_action(action, payload))
        self.command = commands.queue(
            station,
            action=action,
            payload=payload,
            requested_by=self.principal.name,
            user=self.principal.user,
            queue_offline=body.validated_data["queue"],
        )
        self.note(identity, command=action, id=self.command.uid)
        return Response(CommandSerializer(self.command).data, status=202)

    def after_commit(self, response: Response) -> Response:
        """Wait for the answer if that was asked for: only now can the sender see the row."""
        if self.wait_s and WAITERS.acquire(blocking=False):
            try:
                self.command = commands.wait(self.command, timeout_s=self.wait_s)
            finally:
                WAITERS.release()
            response.data = CommandSerializer(self.command).data
        return response


class CommandDetail(Endpoint):
    """One command."""

    @extend_schema(summary="Show a command", responses={200: CommandSerializer, **refusals(404)})
    def get(self, request: Request, uid: str) -> Response:
        """Show what became of it."""
        command = get_object_or_404(
            access.commands(self.principal).select_related("station", "remote__session"), uid=uid
        )
        return Response(CommandSerializer(command).data)


def _wait_s(request: Request) -> float:
    text = request.query_params.get("wait", "0")
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text):
        raise ValidationError({"wait": [f"Seconds, from 0 to {MAX_WAIT_S}."]})
    return min(float(text), MAX_WAIT_S)
