"""CDRs: issued once, sealed, corrected only by a credit CDR and a new one (OCPI 2.3.0 mod_cdrs)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from billing.errors import BillingError, Held, NotBillable, NotCreditable
from billing.events import CdrIssued
from billing.models import Cdr
from billing.services import costs, jobs, plausibility, sealing, snapshots
from billing.services.costs import NO_TARIFF, Priced
from billing.tariff.errors import TariffError
from cpo.lib import clock, events, metrics
from stations.models import ChargingSession, ReviewItem
from stations.services import review

AUTHORISED = "Accepted"
_SETTLED_BY_CDR = (
    ReviewItem.Kind.BILLING_FAILED,
    ReviewItem.Kind.ODD_READINGS,
    ReviewItem.Kind.UNAUTHORISED_ENERGY,
)


def issue(session: ChargingSession, *, by: str = "") -> Cdr:
    """Return the session's CDR, and write it if there is none yet: safe to call twice, or twice at once.

    `by` released it, although its token was not authorised or its energy is implausible. Raises Held, NotBillable,
    UnknownOperator or a TariffError; nothing is stored then.
    """
    (fresh,) = snapshots.read([session.pk])
    existing = Cdr.objects.newest_of([fresh.pk]).get(fresh.pk)
    if existing is not None:
        return existing
    row = _row(fresh, costs.price([fresh])[fresh.pk], by=by, is_released=bool(by))
    if not _store([row], read=[fresh]):
        raise NotBillable("the session changed at this moment; try again")
    return Cdr.objects.newest_of([fresh.pk])[fresh.pk]


def bill(ids: Iterable[int]) -> int:
    """Bill these ended sessions together and return how many CDRs were written, replacements included.

    Whoever cannot be billed gets a job that says why and when it is tried again; energy without authorisation and
    implausible energy wait for `release`. A session whose figures were corrected after its CDR has it credited and
    written anew; one that changed in another way becomes work for an operator.
    """
    now = clock.now()
    ended = [s for s in snapshots.read(ids) if s.status == ChargingSession.Status.ENDED]
    sessions = [s for s in ended if not waits(s, now)]
    billed = Cdr.objects.newest_of(s.pk for s in sessions)
    first = [s for s in sessions if s.pk not in billed]
    rows, failed = _rows(first)
    written = _store(rows, failed=failed, read=first)
    for session in sessions:
        if session.pk in billed:
            written += _look_again(session, billed[session.pk])
    return written


def waits(session: ChargingSession, now: datetime) -> bool:
    """Tell whether an ended session may still get its final reading: its stop had none (field notes, quirk 5)."""
    is_fresh = now - session.last_updated < timedelta(seconds=settings.BILLING_WAIT_S)
    is_closed = any(word.startswith(("closed_by:", "corrected_by:")) for word in session.flags)
    return session.meter_stop_wh is None and is_fresh and not is_closed


def release(session: ChargingSession, *, by: str) -> Cdr:
    """Bill a session that is held, or one that failed, on somebody's word; raises what `issue` raises."""
    (fresh,) = snapshots.read([session.pk])
    existing = Cdr.objects.newest_of([fresh.pk]).get(fresh.pk)
    if existing is not None and _differs(fresh, existing):
        _replace(fresh, existing, by=by, is_released=True)
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
        "follows_id": None,
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
            _must_be_authorised(session)
            rows.append(_row(session, priced[session.pk]))
        except Held as reason:
            if session.energy_wh:  # a refused token that charged nothing is no work for anybody
                failed[session] = reason
        except (BillingError, TariffError) as reason:
            failed[session] = reason
    return rows, failed


def _row(
    session: ChargingSession,
    result: Priced | BillingError | TariffError,
    *,
    by: str = "",
    is_released: bool = False,
) -> Cdr:
    """Build the CDR of an ended session that `by` released, once or now. Raises what stands in its way."""
    if session.status != ChargingSession.Status.ENDED or session.ended_at is None:
        raise NotBillable("the session has not ended")
    if not by:
        _must_be_authorised(session)
    if isinstance(result, Exception):
        raise result
    if not is_released:
        plausibility.check(session, result.snapshot)
    return sealing.row(result, by=by)


def _must_be_authorised(session: ChargingSession) -> None:
    if session.authorization_status != AUTHORISED:
        raise Held(f"the token was not authorised: {session.authorization_status}")


