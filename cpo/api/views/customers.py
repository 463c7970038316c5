"""/customer-information/: what stations know about customers, and that they forget it (OCPP 2.x N09, N10)."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access, audit
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import OFFLINE_EXAMPLE, refusals
from cpo.api.serializers.customers import (
    CustomerRequestSerializer,
    CustomerRequestToldSerializer,
    CustomerRequestWriteSerializer,
    UnlistedTokenSerializer,
)
from cpo.models import AuditEvent
from stations.models import CustomerRequest, UnlistedToken
from stations.services import customer_information


class CustomerRequestFilter(django_filters.FilterSet):
    """Query parameters of the lists."""

    station = django_filters.CharFilter("station__identity", help_text="Identity of the station.")
    state = django_filters.ChoiceFilter(choices=CustomerRequest.State.choices)


class CustomerRequestList(ListEndpoint):
    """All questions about customers in scope."""

    actions: ClassVar = {"GET": "customer.view"}
    queryset = CustomerRequest.objects.none()
    serializer_class = CustomerRequestSerializer
    filterset_class = CustomerRequestFilter

    def get_queryset(self) -> QuerySet[CustomerRequest]:
        """Give the questions to stations in scope."""
        return access.customer_requests(self.principal).select_related("station")

    @extend_schema(
        summary="List questions about customers",
        responses={200: CustomerRequestSerializer(many=True), **refusals(400)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first, without what is personal."""
        return super().get(request, *args, **kwargs)


class StationCustomers(CustomerRequestList):
    """The questions to one station."""

    actions: ClassVar = {"GET": "customer.view", "POST": "customer.request"}
    object_type = "station"

    def get_queryset(self) -> QuerySet[CustomerRequest]:
        """Give the station's questions; 404 when it is out of scope."""
        get_object_or_404(access.stations(self.principal), identity=self.kwargs["identity"])
        return super().get_queryset().filter(station__identity=self.kwargs["identity"])

    @extend_schema(
        summary="List a station's questions about customers",
        responses={200: CustomerRequestSerializer(many=True), **refusals(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first, without what is personal."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Ask a station about a customer",
        request=CustomerRequestWriteSerializer,
        responses={202: CustomerRequestSerializer, **refusals(400, 404, 409)},
        examples=[
            OpenApiExample("forget a token", value={"id_token": "BO-1", "clear": True}, request_only=True),
            OFFLINE_EXAMPLE,
        ],
    )
    def post(self, request: Request, identity: str) -> Response:
        """Ask and answer 202; look at it again under /customer-information/{id}/ until it is told."""
        self.note(identity)
        station = get_object_or_404(access.stations(self.principal), identity=identity)
        body = CustomerRequestWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = dict(body.validated_data)
        row = customer_information.ask(
            station,
            requested_by=self.principal.name,
            user=self.principal.user,
            queue_offline=asked.pop("queue"),
            **asked,
        )
        self.note(identity, id=row.uid, kind=row.reference_kind, clear=row.is_clear)
        return Response(CustomerRequestSerializer(row).data, status=202)


class CustomerRequestDetail(Endpoint):
    """One question with its answer."""

    actions: ClassVar = {"GET": "customer.view"}

    @extend_schema(
        summary="Show what a station told about a customer",
        responses={200: CustomerRequestToldSerializer, **refusals(404)},
    )
    def get(self, request: Request, uid: str) -> Response:
        """Show who is meant and what was told. Each look leaves an audit event."""
        row = _row(self.principal, uid)
        audit.record(
            self.principal,
            "customer.view",
            object_type="customer_request",
            object_id=uid,
            request=request._request,
            channel=AuditEvent.Channel.API,
        )
        return Response(CustomerRequestToldSerializer(row).data)


class CustomerRequestCancel(Endpoint):
    """The end of a question."""

    actions: ClassVar = {"POST": "customer.request"}
    object_type = "customer_request"

    @extend_schema(
        summary="Wait for an answer about a customer no longer",
        request=None,
        responses={200: CustomerRequestSerializer, **refusals(404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Take the question back if it was not sent; 409 when it has ended."""
        customer_information.cancel(_row(self.principal, uid), by=self.principal.name)
        return Response(CustomerRequestSerializer(_row(self.principal, uid)).data)


class CustomerRequestForget(Endpoint):
    """The end of what was told."""

    actions: ClassVar = {"POST": "customer.request"}
    object_type = "customer_request"

    @extend_schema(
        summary="Delete what a station told about a customer",
        request=None,
        responses={200: CustomerRequestSerializer, **refusals(404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Delete it before its time, with who was meant; 409 while the station is still to answer."""
        customer_information.forget(_row(self.principal, uid))
        return Response(CustomerRequestSerializer(_row(self.principal, uid)).data)


class StationUnlistedTokens(ListEndpoint):
    """Tokens that stay off a station's local list."""

    actions: ClassVar = {"GET": "customer.view"}
    queryset = UnlistedToken.objects.none()
    serializer_class = UnlistedTokenSerializer

    def get_queryset(self) -> QuerySet[UnlistedToken]:
        """Give the station's tokens; 404 when it is out of scope."""
        station = get_object_or_404(access.stations(self.principal), identity=self.kwargs["identity"])
        return UnlistedToken.objects.filter(station=station)

    @extend_schema(
        summary="List the tokens that stay off a station's local list",
        responses={200: UnlistedTokenSerializer(many=True), **refusals(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Their data were cleared there; the last one first."""
        return super().get(request, *args, **kwargs)


class StationUnlistedToken(Endpoint):
    """One of them."""

    actions: ClassVar = {"DELETE": "local_list.write"}
    object_type = "station"

    @extend_schema(summary="Let a token be listed again", responses={204: None, **refusals(404)})
    def delete(self, request: Request, identity: str, key: str) -> Response:
        """Put it on the station's local list again, if it may charge there; a sweep sends the difference."""
        self.note(identity, key=key)
        station = get_object_or_404(access.stations(self.principal), identity=identity)
        if not customer_information.list_again(station, key):
            raise Http404
        return Response(status=204)


def _row(principal: access.Principal, uid: str) -> CustomerRequest:
    return get_object_or_404(access.customer_requests(principal).select_related("station"), uid=uid)
