"""/review-items/, /onboarding/ and /audit-events/: what waits for a human, and what humans did."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api import filters
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import Conflict, refusals
from cpo.api.serializers.stations import StationWithPasswordSerializer
from cpo.api.serializers.work import (
    AcceptSerializer,
    AuditEventSerializer,
    OnboardingSerializer,
    ResolveSerializer,
    ReviewItemSerializer,
)
from cpo.api.views.stations import location_of, with_connectors, with_password
from cpo.models import AuditEvent
from stations.models import ChargingStation, OnboardingStation, ReviewItem
from stations.services import provisioning, review


class ReviewFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    open = filters.Flag("resolved_at", "isnull", help_text="true: not resolved yet.")
    kind = django_filters.ChoiceFilter(choices=ReviewItem.Kind.choices)
    station = django_filters.CharFilter("station__identity")


class ReviewItemList(ListEndpoint):
    """All review items in scope."""

    queryset = ReviewItem.objects.none()
    serializer_class = ReviewItemSerializer
    filterset_class = ReviewFilter

    def get_queryset(self) -> QuerySet[ReviewItem]:
        """Give the review items in scope."""
        return access.review_items(self.principal).select_related("station", "session")

    @extend_schema(
        summary="List review items", responses={200: ReviewItemSerializer(many=True), **refusals(400)}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


class ReviewItemResolve(Endpoint):
    """The end of a review item."""

    actions: ClassVar = {"POST": "review.resolve"}
    object_type = "review_item"

    @extend_schema(
        summary="Resolve a review item",
        request=ResolveSerializer,
        responses={200: ReviewItemSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, item_id: str) -> Response:
        """Close it with a word on how. 409 when it is closed already."""
        body = ResolveSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        items = access.review_items(self.principal).select_related("station", "session")
        item = get_object_or_404(items, pk=int(item_id))
        if item.resolved_at is not None:
            raise Conflict("It is resolved already.")
        review.resolve(item, by=self.principal.name, resolution=body.validated_data["resolution"])
        return Response(ReviewItemSerializer(item).data)


class OnboardingFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    is_ignored = filters.Flag()


class OnboardingList(ListEndpoint):
    """Unknown stations that knocked."""

    actions: ClassVar = {"GET": "onboarding.view"}
    queryset = OnboardingStation.objects.none()
    serializer_class = OnboardingSerializer
    filterset_class = OnboardingFilter

    def get_queryset(self) -> QuerySet[OnboardingStation]:
        """Give the stations that nobody registered."""
        return access.onboarding(self.principal)

    @extend_schema(
        summary="List unknown stations", responses={200: OnboardingSerializer(many=True), **refusals(400)}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


class OnboardingAccept(Endpoint):
    """The registration of an unknown station."""

    actions: ClassVar = {"POST": "onboarding.accept"}
    object_type = "station"

    @extend_schema(
        summary="Accept an unknown station",
        request=AcceptSerializer,
        responses={201: StationWithPasswordSerializer, **refusals(400, 404)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Register it; the password is shown only in this answer."""
        body = AcceptSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        facts = dict(body.validated_data)
        knocking = get_object_or_404(access.onboarding(self.principal), identity=identity)
        uid = facts.get("location")
        station, password = provisioning.accept(
            knocking,
            location=location_of(self.principal, uid) if uid else None,
            security_profile=facts["security_profile"],
        )
        shown = with_connectors(ChargingStation.objects.all()).get(pk=station.pk)
        return Response(with_password(shown, password), status=201)


class OnboardingIgnore(Endpoint):
    """The dismissal of an unknown station."""

    actions: ClassVar = {"POST": "onboarding.accept"}
    object_type = "station"

    @extend_schema(
        summary="Ignore an unknown station",
        request=None,
        responses={200: OnboardingSerializer, **refusals(404)},
    )
    def post(self, request: Request, identity: str) -> Response:
        """Hide it; its attempts are still counted."""
        knocking = get_object_or_404(access.onboarding(self.principal), identity=identity)
        provisioning.ignore(knocking)
        return Response(OnboardingSerializer(knocking).data)


class AuditFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    class Meta:
        model = AuditEvent
        fields = ("actor", "action", "object_type", "object_id", "channel")


class AuditEventList(ListEndpoint):
    """The audit record."""

    actions: ClassVar = {"GET": "audit.view"}
    queryset = AuditEvent.objects.none()
    serializer_class = AuditEventSerializer
    filterset_class = AuditFilter

    def get_queryset(self) -> QuerySet[AuditEvent]:
        """Give what was done by whom."""
        return access.audit_events(self.principal)

    @extend_schema(
        summary="List audit events", responses={200: AuditEventSerializer(many=True), **refusals(400)}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)
