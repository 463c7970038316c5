"""What terminals settled against what we billed, and payments that they leave to us (OCPP 2.1 C20 to C22)."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from billing import psp
from billing.errors import BillingError
from billing.models import Cdr, Payment
from billing.services import amounts, payments
from cpo.lib import clock
from stations.models import ChargingSession, DirectPayment, ReviewItem, Settlement
from stations.services import direct_payments, review
from stations.services import payments as at_terminal

Status = Settlement.Status
AT_ONCE = 200
NOT_PAID = (Status.REJECTED, Status.FAILED)  # those have an item of their own


def compare() -> int:
    """Compare what terminals said with our bills; return how many settlements differ.

    One whose session or bill is not known yet waits; after SETTLEMENT_WAIT_S somebody is told.
    """
    rows = Settlement.objects.filter(is_compared=False).select_related("station", "session")
    return sum(_compare(row) for row in rows.order_by("received_at")[:AT_ONCE])


def again(session_ids: Iterable[int]) -> None:
    """Look anew at the settlements of sessions whose CDR has changed."""
    Settlement.objects.filter(session__in=list(session_ids)).update(is_compared=False)


def unsettled() -> int:
    """Tell of sessions at terminals that cost something and of which no terminal says that it was paid."""
    horizon = clock.now() - timedelta(seconds=settings.SETTLEMENT_WAIT_S)
    rows = DirectPayment.objects.filter(
        is_ours=False, is_over=False, session__billed_at__lt=horizon, session__settlements=None
    ).select_related("session__station")
    return sum(_unsettled(row) for row in rows[:AT_ONCE])


def left_to_us() -> list[int]:
    """Return billed sessions at terminals that have no settlement and no payment of ours yet."""
    if not psp.is_there():
        return []
    rows = DirectPayment.objects.filter(
        is_ours=False, is_over=False, session__billed_at__isnull=False, session__settlements=None,
        session__payment=None,
    )  # fmt: skip
    return [pk for pk in rows.values_list("session", flat=True)[:AT_ONCE] if pk is not None]


def take_over(session_ids: Iterable[int]) -> list[int]:
    """Settle ourselves what terminals left to us (C21.FR.05); return the payments."""
    if not psp.is_there():
        return []
    rows = DirectPayment.objects.filter(session__in=list(session_ids), is_ours=False, is_over=False)
    return [pk for row in rows.select_related("session__station", "session__evse") if (pk := _take_over(row))]


@transaction.atomic(savepoint=False)
def _compare(row: Settlement) -> bool:
    session = row.session or at_terminal.session_of(row.station, row.transaction_id, row.psp_reference)
    if session is not None and row.session_id is None:
        row.session = session
        Settlement.objects.filter(pk=row.pk).update(session=session)
    is_late = clock.now() - row.received_at > timedelta(seconds=settings.SETTLEMENT_WAIT_S)
    cdr = payments.standing_cdr(session) if session is not None else None
    if row.status in NOT_PAID:
        return _done(row)
    if session is None and row.status == Status.CANCELED:
        return _done(row)  # before a transaction began (C19)
    if cdr is None:
        if not is_late:
            return False
        what = "no such session" if session is None else "the session has no bill"
        return _differs(row, session, f"{row.amount} {row.status}, but {what}", owed=None)
    owed = amounts.of_cdr(cdr)
    paid = amounts.payable(row.amount, cdr.currency) if row.status == Status.SETTLED else Decimal(0)
    if paid == owed:
        for item in ReviewItem.objects.filter(key=_key(row), resolved_at=None):
            review.resolve(item, by="billing", resolution=f"{paid} {cdr.currency}, as billed")
        return _done(row)
    return _differs(row, session, f"paid {paid}, billed {owed} {cdr.currency}", owed=cdr)


def _differs(row: Settlement, session: ChargingSession | None, text: str, *, owed: Cdr | None) -> bool:
    facts = {
        "settlement": row.uid,
        "reference": row.psp_reference,
        "status": row.status,
        "paid": str(row.amount if owed is None else amounts.payable(row.amount, owed.currency)),
        "billed": "" if owed is None else str(amounts.of_cdr(owed)),
        "cdr": "" if owed is None else owed.uid,
    }
    review.raise_item(
        ReviewItem.Kind.BILLING_FAILED,
        key=_key(row),
        summary=f"Terminal of {row.station.identity}: {text}",
        station=row.station,
        session=session,
        facts=facts,
    )
    _done(row)
    return True


def _done(row: Settlement) -> bool:
    Settlement.objects.filter(pk=row.pk, received_at=row.received_at).update(is_compared=True)
    return False


def _key(row: Settlement) -> str:
    return f"settlement differs:{row.uid}"


@transaction.atomic(savepoint=False)
def _unsettled(row: DirectPayment) -> bool:
    DirectPayment.objects.filter(pk=row.pk).update(is_over=True)
    assert row.session is not None
    cdr = payments.standing_cdr(row.session)
    if cdr is None or not amounts.of_cdr(cdr) or Payment.objects.filter(session=row.session).exists():
        return False
    review.raise_item(
        ReviewItem.Kind.BILLING_FAILED,
        key=f"unsettled:{row.session_id}",
        summary=f"Terminal of {row.station.identity}: {amounts.of_cdr(cdr)} {cdr.currency} billed, no settlement told",
        station=row.station,
        session=row.session,
        facts={"reference": row.id_token, "billed": str(amounts.of_cdr(cdr)), "cdr": cdr.uid},
    )
    return True


def _take_over(row: DirectPayment) -> int | None:
    session = row.session
    assert session is not None
    if not direct_payments.settles_with_us(session.station) or row.authorized_amount is None:
        return None
    cdr = payments.standing_cdr(session)
    if cdr is None:
        return None
    try:
        payment = payments.take_over(
            source=Payment.Source.TERMINAL,
            station=session.station,
            evse=session.evse,
            session=session,
            reference=row.details.get("PspRef") or row.id_token,
            amount=row.authorized_amount,
            currency=cdr.currency,
            details=row.details,
        )
    except BillingError:
        return None
    return payment.pk
