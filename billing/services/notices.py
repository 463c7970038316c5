"""Signed notices of payment services: each counts once, and says only that a payment is worth a look."""

from collections.abc import Mapping

from django.db import transaction

from billing import psp
from billing.models import Payment, PaymentNotice
from billing.services import payments
from cpo.lib import clock


@transaction.atomic
def take(provider: str, headers: Mapping[str, str], body: bytes) -> list[int]:
    """Keep a notice and return the payments to look at; nothing for one that came before.

    Raise `BadSignature`, and `NoProvider` for a provider that is not ours. What the notice claims is not believed: the
    payment is asked for (`payments.advance`), so that notices may come late, doubled and in any order.
    """
    ours = psp.provider()
    if provider != ours.name:
        raise psp.NoProvider("no such payment service here")
    notice = ours.notice(headers, body)
    payment = Payment.objects.filter(provider=provider, reference=notice.reference).first()
    _, is_new = PaymentNotice.objects.get_or_create(
        provider=provider,
        event_id=notice.event_id,
        defaults={"kind": notice.kind, "payment": payment, "received_at": clock.now()},
    )
    return payments.wake_these([payment.pk]) if is_new and payment is not None else []
