"""/operators/ and /locations/: own parties and their sites."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.access import Principal
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import Conflict, refusals
from cpo.api.serializers.network import LocationSerializer, OperatorSerializer
from stations.models import Location, Operator
from stations.services import locations


class OperatorList(ListEndpoint):
    """Own parties."""

    actions: ClassVar = {"GET": "view", "POST": "operator.write"}
    object_type = "operator"
    queryset = Operator.objects.none()
    serializer_class = OperatorSerializer
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Operator]:
        """Give the operators in scope."""
        return access.operators(self.principal)

    @extend_schema(summary="List operators", responses={200: OperatorSerializer(many=True), **refusals(400)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Add or change an operator",
        request=OperatorSerializer,
        responses={200: OperatorSerializer, 201: OperatorSerializer, **refusals(400)},
    )
    def post(self, request: Request) -> Response:
        """Upsert by country code and party id."""
        body = OperatorSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        facts = dict(body.validated_data)
        key = {field: facts.pop(field).upper() for field in ("country_code", "party_id")}
        is_new = not Operator.objects.filter(**key).exists()
        operator = locations.save_operator(**key, **facts)
        self.note(str(operator))
        return Response(OperatorSerializer(operator).data, status=201 if is_new else 200)


class LocationFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    operator = django_filters.CharFilter(method="by_operator", help_text="'NL*ABC'.")

    def by_operator(self, rows: QuerySet[Location], name: str, party: str) -> QuerySet[Location]:
        """Give one operator's locations."""
        country_code, _, party_id = party.upper().partition("*")
        return rows.filter(operator__country_code=country_code, operator__party_id=party_id)


class LocationList(ListEndpoint):
    """All locations in scope."""

    actions: ClassVar = {"GET": "view", "POST": "location.write"}
    object_type = "location"
    queryset = Location.objects.none()
    serializer_class = LocationSerializer
    filterset_class = LocationFilter

    def get_queryset(self) -> QuerySet[Location]:
        """Give the locations in scope."""
        return access.locations(self.principal).select_related("operator")

    @extend_schema(summary="List locations", responses={200: LocationSerializer(many=True), **refusals(400)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Add or change a location",
        request=LocationSerializer,
        responses={200: LocationSerializer, 201: LocationSerializer, **refusals(400, 409)},
    )
    def post(self, request: Request) -> Response:
        """Upsert by `id`. 201 for a new location, 200 for a known one."""
        known = _known(
            self.principal, str(request.data.get("id", "")) if isinstance(request.data, dict) else ""
        )
        body = LocationSerializer(data=request.data, partial=known is not None)
        body.is_valid(raise_exception=True)
        facts = dict(body.validated_data)
        uid = facts.pop("uid", None)
        if known is None or "operator" in facts:
            facts["operator"] = operator_of(self.principal, facts.get("operator"))
        if known is None and self.principal.location_ids is not None:
            raise ValidationError({"id": ["A token limited to locations cannot add one."]})
        location = locations.save_location(uid, **facts)
        self.note(location.uid, fields=sorted(facts))
        fresh = Location.objects.select_related("operator").get(pk=location.pk)
        return Response(LocationSerializer(fresh).data, status=200 if known else 201)


class LocationDetail(Endpoint):
    """One location."""

    @extend_schema(summary="Show a location", responses={200: LocationSerializer, **refusals(404)})
    def get(self, request: Request, uid: str) -> Response:
        """Show it."""
        location = get_object_or_404(access.locations(self.principal).select_related("operator"), uid=uid)
        return Response(LocationSerializer(location).data)


def operator_of(principal: Principal, party: str | None, *, or_the_only_one: bool = False) -> Operator:
    """Return the operator in scope with this party ('NL*ABC'), or the only one; raise ValidationError.

    With `or_the_only_one` and one operator in all, an unknown party counts as none: an OCPI tariff says who wrote it
    first, not whose it is here.
    """
    only = locations.only_operator()  # makes the first one
    rows = access.operators(principal)
    if party is not None:
        country_code, _, party_id = party.upper().partition("*")
        named = rows.filter(country_code=country_code, party_id=party_id)
        rows = rows if or_the_only_one and only and not named.exists() else named
    found = list(rows[:2])
    if len(found) != 1:
        reason = (
            "There is no such operator." if party is not None or not found else "Name it: there are several."
        )
        raise ValidationError({"operator": [reason]})
    return found[0]


def _known(principal: Principal, uid: str) -> Location | None:
    """Return the location to change; raise Conflict when it is somebody else's."""
    known = access.locations(principal).filter(uid=uid).first() if uid else None
    if known is None and uid and Location.objects.filter(uid=uid).exists():
        raise Conflict("This id is taken.")
    return known
