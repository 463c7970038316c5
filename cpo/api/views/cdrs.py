"""/cdrs/: what was charged and what it cost; as JSON and as CSV."""

from typing import Any, ClassVar

import django_filters
from django.db.models import F, QuerySet
from django.db.models.fields.json import KT
from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import Cdr
from billing.services import exports
from cpo import access, audit, streams
from cpo.api import filters
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import refusals
from cpo.api.serializers.cdrs import CdrDetailSerializer, CdrSerializer
from cpo.lib import clock
from cpo.models import AuditEvent


class CdrFilters(django_filters.FilterSet):
    """Query parameters of list and export that Python can name."""

    session = django_filters.CharFilter("session_uid", help_text="Id of the session.")
    station = django_filters.CharFilter("station_identity", help_text="Id of the station.")
    party = django_filters.CharFilter(help_text="'NL*ABC': the partner whose drivers charged.")
    is_credit = filters.Flag()


CdrFilter = type(
    "CdrFilter",
    (CdrFilters,),
    {
        "from": filters.Moment(
            "ended_at", "gte", help_text="Ended at this moment or later; a day begins at 00:00 UTC."
        ),
        "to": filters.Moment(
            "ended_at", "lt", ends=True, help_text="Ended before this moment; a day is included."
        ),
    },
)


def with_references(rows: QuerySet[Cdr]) -> QuerySet[Cdr]:
    """Read CDRs with what a line shows, in one query."""
    return rows.select_related("operator").annotate(
        credit_uid=F("credit_reference__uid"), token_uid=KT("token__uid"), tariff_uid=KT("tariff__id")
    )


class CdrList(ListEndpoint):
    """All CDRs in scope."""

    queryset = Cdr.objects.none()
    serializer_class = CdrSerializer
    filterset_class = CdrFilter

    def get_queryset(self) -> QuerySet[Cdr]:
        """Give the CDRs in scope, without the snapshots that only the detail shows."""
        heavy = ("location", "evse", "connector", "token", "tariff", "charging_periods", "explanation")
        return with_references(access.cdrs(self.principal)).defer(*heavy)

    @extend_schema(summary="List CDRs", responses={200: CdrSerializer(many=True), **refusals(400)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


class CdrDetail(Endpoint):
    """One CDR."""

    @extend_schema(summary="Show a CDR", responses={200: CdrDetailSerializer, **refusals(404)})
    def get(self, request: Request, uid: str) -> Response:
        """Show it with its snapshots and the explanation of its price."""
        ours = access.operators(access.NETWORK)  # the index begins with the operator
        rows = with_references(access.cdrs(self.principal)).filter(
            operator__in=list(ours.values_list("pk", flat=True))
        )
        return Response(CdrDetailSerializer(get_object_or_404(rows, uid=uid)).data)


class CdrExport(ListEndpoint):
    """CDRs as a file for spreadsheets."""

    actions: ClassVar = {"GET": "cdr.export"}
    queryset = Cdr.objects.none()
    serializer_class = CdrSerializer
    filterset_class = CdrFilter
    pagination_class = None

    def get_queryset(self) -> QuerySet[Cdr]:
        """Give the CDRs in scope."""
        return access.cdrs(self.principal)

    @extend_schema(
        summary="Export CDRs as CSV",
        parameters=[
            OpenApiParameter("separator", str, enum=[",", ";", "tab"], default=","),
            OpenApiParameter("decimal", str, enum=[".", ","], default="."),
            OpenApiParameter("time_zone", str, description="IANA name; left out: the zone of each location."),
            OpenApiParameter("bom", bool, description="true: for spreadsheets that do not expect UTF-8."),
            OpenApiParameter("footer", bool, description="true: a last line with count, sums and a digest."),
        ],
        responses={(200, "text/csv"): OpenApiTypes.STR, **refusals(400)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """Stream the oldest session end first; each export leaves an audit event."""
        rows, style = self.filter_queryset(self.get_queryset()), _style(request)
        audit.record(
            self.principal,
            "cdr.export",
            object_type="cdr",
            facts={key: value[:100] for key, value in request.query_params.items()},
            request=request._request,
            channel=AuditEvent.Channel.API,
        )
        return csv_response(request, rows, style)


def csv_response(request: Request, rows: QuerySet[Cdr], style: exports.CsvStyle) -> StreamingHttpResponse:
    """Stream the rows as a file."""
    name = f"cdrs-{clock.now():%Y%m%dT%H%M%SZ}.csv"
    blocks = exports.csv_blocks(rows, style=style)
    return streams.response(request._request, blocks, content_type="text/csv; charset=utf-8", filename=name)


def _style(request: Request) -> exports.CsvStyle:
    asked = request.query_params
    separator = asked.get("separator", ",")
    return exports.CsvStyle(
        separator="\t" if separator == "tab" else separator,
        decimal=asked.get("decimal", "."),
        time_zone=asked.get("time_zone", exports.SITE),
        bom=asked.get("bom", "").lower() in ("true", "1"),
        footer=asked.get("footer", "").lower() in ("true", "1"),
    )
