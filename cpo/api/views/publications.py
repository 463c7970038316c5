"""/firmware-publications/: firmware on local controllers, and updates of the stations behind them (2.x L03, L04)."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import refusals
from cpo.api.serializers.firmware import FirmwareImageSerializer, FirmwareUpdateSerializer
from cpo.api.serializers.publications import (
    PublicationSerializer,
    PublicationUpdatesSerializer,
    PublicationWriteSerializer,
)
from cpo.api.serializers.transfers import QueueSerializer
from stations.models import ChargingStation, FirmwarePublication
from stations.services import firmware_publications


class PublicationFilter(django_filters.FilterSet):
    """Query parameters of the lists."""

    station = django_filters.CharFilter("station__identity", help_text="Identity of the local controller.")
    state = django_filters.ChoiceFilter(choices=FirmwarePublication.State.choices)


class PublicationList(ListEndpoint):
    """All publications in scope."""

    queryset = FirmwarePublication.objects.none()
    serializer_class = PublicationSerializer
    filterset_class = PublicationFilter

    def get_queryset(self) -> QuerySet[FirmwarePublication]:
        """Give the publications of controllers in scope."""
        return _rows(self.principal).prefetch_related("history")

    @extend_schema(
        summary="List publications of firmware",
        responses={200: PublicationSerializer(many=True), **refusals(400)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


class StationPublications(PublicationList):
    """What one local controller publishes."""

    actions: ClassVar = {"GET": "view", "POST": "firmware.update"}
    object_type = "station"

    def get_queryset(self) -> QuerySet[FirmwarePublication]:
        """Give the controller's publications; 404 when it is out of scope."""
        get_object_or_404(access.stations(self.principal), identity=self.kwargs["identity"])
        return super().get_queryset().filter(station__identity=self.kwargs["identity"])

    @extend_schema(
        summary="List what a local controller publishes",
        responses={200: PublicationSerializer(many=True), **refusals(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Publish firmware on a local controller",
        request=PublicationWriteSerializer,
        responses={202: PublicationSerializer, **refusals(400, 404, 409, 422)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Check the image once more, ask the controller and answer 202."""
        self.note(identity)
        controller = get_object_or_404(access.stations(self.principal), identity=identity)
        body = PublicationWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = dict(body.validated_data)
        uid = asked.pop("image")
        offered = firmware_publications.images_for(controller)
        image = next((found for found in offered if found.uid == uid), None)
        if image is None:
            raise ValidationError({"image": ["There is no such image for a station of this site."]})
        publication = firmware_publications.publish(
            controller,
            image,
            requested_by=self.principal.name,
            user=self.principal.user,
            queue_offline=asked.pop("queue"),
            **asked,
        )
        self.note(identity, id=publication.uid, image=image.uid)
        return Response(PublicationSerializer(publication).data, status=202)


class StationPublishable(Endpoint):
    """The images that a local controller may publish."""

    @extend_schema(
        summary="List the firmware that a local controller may publish",
        responses={200: FirmwareImageSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, identity: str) -> Response:
        """What fits a station of its site, newest first; all of it at once."""
        controller = get_object_or_404(access.stations(self.principal), identity=identity)
        return Response(FirmwareImageSerializer(firmware_publications.images_for(controller), many=True).data)


class PublicationDetail(Endpoint):
    """One publication."""

    @extend_schema(
        summary="Show a publication of firmware", responses={200: PublicationSerializer, **refusals(404)}
    )
    def get(self, request: Request, uid: str) -> Response:
        """Show every word that was said about it."""
        return Response(PublicationSerializer(_publication(self.principal, uid)).data)


class PublicationCancel(Endpoint):
    """The end of a publication that is on its way."""

    actions: ClassVar = {"POST": "firmware.update"}
    object_type = "firmware_publication"

    @extend_schema(
        summary="Cancel a publication of firmware",
        request=None,
        responses={200: PublicationSerializer, **refusals(404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Take it back if it was not sent, and its link in any case; 409 when it has ended."""
        firmware_publications.cancel(_publication(self.principal, uid), by=self.principal.name)
        return Response(PublicationSerializer(_publication(self.principal, uid)).data)


class PublicationUnpublish(Endpoint):
    """The end of a publication."""

    actions: ClassVar = {"POST": "firmware.update"}
    object_type = "firmware_publication"

    @extend_schema(
        summary="Publish firmware no longer",
        request=QueueSerializer,
        responses={202: PublicationSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Ask the controller and answer 202; 409 where nothing can lie there."""
        publication = _publication(self.principal, uid)
        body = QueueSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        firmware_publications.unpublish(
            publication,
            requested_by=self.principal.name,
            user=self.principal.user,
            queue_offline=body.validated_data["queue"],
        )
        return Response(PublicationSerializer(_publication(self.principal, uid)).data, status=202)


class PublicationUpdates(Endpoint):
    """Updates of the stations behind a local controller."""

    actions: ClassVar = {"POST": "firmware.update"}
    object_type = "firmware_publication"

    @extend_schema(
        summary="Update stations from a local controller",
        request=PublicationUpdatesSerializer,
        responses={202: FirmwareUpdateSerializer(many=True), **refusals(400, 404, 409, 422)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Send stations of the controller's site to what it publishes; none if one of them cannot be."""
        publication = _publication(self.principal, uid)
        body = PublicationUpdatesSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = dict(body.validated_data)
        stations = _stations(self.principal, publication, asked.pop("stations"))
        updates = firmware_publications.update_stations(
            publication,
            stations,
            requested_by=self.principal.name,
            user=self.principal.user,
            queue_offline=asked.pop("queue"),
            **asked,
        )
        self.note(uid, ids=[update.uid for update in updates])
        return Response(FirmwareUpdateSerializer(updates, many=True).data, status=202)


def _rows(principal: access.Principal) -> QuerySet[FirmwarePublication]:
    return access.firmware_publications(principal).select_related("station", "image__file")


def _publication(principal: access.Principal, uid: str) -> FirmwarePublication:
    return get_object_or_404(_rows(principal), uid=uid)


def _stations(
    principal: access.Principal, publication: FirmwarePublication, wanted: list[str]
) -> list[ChargingStation]:
    identities = list(dict.fromkeys(wanted))
    site = firmware_publications.behind(publication.station)
    rows = access.stations(principal).filter(pk__in=site.values("pk"), identity__in=identities)
    found = {row.identity: row for row in rows}
    if missing := [identity for identity in identities if identity not in found]:
        raise ValidationError({"stations": [f"There is no station {missing[0]} behind the controller."]})
    return [found[identity] for identity in identities]
