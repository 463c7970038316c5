"""Smart charging as others want it: external limits, needs of vehicles, reports, priority; remote starts; streams."""

from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from cpo import access
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import OFFLINE_EXAMPLE, refusals
from cpo.api.serializers import vehicles as forms
from cpo.api.serializers.commands import CommandSerializer
from cpo.api.serializers.energy_services import DERControlSerializer
from cpo.api.serializers.smart_charging import InstalledProfileSerializer
from cpo.api.views.reservations import evse_of
from stations.charging_profiles import ChargingProfile, InvalidProfile, Purpose, from_v2
from stations.models import (
    ChargingNeeds,
    ChargingSession,
    ChargingStation,
    DERControl,
    EventStream,
    Evse,
    ExternalLimit,
    InstalledProfile,
    PriorityCharging,
    ProfileReport,
    TransferPermission,
)
from stations.services import (
    charging_needs,
    der_control,
    dynamic_charging,
    energy_transfers,
    event_streams,
    limited_starts,
    profile_reports,
)
from stations.services.errors import UnsuitedProfile
from stations.services.profile_reports import Scope


class _Asked(Endpoint):
    """What paths below a station or a session share."""

    def who(self) -> dict[str, Any]:
        """Say who asks."""
        return {"requested_by": self.principal.name, "user": self.principal.user}


class _OfStation(_Asked):
    object_type = "station"

    def station(self) -> ChargingStation:
        """Return the station in scope, or raise 404."""
        rows = access.stations(self.principal).select_related("location")
        found: ChargingStation = get_object_or_404(rows, identity=self.kwargs["identity"])
        return found


class _OfSession(_Asked):
    object_type = "session"

    def session(self) -> ChargingSession:
        """Return the session in scope, or raise 404."""
        rows = access.sessions(self.principal).select_related("station__location", "evse")
        found: ChargingSession = get_object_or_404(rows, uid=self.kwargs["uid"])
        return found


