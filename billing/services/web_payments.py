"""Paying on the web: what an EVSE costs a driver without a contract, and the payment that he opens (OCPP 2.1 C25)."""

from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction

from billing import psp
from billing.errors import BillingError
from billing.events import PaymentChanged
from billing.models import Payment, TariffVersion
from billing.psp import Order, ProviderRefused, ProviderUnavailable
from billing.services import amounts, choice
from billing.tariff import model
from cpo.lib import clock, events
from stations.models import ChargingSession, Connector, Evse
from stations.services import direct_payments, remote
from stations.services import payments as at_station
from stations.services.errors import StationsError

State = Payment.State
LEAST = Decimal(1)  # a smaller amount cannot pay for a start


class NotPayable(BillingError):
    """Nobody can pay here now; the text says why and may be shown."""


class CodeUsed(NotPayable):
    """The code on the display was used already."""


class Limits(NamedTuple):
    """What a driver wants at the most; None: as much as he pays for."""

    max_energy_wh: Decimal | None = None
    max_time_s: int | None = None
    max_cost: Decimal | None = None


def version_at(evse: Evse) -> TariffVersion | None:
    """Return the price that an ad hoc session beginning now gets at the EVSE; None: it has none."""
    connector = (
        Connector.objects.filter(evse=evse)
        .select_related("evse__station__location")
        .order_by("number")
        .first()
    )
    if connector is None:
        return None
    now = clock.now()
    found = choice.of_connectors([connector], at=now)[connector.pk]
    for kind in (model.TariffType.AD_HOC_PAYMENT, choice.EVERY_SESSION):
        for tariff in found:
            if tariff.type == kind:
                versions = tariff.versions.filter(valid_from__lte=now).order_by("-valid_from", "-number")
                version: TariffVersion | None = versions.first()
                if version is not None and choice.is_valid(version, now):
                    return version
    return None


def most(version: TariffVersion) -> Decimal:
    """Return the amount that is authorised at the most: what the tariff says (OCPI 2.3.0), else PAYMENT_AMOUNT."""
    said = choice.parsed(version).preauthorize_amount
    try:
        return amounts.payable(said or Decimal(settings.PAYMENT_AMOUNT), version.tariff.currency)
    except InvalidOperation as error:
        raise NotPayable("PAYMENT_AMOUNT is no amount") from error


def check(evse: Evse) -> TariffVersion:
    """Return the price where somebody can pay and charge now; raise `NotPayable`."""
    if not psp.is_there():
        raise NotPayable("Paying on the web is not possible here.")
    if not evse.station.is_online:
        raise NotPayable("This charger is not connected at the moment. Please choose another one.")
    if not direct_payments.free_evse(evse.station, evse):
        raise NotPayable("Somebody is charging here at the moment.")
    version = version_at(evse)
    if version is None:
        raise NotPayable("This charger has no price for charging without a contract.")
    return version


def start(
    evse: Evse,
    *,
    source: str,
    limits: Limits,
    return_url: Any,
    ticket: str | None = None,
    nonce: str = "",
    email: str = "",
) -> Payment:
    """Make a payment and its page at the provider; `return_url` is a function of the payment's link.

    A `ticket` is the one-time password that was scanned: it is good for one payment, and the same page (`nonce`) asking
    twice gets the same one. Raise `NotPayable`, `CodeUsed`.
    """
    same = _same(ticket, nonce)
    if same is not None:
        return same
    version = check(evse)
    currency = version.tariff.currency
    amount = min(most(version), limits.max_cost or most(version))
    if amount < LEAST or amount != amounts.payable(amount, currency):
        raise NotPayable(f"Choose an amount of at least {LEAST} {currency}.")
    now = clock.now()
    try:
        with transaction.atomic():
            payment = Payment.objects.create(
                source=source,
                station=evse.station,
                evse=evse,
                tariff=version,
                provider=psp.provider().name,
                ticket=ticket,
                nonce=nonce,
                currency=currency,
                amount=amount,
                email=email,
                next_try_at=now,
                created_at=now,
                last_updated=now,
                max_energy_wh=limits.max_energy_wh,
                max_time_s=limits.max_time_s,
                max_cost=limits.max_cost,
            )
    except IntegrityError as error:
        same = _same(ticket, nonce)
        if same is None:
            raise CodeUsed("This code was used already.") from error
        return same
    _open(payment, evse, return_url)
    _tell_station(payment, evse)
    return payment


def stop(payment: Payment) -> bool:
    """Let the driver stop charging; False when there is nothing to stop or the station cannot be asked."""
    session = payment.session
    if session is None or session.status == ChargingSession.Status.ENDED:
        return False
    try:
        remote.stop(session, requested_by=f"payment:{payment.uid}")
    except StationsError:
        return False
    return True


def _open(payment: Payment, evse: Evse, return_url: Any) -> None:
    """Have the provider make the page. What it made and we did not hear of, nobody can pay on."""
    order = Order(
        uid=payment.uid,
        amount=payment.amount,
        currency=payment.currency,
        description=f"Charging at {evse.station.name or evse.station.identity}, {evse.number}",
        return_url=return_url(payment.link),
    )
    try:
        opened = psp.provider().open(order)
    except (ProviderUnavailable, ProviderRefused) as error:
        Payment.objects.filter(pk=payment.pk).update(
            state=State.CANCELLED, reason="not_opened", ticket=None, next_try_at=None, last_error=str(error)[:255],
            last_updated=clock.now(),
        )  # fmt: skip
        raise NotPayable("The payment service does not answer. Please try again in a minute.") from error
    payment.reference, payment.checkout_url = opened.reference, opened.checkout_url
    payment.save(update_fields=["reference", "checkout_url"])
    events.publish(PaymentChanged(payment.pk, payment.station_id))


def _tell_station(payment: Payment, evse: Evse) -> None:
    """Let the station keep the EVSE for the driver while he pays, where it knows such a message (C25.FR.21)."""
    if not direct_payments.is_spoken(evse.station):
        return
    try:
        at_station.web_payment_started(
            evse.station, evse, timeout_s=settings.PAYMENT_LOCK_S, requested_by=f"payment:{payment.uid}"
        )
    except StationsError:
        return  # it will hear of it by the start


def _same(ticket: str | None, nonce: str) -> Payment | None:
    """Return the payment that this very page has opened with its code; raise `CodeUsed` if another one did."""
    if ticket is None:
        return None
    found = Payment.objects.filter(ticket=ticket).first()
    if found is None:
        return None
    if not nonce or found.nonce != nonce or not found.checkout_url:
        raise CodeUsed("This code was used already.")
    return found
