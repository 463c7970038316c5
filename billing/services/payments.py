"""Ad hoc payments, step by step: authorised, started, charged, captured; or released (OCPP 2.1 C21, C24, C25).

Each step is one row update after one question to the provider, asked outside of any transaction. What is asked is
written down first and carries a key: after kill -9 the sweep asks again under the same key, and nothing is captured
twice or forgotten. What a payment cannot settle becomes a review item with the figures.
"""

import secrets
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from billing import psp
from billing.errors import BillingError
from billing.events import PaymentChanged
from billing.models import Cdr, Payment
from billing.psp import ProviderRefused, ProviderUnavailable, Standing
from billing.services import amounts
from cpo.lib import clock, events
from stations.models import ChargingSession, Command, DirectPayment, RemoteRequest, ReviewItem
from stations.services import direct_payments, remote, review
from stations.services.errors import StationsError

log = structlog.get_logger(__name__)
State, Source = Payment.State, Payment.Source
LEASE = timedelta(seconds=30)  # nobody else works on a payment meanwhile
LOOK_AGAIN = {State.OPENED: timedelta(seconds=10), State.STARTING: timedelta(seconds=5)}
WAIT = timedelta(seconds=60)  # for a session's end and its CDR, which wake the payment by themselves
LONGEST_RETRY_S = 3600
WORRY_AFTER = 4  # tries in vain that an operator is told of
TOKEN_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # noqa: S105 - an alphabet
AT_ONCE = 200


class PaymentTaken(BillingError):
    """The payment service's reference is known already, for another station."""


def advance(ids: Iterable[int]) -> int:
    """Bring these payments as far as they can be brought now; return how many were looked at."""
    return sum(_advance(pk) for pk in ids)


def due() -> list[int]:
    """Return the payments on which something is to be done."""
    return list(Payment.objects.due(clock.now()).values_list("pk", flat=True)[:AT_ONCE])


def wake(*, session_ids: Iterable[int]) -> list[int]:
    """Let payments of these sessions be looked at now, and return their ids."""
    return _wake(Payment.objects.filter(session__in=list(session_ids), state__in=Payment.OPEN))


def wake_station(station_id: int) -> list[int]:
    """Let payments be looked at that wait for a station to start."""
    return _wake(Payment.objects.filter(station=station_id, state=State.STARTING))


def wake_these(ids: Iterable[int]) -> list[int]:
    """Let these payments be looked at now."""
    return _wake(Payment.objects.filter(pk__in=list(ids), state__in=Payment.OPEN))


def _wake(rows: Any) -> list[int]:
    ids = list(rows.values_list("pk", flat=True)[:AT_ONCE])
    if ids:
        Payment.objects.filter(pk__in=ids).update(next_try_at=clock.now())
    return ids


def postpone(payment_id: int, error: Exception) -> None:
    """Note a payment whose step broke in a way nobody foresaw; it is tried again, and an operator is told."""
    payment = Payment.objects.select_related("station").get(pk=payment_id)
    _retry(payment, f"{type(error).__name__}")


def _advance(pk: int) -> bool:
    """Take one payment for a while and make its next steps, until one has to wait."""
    for _ in range(len(State)):
        payment = _claim(pk)
        if payment is None:
            return False
        state = payment.state
        try:
            STEPS[State(state)](payment)
        except ProviderUnavailable as error:
            _retry(payment, str(error))
            return True
        payment.refresh_from_db(fields=["state", "next_try_at"])
        if payment.state == state or payment.state not in Payment.OPEN:
            return True
    return True


@transaction.atomic
def _claim(pk: int) -> Payment | None:
    """Take a payment that is due, so that nobody else works on it for `LEASE`."""
    now = clock.now()
    rows = Payment.objects.select_for_update(of=("self",), skip_locked=True)
    payment = rows.select_related("station", "evse", "session", "command").filter(pk=pk).first()
    if payment is None or payment.state not in Payment.OPEN:
        return None
    if payment.next_try_at is None or payment.next_try_at > now:
        return None
    payment.next_try_at = now + LEASE
    payment.save(update_fields=["next_try_at"])
    return payment


# --- the steps


def _opened(payment: Payment) -> None:
    """Ask whether the driver has authorised the amount yet."""
    too_late = clock.now() - payment.created_at > timedelta(seconds=settings.PAYMENT_OPEN_S)
    if not payment.reference:  # the page was never shown, so nobody can have paid
        if too_late:
            _cancelled(payment, "not_opened")
        else:
            _wait(payment)
        return
    standing = psp.provider().look(payment.reference)
    if standing.status == "authorised":
        authorised(payment, standing)
    elif standing.status == "cancelled":
        _cancelled(payment, "not_paid")
    elif standing.status == "captured":
        _fail(payment, "captured_early", f"the payment service took {standing.captured} by itself")
    elif too_late:
        _cancel(payment, "too_late")
    else:
        _wait(payment)


