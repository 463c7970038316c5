"""/partners/: registration with roaming partners, and what waits to be sent to them."""

from collections.abc import Callable
from typing import Any, ClassVar

import django_filters
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import refusals
from cpo.api.serializers.partners import (
    NewPartnerSerializer,
    PartnerSerializer,
    PartnerWriteSerializer,
    PushSerializer,
)
from roaming import registration
from roaming.handshake import HandshakeFailed
from roaming.models import Connection, Push
from roaming.ocpi import versions


class PartnerFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    status = django_filters.ChoiceFilter(choices=Connection.Status.choices)
    name = django_filters.CharFilter()


class PushFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    state = django_filters.ChoiceFilter(choices=Push.State.choices)
    module = django_filters.CharFilter()


def shown(rows: QuerySet[Connection]) -> QuerySet[Connection]:
    """Read partners with their parties and the length of their push queue: two queries."""
    waiting = (
        Push.objects.waiting()
        .filter(connection=OuterRef("pk"))
        .order_by()
        .values("connection")
        .annotate(n=Count("pk"))
        .values("n")
    )
    count = Coalesce(Subquery(waiting, output_field=IntegerField()), 0)
    return rows.prefetch_related("parties").annotate(pushes_waiting=count)


class PartnerList(ListEndpoint):
    """All partners."""

    actions: ClassVar = {"GET": "partner.view", "POST": "partner.write"}
    object_type = "partner"
    is_atomic = False  # a registration speaks to the partner, who speaks back to us meanwhile
    queryset = Connection.objects.none()
    serializer_class = PartnerSerializer
    filterset_class = PartnerFilter

    def get_queryset(self) -> QuerySet[Connection]:
        """Give the partners."""
        return shown(access.partners(self.principal))

    @extend_schema(summary="List partners", responses={200: PartnerSerializer(many=True), **refusals(400)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Register a partner",
        request=PartnerWriteSerializer,
        responses={201: NewPartnerSerializer, **refusals(400, 409, 422)},
        examples=[
            OpenApiExample("he registers with us", value={"name": "Bo's roaming"}, request_only=True),
            OpenApiExample(
                "we register with him",
                value={
                    "name": "Bo's roaming",
                    "versions_url": "https://emsp.example/ocpi/versions",
                    "token": "abc",
                },
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Invite a partner (the answer holds the token A for him), or register with his versions URL and token A.

        422 when his platform did not do its part; he is then in the list as prepared, and the same call tries again.
        """
        body = PartnerWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        facts = body.validated_data
        self.note(facts["name"], versions_url=facts.get("versions_url", ""))
        if "token" in facts:
            partner, token_a = _register(facts), None
        else:
            partner, token_a = registration.issue_token_a(facts["name"], profile=facts["profile"])
        fresh: Any = shown(Connection.objects.all()).get(pk=partner.pk)
        fresh.shown_token_a, fresh.shown_versions_url = token_a, versions.versions_url()
        return Response(NewPartnerSerializer(fresh).data, status=201)


class PartnerDetail(Endpoint):
    """One partner."""

    actions: ClassVar = {"GET": "partner.view", "DELETE": "partner.write"}
    object_type = "partner"
    is_atomic = False

    @extend_schema(summary="Show a partner", responses={200: PartnerSerializer, **refusals(404)})
    def get(self, request: Request, partner_id: str) -> Response:
        """Show it with its parties."""
        partner = get_object_or_404(shown(access.partners(self.principal)), pk=int(partner_id))
        return Response(PartnerSerializer(partner).data)

    @extend_schema(summary="End a registration", responses={204: None, **refusals(404, 409)})
    def delete(self, request: Request, partner_id: str) -> Response:
        """Tell the partner that it is over, and end it here whatever he answers."""
        registration.unregister(get_object_or_404(access.partners(self.principal), pk=int(partner_id)))
        return Response(status=204)


class _PartnerAction(Endpoint):
    """One change of a partner that needs no words."""

    actions: ClassVar = {"POST": "partner.write"}
    object_type = "partner"
    is_atomic = False
    change: Callable[[Connection], object]

    def post(self, request: Request, partner_id: str) -> Response:
        """Do it and show the partner."""
        partner = get_object_or_404(access.partners(self.principal), pk=int(partner_id))
        self.note(partner_id, change=type(self).__name__.removeprefix("Partner").lower())
        type(self).change(partner)
        return Response(PartnerSerializer(shown(Connection.objects.all()).get(pk=partner.pk)).data)


@extend_schema(request=None, responses={200: PartnerSerializer, **refusals(404)})
class PartnerPause(_PartnerAction):
    """Send a partner nothing more."""

    change = staticmethod(registration.pause)

    @extend_schema(summary="Pause a partner")
    def post(self, request: Request, partner_id: str) -> Response:
        """Send nothing more until it is resumed; what changes meanwhile stays due."""
        return super().post(request, partner_id)


@extend_schema(request=None, responses={200: PartnerSerializer, **refusals(404)})
class PartnerResume(_PartnerAction):
    """Send to a partner again."""

    change = staticmethod(registration.resume)

    @extend_schema(summary="Resume a partner")
    def post(self, request: Request, partner_id: str) -> Response:
        """Send again after a pause, or after he refused our token."""
        return super().post(request, partner_id)


@extend_schema(request=None, responses={200: PartnerSerializer, **refusals(404, 409, 422)})
class PartnerRotate(_PartnerAction):
    """Give a partner new credentials."""

    change = staticmethod(registration.rotate)

    @extend_schema(summary="Rotate a partner's credentials")
    def post(self, request: Request, partner_id: str) -> Response:
        """Replace both tokens and fetch his endpoints again."""
        return super().post(request, partner_id)


class PartnerPushes(ListEndpoint):
    """The push queue of one partner."""

    actions: ClassVar = {"GET": "partner.view"}
    queryset = Push.objects.none()
    serializer_class = PushSerializer
    filterset_class = PushFilter

    def get_queryset(self) -> QuerySet[Push]:
        """Give what he has and has not."""
        partner = get_object_or_404(access.partners(self.principal), pk=int(self.kwargs["partner_id"]))
        return Push.objects.filter(connection=partner)

    @extend_schema(
        summary="List a partner's push queue",
        responses={200: PushSerializer(many=True), **refusals(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest object first, the latest state of each."""
        return super().get(request, *args, **kwargs)


def _register(facts: dict[str, Any]) -> Connection:
    try:
        partner = registration.prepare(
            facts["name"],
            versions_url=facts["versions_url"],
            token_a=facts["token"],
            profile=facts["profile"],
        )
    except HandshakeFailed as error:
        raise ValidationError({"versions_url": [str(error)]}) from error
    return registration.register_with(partner)
