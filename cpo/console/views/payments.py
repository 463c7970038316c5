"""Ad hoc payments: the list, one payment with its refunds, the codes of a station."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Payment
from billing.services import amounts, refunds
from cpo import access
from cpo.console import words
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from cpo.console.payment_tab import CodeForm
from cpo.console.views import stations as station_pages
from cpo.lib import nudge
from cpo.pay import codes
from stations.models import ReviewItem
from stations.services import web_payment_codes
from stations.services.errors import StationsError

RELATED = ("station__location", "evse", "session", "cdr", "command")


class RefundForm(forms.Form):
    """Money to give back."""

    amount = forms.DecimalField(
        label=gettext_lazy("Amount"), min_value=Decimal("0.01"), max_digits=12, decimal_places=4
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=255)


@page()
def payments(request: ConsoleRequest) -> HttpResponse:
    """List payments, the newest first."""
    return render(
        request,
        "console/payments.html",
        parts={"rows": Part("console/_payments.html", lambda: _rows(request))},
        filters=request.GET,
        states=[(value, words.PAYMENT[value].word) for value in Payment.State.values],
    )


def _rows(request: ConsoleRequest) -> dict[str, Any]:
    found = access.payments(request.principal).select_related(*RELATED)
    if request.GET.get("state"):
        found = found.filter(state=request.GET["state"])
    text = request.GET.get("q", "").strip()
    if text:
        found = found.filter(
            pk__in=[
                *found.filter(reference=text).values_list("pk", flat=True),
                *found.filter(uid=text).values_list("pk", flat=True),
                *found.filter(station__identity=text).values_list("pk", flat=True)[:1000],
            ]
        )
    return {"payments": page_of(found, by=("created_at", "id"), after=request.GET.get("after", ""))}


@page()
def payment(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Show one payment: what was authorised, captured and given back, and what is to be done about it."""
    rows = access.payments(request.principal)
    get_object_or_404(rows, uid=uid)

    def read() -> dict[str, Any]:
        found = rows.select_related(*RELATED).get(uid=uid)
        return {
            "payment": found,
            "refunds": found.refunds.order_by("created_at"),
            "notices": found.notices.order_by("received_at")[:50],
            "items": ReviewItem.objects.filter(key__startswith=f"payment:{uid}:").order_by("raised_at"),
            "left": amounts.payable(found.kept_amount, found.currency),
        }

    return render(
        request,
        "console/payment.html",
        parts={"facts": Part("console/_payment.html", read)},
        form=RefundForm(),
    )


@act("payment.refund")
def refund(request: ConsoleRequest, uid: str) -> HttpResponse:
    """Give money back; the payment service is asked by a worker."""
    found = get_object_or_404(access.payments(request.principal), uid=uid)
    request.audit_object = ("payment", uid)
    form = RefundForm(request.POST)
    if not form.is_valid():
        messages.error(request, "; ".join(str(text) for texts in form.errors.values() for text in texts))
        return redirect("payment", uid)
    data = form.cleaned_data
    try:
        with transaction.atomic():
            made = refunds.ask(found, data["amount"], reason=data["reason"], by=request.principal.name)
    except refunds.NotRefundable as error:
        messages.error(request, str(error))
        return redirect("payment", uid)
    request.audit_facts = {"refund": made.uid, "amount": str(made.amount), "reason": made.reason}
    transaction.on_commit(lambda: nudge.task("billing.tasks.work_refunds", made.pk))
    messages.success(request, _("The payment service is asked to give it back."))
    return redirect("payment", uid)


@act("station.security")
def set_up_codes(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Give a station a new secret for the QR codes on its display."""
    station = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    form = CodeForm(request.POST)
    if not form.is_valid():
        messages.error(request, "; ".join(str(text) for texts in form.errors.values() for text in texts))
        return redirect(f"/stations/{identity}/?tab=payment")
    try:
        with transaction.atomic():
            web_payment_codes.set_up(
                station,
                **form.cleaned_data,
                requested_by=request.principal.name,
                user=request.principal.user,
            )
    except StationsError as error:
        messages.error(request, str(error))
        return redirect(f"/stations/{identity}/?tab=payment")
    request.audit_facts = form.cleaned_data
    messages.success(request, _("The station is told; the codes on its display count as soon as it agrees."))
    return redirect(f"/stations/{identity}/?tab=payment")


@page()
def stickers(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Show the codes of a station large enough to be printed, one for each EVSE."""
    station = station_pages.find(request.principal, identity)
    evses = station.evses.filter(is_removed=False).order_by("number")
    rows = [(evse, url := codes.sticker_url(evse), codes.svg(url, scale=8)) for evse in evses]
    return render(request, "console/stickers.html", station=station, stickers=rows)