def authorised(payment: Payment, standing: Standing) -> None:
    """Note what the driver authorised; release it if it is not what we asked for."""
    fields: dict[str, Any] = {
        "authorised_amount": standing.authorised,
        "authorised_at": clock.now(),
        "details": payment.details | standing.details,
    }
    if standing.currency not in ("", payment.currency):
        _to(payment, State.CANCELLING, reason="wrong_currency", **fields)
    elif standing.authorised < payment.amount:
        _to(payment, State.CANCELLING, reason="too_little", **fields)
    else:
        _to(payment, State.AUTHORISED, **fields)


def _authorised(payment: Payment) -> None:
    """Ask the station to start (C24.FR.01, C25.FR.23): the row and the command in one transaction."""
    is_spoken = direct_payments.is_spoken(payment.station)
    id_token = payment.reference if is_spoken else payment.id_token or new_token()
    kind = direct_payments.TYPE if is_spoken else "Central"
    most = min(
        payment.max_cost or payment.authorised_amount or Decimal(0), payment.authorised_amount or Decimal(0)
    )
    try:
        with transaction.atomic():
            direct_payments.expect(
                payment.station,
                id_token,
                reference=payment.uid,
                details=payment.details,
                authorized_amount=payment.authorised_amount,
                max_energy_wh=payment.max_energy_wh,
                max_time_s=payment.max_time_s,
                max_cost=most or None,
            )
            command = remote.start(
                payment.station,
                id_token=id_token,
                id_token_type=kind,
                evse=payment.evse,
                requested_by=f"payment:{payment.uid}",
                subject=f"payment:{payment.pk}",
            )
            _to(payment, State.STARTING, id_token=id_token, command=command)
    except StationsError as error:
        log.info("paid, but not started", payment=payment.uid, why=type(error).__name__)
        _cancel(payment, "station_offline", id_token=id_token)


def _starting(payment: Payment) -> None:
    """Wait for the session, or for the reason why there will be none."""
    session = _session(payment)
    if session is not None:
        with transaction.atomic():
            direct_payments.presented(session, payment.id_token)
            _to(payment, State.CHARGING, session=session)
        return
    reason = _not_started(payment)
    if reason:
        _cancel(payment, reason)
    else:
        _wait(payment)


def _charging(payment: Payment) -> None:
    """Wait for the CDR, then decide what is captured: exactly its total, never more than was authorised."""
    session = payment.session
    if session is None:
        _fail(payment, "session_gone", "its session is gone")
        return
    if session.status != ChargingSession.Status.ENDED:
        _wait(payment)
        return
    cdr = standing_cdr(session)
    if cdr is None:
        if session.authorization_status != "Accepted" and not session.energy_wh:
            _cancel(payment, "not_charged")
        elif Cdr.objects.filter(session=session).exists():
            _cancel(payment, "credited")
        else:
            _wait(payment)
        return
    if cdr.currency != payment.currency:
        _fail(payment, "wrong_currency", f"the bill is in {cdr.currency}, the payment in {payment.currency}")
        return
    total, most = amounts.of_cdr(cdr), payment.authorised_amount or Decimal(0)
    if total <= 0:
        _cancel(payment, "nothing_to_pay", cdr=cdr)
        return
    if total > most:
        _worry(
            payment,
            "short",
            f"{total} {payment.currency} to pay, only {amounts.payable(most, payment.currency)} were authorised",
            total=total,
            captured=most,
        )
    _to(payment, State.CAPTURING, capture_amount=min(total, most), cdr=cdr)


def _capturing(payment: Payment) -> None:
    """Capture what was decided, under the one key of this payment."""
    amount = amounts.payable(payment.capture_amount or Decimal(0), payment.currency)
    try:
        taken = psp.provider().capture(
            payment.reference, amount=amount, currency=payment.currency, key=f"{payment.uid}-capture"
        )
    except ProviderRefused as error:
        standing = psp.provider().look(payment.reference)  # it may have been done long ago
        if standing.status != "captured":
            _fail(payment, "capture_refused", f"{amount} {payment.currency} not captured: {error}")
            return
        taken = standing.captured
    if taken != amount:
        _worry(
            payment,
            "captured otherwise",
            f"{amount} {payment.currency} to capture, {taken} were captured",
            total=amount,
            captured=taken,
        )
    taken = min(taken, payment.authorised_amount or taken)
    _to(payment, State.CAPTURED, captured_amount=taken, settled_at=clock.now())


