"""/stations/{id}/logs/ and /logs/: ask stations for their logs, and fetch what they uploaded."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access, audit
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import OFFLINE_EXAMPLE, refusals
from cpo.api.serializers.logs import LogRequestSerializer, LogUploadSerializer
from cpo.files import attachment
from cpo.models import AuditEvent
from stations.models import LogUpload
from stations.services import diagnostics


class LogFilter(django_filters.FilterSet):
    """Query parameters of the lists."""

    station = django_filters.CharFilter("station__identity", help_text="Identity of the station.")
    kind = django_filters.ChoiceFilter(choices=LogUpload.Kind.choices)
    state = django_filters.ChoiceFilter(choices=LogUpload.State.choices)


class LogList(ListEndpoint):
    """All logs in scope."""

    actions: ClassVar = {"GET": "log.view"}
    queryset = LogUpload.objects.none()
    serializer_class = LogUploadSerializer
    filterset_class = LogFilter

    def get_queryset(self) -> QuerySet[LogUpload]:
        """Give the logs of stations in scope."""
        rows = access.log_uploads(self.principal)
        return rows.select_related("station", "file").prefetch_related("history")

    @extend_schema(summary="List logs", responses={200: LogUploadSerializer(many=True), **refusals(400)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)


class StationLogs(LogList):
    """The logs of one station."""

    actions: ClassVar = {"GET": "log.view", "POST": "log.request"}
    object_type = "station"

    def get_queryset(self) -> QuerySet[LogUpload]:
        """Give the station's logs; 404 when it is out of scope."""
        get_object_or_404(access.stations(self.principal), identity=self.kwargs["identity"])
        return super().get_queryset().filter(station__identity=self.kwargs["identity"])

    @extend_schema(
        summary="List a station's logs",
        responses={200: LogUploadSerializer(many=True), **refusals(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Ask a station for a log",
        request=LogRequestSerializer,
        responses={202: LogUploadSerializer, **refusals(400, 404, 409)},
        examples=[
            OpenApiExample("diagnostics", value={"kind": "DiagnosticsLog"}, request_only=True),
            OFFLINE_EXAMPLE,
        ],
    )
    def post(self, request: Request, identity: str) -> Response:
        """Ask and answer 202; look at it again under /logs/{id}/ until there is a file."""
        self.note(identity)
        station = get_object_or_404(access.stations(self.principal), identity=identity)
        body = LogRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = dict(body.validated_data)
        upload = diagnostics.request(
            station,
            requested_by=self.principal.name,
            user=self.principal.user,
            queue_offline=asked.pop("queue"),
            **asked,
        )
        self.note(identity, kind=upload.kind, id=upload.uid)
        return Response(LogUploadSerializer(upload).data, status=202)


class LogDetail(Endpoint):
    """One log."""

    actions: ClassVar = {"GET": "log.view"}

    @extend_schema(summary="Show a log", responses={200: LogUploadSerializer, **refusals(404)})
    def get(self, request: Request, uid: str) -> Response:
        """Show what became of it."""
        upload = get_object_or_404(access.log_uploads(self.principal).select_related("station"), uid=uid)
        return Response(LogUploadSerializer(upload).data)


class LogCancel(Endpoint):
    """The end of a request for a log."""

    actions: ClassVar = {"POST": "log.request"}
    object_type = "log"

    @extend_schema(
        summary="Expect a log no longer",
        request=None,
        responses={200: LogUploadSerializer, **refusals(404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Take the request back if it was not sent, and its link in any case; 409 when it has ended."""
        upload = get_object_or_404(access.log_uploads(self.principal), uid=uid)
        diagnostics.cancel(upload, by=self.principal.name)
        upload = access.log_uploads(self.principal).select_related("station").get(pk=upload.pk)
        return Response(LogUploadSerializer(upload).data)


class LogFile(Endpoint):
    """The file of a log."""

    actions: ClassVar = {"GET": "log.view"}

    @extend_schema(
        summary="Fetch the file of a log",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, **refusals(404)},
    )
    def get(self, request: Request, uid: str) -> Any:
        """Send it as it came, never unpacked; 404 when there is none. Each fetch leaves an audit event."""
        rows = access.log_uploads(self.principal).select_related("file")
        upload = get_object_or_404(rows, uid=uid)
        if upload.file is None:
            raise Http404
        audit.record(
            self.principal,
            "log.view",
            object_type="log",
            object_id=uid,
            request=request._request,
            channel=AuditEvent.Channel.API,
        )
        return attachment.response(request._request, upload.file)