class StationExternalLimits(ListEndpoint, _OfStation):
    """Limits that others have put on a station."""

    queryset = ExternalLimit.objects.none()
    serializer_class = forms.ExternalLimitSerializer

    def get_queryset(self) -> QuerySet[ExternalLimit]:
        """Give those in force and those that are gone."""
        return ExternalLimit.objects.filter(station=self.station())

    @extend_schema(
        summary="List the limits that others have put on a station",
        responses={200: forms.ExternalLimitSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first; without `cleared_at` it is in force."""
        return super().get(request, *args, **kwargs)


class StationChargingNeeds(ListEndpoint, _OfStation):
    """What vehicles asked for."""

    queryset = ChargingNeeds.objects.none()
    serializer_class = forms.ChargingNeedsSerializer

    def get_queryset(self) -> QuerySet[ChargingNeeds]:
        """Give the last needs at each EVSE."""
        return ChargingNeeds.objects.filter(station=self.station()).select_related("session", "profile")

    @extend_schema(
        summary="List what vehicles at a station need",
        responses={200: forms.ChargingNeedsSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The last of each EVSE, with the schedule that it was answered and the one that the vehicle chose."""
        return super().get(request, *args, **kwargs)


class SessionRenegotiation(_OfSession):
    """A new schedule for a vehicle that charges."""

    actions: ClassVar = {"POST": "command.dangerous"}

    @extend_schema(
        summary="Renegotiate the schedule of a vehicle",
        request=forms.RenegotiateSerializer,
        responses={202: InstalledProfileSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Make its schedule anew of what it told and has got since, below `max_w`. 400: it told no needs."""
        session = self.session()
        body = forms.RenegotiateSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        row = charging_needs.renegotiate(session, **body.validated_data, **self.who())
        self.note(uid, profile=row.profile_id, max_w=str(body.validated_data["max_w"]))
        return Response(InstalledProfileSerializer(row).data, status=202)


class StationProfileReports(ListEndpoint, _OfStation):
    """What a station says lies on it."""

    actions: ClassVar = {"GET": "view", "POST": "command.safe"}
    queryset = ProfileReport.objects.none()
    serializer_class = forms.ProfileReportSerializer

    def get_queryset(self) -> QuerySet[ProfileReport]:
        """Give its reports."""
        return ProfileReport.objects.filter(station=self.station())

    @extend_schema(
        summary="List reports of the charging profiles on a station",
        responses={200: forms.ProfileReportSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first: what it told, what of it is not ours, what of ours is missing."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Ask a station which charging profiles lie on it",
        request=forms.ProfileScopeSerializer,
        responses={202: forms.ProfileReportSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Answer 202; look at the report again."""
        station = self.station()
        body = forms.ProfileScopeSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        facts = body.validated_data
        if facts["purpose"] and facts["purpose"] not in list(Purpose):
            raise ValidationError({"purpose": ["is no purpose of a charging profile"]})
        scope = Scope(
            evse=facts["evse"],
            purpose=Purpose(facts["purpose"]) if facts["purpose"] else None,
            stack_level=facts["stack_level"],
            ids=tuple(facts["ids"]),
            sources=tuple(facts["sources"]),
        )
        report = profile_reports.ask(station, scope=scope, **self.who())
        self.note(identity, request=report.request_id, command=report.command)
        return Response(forms.ProfileReportSerializer(report).data, status=202)


class StationProfileValues(_OfStation):
    """New values of a dynamic profile."""

    actions: ClassVar = {"PUT": "command.dangerous"}

    @extend_schema(
        summary="Give a dynamic charging profile new values",
        request=forms.DynamicValuesSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def put(self, request: Request, identity: str, uid: str) -> Response:
        """They hold from now on. 400 for a profile that is not dynamic, 409 for one that does not lie there."""
        row = get_object_or_404(InstalledProfile, station=self.station(), uid=uid)
        body = forms.DynamicValuesSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        command = dynamic_charging.update(row, values=body.validated_data, **self.who())
        told = {name: str(value) for name, value in body.validated_data.items()}
        self.note(identity, profile=row.profile_id, command=command.uid, values=told)
        return Response(CommandSerializer(command).data, status=202)


class SessionPriority(_OfSession):
    """Priority of a session over its limits."""

    actions: ClassVar = {"GET": "view", "PUT": "command.dangerous"}

    @extend_schema(
        summary="Show whether a session has priority",
        responses={200: forms.PrioritySerializer, **refusals(404)},
    )
    def get(self, request: Request, uid: str) -> Response:
        """Give it; 404 for a session of which nobody asked it."""
        return Response(
            forms.PrioritySerializer(get_object_or_404(PriorityCharging, session=self.session())).data
        )

    @extend_schema(
        summary="Ask for priority of a session",
        request=forms.PriorityWriteSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def put(self, request: Request, uid: str) -> Response:
        """Ask its station to let it charge by its priority profile, or not any more. 409 when it has ended."""
        session = self.session()
        body = forms.PriorityWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        command = dynamic_charging.use_priority(session, activate=body.validated_data["wanted"], **self.who())
        self.note(uid, command=command.uid, wanted=body.validated_data["wanted"])
        return Response(CommandSerializer(command).data, status=202)


class StationStart(_OfStation):
    """A session started from afar."""

    actions: ClassVar = {"POST": "command.safe"}

    @extend_schema(
        summary="Start a session from afar",
        request=forms.StartSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
        examples=[
            OpenApiExample(
                "half an hour at 10 A",
                value={"id_token": "BO-1", "connector_id": 1, "limit_a": 10, "limits": {"max_time_s": 1800}},
                request_only=True,
            ),
            OFFLINE_EXAMPLE,
        ],
    )
    def post(self, request: Request, identity: str) -> Response:
        """Ask the station and answer 202; what came of it is the command's `outcome`."""
        station = self.station()
        body = forms.StartSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        facts = body.validated_data
        evse = evse_of(station, facts["connector_id"])
        command = limited_starts.start(
            station,
            id_token=facts["id_token"],
            evse=evse,
            profile=self._profile(station, facts, evse),
            values=facts.get("limits"),
            queue_offline=facts["queue"],
            **self.who(),
        )
        self.note(identity, command=command.uid, connector_id=facts["connector_id"])
        return Response(CommandSerializer(command).data, status=202)

    def _profile(
        self, station: ChargingStation, facts: dict[str, Any], evse: Evse | None
    ) -> ChargingProfile | None:
        if "template" in facts:
            template = access.profile_templates(self.principal).filter(uid=facts["template"]).first()
            if template is None:
                raise ValidationError({"template": ["There is no such charging profile."]})
            return limited_starts.of_template(station, template, evse)
        if "profile" in facts:
            try:
                return from_v2({"id": 0, **facts["profile"]}, evse=evse.number if evse else 1)
            except InvalidProfile as error:
                raise UnsuitedProfile(f"profile.{error.path}", error.message) from error
        if "limit_a" in facts or "limit_w" in facts:
            return limited_starts.of_limit(
                station, evse, amps=facts.get("limit_a"), watts=facts.get("limit_w")
            )
        return None


class StationEventStreams(_OfStation):
    """Periodic event streams of a station."""

    @extend_schema(
        summary="List the event streams of a station",
        responses={200: forms.EventStreamSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, identity: str) -> Response:
        """All of them, those that are closed too, with what they send."""
        station = self.station()
        rates = event_streams.rates(station)
        rows = event_streams.of_station(station)
        for row in rows:
            row.values_a_minute = rates.get(row.stream_id, Decimal(0))  # type: ignore[attr-defined]
        return Response(forms.EventStreamSerializer(rows, many=True).data)


class StationEventStreamsRead(_OfStation):
    """Asking for the streams that are open."""

    actions: ClassVar = {"POST": "command.safe"}

    @extend_schema(
        summary="Ask a station for its open event streams",
        request=None,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Answer 202; its answer changes the list."""
        command = event_streams.read(self.station(), **self.who())
        self.note(identity, command=command.uid)
        return Response(CommandSerializer(command).data, status=202)


class StationEventStream(_OfStation):
    """One event stream."""

    actions: ClassVar = {"PUT": "command.safe", "DELETE": "command.safe"}

    @extend_schema(
        summary="Adjust the rate of an event stream",
        request=forms.StreamRateSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def put(self, request: Request, identity: str, number: str) -> Response:
        """Ask the station to send less or more often."""
        station, row = self._stream(number)
        body = forms.StreamRateSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        command = event_streams.adjust(station, stream_id=row.stream_id, **body.validated_data, **self.who())
        self.note(identity, stream=row.stream_id, command=command.uid, **body.validated_data)
        return Response(CommandSerializer(command).data, status=202)

    @extend_schema(
        summary="End an event stream",
        responses={202: CommandSerializer(many=True), **refusals(404, 409)},
    )
    def delete(self, request: Request, identity: str, number: str) -> Response:
        """Clear its monitor: the station closes the stream then. There is no other way."""
        station, row = self._stream(number)
        commands = event_streams.close(station, stream_id=row.stream_id, **self.who())
        self.note(identity, stream=row.stream_id, monitor=row.monitor_id)
        return Response(CommandSerializer(commands, many=True).data, status=202)

    def _stream(self, number: str) -> tuple[ChargingStation, EventStream]:
        station = self.station()
        rows = EventStream.objects.filter(station=station)
        wanted = int(number) if number.isdecimal() and len(number) < 19 else -1
        return station, get_object_or_404(rows, stream_id=wanted)


class TokenEnergyTransfers(_Asked):
    """Which energy transfers a driver may use."""

    actions: ClassVar = {"GET": "view", "PUT": "token.write"}
    object_type = "id_token"

    @extend_schema(
        summary="Show which energy transfers a driver may use",
        responses={200: forms.TokenTransfersSerializer, **refusals(404)},
    )
    def get(self, request: Request, uid: str) -> Response:
        """Give them; 404 where nobody has decided."""
        token = self._token(uid)
        return Response(
            forms.TokenTransfersSerializer(get_object_or_404(TransferPermission, token=token)).data
        )

    @extend_schema(
        summary="Permit a driver energy transfers",
        request=forms.TokenTransfersWriteSerializer,
        responses={200: forms.TokenTransfersSerializer, 204: None, **refusals(400, 404)},
    )
    def put(self, request: Request, uid: str) -> Response:
        """Stations of 2.1 are told with the next authorization; none takes the decision back (204)."""
        token = self._token(uid)
        body = forms.TokenTransfersWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        row = energy_transfers.put(token, body.validated_data["modes"], by=self.principal.name)
        self.note(uid, modes=body.validated_data["modes"])
        return Response(status=204) if row is None else Response(forms.TokenTransfersSerializer(row).data)

    def _token(self, uid: str) -> Any:
        rows = access.tokens(self.principal).filter(uid__iexact=uid).order_by("country_code", "-id")
        return get_object_or_404(rows[:1])


class StationDERControlAgain(_OfStation):
    """A DER control that the station has lost or refused."""

    actions: ClassVar = {"POST": "command.dangerous"}

    @extend_schema(
        summary="Give a station a lost DER control again",
        request=None,
        responses={202: DERControlSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str, uid: str) -> Response:
        """Answer 202 with the new control. 409 for one that lies there or was taken back."""
        row = get_object_or_404(
            DERControl.objects.select_related("station"), station=self.station(), control_id=uid
        )
        made = der_control.again(row, **self.who())
        self.note(identity, control=made.control.control_id, instead_of=uid, command=made.command.uid)
        return Response(DERControlSerializer(made.control).data, status=202)
