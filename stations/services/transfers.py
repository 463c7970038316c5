"""The life of a request about a file, whichever way the file goes: firmware to a station, firmware to a local
controller, logs from a station.

What a station says is kept word by word, with a remark where it changes nothing: words come late, twice, out of
order, without a request id, or not at all. Each kind says in a `Life` of its own what its words mean.
"""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db import transaction

from cpo.lib import clock, events
from stations.events import FilesChanged
from stations.models import ChargingStation, Command, ReviewItem
from stations.models.transfers import Transfer, TransferStatus
from stations.services import commands, files, requests, review
from stations.services.errors import NotOpen

STATUS_LENGTH = 40  # characters of a status that are kept
REASON_LENGTH = 255
RECENT = timedelta(days=1)  # in which a word without a request id may still be about what has ended
IDLE = "Idle"  # said when asked, while nothing goes on: it changes nothing
CANCELED = "AcceptedCanceled"  # the station's word for what a newer request took the place of
LONGEST_RETRY_S = 86_400
# Values of states that every kind has.
ACCEPTED, FAILED, REJECTED = "accepted", "failed", "rejected"
UNANSWERED, STALLED, CANCELLED = "unanswered", "stalled", "cancelled"
NOT_ASKED = {"timed_out": UNANSWERED, "cancelled": CANCELLED}  # outcome of the command -> what it is then

T = TypeVar("T", bound=Transfer)


