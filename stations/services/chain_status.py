"""What is known of each certificate of a vehicle's chain, by OCSP or by revocation list (OCPP 2.1 M07)."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cpo.lib import clock
from stations.pki.hash_data import HashData
from stations.services import certificate_status, revocation_lists
from stations.services.certificate_status import NoStatus

OCSP, CRL = "OCSP", "CRL"
FAILED = "failed"
BUDGET_S = 12  # seconds for all certificates of a question: a station, and a vehicle, wait
KEPT_AT_MOST = timedelta(days=7)  # by the station (M07.FR.09)


@dataclass(frozen=True, slots=True)
class Sought:
    """A certificate, who is to be asked about it, and at which of these addresses."""

    hash_data: HashData | None  # None: it cannot be read
    source: str  # OCSP or CRL
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What a source says: good, revoked, unknown, or failed where nobody could say; and until when that holds."""

    word: str
    until: datetime


def statuses(sought: Iterable[Sought]) -> list[Told]:
    """Ask about each certificate at one address after the other until one answers (M07.FR.01 to .07)."""
    deadline = time.monotonic() + BUDGET_S
    return [_status(one, deadline) for one in sought]


def _status(sought: Sought, deadline: float) -> Told:
    now = clock.now()
    for url in sought.urls:
        if sought.hash_data is None or time.monotonic() > deadline:
            break
        try:
            word, until = _asked(sought.hash_data, sought.source, url)
        except NoStatus:
            continue
        return Told(word, min(until, now + KEPT_AT_MOST))
    return Told(FAILED, now)


def _asked(named: HashData, source: str, url: str) -> tuple[str, datetime]:
    """Ask one address; of what our own authority issued we know it ourselves."""
    if source == OCSP:
        status = certificate_status.current().status(named, responder_url=url)
        return status.word, status.until
    own = certificate_status.own(named)
    return (own.word, own.until) if own is not None else revocation_lists.status(named, url=url)
