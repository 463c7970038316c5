"""What sessions cost: rows, snapshot and tariff brought to the engine, for CDRs and running sessions alike."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from billing import measured, usage
from billing.borders import Borders
from billing.errors import BillingError, NotBillable
from billing.models import SessionSnapshot, TariffVersion
from billing.services import choice, snapshots
from billing.tariff import engine, tax
from billing.tariff.bill import Bill
from billing.tariff.errors import CannotPrice, TariffError
from billing.tariff.periods import Usage
from cpo.lib import clock
from stations.models import ChargingSession
from stations.ports import Cost

NO_TARIFF = "no tariff assigned"
UNPRICED = "no tariff has a price for that, and it is no part of the energy above"
ESTIMATED = "the station never reported the end: energy as of its last reading"


@dataclass(frozen=True, slots=True)
class Priced:
    """A session's usage and its bill; no bill where no tariff was assigned. Notes are for whoever reads it."""

    session: ChargingSession
    snapshot: SessionSnapshot
    version: TariffVersion | None
    usage: Usage
    bill: Bill | None
    notes: tuple[str, ...] = ()
    remark: str = ""
    exported_wh: Decimal = Decimal(0)  # what the vehicle fed back: told, never priced

    @property
    def explanation(self) -> list[str]:
        """Explain the price line by line."""
        lines = self.bill.explanation() if self.bill else [f"{NO_TARIFF.capitalize()}: nothing is charged."]
        return [*lines, *self.notes]


def price(sessions: Sequence[ChargingSession]) -> dict[int, Priced | BillingError | TariffError]:
    """Price sessions together: by id, the result or the reason why there is none.

    A running session is priced up to its last reading.
    """
    frozen = snapshots.ensure(sessions)
    readings = _measured(sessions, frozen)
    found: dict[int, Priced | BillingError | TariffError] = {}
    for session in sessions:
        try:
            found[session.pk] = _price(session, frozen[session.pk], readings[session.pk])
        except (BillingError, TariffError) as reason:
            found[session.pk] = reason
    return found


def bill(session: ChargingSession) -> Bill:
    """Return the bill of a session as it stands; raises NotBillable (no tariff, impossible) and TariffError."""
    result = price([session])[session.pk]
    if isinstance(result, Exception):
        raise result
    if result.bill is None:
        raise NotBillable(NO_TARIFF)
    return result.bill


def running_cost(session: ChargingSession) -> Cost | None:
    """Return what the session costs so far, by the engine that will bill it; None when nobody can say."""
    return running_costs([session]).get(session.pk)


def running_costs(sessions: Sequence[ChargingSession]) -> dict[int, Cost]:
    """Return by session id what sessions cost so far, in as many queries as for one; unknown costs are missing."""
    priced = price(sessions) if sessions else {}
    return {pk: _cost(found.bill) for pk, found in priced.items() if isinstance(found, Priced) and found.bill}


def _cost(bill: Bill) -> Cost:
    amount = tax.rounded(bill.total_cost)
    assert amount.before_taxes is not None  # `_price_by` refuses such a bill
    return Cost(bill.currency, amount.before_taxes, amount.after_taxes, tuple(bill.explanation()))


def _measured(
    sessions: Sequence[ChargingSession], frozen: dict[int, SessionSnapshot]
) -> dict[int, measured.Measured]:
    """Read what was measured; power and current only of sessions whose tariff asks for them."""
    groups: dict[tuple[str, ...], list[measured.Span]] = defaultdict(list)
    for session in sessions:
        groups[_asked(frozen[session.pk])].append(measured.Span(session, _end(session)))
    found: dict[int, measured.Measured] = {}
    for besides, spans in groups.items():
        found |= measured.read(spans, besides=besides)
    return found


def _asked(snapshot: SessionSnapshot) -> tuple[str, ...]:
    """Return what the tariff asks for besides energy and time."""
    if snapshot.tariff_version is None:
        return ()
    borders = Borders.of(choice.parsed(snapshot.tariff_version))
    asked = ((measured.POWER, borders.powers_kw), (measured.CURRENT, borders.currents_a))
    return tuple(measurand for measurand, limits in asked if limits)


def _price(session: ChargingSession, snapshot: SessionSnapshot, readings: measured.Measured) -> Priced:
    """Price by the version of the start; by the newest of that tariff if that one has no price and was repaired."""
    version = snapshot.tariff_version
    try:
        return _price_by(version, session, snapshot, readings)
    except CannotPrice as reason:
        newest = version.tariff.versions.order_by("-number").first() if version else None
        if version is None or newest is None or newest.number == version.number:
            raise
        found = _price_by(newest, session, snapshot, readings)
        remark = f"priced by version {newest.number} of the tariff: version {version.number} has no price"
        return replace(found, remark=remark, notes=(*found.notes, f"{remark} ({reason})"))


def _price_by(
    version: TariffVersion | None,
    session: ChargingSession,
    snapshot: SessionSnapshot,
    readings: measured.Measured,
) -> Priced:
    tariff = choice.parsed(version) if version else None
    facts = usage.Facts(
        session.started_at, _end(session), session.energy_wh, session.meter_start_wh, session.meter_stop_wh
    )
    metered = usage.of_session(facts, readings, time_zone=snapshot.time_zone, tariff=tariff)
    bill = engine.price(metered.usage, tariff) if tariff else None
    if bill is not None and bill.total_cost.before_taxes is None:
        raise CannotPrice("the tariff includes taxes but names no rate: OCPI wants the amount before taxes")
    remark = NO_TARIFF if tariff is None else ESTIMATED if "energy_estimated" in session.flags else ""
    notes, exported_wh = metered.notes, readings.exported_wh
    if exported_wh:
        notes += (f"The vehicle fed {exported_wh.scaleb(-3).normalize():f} kWh back: {UNPRICED}.",)
    return Priced(session, snapshot, version, metered.usage, bill, notes, remark, exported_wh)


def _end(session: ChargingSession) -> datetime:
    """Return when the session ended, or until when a running one is known."""
    if session.ended_at is not None:
        return session.ended_at
    return max(session.last_reading_at or clock.now(), session.started_at)