class Life(Generic[T]):
    """How transfers of one kind go on. `judge` and `follow` say what the station's words mean."""

    rows: type[T]
    words: type[TransferStatus]
    place: str  # member of a word that names its transfer
    waiting: str  # state until the station has answered
    request: str  # of services.requests
    prefix: str  # of subjects of commands; the row's id follows
    noun: str  # for operators
    ends_link: Collection[str] = ()  # states in which its link is of no use any more
    alerts = True  # whether what goes wrong waits for an operator

    def judge(self, row: T, status: str) -> tuple[str, bool]:
        """Return a remark about a word, and whether it changes something."""
        raise NotImplementedError

    def follow(self, row: T, status: str, now: datetime) -> None:
        """Let the row become what a word says."""
        raise NotImplementedError

    # --- our side

    def send(
        self, row: T, *, location: str, word: str, requested_by: str, user: Any = None, queue_offline: bool
    ) -> None:
        """Ask the station, in the caller's transaction; raise what `commands.queue` raises."""
        self.say(row, word, row.changed_at, remark=requested_by)
        self.ask(row, location=location, requested_by=requested_by, user=user, queue_offline=queue_offline)
        events.publish(FilesChanged(row.station_id))

    def ask(self, row: T, *, location: str, **options: Any) -> Command:
        """Queue the request once more or for the first time."""
        facts = {self.place: row, "location": location}
        subject = f"{self.prefix}{row.pk}"
        return requests.queue(row.station, self.request, facts=facts, subject=subject, **options)

    @transaction.atomic(savepoint=False)
    def cancel(self, row: T, *, by: str) -> None:
        """Expect nothing more: take its command and its link back; raise `NotOpen` when it has ended.

        A station that has the request already goes on until it needs the link.
        """
        row = self._locked().get(pk=row.pk)
        if not row.is_open:
            raise NotOpen(f"the {self.noun} has already ended")
        now = clock.now()
        self.say(row, "Cancelled", now, remark=by)
        self.become(row, CANCELLED, now, reason=f"cancelled by {by}")
        files.revoke(row.link)
        for command in Command.objects.filter(subject=f"{self.prefix}{row.pk}", status=Command.Status.QUEUED):
            commands.cancel(command, by=by)

    # --- what became of the request

    def of_subject(self, subject: str) -> T | None:
        """Return the transfer that a command is about, locked, if it is about one of this kind."""
        number = subject.removeprefix(self.prefix)
        if number == subject or not number.isdecimal():
            return None
        return self._locked().filter(pk=number).first()

    @transaction.atomic(savepoint=False)
    def accepted(self, row: T, *, cancels_others: bool = False) -> None:
        """The station will do it; `cancels_others`: what it was doing before has ended with that."""
        now = clock.now()
        older = self._locked().filter(
            station_id=row.station_id,
            state__in=self.rows.OPEN,
            pk__lt=row.pk,
        )
        for other in older if cancels_others else []:
            self.say(other, CANCELED, now, remark="a newer one took its place")
            self.become(other, CANCELLED, now, reason="a newer one took its place")
        self.say(row, CANCELED if cancels_others else "Accepted", now)
        if self._awaits_answer(row):
            self.become(row, ACCEPTED, now)

    @transaction.atomic(savepoint=False)
    def refused(self, row: T, *, answer: str, reason: str = "") -> None:
        """The station said no, in this word."""
        now = clock.now()
        self.say(row, answer, now, remark=reason)
        if not self._awaits_answer(row):
            return
        row.status = answer[:STATUS_LENGTH]
        row.save(update_fields=["status"])
        self.become(row, REJECTED, now, reason=reason or answer)
        self.alert(row, f"refused the {self.noun}: {answer}")

    @transaction.atomic(savepoint=False)
    def not_asked(self, row: T, *, outcome: str, reason: str) -> None:
        """The request had no answer: `outcome` is the state of its command. What was sent may still be obeyed."""
        now = clock.now()
        self.say(row, outcome, now, remark=reason)
        if row.state != self.waiting:
            return
        self.become(row, NOT_ASKED.get(outcome, FAILED), now, reason=reason)
        if outcome != "cancelled":
            self.alert(row, f"{self.noun}: {reason or outcome}")

    # --- what the station says

    @transaction.atomic(savepoint=False)
    def heard(
        self,
        station: ChargingStation,
        *,
        status: str,
        request_id: int | None,
        now: datetime,
        remark: str = "",
    ) -> T | None:
        """Store the station's word and return the transfer it belongs to, if it belongs to one.

        Without a request id it is about the newest one that has not ended, or that ended lately. `remark` is what
        the station added.
        """
        row = self._meant(station.pk, request_id, now)
        if row is None:
            remark = remark if status == IDLE else "it belongs to no request of ours"
            self._write(station.pk, None, request_id, status, now, remark)
            return None
        why, is_news = self.judge(row, status)
        self.say(row, status, now, request_id=request_id, remark=": ".join(filter(None, (why, remark))))
        if is_news:
            row.status = status[:STATUS_LENGTH]
            row.save(update_fields=["status"])
            self.follow(row, status, now)
        events.publish(FilesChanged(station.pk))
        return row

    def say(
        self, row: T, status: str, now: datetime, *, request_id: int | None = None, remark: str = ""
    ) -> None:
        """Write down what was said or has happened."""
        self._write(row.station_id, row, request_id, status, now, remark)

    def become(self, row: T, state: str, now: datetime, *, reason: str = "") -> None:
        """Change the state; what has ended once keeps the moment."""
        row.state, row.changed_at, row.reason = state, now, reason[:REASON_LENGTH]
        row.ended_at = None if row.is_open else row.ended_at or now
        row.save(update_fields=["state", "changed_at", "reason", "ended_at"])
        if state in self.ends_link:
            files.revoke(row.link)
        events.publish(FilesChanged(row.station_id))

    def stall(self, row: T, now: datetime, *, reason: str) -> None:
        """Nothing was heard for too long."""
        self.say(row, "Stalled", now, remark=reason)
        self.become(row, STALLED, now, reason=reason)
        self.alert(row, f"{self.noun} came to a halt: {reason}")

    def alert(self, row: T, summary: str) -> None:
        """Let an operator look."""
        if not self.alerts:
            return
        review.raise_item(
            ReviewItem.Kind.FIRMWARE,
            key=f"{self.prefix}{row.pk}:{row.state}",
            summary=f"{row.station.identity} {summary}",
            station=row.station,
            facts={self.place: row.pk, "status": row.status},
        )

    def forget_strays(self, now: datetime) -> None:
        """Delete outdated words that belong to nothing."""
        kept_since = now - timedelta(days=settings.FILES_RETENTION_DAYS)
        self.words._default_manager.filter(**{self.place: None}, at__lt=kept_since).delete()

    # --- inside

    def _locked(self) -> Any:
        rows = self.rows._default_manager.select_for_update(of=("self",))
        return rows.select_related("link", "station")

    def _awaits_answer(self, row: T) -> bool:
        return row.state in (self.waiting, UNANSWERED)

    def _meant(self, station_id: int, request_id: int | None, now: datetime) -> T | None:
        mine = self._locked().filter(station_id=station_id)
        if request_id is not None:
            return mine.filter(request_id=request_id).first()
        newest = mine.order_by("-id")
        return (
            newest.filter(state__in=self.rows.OPEN).first()
            or newest.filter(changed_at__gt=now - RECENT).first()
        )

    def _write(
        self, station_id: int, row: T | None, request_id: int | None, status: str, now: datetime, remark: str
    ) -> None:
        about = {"station_id": station_id, self.place: row, "request_id": request_id, "at": now}
        said = {"status": status[:STATUS_LENGTH], "remark": remark[:REASON_LENGTH]}
        self.words._default_manager.create(**about, **said)


def new_request_id() -> int:
    """Return a requestId of 31 bits that nobody guesses."""
    return secrets.randbelow(2**31 - 1) + 1


def link_ends_at(
    begins_at: datetime, *, retries: int | None, retry_interval_s: int | None, queue_offline: bool
) -> datetime:
    """Until when a link must work: the station's own retries and its time offline come on top."""
    waiting = settings.OCPP_QUEUED_COMMAND_TTL_S if queue_offline else 0
    again = min((retries or 0) * (retry_interval_s or 0), LONGEST_RETRY_S)
    return begins_at + timedelta(seconds=settings.FILES_LINK_S + waiting + again)
