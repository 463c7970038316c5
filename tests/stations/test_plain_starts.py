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
    "restricted": {"is_restricted": True},
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
def test_a_start_is_plain_exactly_when_our_own_token_is_accepted_without_limits(
    kind: str, writer: psycopg.Connection[Any]
) -> None:
    station = factories.station()
    factories.token("bo-1", **TOKENS[kind])
    facts = start(station, "BO-1")

    ingest.store(writer, [facts])

    decision = authorization.local_token("BO-1", station=station)
    is_free = decision is not None and decision.token is not None and not decision.token.is_restricted
    assert (facts.done is not None) == (is_free and decision is not None and decision.status == "Accepted")


def test_the_newest_accepted_token_decides_and_no_older_one_in_its_place(
    writer: psycopg.Connection[Any],
) -> None:
    factories.token("BO-1", type="OTHER")
    newest = factories.token("BO-1", is_restricted=True)
    facts = start(factories.station(), "BO-1")

    ingest.store(writer, [facts])

    assert facts.done is None
    assert authorization.find("BO-1", own=True) == newest


def test_an_expired_token_does_not_hide_a_valid_one(writer: psycopg.Connection[Any]) -> None:
    valid = factories.token("BO-1", type="OTHER")
    factories.token("BO-1", expires_at=NOON)
    facts = start(factories.station(), "BO-1")

    ingest.store(writer, [facts])

    assert facts.done is not None
    assert authorization.find("BO-1", own=True) == valid


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
