"""/stations/: registration, and what stations are like now."""

from typing import Any, ClassVar

import django_filters
from django.conf import settings
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.access import Principal
from cpo.api import filters
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import Conflict, refusals
from cpo.api.serializers.stations import (
    StationSerializer,
    StationWithPasswordSerializer,
    StationWriteSerializer,
)
from stations.models import ChargingStation, Location
from stations.services import provisioning


class StationFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    location = django_filters.CharFilter("location__uid", help_text="Id of the location.")
    is_online = filters.Flag()


def with_connectors(rows: QuerySet[ChargingStation]) -> QuerySet[ChargingStation]:
    """Read stations with what is shown of them: three queries for any number."""
    return rows.select_related("location").prefetch_related("evses__connectors__evse")


class StationList(ListEndpoint):
    """All stations in scope."""

    actions: ClassVar = {"GET": "view", "POST": "station.write"}
    object_type = "station"
    queryset = ChargingStation.objects.none()
    serializer_class = StationSerializer
    filterset_class = StationFilter

    def get_queryset(self) -> QuerySet[ChargingStation]:
        """Give the stations in scope."""
        return with_connectors(access.stations(self.principal))

    @extend_schema(summary="List stations", responses={200: StationSerializer(many=True), **refusals(400)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest registration first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Register or change a station",
        request=StationWriteSerializer,
        responses={
            200: StationWithPasswordSerializer,
            201: StationWithPasswordSerializer,
            **refusals(400, 409),
        },
        examples=[
            OpenApiExample(
                "a new station",
                value={"id": "ADA-1", "location": "depot", "connectors": 2},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Upsert by `id`. 201 for a new station, 200 for a known one. The password is shown only in this answer."""
        body = StationWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        facts: dict[str, Any] = dict(body.validated_data)
        self.note(facts["id"], fields=sorted(set(facts) - {"id"}))
        is_new = _check_scope(self.principal, facts["id"])
        location = _location(self.principal, facts, is_new=is_new)
        station, password = provisioning.upsert_station(
            facts["id"],
            location=location,
            name=facts.get("name"),
            password=facts.get("password"),
            security_profile=facts.get("security_profile"),
            registration=facts.get("registration"),
        )
        for connector in facts.get("connectors", []):
            _ensure(station, connector)
        shown = with_connectors(ChargingStation.objects.all()).get(pk=station.pk)
        return Response(with_password(shown, password), status=201 if is_new else 200)


class StationDetail(Endpoint):
    """One station."""

    @extend_schema(summary="Show a station", responses={200: StationSerializer, **refusals(404)})
    def get(self, request: Request, identity: str) -> Response:
        """Show what is known of it now."""
        station = get_object_or_404(with_connectors(access.stations(self.principal)), identity=identity)
        return Response(StationSerializer(station).data)


def with_password(station: ChargingStation, password: str | None) -> Any:
    """Show a station with the password that it was given just now and the address to connect to."""
    websocket_url = settings.PUBLIC_URL.replace("http", "ws", 1)
    return StationWithPasswordSerializer(
        station, context={"password": password, "websocket_url": websocket_url}
    ).data


def location_of(principal: Principal, uid: str) -> Location:
    """Return the location in scope with this id; raise ValidationError."""
    location = access.locations(principal).filter(uid=uid).first()
    if location is None:
        raise ValidationError({"location": ["There is no location with this id."]})
    return location


def _check_scope(principal: Principal, identity: str) -> bool:
    """Tell whether the station is new; raise Conflict when it is somebody else's."""
    if access.stations(principal).filter(identity=identity).exists():
        return False
    if not principal.is_network_wide and ChargingStation.objects.filter(identity=identity).exists():
        raise Conflict("This identity is taken.")
    return True


def _location(principal: Principal, facts: dict[str, Any], *, is_new: bool) -> Location | None:
    if "location" in facts:
        return location_of(principal, facts["location"])
    if is_new and not principal.is_network_wide:
        raise ValidationError({"location": ["Name one: this token is limited to operators or locations."]})
    return None


def _ensure(station: ChargingStation, connector: dict[str, Any]) -> None:
    fields = dict(connector)
    evse = fields.pop("evse")
    if evse.get("evse_id") is not None:
        fields["evse_id"] = evse["evse_id"]
    provisioning.ensure_connector(station, number=evse["number"], connector=fields.pop("number", 1), **fields)
