"""What stations know about a customer: told to us, or forgotten by the station (OCPP 2.x N09, N10).

All of it is personal data: who is meant and what was told are encrypted under FIELD_KEYS, read by those who may, and
deleted after CUSTOMER_INFORMATION_RETENTION_DAYS. A token that was cleared from a station is taken off its local list,
which the station must not do by itself (N10.FR.02).
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from cpo.lib import clock, events, keyring
from stations.events import CustomerInformationChanged
from stations.models import (
    ChargingStation,
    Command,
    CustomerPart,
    CustomerRequest,
    IdToken,
    LocalListMark,
    UnlistedToken,
)
from stations.services import commands, requests, transfers
from stations.services.errors import InvalidPayload, NotOpen

State, Reference = CustomerRequest.State, CustomerRequest.Reference
SUBJECT = "customer:"  # of commands, followed by the row's id
REQUEST = "customer_information"
QUIET = timedelta(minutes=10)  # without a part after which a report is incomplete
PARTS_AT_MOST = 1000  # of 512 characters
FORGOTTEN_AT_ONCE = 500
HASHES = ("SHA256", "SHA384", "SHA512")
CERTIFICATE = ("hash_algorithm", "issuer_name_hash", "issuer_key_hash", "serial_number")
ENDS = {"timed_out": State.UNANSWERED, "cancelled": State.CANCELLED}  # outcome of a command -> state


@transaction.atomic(savepoint=False)
def ask(
    station: ChargingStation,
    *,
    id_token: str = "",
    id_token_type: str = "",
    certificate: Mapping[str, str] | None = None,
    identifier: str = "",
    report: bool = True,
    clear: bool = False,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
) -> CustomerRequest:
    """Ask what the station knows about a customer, with `clear` to forget it.

    Exactly one of the three names him (N09.FR.04, N10.FR.08); `certificate` has the members of CERTIFICATE, hashed as
    when it was installed (N09.FR.08, N10.FR.09). Raise `InvalidPayload`, and what `commands.queue` raises.
    """
    if not report and not clear:
        raise InvalidPayload("report", "ask to report, to clear, or both")  # N09.FR.07, N10.FR.07
    kind, reference = _reference(id_token, id_token_type, certificate, identifier)
    now = clock.now()
    row = CustomerRequest.objects.create(
        station=station,
        request_id=transfers.new_request_id(),
        reference_kind=kind,
        reference=keyring.encrypt(json.dumps(reference)),
        is_report=report,
        is_clear=clear,
        requested_by=requested_by[:100],
        requested_at=now,
        changed_at=now,
    )
    requests.queue(
        station,
        REQUEST,
        facts={"request": row, "kind": kind, "reference": reference},
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
        subject=f"{SUBJECT}{row.pk}",
    )
    events.publish(CustomerInformationChanged(station.pk))
    return row


def of_subject(subject: str) -> CustomerRequest | None:
    """Return the request that a command is about, locked, if it is about one."""
    number = subject.removeprefix(SUBJECT)
    if number == subject or not number.isdecimal():
        return None
    return CustomerRequest.objects.select_for_update().filter(pk=number).first()


@transaction.atomic(savepoint=False)
def adopt(
    command: Command, *, request_id: int, kind: str, reference: Mapping[str, str], report: bool, clear: bool
) -> CustomerRequest:
    """Return the row of a command, made now if somebody queued the command by itself."""
    row = of_subject(command.subject)
    if row is not None:
        return row
    row, _ = CustomerRequest.objects.select_for_update().get_or_create(
        station_id=command.station_id,
        request_id=request_id,
        defaults={
            "reference_kind": kind,
            "reference": keyring.encrypt(json.dumps(dict(reference))),
            "is_report": report,
            "is_clear": clear,
            "requested_by": command.requested_by[:100],
            "requested_at": command.created_at,
            "changed_at": command.created_at,
        },
    )
    return row


@transaction.atomic(savepoint=False)
def accepted(row: CustomerRequest) -> None:
    """The station will tell, or say that it has cleared (N09.FR.02, N10.FR.01)."""
    if row.state in (State.REQUESTED, State.UNANSWERED):
        _become(row, State.ACCEPTED)
    if row.is_clear and row.reference_kind == Reference.ID_TOKEN:
        _take_off_list(row)


@transaction.atomic(savepoint=False)
def refused(row: CustomerRequest, *, answer: str, reason: str = "") -> None:
    """The station said no: Rejected, or Invalid where it does not understand who is meant (N09.FR.03, N09.FR.09)."""
    if row.state in (State.REQUESTED, State.UNANSWERED):
        _become(row, State.REJECTED, reason=reason or answer)


@transaction.atomic(savepoint=False)
def not_asked(row: CustomerRequest, *, outcome: str, reason: str) -> None:
    """The request had no answer: `outcome` is the state of its command."""
    if row.state == State.REQUESTED:
        _become(row, ENDS.get(outcome, State.FAILED), reason=reason)


@transaction.atomic(savepoint=False)
def take_part(
    station: ChargingStation,
    *,
    request_id: int,
    seq_no: int,
    is_last: bool,
    text: str,
    generated_at: datetime,
) -> CustomerRequest | None:
    """Keep one part of what a station tells; parts come in any order and doubled (N09.FR.05, N09.FR.06).

    None, and nothing is kept, when nobody asked: personal data that nobody wants are not collected.
    """
    row = CustomerRequest.objects.select_for_update().filter(station=station, request_id=request_id).first()
    if row is None or row.forgotten_at is not None or not 0 <= seq_no < PARTS_AT_MOST:
        return None
    CustomerPart.objects.get_or_create(
        request=row,
        seq_no=seq_no,
        defaults={"text": keyring.encrypt(text), "received_at": clock.now()},
    )
    if is_last:
        row.last_part = seq_no
    row.generated_at = min(generated_at, row.generated_at or generated_at)
    row.save(update_fields=["last_part", "generated_at"])
    if row.state in (State.REJECTED, State.DONE):
        return row
    numbers = set(row.parts.values_list("seq_no", flat=True))
    is_whole = row.last_part is not None and set(range(row.last_part + 1)) <= numbers
    _become(row, State.DONE if is_whole else State.RECEIVING)
    return row


def told(row: CustomerRequest) -> str:
    """Return what the station told so far, in the order of its parts; '' when it is forgotten or cannot be read."""
    try:
        return "".join(keyring.decrypt(part.text) for part in row.parts.all())
    except keyring.UnreadableSecret:
        return ""


def reference(row: CustomerRequest) -> dict[str, str]:
    """Return who is meant: `id_token` and `type`, the members of CERTIFICATE, or `identifier`; {} once forgotten."""
    try:
        text = keyring.decrypt(row.reference)
    except keyring.UnreadableSecret:
        return {}
    return dict(json.loads(text)) if text else {}


@transaction.atomic(savepoint=False)
def forget(row: CustomerRequest) -> None:
    """Delete who was meant and what was told; raise `NotOpen` while the station is still to answer."""
    row = CustomerRequest.objects.select_for_update().get(pk=row.pk)
    if row.is_open:
        raise NotOpen("the station is still to answer: cancel its command first")
    _forget([row.pk])
    events.publish(CustomerInformationChanged(row.station_id))


@transaction.atomic(savepoint=False)
def cancel(row: CustomerRequest, *, by: str) -> None:
    """Wait for it no longer; a command that was not sent is taken back. Raise `NotOpen` when it has ended."""
    row = CustomerRequest.objects.select_for_update().get(pk=row.pk)
    if not row.is_open:
        raise NotOpen("the request has already ended")
    _become(row, State.CANCELLED, reason=f"cancelled by {by}")
    for command in Command.objects.filter(subject=f"{SUBJECT}{row.pk}", status=Command.Status.QUEUED):
        commands.cancel(command, by=by)


@transaction.atomic(savepoint=False)
def list_again(station: ChargingStation, uid: str) -> bool:
    """Let a token that was cleared be on the station's local list again; False when it is not kept off."""
    gone, _ = UnlistedToken.objects.filter(station=station, uid=uid.upper()).delete()
    if gone:
        LocalListMark.objects.create()
        events.publish(CustomerInformationChanged(station.pk))
    return bool(gone)