@transaction.atomic
def _store(
    rows: Sequence[Cdr],
    *,
    failed: Mapping[ChargingSession, Exception] | None = None,
    read: Sequence[ChargingSession],
) -> int:
    """Write first CDRs, jobs and the sessions' marks in one transaction; return how many CDRs were written.

    A session that changed since it was `read` is left to the next look; a CDR that another worker wrote stays.
    """
    still = _claim(read)
    wanted = [row for row in rows if row.session_id in still]
    ours = Cdr.objects.insert(wanted)
    for session, reason in (failed or {}).items():
        if session.pk in still:
            jobs.fail(session, reason)
    jobs.finish([row.session_id for row in wanted if row.session_id is not None])
    for row in wanted:
        _tell_free(row)
    for session_id, pk in ours.items():
        metrics.cdrs.add("issued")
        events.publish(CdrIssued(pk, session_id))
    return len(ours)


# Locks the sessions in the order of their ids, waits for whoever is changing one, and looks again.
CLAIM = """
with still as (
    select s.id from stations_chargingsession s
    join unnest(%s::bigint[], %s::timestamptz[]) as read (id, last_updated) using (id)
    where s.last_updated = read.last_updated
    order by s.id for no key update of s
)
update stations_chargingsession s set billed_at = coalesce(s.billed_at, %s) from still where s.id = still.id
returning s.id
"""


def _claim(sessions: Sequence[ChargingSession]) -> set[int]:
    """Lock those sessions that are still as they were read, mark them as taken over and return their ids.

    Whoever changes a session's figures empties `billed_at` in his own transaction: a change that comes first makes us
    leave the session alone, one that comes later makes the sweep bring it again. No figure is billed twice or missed.
    """
    if not sessions:
        return set()
    columns = [s.pk for s in sessions], [s.last_updated for s in sessions]
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [*columns, clock.now()])
        return {row[0] for row in cursor.fetchall()}


def _tell_free(row: Cdr) -> None:
    if row.remark == NO_TARIFF and row.session is not None:
        jobs.tell(row.session, f"{NO_TARIFF}, billed as free of charge")


def _look_again(session: ChargingSession, cdr: Cdr) -> bool:
    """Replace the CDR of a session that was corrected; return whether it was."""
    if not _differs(session, cdr):
        if _claim([session]):
            jobs.finish([session.pk])
        return False
    if not _is_corrected(session):
        _claim([session])
        _raise_difference(session, cdr)
        return False
    try:
        return _replace(session, cdr, by=cdr.issued_by)
    except (BillingError, TariffError) as reason:
        with transaction.atomic():
            if _claim([session]):
                jobs.fail(session, reason)
        return False


def _differs(session: ChargingSession, cdr: Cdr) -> bool:
    """Tell whether a session has other figures than its CDR; times are told in milliseconds (OCPI DateTime)."""
    assert session.ended_at is not None
    late = abs(session.ended_at - cdr.ended_at) >= timedelta(milliseconds=1)
    return session.energy_wh != cdr.energy_wh or late


def _is_corrected(session: ChargingSession) -> bool:
    return "corrected" in session.flags or plausibility.is_by_hand(session)


@transaction.atomic
def _replace(session: ChargingSession, cdr: Cdr, *, by: str, is_released: bool = False) -> bool:
    """Credit a session's CDR and write it anew with the corrected figures, in one transaction; return whether done.

    Raises what makes the new figures unbillable; the old CDR stands then. The session's lock lets nobody else do the
    same meanwhile.
    """
    if not _claim([session]):
        return False
    Cdr.objects.select_for_update(no_key=True).get(pk=cdr.pk)
    newest = Cdr.objects.newest_of([session.pk])[session.pk]
    if newest.pk != cdr.pk:
        return False
    row = _row(session, costs.price([session])[session.pk], by=by, is_released=is_released)
    last = session.corrections.last()
    reason = f"corrected: {last.reason}" if last else "corrected"
    row.follows = getattr(cdr, "credit", None) or credit(cdr, reason=reason, by=last.by if last else by)
    row.save()
    jobs.finish([session.pk])
    _tell_free(row)
    metrics.cdrs.add("issued")
    events.publish(CdrIssued(row.pk, session.pk))
    return True


def _raise_difference(session: ChargingSession, cdr: Cdr) -> None:
    """Raise work for an operator if late messages changed what was billed: a CDR itself never changes."""
    review.raise_item(
        ReviewItem.Kind.BILLING_FAILED,
        key=f"cdr differs:{session.pk}:{session.energy_wh:f}",
        summary=f"Billed {cdr.energy_wh:f} Wh, but the session now has {session.energy_wh:f} Wh: correct it",
        station=session.station,
        session=session,
        facts={"cdr": cdr.uid, "cdr_wh": f"{cdr.energy_wh:f}", "session_wh": f"{session.energy_wh:f}"},
    )
