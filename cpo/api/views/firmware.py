"""/firmware-images/, /trusted-signers/, /firmware-updates/, /firmware-campaigns/: from the maker to stations."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import OFFLINE_EXAMPLE, refusals
from cpo.api.serializers.firmware import (
    CampaignSerializer,
    CampaignWriteSerializer,
    FirmwareImageMadeSerializer,
    FirmwareImageSerializer,
    FirmwareImageWriteSerializer,
    FirmwareUpdateSerializer,
    FirmwareUpdateWriteSerializer,
    TrustedSignerSerializer,
    TrustedSignerWriteSerializer,
)
from cpo.api.serializers.transfers import QueueSerializer
from stations.models import FirmwareCampaign, FirmwareImage, FirmwareUpdate, TrustedSigner
from stations.services import campaigns, firmware, firmware_library


class ImageFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    vendor = django_filters.CharFilter("vendor", lookup_expr="iexact")
    version = django_filters.CharFilter("version")
    state = django_filters.ChoiceFilter(choices=FirmwareImage.State.choices)


class ImageList(ListEndpoint):
    """The library of images."""

    actions: ClassVar = {"GET": "firmware.view", "POST": "firmware.library"}
    object_type = "firmware_image"
    queryset = FirmwareImage.objects.none()
    serializer_class = FirmwareImageSerializer
    filterset_class = ImageFilter

    def get_queryset(self) -> QuerySet[FirmwareImage]:
        """Give the images."""
        return access.firmware_images(self.principal).select_related("file", "signer")

    @extend_schema(
        summary="List firmware images",
        responses={200: FirmwareImageSerializer(many=True), **refusals(400)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Add a firmware image",
        request=FirmwareImageWriteSerializer,
        responses={201: FirmwareImageMadeSerializer, **refusals(400)},
    )
    def post(self, request: Request) -> Response:
        """Write down what it shall be. PUT its file to `upload_url`; then its state says what the check found."""
        body = FirmwareImageWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        self.note("", vendor=given["vendor"], version=given["version"])
        image = firmware_library.describe(
            model_pattern=given.pop("model"), added_by=self.principal.name, **given
        )
        image.upload_url = firmware_library.await_file(image)  # type: ignore[attr-defined]
        self.note(image.uid, vendor=image.vendor, version=image.version)
        return Response(FirmwareImageMadeSerializer(image).data, status=201)


class ImageDetail(Endpoint):
    """One image."""

    actions: ClassVar = {"GET": "firmware.view"}

    @extend_schema(summary="Show a firmware image", responses={200: FirmwareImageSerializer, **refusals(404)})
    def get(self, request: Request, uid: str) -> Response:
        """Show it with what its check found."""
        return Response(FirmwareImageSerializer(_image(self.principal, uid)).data)


class ImageWithdraw(Endpoint):
    """The end of an image."""

    actions: ClassVar = {"POST": "firmware.library"}
    object_type = "firmware_image"

    @extend_schema(
        summary="Withdraw a firmware image",
        request=None,
        responses={200: FirmwareImageSerializer, **refusals(404)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Offer it no longer; links to its file end at once."""
        image = _image(self.principal, uid)
        firmware_library.withdraw(image)
        image.refresh_from_db()
        return Response(FirmwareImageSerializer(image).data)


class SignerList(ListEndpoint):
    """Whose signatures count."""

    actions: ClassVar = {"GET": "firmware.view", "POST": "firmware.trust"}
    object_type = "trusted_signer"
    queryset = TrustedSigner.objects.none()
    serializer_class = TrustedSignerSerializer

    def get_queryset(self) -> QuerySet[TrustedSigner]:
        """Give the signers."""
        return access.trusted_signers(self.principal)

    @extend_schema(
        summary="List trusted signers", responses={200: TrustedSignerSerializer(many=True), **refusals(400)}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Trust a signer of firmware",
        request=TrustedSignerWriteSerializer,
        responses={201: TrustedSignerSerializer, **refusals(400, 422)},
    )
    def post(self, request: Request) -> Response:
        """Trust a certificate for a vendor's firmware; the same one again changes its name."""
        body = TrustedSignerWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        self.note("", vendor=given["vendor"], name=given["name"])
        signer = firmware_library.trust(given.pop("vendor"), added_by=self.principal.name, **given)
        self.note(signer.pk, vendor=signer.vendor, fingerprint=signer.fingerprint)
        return Response(TrustedSignerSerializer(signer).data, status=201)


