"""What stories about ad hoc payment say: tokens of a terminal, pages of a driver, the sweeps that workers run."""

import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from billing.models import Payment
from billing.services import cdrs, payments, settlements
from stations.models import ChargingSession
from tests.stories.story import rows
from tests.stories.v2.station import EVSE, event, visit

CARD = [
    {"type": "CardLast4Digits", "additionalIdToken": "4242"},
    {"type": "PaymentBrand", "additionalIdToken": "VISA"},
    {"type": "HashedCardNr", "additionalIdToken": "deadbeef"},
    {"type": "CardBin", "additionalIdToken": "4242424242424242"},
]


def direct(reference: str, **more: Any) -> dict[str, Any]:
    """Give a token of type DirectPayment."""
    return {"idToken": reference, "type": "DirectPayment"} | more


def paid_visit(reference: str, registers: tuple[float, ...] = (1000, 5000, 13000), **info: Any) -> list[Any]:
    """Give the events of a transaction that somebody paid for."""
    events = visit(registers)
    events[0] |= {"idToken": direct(reference, additionalInfo=CARD), "evse": EVSE}
    events[0]["transactionInfo"] |= info
    return events


def cancelled_visit(reference: str) -> list[Any]:
    """Give a transaction that ended before anything was charged (C20)."""
    begin = event("Started", 0, register_wh=1000, idToken=direct(reference), evse=EVSE)
    end = event("Ended", 1, register_wh=1000, triggerReason="StopAuthorized")
    return [begin, end]


async def billed() -> None:
    """Write the CDRs of what has ended, as the worker does."""
    await rows(lambda: cdrs.bill(ChargingSession.objects.ended().values_list("pk", flat=True)))


async def worked() -> Payment:
    """Let the sweeps look at all payments now; return the newest one."""

    def work() -> Payment:
        payments.advance(payments.wake_these(Payment.objects.values_list("pk", flat=True)))
        settlements.compare()
        return Payment.objects.select_related("session", "cdr").order_by("-pk")[0]

    return await rows(work)


@dataclass(frozen=True)
class Page:
    """What a browser got."""

    status: int
    url: str
    html: str

    def field(self, name: str) -> str:
        """Return the value of a hidden field."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.html)
        assert found, self.html
        return found[1]


async def browse(url: str, form: dict[str, str] | None = None) -> Page:
    """Get a page, or post a form and follow where it leads, without JavaScript and without cookies."""
    return await rows(lambda: _browse(url, form))


def _browse(url: str, form: dict[str, str] | None) -> Page:
    data = urllib.parse.urlencode(form).encode() if form is not None else None
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=10) as answer:
            return Page(answer.status, answer.url, answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Page(error.code, url, error.read().decode())


async def until(is_so: Callable[[Payment], bool]) -> Payment:
    """Let the sweeps work until a payment is as it should be."""
    for _ in range(50):
        payment = await worked()
        if is_so(payment):
            return payment
    raise AssertionError(f"it never happened: {payment.state} {payment.reason} {payment.last_error}")
