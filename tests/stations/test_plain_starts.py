"""The group commit decides about our own tokens as the careful lane does (docs/adr/0014)."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from cpo.lib import clock, database
from stations.models import ChargingSession, ChargingStation
from stations.models.locations import new_uid
from stations.services import authorization, ingest
from tests import factories
from tests.factories import NOON

pytestmark = pytest.mark.django_db(transaction=True)
TOKENS: dict[str, dict[str, Any]] = {
    "accepted": {},
    "blocked": {"status": "Blocked"},
    "expired": {"expires_at": NOON},
    "expires later": {"expires_at": NOON + timedelta(days=100_000)},
    "a partner's": {"country_code": "NL", "party_id": "ABC"},
}


@pytest.fixture
def writer() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(**database.parameters("test writer")) as connection:
        yield connection


def start(station: ChargingStation, uid: str, *, key: str = "key") -> ingest.Facts:
    fact = ingest.StartFact(
        new_uid(),
        station.pk,
        factories.evse(station).pk,
        1,
        "77",
        key,
        uid,
        "",
        NOON,
        Decimal(0),
        clock.now(),
    )
    return ingest.Facts(start=fact)


@pytest.mark.parametrize("kind", TOKENS)
def test_a_start_is_plain_exactly_when_our_own_token_is_accepted(
    kind: str, writer: psycopg.Connection[Any]
) -> None:
    station = factories.station()
    factories.token("bo-1", **TOKENS[kind])
    facts = start(station, "BO-1")

    ingest.store(writer, [facts])

    decision = authorization.local_token("BO-1", station=station)
    assert (facts.done is not None) == (decision is not None and decision.status == "Accepted")


def test_an_unknown_token_is_not_plain(writer: psycopg.Connection[Any]) -> None:
    facts = start(factories.station(), "NOBODY")

    ingest.store(writer, [facts])

    assert facts.done is None
    assert ChargingSession.objects.count() == 0


def test_a_repeated_start_is_not_plain(writer: psycopg.Connection[Any]) -> None:
    station = factories.station()
    factories.token("BO-1")
    first, again = start(station, "BO-1"), start(station, "BO-1")

    ingest.store(writer, [first])
    ingest.store(writer, [again])

    assert (first.done is not None, again.done) == (True, None)
    assert ChargingSession.objects.count() == 1


def test_starts_of_one_batch_each_get_their_own_session(writer: psycopg.Connection[Any]) -> None:
    factories.token("BO-1")
    batch = [start(factories.station(), "BO-1", key=f"key-{number}") for number in range(3)]

    ingest.store(writer, batch)

    assert len({facts.done.session_id for facts in batch if facts.done}) == 3
