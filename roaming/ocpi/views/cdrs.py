"""CDRs (OCPI 2.2.1 mod_cdrs#Sender Interface): only those of the partner's own drivers."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import Cdr
from roaming import documents
from roaming.ocpi.base import OcpiView
from roaming.ocpi.envelope import Missing, answer
from roaming.ocpi.paging import Window
from stations.models import Operator

DISORDER = timedelta(minutes=10)  # a row with a smaller id may be this much younger: transactions overlap


class _Cdrs(OcpiView):
    module = "cdrs"

    def rows(self) -> QuerySet[Cdr]:
        """Return the partner's CDRs that his version has words for."""
        rows = self.visible.cdrs()
        return rows if self.version.has_credits else rows.filter(is_credit=False)


class CdrsView(_Cdrs):
    """GET the list, oldest first."""

    def get(self, request: Request, **_names: Any) -> Response:
        window = Window.read(request.query_params)
        rows = issued(self.rows(), window.date_from, window.date_to)
        page = self.page(rows, window, only_grows=True)
        return answer(documents.cdrs(page.rows, self.version), headers=page.headers)


class CdrView(_Cdrs):
    """GET one CDR."""

    def get(self, request: Request, uid: str, **_names: Any) -> Response:
        same = {uid, uid.lower(), uid[:-2].lower() + uid[-2:].upper()}  # a credit CDR ends in -C
        operators = list(Operator.objects.values_list("pk", flat=True))  # the index begins with them
        found = self.rows().filter(operator__in=operators, uid__in=same).first()
        if found is None:
            raise Missing(message="unknown CDR")
        return answer(documents.cdrs([found], self.version)[0])


def issued(rows: QuerySet[Cdr], date_from: datetime | None, date_to: datetime | None) -> QuerySet[Cdr]:
    """Keep CDRs created in the window. The bound on the id lets the index of the party skip older history."""
    if date_from is not None:
        oldest = Cdr.objects.filter(created_at__gte=date_from - DISORDER).order_by("created_at", "id")
        first = oldest.values_list("pk", flat=True).first()
        if first is None:
            return rows.none()
        ahead = Cdr.objects.filter(
            pk__lt=first, created_at__range=(date_from - DISORDER, date_from + DISORDER)
        )
        first = min([first, *ahead.order_by("pk").values_list("pk", flat=True)[:1]])
        rows = rows.filter(pk__gte=first, created_at__gte=date_from)
    return rows.filter(created_at__lt=date_to) if date_to is not None else rows
