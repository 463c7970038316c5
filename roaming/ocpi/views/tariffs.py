"""Tariffs (OCPI 2.2.1 mod_tariffs#Sender Interface): those that apply at a published connector."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from roaming import documents
from roaming.ocpi.base import OcpiView
from roaming.ocpi.envelope import Missing, answer
from roaming.ocpi.paging import Window


class TariffsView(OcpiView):
    """GET the list."""

    module = "tariffs"

    def get(self, request: Request, **_names: Any) -> Response:
        window = Window.read(request.query_params)
        rows = self.visible.tariffs()
        if window.date_from is not None:
            rows = rows.filter(last_updated__gte=window.date_from)
        if window.date_to is not None:
            rows = rows.filter(last_updated__lt=window.date_to)
        page = self.page(rows, window)
        return answer(documents.tariffs(page.rows, self.version), headers=page.headers)


class TariffView(OcpiView):
    """GET one tariff."""

    module = "tariffs"

    def get(self, request: Request, uid: str, **_names: Any) -> Response:
        found = documents.tariffs(list(self.visible.tariffs().filter(uid__iexact=uid)[:1]), self.version)
        if not found:
            raise Missing(message="unknown tariff")
        return answer(found[0])
