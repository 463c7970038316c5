"""Sessions (OCPI 2.2.1 mod_sessions#Sender Interface): only those of the partner's own drivers."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from roaming import documents
from roaming.ocpi.base import OcpiView
from roaming.ocpi.envelope import INVALID, Missing, Refusal, answer
from roaming.ocpi.paging import Window
from stations.models import ChargingSession


class SessionsView(OcpiView):
    """GET the list; `date_from` is required."""

    module = "sessions"

    def get(self, request: Request, **_names: Any) -> Response:
        window = Window.read(request.query_params)
        if window.date_from is None:
            raise Refusal(INVALID, "date_from is required")
        rows = self.visible.sessions().filter(last_updated__gte=window.date_from)
        if window.date_to is not None:
            rows = rows.filter(last_updated__lt=window.date_to)
        page = self.page(rows, window)
        return answer(documents.sessions(page.rows, self.version), headers=page.headers)


class SessionView(OcpiView):
    """GET one session: not asked for by OCPI, but what a partner's support wants to see."""

    module = "sessions"

    def get(self, request: Request, uid: str, **_names: Any) -> Response:
        return answer(documents.sessions([self.session(uid)], self.version)[0])

    def session(self, uid: str) -> ChargingSession:
        found = self.visible.sessions().filter(uid=uid.lower()).first()
        if found is None:
            raise Missing(message="unknown session")
        return found


class ChargingPreferencesView(SessionView):
    """PUT charging preferences: no EVSE of ours has the capability, which is HTTP 404 with 2001."""

    http_method_names = ["put"]

    def put(self, request: Request, uid: str, **_names: Any) -> Response:
        self.session(uid)
        raise Missing(INVALID, "the EVSE is not CHARGING_PREFERENCES_CAPABLE")
