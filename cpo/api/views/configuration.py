"""/stations/{id}/configuration/: what a station is set to, what it shall be, and changes of it."""

from typing import ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import OFFLINE_EXAMPLE, refusals
from cpo.api.serializers.commands import CommandSerializer
from cpo.api.serializers.configuration import ConfigurationKeySerializer, ConfigurationWriteSerializer
from stations.models import Variable
from stations.services import configuration
from stations.services.guarded_keys import is_secret


class StationConfiguration(ListEndpoint):
    """The configuration keys of one station."""

    queryset = Variable.objects.none()
    serializer_class = ConfigurationKeySerializer

    def get_queryset(self) -> QuerySet[Variable]:
        """Give the station's keys; 404 when it is out of scope."""
        station = get_object_or_404(access.stations(self.principal), identity=self.kwargs["identity"])
        return Variable.objects.filter(station=station)

    @extend_schema(
        summary="List a station's configuration keys",
        responses={200: ConfigurationKeySerializer(many=True), **refusals(400, 404)},
    )
    def get(self, request: Request, identity: str) -> Response:
        """Newest key first. To read them from the station again, give it the command GetConfiguration."""
        return super().get(request)


class StationConfigurationKey(Endpoint):
    """One configuration key of one station."""

    actions: ClassVar = {"PUT": "command.dangerous"}
    object_type = "station"

    @extend_schema(
        summary="Change a configuration key of a station",
        request=ConfigurationWriteSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
        examples=[
            OpenApiExample("keep a value", value={"value": "60", "desired": True}, request_only=True),
            OFFLINE_EXAMPLE,
        ],
    )
    def put(self, request: Request, identity: str, key: str) -> Response:
        """Queue ChangeConfiguration and answer 202; once the station has accepted, the key is read again.

        What the station said is the command's `result`: look at it under /commands/{id}/.
        """
        self.note(identity, key=key)
        station = get_object_or_404(access.stations(self.principal), identity=identity)
        body = ConfigurationWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        value, desired = body.validated_data["value"], body.validated_data.get("desired")
        command = configuration.change(
            station,
            key=key,
            value=value,
            requested_by=self.principal.name,
            user=self.principal.user,
            confirmed=body.validated_data["confirmed"],
            queue_offline=body.validated_data["queue"],
        )
        if desired is not None:
            configuration.desire(station, key=key, value=value if desired else None)
        shown = {} if is_secret(key) else {"value": value}
        self.note(identity, key=key, desired=desired, id=command.uid, **shown)
        return Response(CommandSerializer(command).data, status=202)
