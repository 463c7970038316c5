"""/stations/{id}/quirks/ and /quirks/: what is odd about stations, and how they are treated because of it."""

from typing import ClassVar

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api.endpoint import Endpoint
from cpo.api.errors import refusals
from cpo.api.serializers.quirks import (
    KnownQuirksSerializer,
    QuirkWriteSerializer,
    StationQuirksSerializer,
)
from stations.models import ChargingStation
from stations.services import quirks


class StationQuirks(Endpoint):
    """The quirks of one station."""

    @extend_schema(
        summary="Show what is odd about a station", responses={200: StationQuirksSerializer, **refusals(404)}
    )
    def get(self, request: Request, identity: str) -> Response:
        """Flags by source (its make's profile, seen on it, set by an operator), and deviations that were let pass."""
        station = get_object_or_404(access.stations(self.principal), identity=identity)
        return Response(_shown(station))


class StationQuirkFlag(Endpoint):
    """One flag of one station."""

    actions: ClassVar = {"PUT": "station.write", "DELETE": "station.write"}
    object_type = "station"

    @extend_schema(
        summary="Set a quirk flag of a station",
        request=QuirkWriteSerializer,
        responses={200: StationQuirksSerializer, **refusals(400, 404)},
        examples=[OpenApiExample("never ping it", value={"value": 0}, request_only=True)],
    )
    def put(self, request: Request, identity: str, flag: str) -> Response:
        """Set it above what is known of the make and what was seen; it holds from the station's next message on."""
        self.note(identity, flag=flag[:64])
        station = get_object_or_404(access.stations(self.principal), identity=identity)
        body = QuirkWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        value = body.validated_data["value"]
        quirks.override(station, flag=flag, value=value, by=self.principal.name)
        self.note(identity, flag=flag, value=value)
        return Response(_shown(station))

    @extend_schema(
        summary="Forget a quirk flag of a station",
        responses={200: StationQuirksSerializer, **refusals(404)},
    )
    def delete(self, request: Request, identity: str, flag: str) -> Response:
        """Take back what was set or counted; what is known of the make holds again."""
        self.note(identity, flag=flag[:64])
        station = get_object_or_404(access.stations(self.principal), identity=identity)
        quirks.forget(station, flag=flag)
        return Response(_shown(station))


class KnownQuirks(Endpoint):
    """The table of quirk flags."""

    @extend_schema(summary="List the quirk flags", responses={200: KnownQuirksSerializer, **refusals()})
    def get(self, request: Request) -> Response:
        """Every flag with its meaning and the values it takes."""
        rows = [{"flag": flag, **_fields(known)} for flag, known in quirks.KNOWN.items()]
        return Response(KnownQuirksSerializer({"results": rows}).data)


class QuirkExport(Endpoint):
    """What was learned of the fleet."""

    @extend_schema(
        summary="Export quirk profiles as YAML",
        responses={(200, "application/yaml"): OpenApiTypes.STR, **refusals()},
    )
    def get(self, request: Request) -> HttpResponse:
        """Give what operators set and what was seen often enough, in the form of `stations/quirks/`."""
        odd = access.stations(self.principal).filter(quirks__isnull=False).distinct()
        return HttpResponse(quirks.export(odd), content_type="application/yaml; charset=utf-8")


def _shown(station: ChargingStation) -> dict[str, object]:
    lines = {"in_force": dict(quirks.flags(station)), "results": quirks.lines(station)}
    return dict(StationQuirksSerializer(lines).data)


def _fields(known: quirks.Known) -> dict[str, object]:
    return {
        name: getattr(known, name) for name in ("meaning", "kind", "unit", "choices", "lowest", "highest")
    }
