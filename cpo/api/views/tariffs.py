"""/tariffs/: prices in OCPI's shape, where they apply, and what a session costs with them."""

from typing import Any, ClassVar

import django_filters
from django.db.models import Prefetch, Q, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import Tariff, TariffAssignment, TariffVersion
from billing.services import tariffs
from billing.tariff import documents
from cpo import access
from cpo.access import Principal
from cpo.api import filters
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import refusals
from cpo.api.places import place_of
from cpo.api.serializers.tariffs import (
    PRICE_EXAMPLE,
    TARIFF_EXAMPLE,
    PlaceSerializer,
    PriceRequestSerializer,
    PriceSerializer,
    TariffSerializer,
    TariffWriteSerializer,
)
from cpo.api.views.network import operator_of
from cpo.lib import clock


class TariffFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    is_active = filters.Flag()
    currency = django_filters.CharFilter("currency", "iexact")


def shown(rows: QuerySet[Tariff]) -> QuerySet[Tariff]:
    """Read tariffs with their newest version (`newest`) and where they apply (`standing`): three queries in all."""
    newest = TariffVersion.objects.order_by("tariff", "-number").distinct("tariff")
    standing = (
        TariffAssignment.objects.filter(Q(valid_until=None) | Q(valid_until__gt=clock.now()))
        .select_related("operator", "location", "evse", "connector__evse")
        .order_by("id")
    )
    return rows.select_related("operator").prefetch_related(
        Prefetch("versions", newest, to_attr="newest"), Prefetch("assignments", standing, to_attr="standing")
    )


def tariff_of(principal: Principal, uid: str) -> Tariff:
    """Return the tariff in scope with this id, in any case of letters; raise Http404."""
    found = access.tariffs(principal).filter(uid__iexact=uid).order_by("-is_active", "-pk").first()
    if found is None:
        raise Http404
    return found