def _cancelling(payment: Payment) -> None:
    """Release what was authorised."""
    if payment.reference:
        try:
            psp.provider().cancel(payment.reference, key=f"{payment.uid}-cancel")
        except ProviderRefused as error:
            standing = psp.provider().look(payment.reference)
            if standing.status != "cancelled":
                _fail(payment, "cancel_refused", f"not released: {error}")
                return
    _cancelled(payment, payment.reason)


STEPS: dict[Payment.State, Callable[[Payment], None]] = {
    State.OPENED: _opened,
    State.AUTHORISED: _authorised,
    State.STARTING: _starting,
    State.CHARGING: _charging,
    State.CAPTURING: _capturing,
    State.CANCELLING: _cancelling,
}


# --- what they share


def standing_cdr(session: ChargingSession) -> Cdr | None:
    """Return the CDR of a session that stands: the newest one, unless it was credited."""
    newest = Cdr.objects.newest_of([session.pk]).get(session.pk)
    return None if newest is None or getattr(newest, "credit", None) is not None else newest


def new_token() -> str:
    """Return a token that nobody can guess and that every version can say: 20 characters."""
    return direct_payments.PREFIX + "".join(secrets.choice(TOKEN_LETTERS) for _ in range(17))


def _session(payment: Payment) -> ChargingSession | None:
    """Find the session that the payment brought about: the station names its token, or the request's own watch does."""
    shown = DirectPayment.objects.filter(station=payment.station_id, id_token=payment.id_token)
    found = shown.exclude(session=None).select_related("session").first()
    if found is not None:
        return found.session
    asked = RemoteRequest.objects.filter(command=payment.command_id, session__isnull=False)
    request = asked.select_related("session").first()
    if request is not None and request.state == RemoteRequest.State.SUCCEEDED:
        return request.session
    rows = ChargingSession.objects.filter(
        station=payment.station_id, id_token__in={payment.id_token, payment.id_token.lower()},
        authorization_status="Accepted",
    )  # fmt: skip
    return rows.order_by("pk").first()


def _not_started(payment: Payment) -> str:
    """Say why no session will come; '' while one may."""
    request = RemoteRequest.objects.filter(command=payment.command_id).first()
    if request is not None and request.state in (RemoteRequest.State.REFUSED, RemoteRequest.State.FAILED):
        return request.reason or "refused"
    if payment.command is None or payment.command.status in (
        Command.Status.EXPIRED,
        Command.Status.CANCELLED,
    ):
        return "never_sent"
    waited = clock.now() - (payment.authorised_at or payment.created_at)
    is_late = waited > timedelta(seconds=settings.PAYMENT_START_S)
    return "no_answer" if is_late and not (request and request.state == RemoteRequest.State.ACCEPTED) else ""


def _wait(payment: Payment) -> None:
    at = clock.now() + LOOK_AGAIN.get(State(payment.state), WAIT)
    Payment.objects.filter(pk=payment.pk, state=payment.state).update(next_try_at=at, tries=0, last_error="")


def _cancel(payment: Payment, reason: str, **fields: Any) -> None:
    _to(payment, State.CANCELLING, reason=reason, **fields)


def _cancelled(payment: Payment, reason: str) -> None:
    _to(payment, State.CANCELLED, reason=reason, settled_at=clock.now())


def _fail(payment: Payment, reason: str, text: str) -> None:
    with transaction.atomic():
        _worry(payment, reason, text, total=payment.capture_amount)
        _to(payment, State.FAILED, reason=reason, last_error=text[:255])


@transaction.atomic
def _to(payment: Payment, state: str, **fields: Any) -> None:
    """Make a step, unless somebody else made one meanwhile."""
    row = Payment.objects.select_for_update(of=("self",)).get(pk=payment.pk)
    if row.state != payment.state:
        return
    now = clock.now()
    is_open = state in Payment.OPEN
    fields |= {
        "state": state, "tries": 0, "last_updated": now, "last_error": fields.get("last_error", ""),
        "next_try_at": now if is_open else None,
    }  # fmt: skip
    fields.setdefault("reason", row.reason)
    if state == State.CANCELLED:
        fields["email"] = ""  # there will be no receipt
    Payment.objects.filter(pk=row.pk).update(**fields)
    token = fields.get("id_token", row.id_token)
    if token and state in (State.CANCELLING, State.CANCELLED, State.CAPTURED, State.FAILED):
        direct_payments.end(row.station_id, token)
    if state in (State.CAPTURED, State.CANCELLED):
        calm(row, "retries")
    events.publish(PaymentChanged(row.pk, row.station_id))


