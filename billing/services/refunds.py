"""Money given back: somebody asks, the row is the key, the provider does it once."""

from collections.abc import Iterable
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Sum

from billing import psp
from billing.errors import BillingError
from billing.events import PaymentChanged
from billing.models import Payment, Refund
from billing.psp import ProviderRefused, ProviderUnavailable
from billing.services import amounts, payments
from cpo.lib import clock, events

State = Refund.State
AT_ONCE = 100


class NotRefundable(BillingError):
    """More than we have of it, or nothing."""


@transaction.atomic
def ask(payment: Payment, amount: Decimal, *, reason: str, by: str) -> Refund:
    """Ask for an amount to be given back; raise `NotRefundable` when it is more than is left."""
    row = Payment.objects.select_for_update(of=("self",)).get(pk=payment.pk)
    asked = row.refunds.filter(state=State.ASKED).aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
    left = row.kept_amount - asked
    if row.state != Payment.State.CAPTURED:
        raise NotRefundable("nothing was captured")
    if amount <= 0 or amount != amounts.payable(amount, row.currency):
        raise NotRefundable(f"not an amount in {row.currency}")
    if amount > left:
        raise NotRefundable(f"at most {amounts.payable(left, row.currency)} {row.currency} can be given back")
    refund = Refund.objects.create(
        payment=row, amount=amount, reason=reason[:255], asked_by=by[:100], created_at=clock.now()
    )
    events.publish(PaymentChanged(row.pk, row.station_id))
    return refund


def waiting() -> list[int]:
    """Return refunds that were asked for and not done."""
    return list(
        Refund.objects.filter(state=State.ASKED).order_by("created_at").values_list("pk", flat=True)[:AT_ONCE]
    )


def work(ids: Iterable[int]) -> int:
    """Have these refunds done; return how many were. A provider that is away is asked again under the same key."""
    rows = Refund.objects.filter(pk__in=list(ids), state=State.ASKED).select_related("payment")
    return sum(_work(row) for row in rows)


def _work(refund: Refund) -> bool:
    payment = refund.payment
    try:
        amount = amounts.payable(refund.amount, payment.currency)
        psp.provider().refund(payment.reference, amount=amount, currency=payment.currency, key=refund.uid)
    except ProviderUnavailable as error:
        Refund.objects.filter(pk=refund.pk).update(last_error=str(error)[:255])
        return False
    except ProviderRefused as error:
        _end(refund, State.REFUSED, str(error))
        return False
    _end(refund, State.DONE)
    return True


@transaction.atomic
def _end(refund: Refund, state: str, error: str = "") -> None:
    row = Refund.objects.select_for_update().get(pk=refund.pk)
    if row.state != State.ASKED:
        return
    row.state, row.last_error, row.done_at = state, error[:255], clock.now()
    row.save(update_fields=["state", "last_error", "done_at"])
    if state == State.DONE:
        Payment.objects.filter(pk=row.payment_id).update(
            refunded_amount=F("refunded_amount") + row.amount, last_updated=clock.now()
        )
    if row.payment.session_id is not None:
        payments.compare([row.payment.session_id])
    events.publish(PaymentChanged(row.payment_id, row.payment.station_id))