class TariffList(ListEndpoint):
    """All tariffs in scope."""

    actions: ClassVar = {"GET": "view", "POST": "tariff.write"}
    object_type = "tariff"
    queryset = Tariff.objects.none()
    serializer_class = TariffSerializer
    filterset_class = TariffFilter

    def get_queryset(self) -> QuerySet[Tariff]:
        """Give the tariffs in scope."""
        return shown(access.tariffs(self.principal))

    @extend_schema(summary="List tariffs", responses={200: TariffSerializer(many=True), **refusals(400)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first, each in the shape of OCPI 2.3.0."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Add or change a tariff",
        request=TariffWriteSerializer,
        responses={200: TariffSerializer, 201: TariffSerializer, **refusals(400)},
        examples=[OpenApiExample("at one location", value=TARIFF_EXAMPLE, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Upsert by `id`; a change is a new version, and sessions that run keep the old one.

        A tariff without `tax_included` is read as one of OCPI 2.2.1 or 2.1.1: its prices are without VAT.

        `assignments` says where it applies. Left out, a tariff that applies nowhere yet becomes the default of its
        operator, unless the operator already has a default of this type.
        """
        if not isinstance(request.data, dict):
            raise ValidationError("An OCPI Tariff is an object.")
        data = dict(request.data)
        places = PlaceSerializer(data=data.pop("assignments", None) or [], many=True)
        places.is_valid(raise_exception=True)
        operator = operator_of(self.principal, _party(data), or_the_only_one=True)
        is_new = not Tariff.objects.filter(operator=operator, uid__iexact=str(data.get("id", ""))).exists()
        tariff = tariffs.save(_newest_shape(data), operator=operator)
        self.note(tariff.uid, operator=str(operator))
        if places.validated_data:
            for place in places.validated_data:
                _assign(self.principal, tariff, place)
        else:
            _make_default(tariff)
        fresh = shown(Tariff.objects.all()).get(pk=tariff.pk)
        return Response(TariffSerializer(fresh).data, status=201 if is_new else 200)


class TariffDetail(Endpoint):
    """One tariff."""

    actions: ClassVar = {"GET": "view", "DELETE": "tariff.write"}
    object_type = "tariff"

    @extend_schema(summary="Show a tariff", responses={200: TariffSerializer, **refusals(404)})
    def get(self, request: Request, uid: str) -> Response:
        """Show its newest version and where it applies."""
        tariff = tariff_of(self.principal, uid)
        return Response(TariffSerializer(shown(Tariff.objects.all()).get(pk=tariff.pk)).data)

    @extend_schema(summary="Withdraw a tariff", responses={204: None, **refusals(404)})
    def delete(self, request: Request, uid: str) -> Response:
        """End all its assignments; sessions that run keep it, and it stays in the list as inactive."""
        tariffs.withdraw(tariff_of(self.principal, uid))
        return Response(status=204)


class TariffAssignments(Endpoint):
    """Where a tariff applies."""

    actions: ClassVar = {"POST": "tariff.write"}
    object_type = "tariff"

    @extend_schema(
        summary="Let a tariff apply at a place",
        request=PlaceSerializer,
        responses={201: TariffSerializer, **refusals(400, 404)},
        examples=[
            OpenApiExample("at one EVSE", value={"station": "ADA-1", "connector_id": 1}, request_only=True)
        ],
    )
    def post(self, request: Request, uid: str) -> Response:
        """From now on, or from `valid_from`; it replaces the tariff of the same type that applied there."""
        body = PlaceSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        tariff = tariff_of(self.principal, uid)
        self.note(tariff.uid, place={key: str(value) for key, value in body.validated_data.items()})
        _assign(self.principal, tariff, body.validated_data)
        return Response(TariffSerializer(shown(Tariff.objects.all()).get(pk=tariff.pk)).data, status=201)


class TariffAssignmentEnd(Endpoint):
    """One place where a tariff applies."""

    actions: ClassVar = {"DELETE": "tariff.write"}
    object_type = "tariff"

    @extend_schema(summary="End a tariff at a place", responses={204: None, **refusals(404)})
    def delete(self, request: Request, uid: str, assignment_id: str) -> Response:
        """It no longer applies there; sessions that run keep it."""
        rows = tariff_of(self.principal, uid).assignments.filter(valid_until=None)
        tariffs.unassign(get_object_or_404(rows, pk=int(assignment_id)))
        return Response(status=204)


class TariffPrice(Endpoint):
    """What a session would cost. It changes nothing, so that everybody may ask."""

    actions: ClassVar = {"POST": "view"}
    object_type = "tariff"

    @extend_schema(
        summary="Price a session",
        request=PriceRequestSerializer,
        responses={200: PriceSerializer, **refusals(400, 404, 422)},
        examples=[OpenApiExample("one hour", value=PRICE_EXAMPLE, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Price charging periods with a tariff, line by line. 422 where OCPI leaves the price open."""
        if not isinstance(request.data, dict) or "tariff" not in request.data:
            raise ValidationError({"tariff": ["This field is required."]})
        use = dict(request.data)
        tariff = use.pop("tariff")
        if isinstance(tariff, str):
            tariff = tariff_of(self.principal, tariff).versions.latest("number").data
        zone = use.get("time_zone")
        if zone is not None and not isinstance(zone, str):
            raise ValidationError({"time_zone": ["An IANA name."]})
        return Response(documents.price_documents(tariff, use, time_zone=zone))


def _newest_shape(data: dict[str, Any]) -> dict[str, Any]:
    """Translate a tariff of an older OCPI version up: `tax_included` tells, which is new and must be there."""
    return data if data.get("tax_included") is not None else documents.read_tariffs(data)[0].to_ocpi()


def _party(data: dict[str, Any]) -> str | None:
    codes = (data.get("country_code"), data.get("party_id"))
    return f"{codes[0]}*{codes[1]}" if any(codes) else None


def _assign(principal: Principal, tariff: Tariff, place: dict[str, Any]) -> None:
    tariffs.assign(tariff, valid_from=place.get("valid_from"), **place_of(principal, tariff.operator, place))


def _make_default(tariff: Tariff) -> None:
    now = clock.now()
    standing = TariffAssignment.objects.filter(Q(valid_until=None) | Q(valid_until__gt=now))
    rivals = Q(operator=tariff.operator, tariff__type=tariff.type)
    if not standing.filter(Q(tariff=tariff) | rivals).exists():
        tariffs.assign(tariff, operator=tariff.operator)
