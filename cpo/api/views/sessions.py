"""/sessions/: what was charged, reading by reading."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

import django_filters
from django.db.models import OuterRef, QuerySet, Subquery
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import Cdr
from cpo import access
from cpo.api import filters
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import refusals
from cpo.api.serializers.sessions import CloseSerializer, MeterValueSerializer, SessionSerializer
from cpo.lib import clock
from stations.models import ChargingSession, MeterSample, ReadingKind
from stations.services import sessions


class SessionFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    station = django_filters.CharFilter("station__identity", help_text="Id of the station.")
    id_token = django_filters.CharFilter(
        method="by_id_token", help_text="As presented, or in one case of letters."
    )
    active = filters.Flag(method="by_active", help_text="true: not ended yet.")
    started_from = filters.Moment("started_at", "gte")
    started_to = filters.Moment("started_at", "lt", ends=True)
    needs_review = filters.Flag()

    def by_id_token(self, rows: QuerySet[Any], name: str, text: str) -> QuerySet[Any]:
        """Find a token as it was written, through the index."""
        return rows.filter(id_token__in={text, text.upper(), text.lower()})

    def by_active(self, rows: QuerySet[Any], name: str, active: bool) -> QuerySet[Any]:
        """Give running or ended sessions."""
        status = ChargingSession.Status
        return rows.filter(status=status.ACTIVE if active else status.ENDED)


def shown(rows: QuerySet[ChargingSession]) -> QuerySet[ChargingSession]:
    """Read sessions with what is shown of them, in one query."""
    newest = Cdr.objects.filter(session=OuterRef("pk")).order_by("-pk").values("uid")[:1]
    return rows.select_related("station", "evse").annotate(cdr_uid=Subquery(newest))


class SessionList(ListEndpoint):
    """All sessions in scope."""

    queryset = ChargingSession.objects.none()
    serializer_class = SessionSerializer
    filterset_class = SessionFilter

    def get_queryset(self) -> QuerySet[ChargingSession]:
        """Give the sessions in scope."""
        return shown(access.sessions(self.principal))

    @extend_schema(summary="List sessions", responses={200: SessionSerializer(many=True), **refusals(400)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first, in the order in which they were reported."""
        return super().get(request, *args, **kwargs)


class SessionDetail(Endpoint):
    """One session."""

    @extend_schema(summary="Show a session", responses={200: SessionSerializer, **refusals(404)})
    def get(self, request: Request, uid: str) -> Response:
        """Show it as it is now."""
        session = get_object_or_404(shown(access.sessions(self.principal)), uid=uid)
        return Response(SessionSerializer(session).data)


class SessionMeterValues(ListEndpoint):
    """The readings of one session."""

    queryset = MeterSample.objects.none()
    serializer_class = MeterValueSerializer
    filter_backends = ()

    def get_queryset(self) -> QuerySet[MeterSample]:
        """Give the session's samples; the bounds spare the planner the other months."""
        session = get_object_or_404(access.sessions(self.principal), uid=self.kwargs["uid"])
        margin = timedelta(days=1)
        span = (session.started_at - margin, (session.ended_at or clock.now()) + margin)
        return MeterSample.objects.filter(session_id=session.pk, sampled_at__range=span)

    @extend_schema(
        summary="List a session's readings",
        responses={200: MeterValueSerializer(many=True), **refusals(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first; each in the base unit of its measurand (Wh, W, A, V, Percent)."""
        rows: Sequence[MeterSample] = self.paginate_queryset(self.get_queryset()) or []
        kinds = ReadingKind.objects.in_bulk({row.kind_id for row in rows})
        return self.get_paginated_response([_reading(row, kinds[row.kind_id]) for row in rows])


class SessionClose(Endpoint):
    """The end of a session whose station never said so."""

    actions: ClassVar = {"POST": "session.close"}
    object_type = "session"

    @extend_schema(
        summary="Close a session by hand",
        request=CloseSerializer,
        responses={200: SessionSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """End it with its last good reading, flagged as estimated. 409 when it has ended already."""
        body = CloseSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        reason = body.validated_data["reason"]
        session = get_object_or_404(access.sessions(self.principal), uid=uid)
        self.note(uid, reason=reason)
        sessions.close(session, reason=reason, by=self.principal.name)
        return Response(SessionSerializer(shown(ChargingSession.objects.all()).get(pk=session.pk)).data)


def _reading(sample: MeterSample, kind: ReadingKind) -> Any:
    return MeterValueSerializer(
        {
            "sampled_at": sample.sampled_at,
            "measurand": kind.measurand,
            "phase": kind.phase,
            "location": kind.location,
            "context": kind.context,
            "unit": kind.unit,
            "value": sample.value,
        }
    ).data
