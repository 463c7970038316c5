"""/stations/{id}/network-profiles/: the slots of a 2.x station, the order of trying them, and how they are set."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cpo.api.errors import refusals
from cpo.api.serializers.network_profiles import (
    NetworkSerializer,
    SlotOrderSerializer,
    SlotWriteSerializer,
)
from cpo.api.views.monitoring import ASKED, OfStation
from stations.services import network_profiles


class StationNetwork(OfStation):
    """The network profiles of a station."""

    actions: ClassVar = {"GET": "view", "POST": "station.security"}

    @extend_schema(
        summary="Show how a station reaches us", responses={200: NetworkSerializer, **refusals(404)}
    )
    def get(self, request: Request, identity: str) -> Response:
        """Slots as the station tells them and as we set them, the order of trying, the one in use."""
        return Response(NetworkSerializer(network_profiles.known(self.station(identity))).data)

    @extend_schema(
        summary="Set a network profile of a station",
        request=SlotWriteSerializer,
        responses=ASKED,
        examples=[
            OpenApiExample(
                "a second address",
                value={
                    "slot": 1,
                    "url": "wss://next.example/ocpp",
                    "security_profile": 2,
                    "confirmed": True,
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, identity: str) -> Response:
        """The station uses it once the order says so; never with a lower security profile than now (B09)."""
        station = self.station(identity)
        body = SlotWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        told = body.validated_data
        self.note(identity, **{name: told[name] for name in ("slot", "url", "security_profile")})
        options: dict[str, Any] = {
            "slot": told["slot"],
            "data": body.profile(),
            "confirmed": told["confirmed"],
            "queue_offline": told["queue"],
            **self.who(),
        }
        if told["by_variables"]:
            return self.asked(network_profiles.set_slot_by_variables(station, **options))
        return self.asked([network_profiles.set_slot(station, **options)])


class StationNetworkPriority(OfStation):
    """The order in which a station tries its slots."""

    actions: ClassVar = {"PUT": "station.security"}

    @extend_schema(summary="Set the order of a station's slots", request=SlotOrderSerializer, responses=ASKED)
    def put(self, request: Request, identity: str) -> Response:
        """It follows the order from its next boot on; `restart` asks for one (B10)."""
        station = self.station(identity)
        body = SlotOrderSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        told = dict(body.validated_data)
        self.note(identity, slots=told["slots"], restart=told["restart"])
        queue = told.pop("queue")
        return self.asked(network_profiles.set_priority(station, queue_offline=queue, **told, **self.who()))


class StationNetworkRead(OfStation):
    """The reading of a station's connections."""

    actions: ClassVar = {"POST": "station.security"}

    @extend_schema(summary="Ask a station for its network profiles", request=None, responses=ASKED)
    def post(self, request: Request, identity: str) -> Response:
        """It reports its slots, their order and the one in use (B08)."""
        station = self.station(identity)
        self.note(identity)
        return self.asked(network_profiles.ask(station, queue_offline=True, **self.who()))
