"""The pages behind a QR code. They work without JavaScript; a link nobody can guess stands for the driver."""

import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.models import Payment
from billing.psp import BadSignature, NoProvider
from billing.services import costs, notices, receipts, web_payments
from billing.services.web_payments import Limits, NotPayable
from cpo import audit
from cpo.lib import nudge
from cpo.pay import prices
from cpo.pay.forms import ChoiceForm, scanned
from cpo.pay.pace import pace
from stations.models import ChargingSession, Evse, Settlement
from stations.services import web_payment_codes
from stations.services.web_payment_codes import CodeRefused

View = Callable[..., HttpResponseBase]
SALT = "cpo.pay.ticket"
MAX_NOTICE = 256 * 1024  # bytes
State = Payment.State
REFRESH_S = {State.OPENED: 5, State.AUTHORISED: 2, State.STARTING: 3, State.CHARGING: 8, State.CAPTURING: 4,
             State.CANCELLING: 5}  # fmt: skip


def public(view: View) -> View:
    """Serve anybody, at a bounded pace; keep the answer out of caches and search engines."""

    @csrf_exempt  # no cookie means anything here, so no other page can use one
    @wraps(view)
    def served(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if pace.is_over("page", audit.address(request), settings.PAYMENT_PAGES_PER_MINUTE):
            return _say(request, _("Too many requests. Please wait a minute."), status=429)
        if any(
            "\0" in str(value) for value in [*kwargs.values(), *request.POST.values(), *request.GET.values()]
        ):
            raise Http404
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        response["X-Robots-Tag"] = "noindex"
        return response

    return served


@public
@require_http_methods(["GET", "HEAD", "POST"])
def sticker(request: HttpRequest, uid: str) -> HttpResponse:
    """Pay at the EVSE of a code on a sticker; not where the display shows codes that nobody can stick over."""
    evse = get_object_or_404(Evse.objects.select_related("station__location"), uid=uid, is_removed=False)
    if web_payment_codes.is_dynamic(evse.station):
        return _say(request, _("Please scan the code on the display of the charger."), status=403)
    return _choose(request, evse, source=Payment.Source.STATIC, address=f"{evse.station_id}/{evse.number}")


@public
@require_http_methods(["GET", "HEAD", "POST"])
def display(request: HttpRequest, identity: str, number: int, totp: str, version: str) -> HttpResponse:
    """Pay at the EVSE of a code on a display, if its one-time password is good (C25.FR.07 to FR.09)."""
    evses = Evse.objects.select_related("station__location").filter(is_removed=False)
    evse = evses.filter(station__identity=identity, number=number).first()
    address = f"{identity}/{number}"
    if evse is not None and request.method == "POST" and _ticket(request, address):
        return _choose(request, evse, source=Payment.Source.DYNAMIC, address=address)
    try:
        if evse is None:
            raise CodeRefused("there is no such charger")
        name = web_payment_codes.check(evse.station, totp, version=version)
    except CodeRefused:
        return _say(
            request, _("This code is no longer good. Please scan the code on the charger again."), status=403
        )
    ticket = signing.dumps([address, f"{name}/{number}", secrets.token_hex(16)], salt=SALT, compress=True)
    return _choose(request, evse, source=Payment.Source.DYNAMIC, address=address, ticket=ticket)


def _choose(request: HttpRequest, evse: Evse, *, source: str, address: str, ticket: str = "") -> HttpResponse:
    """Show the price and what can be chosen; with a POST, open the payment and go on to it."""
    given = _ticket(request, address)
    try:
        if given is None:  # somebody who comes back to what he has opened finds it below
            web_payments.check(evse)
        version = web_payments.version_at(evse)
        if version is None:
            raise NotPayable(_("This charger has no price for charging without a contract."))
        most = web_payments.most(version)
        if request.method != "POST":
            form = ChoiceForm(initial=scanned(request.GET) | {"ticket": ticket}, most=most)
            return _page(request, evse, form, version)
        form = ChoiceForm(request.POST, most=most)
        if source == Payment.Source.DYNAMIC and given is None:
            return _say(
                request, _("That took too long. Please scan the code on the charger again."), status=403
            )
        if not form.is_valid():
            return _page(request, evse, form, version, status=422)
        if pace.is_over("checkout", audit.address(request), settings.PAYMENT_CHECKOUTS_PER_MINUTE):
            return _say(request, _("Too many requests. Please wait a minute."), status=429)
        password, nonce = given or (None, "")
        payment = web_payments.start(
            evse,
            source=source,
            limits=_within(form.limits(), most),
            return_url=_absolute,
            ticket=password,
            nonce=nonce,
            email=form.cleaned_data["email"] if settings.EMAIL_URL else "",
        )
    except NotPayable as error:
        return _say(request, str(error), status=409, evse=evse)
    return redirect(f"{reverse('pay-status', args=[payment.link])}?go", permanent=False)


@public
@require_safe
def status(request: HttpRequest, link: str) -> HttpResponse:
    """Show how a payment and its session stand; the page asks again by itself."""
    payment = _payment(link)
    state = State(payment.state)
    session = payment.session
    is_running = session is not None and session.status == ChargingSession.Status.ACTIVE
    if state == State.OPENED:  # the driver comes back: look at once, the notice may be late
        nudge.task("billing.tasks.look_at_payments", payment.pk)
    context = {
        "payment": payment,
        "state": state.value,
        "evse": payment.evse,
        "station": payment.station,
        "session": session,
        "is_running": is_running,
        "cost": costs.running_cost(session) if session is not None and is_running else None,
        "receipt": receipts.of_payment(payment),
        "go": state == State.OPENED and "go" in request.GET,
        "refresh_s": REFRESH_S.get(state),
        "mail": bool(settings.EMAIL_URL) and payment.mailed_at is None and not payment.email,
    }
    return render(request, "pay/status.html", context)


@public
@require_POST
def stop(request: HttpRequest, link: str) -> HttpResponse:
    """Stop charging."""
    payment = _payment(link)
    if not web_payments.stop(payment):
        return _say(
            request, _("This cannot be stopped from here now. Please stop at the car or the charger."), 409
        )
    return redirect("pay-status", link)


@public
@require_POST
def mail(request: HttpRequest, link: str) -> HttpResponse:
    """Send the receipt to an address; the sweep does it once the money is taken."""
    payment = _payment(link)
    form = ChoiceForm({"limit": "full", "email": request.POST.get("email", "")})
    if not settings.EMAIL_URL or not form.is_valid() or not form.cleaned_data["email"]:
        return _say(request, _("That is no mail address."), status=422)
    Payment.objects.filter(pk=payment.pk, mailed_at=None).update(email=form.cleaned_data["email"])
    return redirect("pay-status", link)


@public
@require_safe
def receipt(request: HttpRequest, link: str) -> HttpResponse:
    """Show the receipt of a payment, ready to be printed."""
    found = receipts.of_payment(_payment(link))
    if found is None:
        raise Http404
    return render(request, "pay/receipt.html", {"receipt": found})


@public
@require_safe
def terminal_receipt(request: HttpRequest, uid: str) -> HttpResponse:
    """Show our receipt of what a terminal settled (C21.FR.03)."""
    rows = Settlement.objects.select_related("station", "session")
    found = receipts.of_settlement(get_object_or_404(rows, uid=uid))
    if found is None:
        return _say(
            request, _("This receipt is not ready yet. Please come back in some minutes."), status=404
        )
    return render(request, "pay/receipt.html", {"receipt": found})


@csrf_exempt
@require_POST
def notice(request: HttpRequest, provider: str) -> HttpResponse:
    """Take a signed notice of the payment service; a bad one is told apart from one that came before."""
    if int(request.headers.get("Content-Length") or 0) > MAX_NOTICE:
        return HttpResponse(status=413)
    try:
        ids = notices.take(provider, request.headers, request.body)
    except NoProvider:
        return HttpResponse(status=404)
    except BadSignature:
        return HttpResponse(status=400)
    for payment_id in ids:
        nudge.task("billing.tasks.advance_payments", payment_id)
    return HttpResponse(status=204)


def _page(
    request: HttpRequest, evse: Evse, form: ChoiceForm, version: Any, status: int = 200
) -> HttpResponse:
    context = {
        "evse": evse, "station": evse.station, "form": form, "prices": prices.read(version.data),
        "currency": version.tariff.currency, "most": form.most, "can_mail": bool(settings.EMAIL_URL),
    }  # fmt: skip
    return render(request, "pay/choose.html", context, status=status)


def _say(request: HttpRequest, text: str, status: int = 200, evse: Evse | None = None) -> HttpResponse:
    return render(request, "pay/say.html", {"text": text, "evse": evse}, status=status)


def _payment(link: str) -> Payment:
    rows = Payment.objects.select_related("station__location", "evse", "session__station", "cdr__operator")
    found: Payment = get_object_or_404(rows, link=link)
    return found


def _ticket(request: HttpRequest, address: str) -> tuple[str, str] | None:
    """Read the ticket of a form that was made for a code that was good: the password's name and the page's own mark."""
    try:
        told = signing.loads(request.POST.get("ticket", ""), salt=SALT, max_age=settings.PAYMENT_TICKET_S)
    except signing.BadSignature:
        return None
    return (str(told[1]), str(told[2])) if told[0] == address else None


def _within(limits: Limits, most: Any) -> Limits:
    return limits if limits.max_cost is None else limits._replace(max_cost=min(limits.max_cost, most))


def _absolute(link: str) -> str:
    return f"{settings.PUBLIC_URL}{reverse('pay-status', args=[link])}"
