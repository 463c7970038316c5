"""/local-lists/ and /stations/{id}/local-list/: what stations may decide without asking."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import Conflict, refusals
from cpo.api.serializers.local_lists import (
    LocalListSerializer,
    LocalListSiteSerializer,
    LocalListWriteSerializer,
)
from stations.models import ChargingStation, LocalList
from stations.services import local_list
from stations.services.errors import NoLocalList


def _with_size(rows: QuerySet[LocalList]) -> QuerySet[LocalList]:
    return rows.select_related("station", "wanted").defer("wanted__entries")


class LocalListFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    station = django_filters.CharFilter("station__identity")
    state = django_filters.ChoiceFilter(choices=LocalList.State.choices)


class LocalLists(ListEndpoint):
    """The local lists of all stations in scope."""

    queryset = LocalList.objects.none()
    serializer_class = LocalListSerializer
    filterset_class = LocalListFilter

    def get_queryset(self) -> QuerySet[LocalList]:
        """Give the lists of stations in scope."""
        return _with_size(access.local_lists(self.principal))

    @extend_schema(
        summary="List local authorization lists",
        responses={200: LocalListSerializer(many=True), **refusals(400)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first. A station that never had one is not among them."""
        return super().get(request, *args, **kwargs)


class StationLocalList(Endpoint):
    """One station's local list."""

    actions: ClassVar = {"GET": "view", "PUT": "local_list.write"}
    object_type = "station"

    @extend_schema(
        summary="Show a station's local list", responses={200: LocalListSerializer, **refusals(404)}
    )
    def get(self, request: Request, identity: str) -> Response:
        """Show how far it is in step; 404 when the station never had one."""
        rows = _with_size(access.local_lists(self.principal))
        return Response(LocalListSerializer(get_object_or_404(rows, station__identity=identity)).data)

    @extend_schema(
        summary="Switch a station's local list",
        request=LocalListWriteSerializer,
        responses={202: LocalListSerializer, **refusals(400, 404)},
    )
    def put(self, request: Request, identity: str) -> Response:
        """Switch it on or off, or let its site decide. It follows within a minute while the station is connected."""
        station = self._station(identity)
        body = LocalListWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        self.note(identity, local_list=body.validated_data["mode"])
        row = local_list.switch(station, mode=body.validated_data["mode"])
        return Response(LocalListSerializer(row).data, status=202)

    def _station(self, identity: str) -> ChargingStation:
        return get_object_or_404(access.stations(self.principal), identity=identity)


class StationLocalListSend(Endpoint):
    """The sending of a station's whole list."""

    actions: ClassVar = {"POST": "local_list.write"}
    object_type = "station"

    @extend_schema(
        summary="Send a station's whole local list",
        request=None,
        responses={202: LocalListSerializer, **refusals(404, 409)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Send it again within seconds, also to a station that said that it has none. 409 when it shall have none."""
        station = get_object_or_404(access.stations(self.principal), identity=identity)
        self.note(identity, local_list="send")
        try:
            row = local_list.send_whole(station)
        except NoLocalList as error:
            raise Conflict(f"{error}.") from error
        return Response(LocalListSerializer(row).data, status=202)


class LocationLocalLists(Endpoint):
    """Whether the stations of a site have local lists."""

    actions: ClassVar = {"PUT": "local_list.write"}
    object_type = "location"

    @extend_schema(
        summary="Switch the local lists of a location",
        request=LocalListSiteSerializer,
        responses={200: LocalListSiteSerializer, **refusals(400, 404)},
    )
    def put(self, request: Request, uid: str) -> Response:
        """Switch them on or off; a station may be set otherwise. They follow within a minute."""
        location = get_object_or_404(access.locations(self.principal), uid=uid)
        body = LocalListSiteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        self.note(uid, local_lists=body.validated_data["on"])
        local_list.switch_site(location, is_on=body.validated_data["on"])
        return Response(body.data)