def sweep() -> int:
    """Call reports incomplete of which nothing came for a while; forget what is outdated. Return how many."""
    now = clock.now()
    count = 0
    with transaction.atomic():
        silent = CustomerRequest.objects.select_for_update(skip_locked=True).filter(
            state__in=[State.ACCEPTED, State.RECEIVING], changed_at__lt=now - QUIET
        )
        for row in silent[:FORGOTTEN_AT_ONCE]:
            _become(row, State.INCOMPLETE, reason="nothing more came")
            count += 1
        horizon = now - timedelta(days=settings.CUSTOMER_INFORMATION_RETENTION_DAYS)
        old = CustomerRequest.objects.filter(forgotten_at=None, requested_at__lt=horizon)
        ids = list(old.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
        _forget(ids)
    return count + len(ids)


def _forget(ids: list[int]) -> None:
    CustomerPart.objects.filter(request_id__in=ids).delete()
    CustomerRequest.objects.filter(pk__in=ids).update(reference="", forgotten_at=clock.now())


def _take_off_list(row: CustomerRequest) -> None:
    """Let the station's local list, if it has one, be made without the token; a sweep sends the difference."""
    uid = reference(row).get("id_token", "")
    if not uid:
        return
    _, is_new = UnlistedToken.objects.get_or_create(
        station_id=row.station_id, uid=uid.upper(), defaults={"since": clock.now()}
    )
    if is_new:
        LocalListMark.objects.create()


def _become(row: CustomerRequest, state: str, *, reason: str = "") -> None:
    row.state, row.changed_at, row.reason = state, clock.now(), reason[:255]
    row.ended_at = None if row.is_open else row.ended_at or row.changed_at
    row.save(update_fields=["state", "changed_at", "reason", "ended_at"])
    events.publish(CustomerInformationChanged(row.station_id))


def _reference(
    id_token: str, id_token_type: str, certificate: Mapping[str, str] | None, identifier: str
) -> tuple[str, dict[str, str]]:
    if sum(map(bool, (id_token, certificate, identifier))) != 1:
        raise InvalidPayload("id_token", "exactly one of a token, a certificate and an identifier")
    if id_token:
        if not id_token_type:
            known = IdToken.objects.filter(uid__iexact=id_token).values_list("type", flat=True)
            id_token_type = known.first() or ""
        return Reference.ID_TOKEN, {"id_token": id_token, "type": id_token_type}
    if identifier:
        return Reference.IDENTIFIER, {"identifier": identifier}
    found = {name: str((certificate or {}).get(name) or "").strip() for name in CERTIFICATE}
    if found["hash_algorithm"] not in HASHES or not all(found.values()):
        raise InvalidPayload("certificate", "its four hash values, by SHA256, SHA384 or SHA512")
    return Reference.CERTIFICATE, found
