"""A payment service for tests: the demo's, on a port of its own, and the settings that point to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from billing.models import Payment
from cpo.lib import clock
from cpo.simulator.psp import PaymentService
from stations.models import ChargingStation
from tests import factories

KEY, SECRET = "test-key", "test-webhook-secret"


@contextmanager
def running(port: int = 0) -> Iterator[PaymentService]:
    """Run the service."""
    service = PaymentService(key=KEY, secret=SECRET, port=port).start()
    yield service
    service.stop()


def environment(service: PaymentService) -> dict[str, str]:
    """Give what a server process reads."""
    return {
        "PAYMENT_PROVIDER": "billing.psp.gateway.Gateway",
        "PAYMENT_PROVIDER_URL": service.base,
        "PAYMENT_PROVIDER_KEY": KEY,
        "PAYMENT_WEBHOOK_SECRET": SECRET,
        "PAYMENT_PAGES_PER_MINUTE": "100000",
        "PAYMENT_CHECKOUTS_PER_MINUTE": "100000",
    }


def use(settings: Any, service: PaymentService) -> None:
    """Let this process speak to the service."""
    for name, value in environment(service).items():
        setattr(settings, name, int(value) if value.isdigit() else value)
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
    settings.PAYMENT_TIMEOUT_S = 0.5


def paid(service: PaymentService, station: ChargingStation, amount: str = "50.00", **fields: Any) -> Payment:
    """Make a payment whose amount the driver has just authorised at the service."""
    at_service = service.authorise_elsewhere(f"pay-{station.pk}-{len(service.payments)}", amount, "EUR")
    now = clock.now()
    values: dict[str, Any] = {
        "source": Payment.Source.STATIC,
        "station": station,
        "evse": factories.evse(station),
        "provider": "gateway",
        "reference": at_service.id,
        "currency": "EUR",
        "amount": Decimal(amount),
        "next_try_at": now,
        "created_at": now,
        "last_updated": now,
    }
    return Payment.objects.create(**values | fields)