class SignerDetail(Endpoint):
    """One signer."""

    actions: ClassVar = {"DELETE": "firmware.trust"}
    object_type = "trusted_signer"

    @extend_schema(summary="Trust a signer no longer", responses={204: None, **refusals(404)})
    def delete(self, request: Request, item_id: str) -> Response:
        """Offer nothing any more that rests on it."""
        firmware_library.distrust(get_object_or_404(access.trusted_signers(self.principal), pk=item_id))
        return Response(status=204)


class UpdateFilter(django_filters.FilterSet):
    """Query parameters of the lists."""

    station = django_filters.CharFilter("station__identity", help_text="Identity of the station.")
    state = django_filters.ChoiceFilter(choices=FirmwareUpdate.State.choices)


class UpdateList(ListEndpoint):
    """All updates in scope."""

    queryset = FirmwareUpdate.objects.none()
    serializer_class = FirmwareUpdateSerializer
    filterset_class = UpdateFilter

    def get_queryset(self) -> QuerySet[FirmwareUpdate]:
        """Give the updates of stations in scope."""
        rows = access.firmware_updates(self.principal)
        return rows.select_related("station", "image", "publication").prefetch_related("history")

    @extend_schema(
        summary="List firmware updates",
        responses={200: FirmwareUpdateSerializer(many=True), **refusals(400)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


class StationUpdates(UpdateList):
    """The updates of one station."""

    actions: ClassVar = {"GET": "view", "POST": "firmware.update"}
    object_type = "station"

    def get_queryset(self) -> QuerySet[FirmwareUpdate]:
        """Give the station's updates; 404 when it is out of scope."""
        get_object_or_404(access.stations(self.principal), identity=self.kwargs["identity"])
        return super().get_queryset().filter(station__identity=self.kwargs["identity"])

    @extend_schema(
        summary="List a station's firmware updates",
        responses={200: FirmwareUpdateSerializer(many=True), **refusals(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Plan a firmware update of a station",
        request=FirmwareUpdateWriteSerializer,
        responses={202: FirmwareUpdateSerializer, **refusals(400, 404, 409, 422)},
        examples=[OpenApiExample("now", value={"image": "3f0c…"}, request_only=True), OFFLINE_EXAMPLE],
    )
    def post(self, request: Request, identity: str) -> Response:
        """Check the image once more, ask the station and answer 202; look at it again under /firmware-updates/{id}/."""
        self.note(identity)
        station = get_object_or_404(access.stations(self.principal), identity=identity)
        body = FirmwareUpdateWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = dict(body.validated_data)
        image = None
        if uid := asked.pop("image", ""):
            image = next((found for found in firmware_library.for_station(station) if found.uid == uid), None)
            if image is None:
                raise ValidationError({"image": ["There is no such image for this station."]})
        update = firmware.plan(
            station,
            image=image,
            requested_by=self.principal.name,
            user=self.principal.user,
            queue_offline=asked.pop("queue"),
            **asked,
        )
        self.note(identity, id=update.uid, version=update.version)
        return Response(FirmwareUpdateSerializer(update).data, status=202)


class StationImages(Endpoint):
    """The images that may be offered to a station."""

    @extend_schema(
        summary="List the firmware that fits a station",
        responses={200: FirmwareImageSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, identity: str) -> Response:
        """Newest first; all of it at once."""
        station = get_object_or_404(access.stations(self.principal), identity=identity)
        return Response(FirmwareImageSerializer(firmware_library.for_station(station), many=True).data)


class UpdateDetail(Endpoint):
    """One update."""

    @extend_schema(
        summary="Show a firmware update", responses={200: FirmwareUpdateSerializer, **refusals(404)}
    )
    def get(self, request: Request, uid: str) -> Response:
        """Show every word that was said about it."""
        return Response(FirmwareUpdateSerializer(_update(self.principal, uid)).data)


class UpdateCancel(Endpoint):
    """The end of an update."""

    actions: ClassVar = {"POST": "firmware.update"}
    object_type = "firmware_update"

    @extend_schema(
        summary="Cancel a firmware update",
        request=None,
        responses={200: FirmwareUpdateSerializer, **refusals(404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Take it back if it was not sent, and its link in any case; 409 when it has ended."""
        update = _update(self.principal, uid)
        firmware.cancel(update, by=self.principal.name)
        return Response(FirmwareUpdateSerializer(_update(self.principal, uid)).data)


class UpdateRetry(Endpoint):
    """Another try of an update."""

    actions: ClassVar = {"POST": "firmware.update"}
    object_type = "firmware_update"

    @extend_schema(
        summary="Try a firmware update again",
        request=QueueSerializer,
        responses={202: FirmwareUpdateSerializer, **refusals(400, 404, 409, 422)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Plan the same as a new update and answer 202; 409 while the old one goes on."""
        update = _update(self.principal, uid)
        body = QueueSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        again = firmware.retry(
            update,
            requested_by=self.principal.name,
            user=self.principal.user,
            queue_offline=body.validated_data["queue"],
        )
        self.note(uid, id=again.uid)
        return Response(FirmwareUpdateSerializer(again).data, status=202)


class CampaignList(ListEndpoint):
    """All campaigns."""

    actions: ClassVar = {"GET": "firmware.view", "POST": "firmware.library"}
    object_type = "firmware_campaign"
    queryset = FirmwareCampaign.objects.none()
    serializer_class = CampaignSerializer

    def get_queryset(self) -> QuerySet[FirmwareCampaign]:
        """Give the campaigns."""
        return _campaigns(self.principal)

    @extend_schema(
        summary="List firmware campaigns", responses={200: CampaignSerializer(many=True), **refusals(400)}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Write a firmware campaign down",
        request=CampaignWriteSerializer,
        responses={201: CampaignSerializer, **refusals(400, 422)},
    )
    def post(self, request: Request) -> Response:
        """Nothing is sent before it is started."""
        body = CampaignWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        self.note("", name=given["name"], stations=len(given["stations"]))
        wanted = list(dict.fromkeys(given.pop("stations")))
        found = {row.identity: row for row in access.stations(self.principal).filter(identity__in=wanted)}
        if missing := [identity for identity in wanted if identity not in found]:
            raise ValidationError({"stations": [f"There is no station {missing[0]}."]})
        image = access.firmware_images(self.principal).filter(uid=given.pop("image")).first()
        if image is None:
            raise ValidationError({"image": ["There is no such image."]})
        campaign = campaigns.create(
            image,
            stations=[found[identity] for identity in wanted],
            created_by=self.principal.name,
            **given,
        )
        self.note(campaign.uid, name=campaign.name, stations=len(wanted))
        return Response(CampaignSerializer(campaign).data, status=201)


class CampaignDetail(Endpoint):
    """One campaign."""

    actions: ClassVar = {"GET": "firmware.view"}

    @extend_schema(summary="Show a firmware campaign", responses={200: CampaignSerializer, **refusals(404)})
    def get(self, request: Request, uid: str) -> Response:
        """Show how far each station is."""
        return Response(CampaignSerializer(get_object_or_404(_campaigns(self.principal), uid=uid)).data)


class _CampaignTurn(Endpoint):
    """Something that is done to a campaign."""

    actions: ClassVar = {"POST": "firmware.library"}
    object_type = "firmware_campaign"

    def turn(self, uid: str, what: Any) -> Response:
        campaign = get_object_or_404(_campaigns(self.principal), uid=uid)
        what(campaign, by=self.principal.name)
        return Response(CampaignSerializer(_campaigns(self.principal).get(uid=uid)).data)


class CampaignStart(_CampaignTurn):
    """The begin of a campaign."""

    @extend_schema(
        summary="Start a firmware campaign",
        request=None,
        responses={200: CampaignSerializer, **refusals(404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Let it begin, or go on after a halt."""
        return self.turn(uid, campaigns.start)


class CampaignHalt(_CampaignTurn):
    """A halt of a campaign."""

    @extend_schema(
        summary="Halt a firmware campaign",
        request=None,
        responses={200: CampaignSerializer, **refusals(404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Begin no further update; those under way go on."""
        return self.turn(uid, campaigns.halt)


class CampaignCancel(_CampaignTurn):
    """The end of a campaign."""

    @extend_schema(
        summary="Cancel a firmware campaign",
        request=None,
        responses={200: CampaignSerializer, **refusals(404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """End it; updates that have not reached their station yet are taken back."""
        return self.turn(uid, campaigns.cancel)


def _image(principal: access.Principal, uid: str) -> FirmwareImage:
    return get_object_or_404(access.firmware_images(principal).select_related("file", "signer"), uid=uid)


def _update(principal: access.Principal, uid: str) -> FirmwareUpdate:
    return get_object_or_404(
        access.firmware_updates(principal).select_related(
            "station", "image__file", "publication__station", "publication__image"
        ),
        uid=uid,
    )


def _campaigns(principal: access.Principal) -> QuerySet[FirmwareCampaign]:
    rows = access.firmware_campaigns(principal).select_related("image")
    return rows.prefetch_related("stations__station", "stations__update")
