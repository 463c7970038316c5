"""CDRs: issued once, sealed, corrected only by a credit CDR (OCPI 2.3.0 mod_cdrs)."""

from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction

from billing.errors import BillingError, Held, NotBillable, NotCreditable
from billing.events import CdrIssued
from billing.models import Cdr
from billing.services import costs, jobs, sealing, snapshots
from billing.services.costs import NO_TARIFF, Priced
from billing.tariff.errors import TariffError
from cpo.lib import clock, events, metrics
from stations.models import ChargingSession, ReviewItem
from stations.services import review

AUTHORISED = "Accepted"
_SETTLED_BY_CDR = (ReviewItem.Kind.BILLING_FAILED, ReviewItem.Kind.UNAUTHORISED_ENERGY)


def issue(session: ChargingSession, *, by: str = "") -> Cdr:
    """Return the session's CDR, and write it if there is none yet: safe to call twice, or twice at once.

    `by` released it, although its token was not authorised. Raises Held, NotBillable, UnknownOperator or a
    TariffError; nothing is stored then.
    """
    (fresh,) = snapshots.read([session.pk])
    existing = Cdr.objects.filter(session=fresh).first()
    if existing is not None:
        return existing
    _must_be_billable(fresh, released_by=by)
    _store([sealing.row(_sound(costs.price([fresh])[fresh.pk]), by=by)])
    return Cdr.objects.get(session=fresh)


def bill(ids: Iterable[int]) -> int:
    """Bill these ended sessions together and return how many CDRs were written.

    Whoever cannot be billed gets a job that says why and when it is tried again; energy without authorisation waits
    for `release`. A session that changed after its CDR becomes work for an operator.
    """
    sessions = [s for s in snapshots.read(ids) if s.status == ChargingSession.Status.ENDED]
    issued = Cdr.objects.filter(session__in=sessions).only("session_id", "uid", "energy_wh")
    billed = {cdr.session_id: cdr for cdr in issued if cdr.session_id is not None}
    rows, failed = _rows([s for s in sessions if s.pk not in billed])
    _store(rows, failed=failed, taken=[s.pk for s in sessions])
    jobs.finish(list(billed))
    for session in sessions:
        if session.pk in billed:
            _compare(session, billed[session.pk])
    return len(rows)


def release(session: ChargingSession, *, by: str) -> Cdr:
    """Bill a session that is held, or one that failed, on somebody's word; raises what `issue` raises."""
    cdr = issue(session, by=by)
    for item in ReviewItem.objects.filter(session=session, resolved_at=None, kind__in=_SETTLED_BY_CDR):
        review.resolve(item, by=by, resolution=f"billed: CDR {cdr.uid}")
    return cdr


@transaction.atomic
def credit(cdr: Cdr, *, reason: str, by: str) -> Cdr:
    """Take a CDR back as a whole: write its credit CDR, the same but for the negated total cost.

    Raises NotCreditable for a credit CDR and for one that was credited already.
    """
    Cdr.objects.select_for_update(no_key=True).get(pk=cdr.pk)
    if cdr.is_credit:
        raise NotCreditable("a credit CDR cannot be credited")
    if Cdr.objects.filter(credit_reference=cdr).exists():
        raise NotCreditable("it was credited already")
    copied = {field.attname: getattr(cdr, field.attname) for field in Cdr._meta.concrete_fields}
    after = cdr.total_after_taxes
    changed = {
        "id": None,
        "uid": f"{cdr.uid}-C",
        "session_id": None,
        "is_credit": True,
        "credit_reference_id": cdr.pk,
        "total_before_taxes": -cdr.total_before_taxes,
        "total_after_taxes": None if after is None else -after,
        "totals": {**cdr.totals, "total_cost": sealing.negated(cdr.totals["total_cost"])},
        "remark": reason[:255],
        "issued_by": by[:100],
        "created_at": clock.now(),
    }
    row = Cdr.objects.create(**{**copied, **changed})
    metrics.cdrs.add("credit")
    events.publish(CdrIssued(row.pk, None))
    return row


def _rows(sessions: Sequence[ChargingSession]) -> tuple[list[Cdr], dict[ChargingSession, Exception]]:
    """Price sessions and build their CDRs; give the reason for each that has none."""
    rows: list[Cdr] = []
    failed: dict[ChargingSession, Exception] = {}
    priced = costs.price([s for s in sessions if s.authorization_status == AUTHORISED])
    for session in sessions:
        try:
            _must_be_billable(session)
            rows.append(sealing.row(_sound(priced[session.pk])))
        except Held as reason:
            if session.energy_wh:  # a refused token that charged nothing is no work for anybody
                failed[session] = reason
        except (BillingError, TariffError) as reason:
            failed[session] = reason
    return rows, failed


def _sound(result: Priced | Exception) -> Priced:
    if isinstance(result, Exception):
        raise result
    return result


def _must_be_billable(session: ChargingSession, *, released_by: str = "") -> None:
    if session.status != ChargingSession.Status.ENDED or session.ended_at is None:
        raise NotBillable("the session has not ended")
    if session.authorization_status != AUTHORISED and not released_by:
        raise Held(f"the token was not authorised: {session.authorization_status}")


@transaction.atomic
def _store(
    rows: Sequence[Cdr],
    *,
    failed: Mapping[ChargingSession, Exception] | None = None,
    taken: Sequence[int] = (),
) -> None:
    """Write CDRs, jobs and the sessions' marks in one transaction; a CDR that another worker wrote stays."""
    billed = [row.session_id for row in rows if row.session_id is not None]
    ours = Cdr.objects.insert(rows)
    done = ChargingSession.objects.filter(pk__in={*billed, *taken}, billed_at=None)
    done.update(billed_at=clock.now())
    for session, reason in (failed or {}).items():
        jobs.fail(session, reason)
    jobs.finish(billed)
    for row in rows:
        if row.remark == NO_TARIFF and row.session is not None:
            jobs.tell(row.session, f"{NO_TARIFF}, billed as free of charge")
    for session_id, pk in ours.items():
        metrics.cdrs.add("issued")
        events.publish(CdrIssued(pk, session_id))


def _compare(session: ChargingSession, cdr: Cdr) -> None:
    """Raise work for an operator if late messages changed what was billed: a CDR itself never changes."""
    if session.energy_wh == cdr.energy_wh:
        return
    review.raise_item(
        ReviewItem.Kind.BILLING_FAILED,
        key=f"cdr differs:{session.pk}:{session.energy_wh:f}",
        summary=f"Billed {cdr.energy_wh:f} Wh, but the session now has {session.energy_wh:f} Wh: credit the CDR",
        station=session.station,
        session=session,
        facts={"cdr": cdr.uid, "cdr_wh": f"{cdr.energy_wh:f}", "session_wh": f"{session.energy_wh:f}"},
    )
