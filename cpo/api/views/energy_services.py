"""What OCPP 2.1 adds below /stations/{id}/: grid, battery swaps, prices, payments; and about sessions."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import TariffVersion
from billing.services import station_tariffs as our_tariffs
from cpo import access
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import refusals
from cpo.api.serializers import energy_services as forms
from cpo.api.serializers.commands import CommandSerializer
from cpo.api.views.reservations import evse_of
from stations.models import (
    BatterySwap,
    BidirectionalSession,
    ChargingSession,
    ChargingStation,
    DERAlarm,
    DERControl,
    GridSignal,
    SessionCost,
    Settlement,
    StationTariff,
)
from stations.services import battery_swap, der_control, der_reports, payments, station_tariffs, v2x


class _OfStation(Endpoint):
    """What paths below a station share."""

    object_type = "station"

    def station(self) -> ChargingStation:
        """Return the station in scope, or raise 404."""
        found: ChargingStation = get_object_or_404(
            access.stations(self.principal), identity=self.kwargs["identity"]
        )
        return found

    def who(self) -> dict[str, Any]:
        """Say who asks."""
        return {"requested_by": self.principal.name, "user": self.principal.user}


class _OfSession(Endpoint):
    """What paths below a session share."""

    object_type = "session"

    def session(self) -> ChargingSession:
        """Return the session in scope, or raise 404."""
        rows = access.sessions(self.principal).select_related("station")
        found: ChargingSession = get_object_or_404(rows, uid=self.kwargs["uid"])
        return found

    def who(self) -> dict[str, Any]:
        """Say who asks."""
        return {"requested_by": self.principal.name, "user": self.principal.user}


class StationDERControls(ListEndpoint, _OfStation):
    """DER controls of a station."""

    actions: ClassVar = {"GET": "view", "POST": "command.dangerous"}
    queryset = DERControl.objects.none()
    serializer_class = forms.DERControlSerializer

    def get_queryset(self) -> QuerySet[DERControl]:
        """Give the station's controls."""
        return DERControl.objects.filter(station=self.station())

    @extend_schema(
        summary="List the DER controls of a station",
        responses={200: forms.DERControlSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Give a station a DER control",
        request=forms.DERControlWriteSerializer,
        responses={202: forms.DERControlSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Answer 202; the station's word changes its state."""
        station = self.station()
        body = forms.DERControlWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        facts = dict(body.validated_data)
        queue_offline = facts.pop("queue")
        made = der_control.put(station, **facts, queue_offline=queue_offline, **self.who())
        self.note(identity, control=made.control.control_id, type=facts["type"], command=made.command.uid)
        return Response(forms.DERControlSerializer(made.control).data, status=202)


class StationDERControlsClear(_OfStation):
    """Taking controls back."""

    actions: ClassVar = {"POST": "command.dangerous"}

    @extend_schema(
        summary="Take DER controls back",
        request=forms.DERChoiceSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Take back all default or all scheduled ones, those of a type, or one."""
        station = self.station()
        body = forms.DERChoiceSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        command = der_control.clear(
            station,
            is_default=bool(asked["is_default"]),
            type=asked["type"],
            control_id=asked["id"],
            **self.who(),
        )
        self.note(identity, command=command.uid, type=asked["type"], control=asked["id"])
        return Response(CommandSerializer(command).data, status=202)


class StationDERControlsRead(_OfStation):
    """Asking which controls lie there."""

    actions: ClassVar = {"POST": "command.safe"}

    @extend_schema(
        summary="Ask a station for its DER controls",
        request=forms.DERChoiceSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Answer 202; the reports change the list."""
        station = self.station()
        body = forms.DERChoiceSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        made = der_reports.ask(
            station,
            is_default=asked["is_default"],
            type=asked["type"],
            control_id=asked["id"],
            **self.who(),
        )
        self.note(identity, command=made.command.uid)
        return Response(CommandSerializer(made.command).data, status=202)


class StationDERAlarms(ListEndpoint, _OfStation):
    """Alarms of a station because of the grid."""

    queryset = DERAlarm.objects.none()
    serializer_class = forms.DERAlarmSerializer

    def get_queryset(self) -> QuerySet[DERAlarm]:
        """Give the station's alarms."""
        return DERAlarm.objects.filter(station=self.station())

    @extend_schema(
        summary="List the grid alarms of a station",
        responses={200: forms.DERAlarmSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first; without `ended_at` it still deviates."""
        return super().get(request, *args, **kwargs)


class StationGridSignals(ListEndpoint, _OfStation):
    """aFRR signals to a station."""

    actions: ClassVar = {"GET": "view", "POST": "command.dangerous"}
    queryset = GridSignal.objects.none()
    serializer_class = forms.GridSignalSerializer

    def get_queryset(self) -> QuerySet[GridSignal]:
        """Give the signals that it was sent."""
        return GridSignal.objects.filter(station=self.station())

    @extend_schema(
        summary="List the grid signals to a station",
        responses={200: forms.GridSignalSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Send a grid signal",
        request=forms.GridSignalWriteSerializer,
        responses={202: forms.GridSignalSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Answer 202. 409 when the station is away: a signal is worth nothing later."""
        station = self.station()
        body = forms.GridSignalWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        row = v2x.signal(station, asked["signal"], at=asked.get("at"), **self.who())
        self.note(identity, signal=row.signal)
        return Response(forms.GridSignalSerializer(row).data, status=202)


class SessionEnergyTransfer(_OfSession):
    """Energy in both directions of a session."""

    actions: ClassVar = {"GET": "view", "PUT": "command.dangerous"}

    @extend_schema(
        summary="Show what a session does in both directions",
        responses={200: forms.EnergyTransferSerializer, **refusals(404)},
    )
    def get(self, request: Request, uid: str) -> Response:
        """Give mode, permission and exported energy. 404 for a session that only charges."""
        row = get_object_or_404(BidirectionalSession, session=self.session())
        return Response(forms.EnergyTransferSerializer(row).data)

    @extend_schema(
        summary="Permit energy transfers",
        request=forms.EnergyTransferWriteSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def put(self, request: Request, uid: str) -> Response:
        """Tell the station which transfers are permitted from now on."""
        session = self.session()
        body = forms.EnergyTransferWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        command = v2x.allow(session, body.validated_data["allowed"], **self.who())
        self.note(uid, command=command.uid, allowed=body.validated_data["allowed"])
        return Response(CommandSerializer(command).data, status=202)


class StationBatterySwaps(ListEndpoint, _OfStation):
    """Battery swaps at a station."""

    actions: ClassVar = {"GET": "view", "POST": "command.dangerous"}
    queryset = BatterySwap.objects.none()
    serializer_class = forms.BatterySwapSerializer

    def get_queryset(self) -> QuerySet[BatterySwap]:
        """Give the station's swaps."""
        return BatterySwap.objects.filter(station=self.station())

    @extend_schema(
        summary="List the battery swaps of a station",
        responses={200: forms.BatterySwapSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Ask for a battery swap",
        request=forms.BatterySwapWriteSerializer,
        responses={202: forms.BatterySwapSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Let a driver swap there; 400 for a token that may not."""
        station = self.station()
        body = forms.BatterySwapWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        made = battery_swap.request(station, **body.validated_data, **self.who())
        self.note(identity, request=made.swap.request_id, id_token=made.swap.id_token)
        return Response(forms.BatterySwapSerializer(made.swap).data, status=202)


class StationTariffs(ListEndpoint, _OfStation):
    """Tariffs that lie on a station."""

    actions: ClassVar = {"GET": "view", "POST": "command.dangerous"}
    queryset = StationTariff.objects.none()
    serializer_class = forms.StationTariffSerializer

    def get_queryset(self) -> QuerySet[StationTariff]:
        """Give the station's tariffs."""
        return StationTariff.objects.filter(station=self.station())

    @extend_schema(
        summary="List the tariffs on a station",
        responses={200: forms.StationTariffSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first, those that are gone too."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Install our tariffs on a station",
        request=None,
        responses={202: forms.StationTariffSerializer(many=True), **refusals(400, 404, 409, 422)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Send the tariffs that are assigned here. 422: the station would price otherwise than we do."""
        made = our_tariffs.install(self.station(), **self.who())
        self.note(identity, tariffs=[one.tariff.tariff_id for one in made])
        return Response(
            forms.StationTariffSerializer([one.tariff for one in made], many=True).data, status=202
        )


class StationTariffsRead(_OfStation):
    """Asking which tariffs lie there."""

    actions: ClassVar = {"POST": "command.safe"}

    @extend_schema(
        summary="Ask a station for its tariffs",
        request=None,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Answer 202; its answer changes the list."""
        command = station_tariffs.read(self.station(), **self.who())
        self.note(identity, command=command.uid)
        return Response(CommandSerializer(command).data, status=202)


class StationTariffsClear(_OfStation):
    """Taking tariffs from a station."""

    actions: ClassVar = {"POST": "command.dangerous"}

    @extend_schema(
        summary="Take tariffs from a station",
        request=forms.TariffsChoiceSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Take away these, those of an EVSE, or all."""
        station = self.station()
        body = forms.TariffsChoiceSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        command = station_tariffs.clear(station, **body.validated_data, **self.who())
        self.note(identity, command=command.uid, **body.validated_data)
        return Response(CommandSerializer(command).data, status=202)


class SessionStationCost(_OfSession):
    """What a station says that a session costs."""

    @extend_schema(
        summary="Show what the station says that a session costs",
        responses={200: forms.SessionCostSerializer, **refusals(404)},
    )
    def get(self, request: Request, uid: str) -> Response:
        """Give it, with what its driver was told. 404 when neither is known."""
        return Response(
            forms.SessionCostSerializer(get_object_or_404(SessionCost, session=self.session())).data
        )


class SessionTariff(_OfSession):
    """The tariff of a running session at its station."""

    actions: ClassVar = {"PUT": "command.dangerous"}

    @extend_schema(
        summary="Let a station go on with another tariff",
        request=forms.SessionTariffWriteSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409, 422)},
    )
    def put(self, request: Request, uid: str) -> Response:
        """Send one of our tariffs for the rest of the session. Our own bill keeps the tariff of its start."""
        session = self.session()
        body = forms.SessionTariffWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        versions = TariffVersion.objects.filter(
            tariff__in=access.tariffs(self.principal), tariff__uid__iexact=body.validated_data["tariff"]
        )
        version = versions.select_related("tariff").order_by("-number").first()
        if version is None:
            return Response(
                {
                    "error": {
                        "code": "invalid",
                        "message": "no such tariff",
                        "fields": {"tariff": ["unknown"]},
                    }
                },
                status=400,
            )
        command = our_tariffs.change(session, version, **self.who())
        self.note(uid, command=command.uid, tariff=body.validated_data["tariff"])
        return Response(CommandSerializer(command).data, status=202)


class SettlementList(ListEndpoint):
    """Settlements of all stations in scope."""

    queryset = Settlement.objects.none()
    serializer_class = forms.SettlementSerializer

    def get_queryset(self) -> QuerySet[Settlement]:
        """Give the settlements in scope."""
        return access.settlements(self.principal).select_related("station", "session")

    @extend_schema(
        summary="List settlements of payment terminals",
        responses={200: forms.SettlementSerializer(many=True), **refusals()},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


class StationWebPayments(_OfStation):
    """Payments on the web that begin."""

    actions: ClassVar = {"POST": "command.dangerous"}

    @extend_schema(
        summary="Tell a station that somebody pays on the web",
        request=forms.WebPaymentSerializer,
        responses={202: CommandSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Let it lock the EVSE for others meanwhile."""
        station = self.station()
        body = forms.WebPaymentSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        evse = evse_of(station, body.validated_data["connector_id"])
        command = payments.web_payment_started(
            station, evse, timeout_s=body.validated_data["timeout_s"], **self.who()
        )
        self.note(identity, command=command.uid, **body.validated_data)
        return Response(CommandSerializer(command).data, status=202)
