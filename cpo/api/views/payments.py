"""/payments/: ad hoc payments, refunds, kiosks; and the QR codes of stations."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import Payment
from billing.services import payments, refunds
from cpo import access
from cpo.api.endpoint import Endpoint, ListEndpoint
from cpo.api.errors import refusals
from cpo.api.serializers import payments as forms
from cpo.api.views.energy_services import _OfStation
from cpo.api.views.reservations import evse_of
from cpo.lib import nudge
from cpo.pay import codes
from stations.models import WebPaymentCode
from stations.services import web_payment_codes

RELATED = ("station", "evse", "session", "cdr")


class PaymentFilter(django_filters.FilterSet):
    """Query parameters of the list."""

    station = django_filters.CharFilter("station__identity", help_text="Identity of the station.")
    state = django_filters.ChoiceFilter(choices=Payment.State.choices)
    source = django_filters.ChoiceFilter(choices=Payment.Source.choices)
    reference = django_filters.CharFilter("reference", help_text="The payment service's.")


class PaymentList(ListEndpoint):
    """Ad hoc payments that we settle."""

    actions: ClassVar = {"GET": "view", "POST": "payment.start"}
    object_type = "payment"
    queryset = Payment.objects.none()
    serializer_class = forms.PaymentSerializer
    filterset_class = PaymentFilter

    def get_queryset(self) -> QuerySet[Payment]:
        """Give the payments at stations in scope."""
        return access.payments(self.principal).select_related(*RELATED)

    @extend_schema(
        summary="List ad hoc payments", responses={200: forms.PaymentSerializer(many=True), **refusals(400)}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Charge for a payment that a kiosk had authorised",
        request=forms.PaymentWriteSerializer,
        responses={202: forms.PaymentSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer 202; the station is asked to start, and the total is captured when the bill is there.

        The same reference again is the same payment.
        """
        identity = request.data.get("station") if isinstance(request.data, dict) else None
        stations = access.stations(self.principal).select_related("location")
        station = get_object_or_404(stations, identity=str(identity or "").replace("\0", ""))
        body = forms.PaymentWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = dict(body.validated_data)
        del asked["station"]
        number = asked.pop("connector_id", None)
        evse = evse_of(station, number) if number else None
        made = payments.take_over(source=Payment.Source.KIOSK, station=station, evse=evse, **asked)
        self.note(made.uid, station=station.identity, reference=made.reference, amount=str(made.amount))
        nudge.task("billing.tasks.advance_payments", made.pk)
        return Response(forms.PaymentSerializer(made).data, status=202)


class _OfPayment(Endpoint):
    """What paths below a payment share."""

    object_type = "payment"

    def payment(self) -> Payment:
        """Return the payment in scope, or raise 404."""
        rows = access.payments(self.principal).select_related(*RELATED)
        found: Payment = get_object_or_404(rows, uid=self.kwargs["uid"])
        return found


class PaymentDetail(_OfPayment):
    """One payment."""

    @extend_schema(summary="Show a payment", responses={200: forms.PaymentSerializer, **refusals(404)})
    def get(self, request: Request, uid: str) -> Response:
        """Show what was authorised, captured and given back."""
        return Response(forms.PaymentSerializer(self.payment()).data)


class PaymentRefunds(_OfPayment):
    """Money given back."""

    actions: ClassVar = {"GET": "view", "POST": "payment.refund"}

    @extend_schema(
        summary="List the refunds of a payment",
        responses={200: forms.RefundSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, uid: str) -> Response:
        """Oldest first."""
        rows = self.payment().refunds.order_by("created_at")
        return Response(forms.RefundSerializer(rows, many=True).data)

    @extend_schema(
        summary="Give money back",
        request=forms.RefundWriteSerializer,
        responses={202: forms.RefundSerializer, **refusals(400, 404, 409)},
    )
    def post(self, request: Request, uid: str) -> Response:
        """Answer 202; 409 for more than is left of what was captured."""
        payment = self.payment()
        body = forms.RefundWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        made = refunds.ask(payment, asked["amount"], reason=asked["reason"], by=self.principal.name)
        self.note(uid, refund=made.uid, amount=str(made.amount), reason=made.reason)
        nudge.task("billing.tasks.work_refunds", made.pk)
        return Response(forms.RefundSerializer(made).data, status=202)


class StationPaymentCode(_OfStation):
    """The QR codes on a station's display."""

    actions: ClassVar = {"GET": "view", "PUT": "station.security"}

    @extend_schema(
        summary="Show what a station makes its QR codes of",
        responses={200: forms.WebPaymentCodeSerializer, **refusals(404)},
    )
    def get(self, request: Request, identity: str) -> Response:
        """Show it without the secret. 404 for a station that makes none."""
        row = get_object_or_404(WebPaymentCode, station=self.station())
        return Response(forms.WebPaymentCodeSerializer(row).data)

    @extend_schema(
        summary="Let a station show QR codes with one-time passwords",
        request=forms.WebPaymentCodeWriteSerializer,
        responses={202: forms.WebPaymentCodeSerializer, **refusals(400, 404, 409)},
    )
    def put(self, request: Request, identity: str) -> Response:
        """Give the station a new secret; the older one is good until it has the new one."""
        station = self.station()
        body = forms.WebPaymentCodeWriteSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        row = web_payment_codes.set_up(station, **body.validated_data, **self.who())
        self.note(identity, **body.validated_data)
        return Response(forms.WebPaymentCodeSerializer(row).data, status=202)


class StationStickers(_OfStation):
    """QR codes on stickers."""

    @extend_schema(
        summary="List the addresses in the QR codes on a station's stickers",
        responses={200: forms.StickerSerializer(many=True), **refusals(404)},
    )
    def get(self, request: Request, identity: str) -> Response:
        """Give one for each EVSE."""
        evses = self.station().evses.filter(is_removed=False).order_by("number")
        rows = [{"number": evse.number, "url": codes.sticker_url(evse)} for evse in evses]
        return Response(forms.StickerSerializer(rows, many=True).data)
