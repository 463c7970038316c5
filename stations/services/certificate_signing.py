"""From a request to a certificate in the station: what the authority makes of it, then what the station makes of it.

A worker does this: no socket waits for an authority. The row says when to try again, and a sweep does; what cannot go
on by itself is told to an operator, for a station that asks again would only ask the same (A02 item 7).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from cryptography import x509
from django.db import transaction
from django.db.models import Q

from cpo.lib import clock, events
from stations.events import CertificatesChanged
from stations.models import (
    ChargingStation,
    RevokedCertificate,
    StationCertificate,
    Variable,
)
from stations.pki import certificates as x
from stations.services import alerts, certificate_authority, requests
from stations.services import certificate_rows as rows
from stations.services.certificate_authority import (
    AuthorityRefused,
    AuthorityUnavailable,
    Issued,
    Pending,
    Wish,
)
from stations.services.client_certificates import issuer_name_hash
from stations.services.errors import StationsError

State = StationCertificate.State
LEASE = timedelta(minutes=2)  # until another worker may try the same request at the authority
MAX_CHAIN = 10_000  # characters of CertificateSigned.req
WAITS = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720)]  # before each further try
TRIES = len(WAITS) + 1  # of sending to a station that does not answer
TRIES_WHEN_REJECTED = 2  # a clock or a root that was missing may have come; then it is a human's matter


def work(row_ids: Iterable[int]) -> int:
    """Have these requests signed and send what was issued, as far as they are due; return how many."""
    due = StationCertificate.objects.filter(pk__in=list(row_ids), next_try_at__lte=clock.now())
    return sum(_work(pk) for pk in due.values_list("pk", flat=True))


def due(limit: int = 200) -> list[int]:
    """Return what is to be done now, the longest waiting first: nothing is forgotten when a worker dies."""
    states = [State.REQUESTED, State.ISSUED, State.SENT, State.REJECTED, State.REVOKED]
    found = StationCertificate.objects.filter(state__in=states, next_try_at__lte=clock.now())
    return list(found.order_by("next_try_at").values_list("pk", flat=True)[:limit])


@transaction.atomic(savepoint=False)
def give_up(pk: int, error: Exception) -> None:
    """Take a row out of the way on which our own program fails, and tell an operator."""
    row = rows.locked(pk, *StationCertificate.OPEN, State.REJECTED, State.REVOKED)
    if row is None:
        return
    row.state = State.REFUSED if row.state == State.REQUESTED else row.state
    row.problem, row.next_try_at = f"our server failed on it ({type(error).__name__}): see its log", None
    row.save(update_fields=["state", "problem", "next_try_at"])
    rows.alert(row.station, row.use, row.problem)
    events.publish(CertificatesChanged(row.station_id))


def _work(pk: int) -> bool:
    """Take the row for a while, then do what its state asks for. Nobody waits for the authority inside."""
    now = clock.now()
    with transaction.atomic():
        free = StationCertificate.objects.select_for_update(skip_locked=True, of=("self",))
        row = free.select_related("station__location__operator").filter(pk=pk, next_try_at__lte=now).first()
        if row is None:
            return False
        if row.state in (State.ISSUED, State.SENT, State.REJECTED):
            send(row)
            return True
        row.next_try_at = now + LEASE
        row.save(update_fields=["next_try_at"])
    if row.state == State.REQUESTED:
        _sign(row)
    elif row.state == State.REVOKED:
        _tell_authority(row)
    return True


def _sign(row: StationCertificate) -> None:
    wish = Wish(
        csr=row.csr,
        use=row.use,
        common_name=row.common_name,
        organization=row.organization,
        identity=row.station.identity,
        root=row.wanted_root,
    )
    authority = certificate_authority.current()
    try:
        if row.reference:
            signed = authority.collect(wish, reference=row.reference)
        else:
            signed = authority.sign(wish)
    except AuthorityRefused as error:
        _fail(row.pk, f"the authority refused it: {error}", State.REFUSED)
    except AuthorityUnavailable as error:
        _fail(row.pk, f"the authority cannot be asked: {error}", State.REQUESTED)
    else:
        _store(row.pk, signed)


@transaction.atomic(savepoint=False)
def _store(pk: int, signed: Issued | Pending) -> None:
    """Keep what was issued and send it, or when to ask for it."""
    row = rows.locked(pk, State.REQUESTED)
    if row is None:
        return  # meanwhile another request took its place
    if isinstance(signed, Pending):
        row.reference, row.problem = signed.reference[:255], "the authority decides later"
        row.next_try_at = clock.now() + timedelta(seconds=max(5, signed.retry_after_s))
        row.save(update_fields=["reference", "problem", "next_try_at"])
        events.publish(CertificatesChanged(row.station_id))
        return
    fault = _fault(row, signed.chain)
    if fault:
        _fail(pk, fault, State.REFUSED)
        return
    leaf = signed.chain[0]
    row.chain = x.pem(*signed.chain)
    row.fingerprint, row.serial_number = x.fingerprint(leaf), x.serial_hex(leaf)
    row.issuer = x.label(leaf.issuer)[:255]
    row.not_before, row.not_after = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    row.state, row.issued_at, row.tries, row.problem = State.ISSUED, clock.now(), 0, ""
    row.save()
    send(row)


def _fault(row: StationCertificate, chain: tuple[x509.Certificate, ...]) -> str:
    """Say what is wrong with an authority's answer: another key, another subject, another station's name."""
    if not chain:
        return "the authority sent no certificate"
    leaf = chain[0]
    csr = x509.load_pem_x509_csr(row.csr.encode())
    if leaf.public_key() != csr.public_key():
        return "the authority signed another key"
    if row.common_name not in x.common_names(leaf.subject):
        return "the authority signed another name"
    return ""


@transaction.atomic(savepoint=False)
def _fail(pk: int, problem: str, state: str) -> None:
    """Note what went wrong at the authority; where that may pass, when to try again."""
    row = rows.locked(pk, State.REQUESTED)
    if row is None:
        return
    row.state, row.problem = state, problem[:255]
    row.next_try_at = _next(row) if state == State.REQUESTED else None
    row.tries += 1
    row.save(update_fields=["state", "problem", "next_try_at", "tries"])
    rows.alert(row.station, row.use, problem)
    events.publish(CertificatesChanged(row.station_id))


def _next(row: StationCertificate) -> datetime:
    """Return when to try again: ever later, at last twice a day."""
    return clock.now() + WAITS[min(row.tries, len(WAITS) - 1)]


def send(row: StationCertificate) -> None:
    """Queue the issued certificate for the station, whether it is there now or later (5.1)."""
    row.next_try_at = None
    if not rows.waiting(row).exists():
        try:
            chain = _short_enough(row)
            requests.queue(
                row.station,
                "certificate_signed",
                facts={"use": row.use, "chain": chain, "request_id": row.request_id},
                requested_by="certificate authority",
                queue_offline=True,
                subject=rows.subject(row),
            )
        except StationsError as error:
            row.state, row.problem = State.ISSUED, f"it cannot be sent: {error}"[:255]
            rows.alert(row.station, row.use, row.problem)
        else:
            row.state, row.problem = State.SENT, ""
    row.save(update_fields=["state", "problem", "next_try_at"])
    events.publish(CertificatesChanged(row.station_id))


def _short_enough(row: StationCertificate) -> str:
    """Return the chain, without its upper end where the station takes no more (7.3); raise `TooLong`."""
    limit = min(MAX_CHAIN, _longest(row.station) or MAX_CHAIN)
    chain = x.read(row.chain)
    for length in range(len(chain), 0, -1):
        text = x.pem(*chain[:length])
        if len(text) <= limit:
            return text
    raise TooLong(f"the certificate is longer than the {limit} characters that the station takes")


class TooLong(StationsError):
    """The station takes no certificate of this length."""


def _longest(station: ChargingStation) -> int | None:
    """Return how long a chain the station takes, as it reported it (7.3; A02.FR.16), None if it did not."""
    named = Q(name__iexact="CertificateSignedMaxChainSize") | Q(name__iexact="MaxCertificateChainSize")
    value = Variable.objects.filter(named, station=station).values_list("value", flat=True).first()
    return int(value[:6]) if value and value.isascii() and value.isdigit() and int(value[:6]) else None


@transaction.atomic(savepoint=False)
def answered(pk: int, *, is_accepted: bool | None, word: str, by_hand: bool = False) -> None:
    """Take what the station made of its certificate; None: no answer, `word` says why. A late answer counts.

    `by_hand`: an operator took the command back, so nothing is tried again by itself.
    """
    row = rows.locked(pk, State.ISSUED, State.SENT, State.REJECTED)
    if row is None:
        return
    now = clock.now()
    if is_accepted:
        row.state, row.problem, row.next_try_at = State.ACCEPTED, "", None
    else:
        row.tries += 1
        tries = TRIES if is_accepted is None else TRIES_WHEN_REJECTED
        row.state = State.SENT if is_accepted is None else State.REJECTED
        row.problem = f"the station did not take it: {word}"[:255]
        row.next_try_at = (
            None if by_hand or row.tries >= tries else now + WAITS[min(row.tries, len(WAITS)) - 1]
        )
        if not by_hand and (is_accepted is False or row.next_try_at is None):
            rows.alert(row.station, row.use, row.problem)
    row.answered_at = now if is_accepted is not None else row.answered_at
    row.save(update_fields=["state", "problem", "next_try_at", "tries", "answered_at"])
    if is_accepted:
        _settle(row)
    events.publish(CertificatesChanged(row.station_id))


def _settle(row: StationCertificate) -> None:
    """What was still to be sent need not be; of vehicles' certificates nobody sees which one is in use.

    A station may have a controller for each EVSE, each with a name (SECC id) and a certificate of its own (A02).
    """
    rows.take_back(row, why="an answer that came late")
    if row.use not in StationCertificate.CONNECTING:
        former = StationCertificate.objects.filter(
            station_id=row.station_id,
            use=row.use,
            common_name=row.common_name,
            state__in=StationCertificate.VALID,
        )
        former.exclude(pk=row.pk).update(state=State.REPLACED)
    alerts.settle(f"certificate:{row.station_id}:{row.use}", why="the station took its new certificate")


def _tell_authority(row: StationCertificate) -> None:
    """Tell the authority of a revocation, again and again until it heard."""
    try:
        certificate_authority.current().revoke(x.read_one(row.chain), reason=_reason(row))
    except AuthorityUnavailable:
        StationCertificate.objects.filter(pk=row.pk).update(next_try_at=_next(row), tries=row.tries + 1)
    except AuthorityRefused as error:
        StationCertificate.objects.filter(pk=row.pk).update(next_try_at=None)
        rows.alert(row.station, row.use, f"the authority did not revoke it: {error}")
    else:
        StationCertificate.objects.filter(pk=row.pk).update(next_try_at=None)


def _reason(row: StationCertificate) -> str:
    leaf = x.read_one(row.chain)
    found = RevokedCertificate.objects.filter(
        issuer_name_hash=issuer_name_hash(leaf.issuer), serial_number=row.serial_number
    ).first()
    return found.reason if found else "unspecified"