@transaction.atomic
def _retry(payment: Payment, why: str) -> None:
    """Try the same again later; an operator hears of it when it goes on."""
    row = Payment.objects.select_for_update(of=("self",)).get(pk=payment.pk)
    if row.state != payment.state or row.state not in Payment.OPEN:
        return
    row.tries += 1
    delay_s = min(5 * 2 ** min(row.tries - 1, 12), LONGEST_RETRY_S)
    row.next_try_at, row.last_error = clock.now() + timedelta(seconds=delay_s), why[:255]
    row.save(update_fields=["tries", "next_try_at", "last_error"])
    if row.tries >= WORRY_AFTER and row.state != State.OPENED:
        _worry(payment, "retries", f"the payment service does not answer: {why}", total=row.capture_amount)
    events.publish(PaymentChanged(row.pk, row.station_id))


def _worry(
    payment: Payment, word: str, text: str, *, total: Decimal | None = None, captured: Decimal | None = None
) -> None:
    """Raise the item that tells an operator what is wrong with this payment."""

    def figure(amount: Decimal | None) -> str:
        return "" if amount is None else f"{amounts.payable(amount, payment.currency):f}"

    facts = {
        "payment": payment.uid,
        "reference": payment.reference,
        "authorised": figure(payment.authorised_amount or Decimal(0)),
        "to_pay": figure(total),
        "captured": figure(payment.captured_amount if captured is None else captured),
        "currency": payment.currency,
    }
    review.raise_item(
        ReviewItem.Kind.BILLING_FAILED,
        key=f"payment:{payment.uid}:{word}",
        summary=f"Payment at {payment.station.identity}: {text}",
        station=payment.station,
        session=payment.session,
        facts=facts,
    )


def calm(payment: Payment, word: str, *, resolution: str = "settled since") -> None:
    """Close an item about a payment that is right by now."""
    for item in ReviewItem.objects.filter(key=f"payment:{payment.uid}:{word}", resolved_at=None):
        review.resolve(item, by="billing", resolution=resolution)


# --- after the capture: corrections


def compare(session_ids: Iterable[int]) -> int:
    """Compare what was captured for these sessions with the CDR that stands now; return how many differ.

    A CDR that was corrected changes what its driver owes: too much is for somebody to give back, too little is told.
    """
    rows = Payment.objects.filter(session__in=list(session_ids), state=State.CAPTURED)
    return sum(_compare(payment) for payment in rows.select_related("station", "session", "cdr"))


def uncompared() -> list[int]:
    """Return sessions whose captured payment belongs to a CDR that was credited and replaced since."""
    rows = Payment.objects.filter(state=State.CAPTURED, cdr__credit__replacement__isnull=False)
    return [pk for pk in rows.values_list("session", flat=True)[:AT_ONCE] if pk is not None]


@transaction.atomic
def _compare(payment: Payment) -> bool:
    assert payment.session is not None
    cdr = standing_cdr(payment.session)
    owed = amounts.of_cdr(cdr) if cdr is not None else Decimal(0)
    if cdr is not None and cdr.pk != payment.cdr_id:
        Payment.objects.filter(pk=payment.pk).update(cdr=cdr)
    if payment.kept_amount == owed:
        calm(payment, "differs")
        return False
    if cdr is not None and owed > (payment.authorised_amount or Decimal(0)) == payment.kept_amount:
        return False  # it has an item already: too little was authorised
    _worry(
        payment,
        "differs",
        f"the bill is {owed} {payment.currency} now, "
        f"{amounts.payable(payment.kept_amount, payment.currency)} were taken",
        total=owed,
    )
    return True


# --- other doors


@transaction.atomic
def take_over(
    *,
    source: str,
    station: Any,
    reference: str,
    amount: Decimal,
    currency: str,
    evse: Any = None,
    session: ChargingSession | None = None,
    details: dict[str, str] | None = None,
    **limits: Any,
) -> Payment:
    """Take a payment that somebody else had authorised: a kiosk (C24), or a terminal that leaves it to us (C21.FR.05).

    What a kiosk says is asked for at the payment service before anything starts. The same reference again is the same
    payment. Raise `NoProvider` when none is set up, `PaymentTaken`.
    """
    now, is_over = clock.now(), session is not None
    payment, is_new = Payment.objects.get_or_create(
        provider=psp.provider().name,
        reference=reference,
        defaults={
            "source": source,
            "station": station,
            "evse": evse,
            "session": session,
            "id_token": reference if is_over else "",
            "details": details or {},
            "currency": currency,
            "amount": amount,
            "authorised_amount": amount if is_over else None,
            "authorised_at": now if is_over else None,
            "state": State.CHARGING if is_over else State.OPENED,
            "next_try_at": now,
            "created_at": now,
            "last_updated": now,
            **limits,
        },
    )
    if payment.station_id != station.pk:
        raise PaymentTaken("this payment is known, for another station")
    if is_new:
        events.publish(PaymentChanged(payment.pk, payment.station_id))
    return payment
