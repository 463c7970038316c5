"""The port to a payment service provider (PSP), and who stands behind it (docs/adr, docs/operations.md).

Whatever changes money carries a key: asked twice under one key, a provider does it once. `ProviderRefused` is a no
that stays a no; after `ProviderUnavailable` nobody knows what happened, and the same is asked again under the same key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from billing.errors import BillingError


class ProviderUnavailable(BillingError):
    """No answer, or one that says nothing: nobody knows whether it was done."""


class ProviderRefused(BillingError):
    """The provider says no; the text says why."""


class BadSignature(BillingError):
    """A notice that the provider did not sign, or signed too long ago."""


class NoProvider(BillingError):
    """The installation names no provider: nobody can pay on the web."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a driver is asked to authorise. `uid` is the key; the driver comes back to `return_url`."""

    uid: str
    amount: Decimal
    currency: str
    description: str
    return_url: str


@dataclass(frozen=True, slots=True)
class Opened:
    """Where the driver pays, and what the provider calls it."""

    reference: str
    checkout_url: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What a provider says of a payment. `status`: open, authorised, captured or cancelled."""

    status: str
    currency: str = ""
    authorised: Decimal = Decimal(0)
    captured: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    details: dict[str, str] = field(default_factory=dict)  # of the card, masked


@dataclass(frozen=True, slots=True)
class Notice:
    """A signed hint that a payment changed: what it is now is asked, not believed."""

    event_id: str
    kind: str
    reference: str


class Provider(Protocol):
    """What every provider can. Raises `ProviderUnavailable` and `ProviderRefused`; amounts with taxes."""

    name: str

    def open(self, order: Order) -> Opened:
        """Make a page on which somebody authorises the amount."""

    def look(self, reference: str) -> Standing:
        """Tell how a payment stands."""

    def capture(self, reference: str, *, amount: Decimal, currency: str, key: str) -> Decimal:
        """Take this much of what was authorised and release the rest; return what was taken."""

    def cancel(self, reference: str, *, key: str) -> None:
        """Release what was authorised; nothing can be authorised any more."""

    def refund(self, reference: str, *, amount: Decimal, currency: str, key: str) -> None:
        """Give back this much of what was taken."""

    def notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Read a notice; raise `BadSignature`."""


@cache
def _named(path: str) -> Provider:
    made: Provider = import_string(path)()
    return made


def provider() -> Provider:
    """Return the installation's provider; raise `NoProvider`."""
    if not settings.PAYMENT_PROVIDER:
        raise NoProvider("no payment service is set up (PAYMENT_PROVIDER)")
    return _named(settings.PAYMENT_PROVIDER)


def is_there() -> bool:
    """Tell whether drivers can pay on the web."""
    return bool(settings.PAYMENT_PROVIDER)
