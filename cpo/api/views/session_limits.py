"""/sessions/{id}/limits/: how much, how long, for how much money, how full."""

from typing import ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cpo import access
from cpo.api.endpoint import Endpoint
from cpo.api.errors import refusals
from cpo.api.serializers.session_limits import SessionLimitSerializer, SessionLimitWriteSerializer
from stations.models import SessionLimit
from stations.services import limits


class SessionLimits(Endpoint):
    """What a session may come to."""

    actions: ClassVar = {"GET": "view", "PUT": "command.safe"}
    object_type = "session"

    @extend_schema(
        summary="Show the limits of a session", responses={200: SessionLimitSerializer, **refusals(404)}
    )
    def get(self, request: Request, uid: str) -> Response:
        """Give them, with what the station says of them and which was reached. 404 for a session without limits."""
        session = get_object_or_404(access.sessions(self.principal), uid=uid)
        return Response(SessionLimitSerializer(get_object_or_404(SessionLimit, session=session)).data)

    @extend_schema(
        summary="Limit a running session",
        request=SessionLimitWriteSerializer,
        responses={200: SessionLimitSerializer, **refusals(400, 404, 409)},
    )
    def put(self, request: Request, uid: str) -> Response:
        """Set all its limits. A station that can keeps them itself, else it is stopped. 409 when it has ended."""
        session = get_object_or_404(access.sessions(self.principal), uid=uid)
        body = SessionLimitWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        row = limits.put(session, **body.validated_data, by=self.principal.name)
        self.note(uid, **{name: str(value) for name, value in body.validated_data.items()})
        return Response(SessionLimitSerializer(row).data)
