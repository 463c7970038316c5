"""What every endpoint shares: exact JSON, one error shape, permissions by action, and an audit event per change."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db import transaction
from rest_framework.generics import GenericAPIView
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cpo import audit
from cpo.access import Principal
from cpo.api import errors
from cpo.api.authentication import TokenAuthentication
from cpo.api.exact_json import ExactJSONParser, ExactJSONRenderer
from cpo.api.permissions import RolePermission
from cpo.models import AuditEvent


class JsonAlways(BaseContentNegotiation):
    """Answers JSON whatever the caller accepts: an error must be readable by who asked for a CSV file."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Take the body as JSON."""
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        """Give the only renderer."""
        return renderers[0], renderers[0].media_type


class Endpoint(APIView):
    """One path. `actions` names the permission of each method; a change and its audit event commit together.

    `is_atomic` is False where the change speaks to the network; then the event is written after it.
    """

    authentication_classes: Any = (TokenAuthentication,)
    permission_classes: Any = (RolePermission,)
    renderer_classes = (ExactJSONRenderer,)
    parser_classes = (ExactJSONParser,)
    content_negotiation_class = JsonAlways
    actions: ClassVar[dict[str, str]] = {"GET": "view"}
    object_type = ""
    is_atomic = True

    _noted: tuple[object, dict[str, Any]] | None = None
    _is_recorded = False

    @property
    def principal(self) -> Principal:
        """Who calls; only after the permission check."""
        principal = self.request.auth
        assert isinstance(principal, Principal)
        return principal

    def note(self, object_id: object, **facts: Any) -> None:
        """Say what the audit event of this request is about; `facts` must hold no secret."""
        self._noted = (object_id, facts)

    def after_commit(self, response: Response) -> Response:
        """Return the answer to a change that has committed; a place to wait for its effect."""
        return response

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        """Use the API's own error shape."""
        return errors.handle

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the caller, then let the handler of a change run inside its record."""
        super().initial(request, *args, **kwargs)
        name = (request.method or "").lower()
        handler = getattr(self, name, None)
        if request.method not in SAFE_METHODS and handler is not None:
            setattr(
                self, name, self._recording(handler)
            )  # DRF looks the handler up on the instance after this

    def _recording(self, handler: Callable[..., Response]) -> Callable[..., Response]:
        def record_and_answer(request: Request, *args: Any, **kwargs: Any) -> Response:
            if not self.is_atomic:
                response = handler(request, *args, **kwargs)
                self._record(response.status_code)
                return response
            with transaction.atomic():
                response = handler(request, *args, **kwargs)
                self._record(response.status_code)
            return self.after_commit(response)

        return record_and_answer

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Record a change that was refused: its own transaction is gone."""
        known = isinstance(getattr(request, "auth", None), Principal)
        if known and request.method not in SAFE_METHODS and not self._is_recorded:
            self._record(response.status_code)
        return super().finalize_response(request, response, *args, **kwargs)

    def _record(self, outcome: int) -> None:
        object_id, facts = self._noted or (next(iter(self.kwargs.values()), ""), {})
        method = self.request.method or ""
        audit.record(
            self.principal,
            self.actions.get(method, method.lower()),
            object_type=self.object_type,
            object_id=object_id,
            facts=facts,
            request=self.request._request,
            channel=AuditEvent.Channel.API,
            outcome=outcome,
        )
        self._is_recorded = True


class ListEndpoint(Endpoint, GenericAPIView[Any]):
    """A path with a list, newest first."""

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer one page."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)
