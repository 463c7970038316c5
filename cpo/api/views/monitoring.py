"""/stations/{id}/variables/, monitors/, monitoring/, device-events/ and incidents/ of 2.x stations."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api.endpoint import Endpoint
from cpo.api.errors import refusals
from cpo.api.serializers.commands import CommandSerializer
from cpo.api.serializers.monitoring import (
    DeviceEventSerializer,
    IncidentSerializer,
    MonitorClearSerializer,
    MonitoringWriteSerializer,
    MonitorSerializer,
    MonitorWriteSerializer,
    VariablesReadSerializer,
    VariablesWriteSerializer,
)
from stations.models import ChargingStation, Command, DeviceEvent, VariableMonitor
from stations.services import configuration, device_model, monitoring, variable_keys
from stations.services.monitoring import Wanted

NEWEST = 500  # events that one answer shows
ASKED = {202: CommandSerializer(many=True), **refusals(400, 404, 409)}


class OfStation(Endpoint):
    """What all of these share: the station, and commands as the answer."""

    object_type = "station"

    def station(self, identity: str) -> ChargingStation:
        """Give the station; 404 when it is out of scope."""
        return get_object_or_404(access.stations(self.principal), identity=identity)

    def who(self) -> dict[str, Any]:
        """Give who asks."""
        return {"requested_by": self.principal.name, "user": self.principal.user}

    def asked(self, commands: Sequence[Command]) -> Response:
        """Answer 202 with the commands; what the station says is their `result`."""
        return Response(CommandSerializer(commands, many=True).data, status=202)


class StationVariables(OfStation):
    """Several variables of one station."""

    actions: ClassVar = {"POST": "command.dangerous"}

    @extend_schema(summary="Change variables of a station", request=VariablesWriteSerializer, responses=ASKED)
    def post(self, request: Request, identity: str) -> Response:
        """Queue SetVariables, in as many messages as the station needs; accepted ones are read again."""
        station = self.station(identity)
        body = VariablesWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        told = body.validated_data
        changes = [(variable_keys.parse(change["key"]), change["value"]) for change in told["changes"]]
        self.note(identity, keys=[str(key) for key, _ in changes])
        options = {"confirmed": told["confirmed"], "queue_offline": told["queue"], **self.who()}
        return self.asked(device_model.change(station, changes, **options))


class StationVariablesRead(OfStation):
    """The reading of a station's variables or keys."""

    actions: ClassVar = {"POST": "command.safe"}

    @extend_schema(summary="Read variables of a station", request=VariablesReadSerializer, responses=ASKED)
    def post(self, request: Request, identity: str) -> Response:
        """Ask for these, or for everything: the values then appear under configuration/."""
        station = self.station(identity)
        body = VariablesReadSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        keys = body.validated_data["keys"] or None
        self.note(identity, keys=keys)
        return self.asked(configuration.read(station, keys=keys, **self.who()))


class StationMonitors(OfStation):
    """The monitors of one station."""

    actions: ClassVar = {"GET": "view", "POST": "command.dangerous"}

    @extend_schema(
        summary="List a station's monitors", responses={200: MonitorSerializer(many=True), **refusals(404)}
    )
    def get(self, request: Request, identity: str) -> Response:
        """Give them as the station last told or accepted them."""
        rows = VariableMonitor.objects.filter(station=self.station(identity))
        return Response(MonitorSerializer(rows, many=True).data)

    @extend_schema(summary="Set a monitor", request=MonitorWriteSerializer, responses=ASKED)
    def post(self, request: Request, identity: str) -> Response:
        """Queue SetVariableMonitoring; once the station accepts, it is in the list under the station's id."""
        station = self.station(identity)
        body = MonitorWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        told = body.validated_data
        key = variable_keys.parse(told["key"])
        wanted = Wanted(key, told["type"], told["value"], told["severity"], told["transaction"], told["id"])
        self.note(identity, key=str(key), type=told["type"], severity=told["severity"])
        return self.asked(monitoring.set_monitors(station, [wanted], **self.who()))


class StationMonitorsClear(OfStation):
    """The clearing of monitors."""

    actions: ClassVar = {"POST": "command.dangerous"}

    @extend_schema(summary="Clear monitors", request=MonitorClearSerializer, responses=ASKED)
    def post(self, request: Request, identity: str) -> Response:
        """Queue ClearVariableMonitoring, in as many messages as the station needs."""
        station = self.station(identity)
        body = MonitorClearSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        ids = body.validated_data["ids"]
        self.note(identity, ids=ids)
        return self.asked(monitoring.clear(station, ids, **self.who()))


class StationMonitorsRead(OfStation):
    """The reading of monitors."""

    actions: ClassVar = {"POST": "command.safe"}

    @extend_schema(summary="Read a station's monitors", request=None, responses=ASKED)
    def post(self, request: Request, identity: str) -> Response:
        """Queue GetMonitoringReport of everything."""
        return self.asked(monitoring.read(self.station(identity), **self.who()))


class StationMonitoring(OfStation):
    """Base and level of a station's monitoring."""

    actions: ClassVar = {"PUT": "command.dangerous"}

    @extend_schema(
        summary="Set base or level of monitoring", request=MonitoringWriteSerializer, responses=ASKED
    )
    def put(self, request: Request, identity: str) -> Response:
        """Queue SetMonitoringBase or SetMonitoringLevel."""
        station = self.station(identity)
        body = MonitoringWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        told = body.validated_data
        self.note(identity, **told)
        if "base" in told:
            return self.asked([monitoring.set_base(station, told["base"], **self.who())])
        return self.asked([monitoring.set_level(station, told["level"], **self.who())])


class StationDeviceEvents(OfStation):
    """What a station told about its parts."""

    @extend_schema(
        summary="List the newest events of a station",
        responses={200: DeviceEventSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, identity: str) -> Response:
        """Newest first, at most 500; they are kept as long as the journal."""
        rows = DeviceEvent.objects.filter(station_id=self.station(identity).pk).order_by("-at", "-event_id")
        return Response(DeviceEventSerializer(rows[:NEWEST], many=True).data)


class StationIncidents(OfStation):
    """Grave things that a station reported."""

    @extend_schema(
        summary="List the incidents of a station",
        responses={200: IncidentSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, identity: str) -> Response:
        """Open ones first."""
        return Response(IncidentSerializer(monitoring.incidents(self.station(identity)), many=True).data)
