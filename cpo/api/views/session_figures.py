"""/sessions/…/correct, release, merge and signed values, /unmatched-stops/: the figures of a session put right."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.errors import BillingError, Held
from billing.services import cdrs
from billing.tariff.errors import TariffError
from cpo import access
from cpo.api import filters
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import Conflict, refusals
from cpo.api.serializers.sessions import (
    CorrectionSerializer,
    CorrectSerializer,
    MergeSerializer,
    SessionSerializer,
    SignedValueSerializer,
    UnmatchedStopSerializer,
)
from cpo.api.views.sessions import shown
from stations.models import ChargingSession, SessionCorrection, SignedReading, UnmatchedStop
from stations.services import corrections, signed_readings, unmatched

MANY = 50  # candidates shown


def _answer(pk: int) -> Response:
    return Response(SessionSerializer(shown(ChargingSession.objects.all()).get(pk=pk)).data)


class SessionCorrect(Endpoint):
    """The right energy of an ended session."""

    actions: ClassVar = {"POST": "session.correct"}
    object_type = "session"

    @extend_schema(
        summary="Correct a session's energy by hand",
        request=CorrectSerializer,
        responses={200: SessionSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Set the energy and bill it so: a CDR that exists is credited and written anew. 409 while it runs."""
        session = get_object_or_404(access.sessions(self.principal), uid=uid)
        body = CorrectSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        energy_wh, reason = body.validated_data["energy_wh"], body.validated_data["reason"]
        self.note(uid, energy_wh=f"{energy_wh:f}", before_wh=f"{session.energy_wh:f}", reason=reason)
        corrections.correct(session, energy_wh=energy_wh, reason=reason, by=self.principal.name)
        return _answer(session.pk)


class SessionRelease(Endpoint):
    """The bill of a session that is held."""

    actions: ClassVar = {"POST": "session.release"}
    object_type = "session"

    @extend_schema(
        summary="Bill a session that is held",
        request=None,
        responses={200: SessionSerializer, **refusals(404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Bill it as it stands, on the caller's word. 409 when it runs or has no price."""
        session = get_object_or_404(access.sessions(self.principal), uid=uid)
        self.note(uid, energy_wh=f"{session.energy_wh:f}")
        try:
            cdrs.release(session, by=self.principal.name)
        except (Held, BillingError, TariffError) as reason:
            raise Conflict(str(reason)) from reason
        return _answer(session.pk)


class SessionMerge(Endpoint):
    """The stop of a session that its charger named wrongly."""

    actions: ClassVar = {"POST": "session.correct"}
    object_type = "session"

    @extend_schema(
        summary="Say which stop ended a session",
        request=MergeSerializer,
        responses={200: SessionSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """End the session (or correct it) with the figures of an unmatched stop. 409 when it cannot be its end."""
        session = get_object_or_404(access.sessions(self.principal), uid=uid)
        body = MergeSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        stop = get_object_or_404(access.unmatched_stops(self.principal), pk=body.validated_data["stop"])
        self.note(uid, stop=stop.pk)
        unmatched.merge(stop, session, by=self.principal.name)
        return _answer(session.pk)


class SessionCorrections(ListEndpoint):
    """What was changed about a session after its end."""

    queryset = SessionCorrection.objects.none()
    serializer_class = CorrectionSerializer
    filter_backends = ()

    def get_queryset(self) -> QuerySet[SessionCorrection]:
        """Give the session's corrections."""
        session = get_object_or_404(access.sessions(self.principal), uid=self.kwargs["uid"])
        return SessionCorrection.objects.filter(session=session)

    @extend_schema(
        summary="List a session's corrections",
        responses={200: CorrectionSerializer(many=True), **refusals(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


class SessionSignedValues(ListEndpoint):
    """The signed meter values of a session."""

    queryset = SignedReading.objects.none()
    serializer_class = SignedValueSerializer
    filter_backends = ()

    def get_queryset(self) -> QuerySet[SignedReading]:
        """Give the session's signed values."""
        session = get_object_or_404(access.sessions(self.principal), uid=self.kwargs["uid"])
        return SignedReading.objects.filter(session=session)

    @extend_schema(
        summary="List a session's signed meter values",
        responses={200: SignedValueSerializer(many=True), **refusals(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first; each text is what the station sent, to the last character."""
        return super().get(request, *args, **kwargs)


class SessionSignedExport(Endpoint):
    """The signed meter values of a session as a file."""

    @extend_schema(
        summary="Export signed meter values for transparency software",
        responses={(200, "application/xml"): OpenApiTypes.STR, **refusals(404)},
    )
    def get(self, request: Request, uid: str) -> Any:
        """Give the XML container that the S.A.F.E. transparency software opens."""
        session = get_object_or_404(access.sessions(self.principal), uid=uid)
        return signed_file(session)


def signed_file(session: ChargingSession) -> HttpResponse:
    """Give a session's signed values as a download."""
    rows = signed_readings.of_session(session)
    response = HttpResponse(signed_readings.as_xml(rows), content_type="application/xml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="signed-{session.uid}.xml"'
    return response


class UnmatchedStopFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    station = django_filters.CharFilter("station__identity")
    open = filters.Flag("matched_at", "isnull", help_text="true: no session was found for it yet.")


class UnmatchedStopList(ListEndpoint):
    """Stops for transactions that nobody started."""

    queryset = UnmatchedStop.objects.none()
    serializer_class = UnmatchedStopSerializer
    filterset_class = UnmatchedStopFilter

    def get_queryset(self) -> QuerySet[UnmatchedStop]:
        """Give the stops in scope."""
        return access.unmatched_stops(self.principal).select_related("station", "session")

    @extend_schema(
        summary="List stops without a known transaction",
        responses={200: UnmatchedStopSerializer(many=True), **refusals(400)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


class ReviewItemCandidates(Endpoint):
    """The sessions that the stop of a review item may have ended."""

    @extend_schema(
        summary="List the sessions that an unmatched stop may have ended",
        responses={200: SessionSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, item_id: str) -> Response:
        """The latest start first; send one of them to `merge`."""
        item = get_object_or_404(access.review_items(self.principal), pk=int(item_id))
        stop = UnmatchedStop.objects.filter(item=item).first()
        rows = unmatched.candidates(stop) if stop else ChargingSession.objects.none()
        seen = access.sessions(self.principal).filter(pk__in=rows.values("pk")[:MANY])
        return Response(SessionSerializer(shown(seen).order_by("-started_at"), many=True).data)
