"""Credentials (OCPI 2.2.1 credentials): the exchange of tokens, we as receiver."""

from collections.abc import Callable
from typing import Any

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response

from roaming import client, registration
from roaming.ocpi.base import OcpiView
from roaming.ocpi.envelope import Refusal, answer


class CredentialsView(OcpiView):
    """GET, POST, PUT, DELETE credentials; POST only before, PUT and DELETE only after registration."""

    module = "credentials"
    is_functional = False

    @property
    def allowed_methods(self) -> list[str]:
        """Return what fits the state of the registration, for the Allow header of a 405."""
        connection = getattr(self.request, "_user", None)
        is_registered = connection is not None and connection.is_registered
        return ["GET", "PUT", "DELETE"] if is_registered else ["GET", "POST"]

    def get(self, request: Request, **_names: Any) -> Response:
        return self._ours(client.shown_token(request.headers["Authorization"], self.inbound.encoding))

    def post(self, request: Request, **_names: Any) -> Response:
        credentials = self.read(self.version.credentials)
        token = self._do(
            lambda: registration.accept(
                self.connection, credentials, version=self.version, shown=self.inbound
            )
        )
        return self._ours(token)

    def put(self, request: Request, **_names: Any) -> Response:
        if not self.connection.is_registered:
            raise MethodNotAllowed("PUT")
        credentials = self.read(self.version.credentials)
        return self._ours(
            self._do(lambda: registration.update(self.connection, credentials, version=self.version))
        )

    def delete(self, request: Request, **_names: Any) -> Response:
        if not self.connection.is_registered:
            raise MethodNotAllowed("DELETE")
        registration.end(self.connection)
        return answer()

    def _ours(self, token: str) -> Response:
        try:
            return answer(registration.own_credentials(self.version, token))
        except registration.HandshakeFailed as error:
            raise Refusal(error.code, error.message) from error

    def _do(self, act: Callable[[], str]) -> str:
        try:
            return act()
        except (registration.AlreadyRegistered, registration.NotRegistered) as error:
            self.connection.refresh_from_db(fields=["status"])
            raise MethodNotAllowed(str(self.request.method)) from error
        except registration.HandshakeFailed as error:
            if isinstance(error, registration.PartyTaken):
                registration.report_conflict(error)
            raise Refusal(error.code, error.message) from error
