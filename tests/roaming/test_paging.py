"""Lists in pages (OCPI 2.2.1 transport_and_format#Pagination, SECURITY O17)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cpo.lib import clock
from roaming import documents, visibility
from roaming.ocpi.versions import of
from roaming.visibility import VisibleTo
from stations.models import ChargingSession, Location
from tests import factories
from tests.roaming.platform import bill, connection_of, drive, network

pytestmark = pytest.mark.django_db


@pytest.fixture
def seven(partner):
    """Make seven published locations, oldest first."""
    return [factories.location(name=f"L{number}").uid for number in range(7)]


def test_a_crawl_by_our_links_gives_each_object_once_in_order(partner, seven):
    found = partner.fetch_all("locations", "limit=3")

    assert [location["id"] for location in found] == seven
    assert partner.violations == []


def test_a_client_that_counts_offsets_by_itself_is_served_too(partner, platform, seven):
    url = f"{platform}/ocpi/cpo/2.2.1/locations"

    pages = [partner.ask("GET", f"{url}?offset={offset}&limit=3") for offset in (0, 3, 6)]

    assert [item["id"] for page in pages for item in page.data] == seven
    assert [("link" in page.headers) for page in pages] == [True, True, False]
    assert {page.headers["x-total-count"] for page in pages} == {"7"}


def test_a_link_carries_every_filter_and_is_absolute(partner, platform, seven):
    url = f"{platform}/ocpi/cpo/2.2.1/locations?limit=2&date_from=2020-01-01T00:00:00Z&date_to=2100-01-01T00:00:00Z"

    link = partner.ask("GET", url).headers["link"]

    assert link.startswith(f"<{platform}/ocpi/cpo/2.2.1/locations?")
    for part in (
        "limit=2",
        "offset=2",
        "date_from=2020-01-01T00%3A00%3A00Z",
        "date_to=2100-01-01T00%3A00%3A00Z",
    ):
        assert part in link


def test_an_object_that_is_added_while_crawling_shifts_nothing(partner, platform, seven):
    first = partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations?limit=4")
    Location.objects.filter(uid=seven[0]).delete()
    link = first.headers["link"]

    second = partner.ask("GET", link[1 : link.index(">")])

    assert [item["id"] for item in second.data] == seven[4:]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=x", "limit=1.5", "offset=-1", "offset=x", "date_from=yesterday", "date_to=0",
     "date_from=2020-13-01T00:00:00Z", "after=x", "offset=99999999999999999999", "limit=٣"],
)  # fmt: skip
def test_attack_o17_queries_that_make_no_sense_are_2001(partner, platform, query):
    from urllib.parse import quote

    answer = partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations?{quote(query, safe='=:')}")

    assert (answer.http, answer.code) == (200, 2001)


def test_attack_o17_a_huge_limit_is_lowered_to_ours(partner, platform, settings, seven):
    settings.OCPI_PAGE_LIMIT = 5

    answer = partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations?limit=1000000000")

    assert len(answer.data) == 5
    assert answer.headers["x-limit"] == "5"


def test_attack_o17_swapped_dates_and_offsets_beyond_the_end_give_nothing(partner, platform, seven):
    url = f"{platform}/ocpi/cpo/2.2.1/locations"

    assert partner.ask("GET", f"{url}?date_from=2100-01-01T00:00:00Z&date_to=2020-01-01T00:00:00Z").data == []
    assert partner.ask("GET", f"{url}?offset=1000").data == []


@pytest.mark.parametrize(
    "text", ["2025-03-01T12:00:00Z", "2025-03-01T12:00:00", "2025-03-01T12:00:00.000Z", "2025-03-01T12:00:00z",
             "2025-03-01T12:00:00+00:00", "2025-03-01T13:00:00%2B01:00", "2025-3-1T12:00:00Z"]
)  # fmt: skip
def test_dates_are_understood_as_peers_write_them(partner, platform, text):
    at = datetime(2025, 3, 1, 12, tzinfo=UTC)
    inside, outside = (
        factories.location(last_updated=at),
        factories.location(last_updated=at - timedelta(seconds=1)),
    )

    answer = partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations?date_from={text}")

    assert [item["id"] for item in answer.data] == [inside.uid]
    assert (
        partner.ask("GET", f"{platform}/ocpi/cpo/2.2.1/locations?date_to={text}").data[0]["id"] == outside.uid
    )


def test_a_location_counts_as_changed_when_its_evse_does(partner, platform):
    charger = network()
    Location.objects.update(last_updated=datetime(2020, 1, 1, tzinfo=UTC))
    changed = datetime(2024, 1, 1, tzinfo=UTC)
    charger.evses.update(last_updated=changed)
    charger.evses.get().connectors.update(last_updated=changed)
    url = f"{platform}/ocpi/cpo/2.2.1/locations"

    assert (
        partner.ask("GET", f"{url}?date_from=2024-01-01T00:00:00Z").data[0]["last_updated"]
        == "2024-01-01T00:00:00Z"
    )
    assert partner.ask("GET", f"{url}?date_from=2024-01-01T00:00:01Z").data == []
    assert partner.ask("GET", f"{url}?date_to=2024-01-01T00:00:00Z").data == []
    assert len(partner.ask("GET", f"{url}?date_to=2024-01-01T00:00:01Z").data) == 1


def test_sessions_need_date_from(partner, platform):
    session = drive(network())
    url = f"{platform}/ocpi/cpo/2.2.1/sessions"

    assert partner.ask("GET", url).code == 2001
    assert [s["id"] for s in partner.ask("GET", f"{url}?date_from=2020-01-01T00:00:00Z").data] == [
        session.uid
    ]


def test_sessions_and_cdrs_are_listed_strictly_and_by_their_dates(partner):
    sessions = [drive(network(), ended=True, uid=f"EMP-{number}") for number in range(5)]
    cdrs = [bill(session) for session in sessions]
    ChargingSession.objects.filter(pk=sessions[0].pk).update(last_updated=datetime(2020, 1, 1, tzinfo=UTC))
    third = cdrs[2].created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    assert [c["id"] for c in partner.fetch_all("cdrs", "limit=2")] == [cdr.uid for cdr in cdrs]
    assert [c["id"] for c in partner.fetch_all("cdrs", f"limit=2&date_from={third}")] == [
        c.uid for c in cdrs[2:]
    ]
    assert [c["id"] for c in partner.fetch_all("cdrs", f"date_to={third}")] == [c.uid for c in cdrs[:2]]
    assert len(partner.fetch_all("sessions", "limit=2&date_from=2021-01-01T00:00:00Z")) == 4
    assert partner.violations == []


def test_a_page_of_running_sessions_costs_the_same_queries_however_many_there_are(
    partner, django_assert_max_num_queries
):
    started_at = clock.now() - timedelta(minutes=31)
    for number in range(4):
        drive(network(), uid=f"EMP-{number}", started_at=started_at, energy_wh=Decimal(6000))
    rows = list(VisibleTo(connection_of(partner)).sessions())
    documents.sessions(rows, of("2.2.1"))

    with django_assert_max_num_queries(10):
        written = documents.sessions(rows, of("2.2.1"))

    assert [document["total_cost"]["excl_vat"] for document in written] == [Decimal("1.5")] * 4


def test_a_page_of_locations_costs_the_same_queries_however_many_there_are(
    partner, django_assert_max_num_queries
):
    for _ in range(4):
        network(connectors=2)
    rows = visibility.whole(VisibleTo(connection_of(partner)).locations())

    with django_assert_max_num_queries(6):
        assert len(documents.locations(list(rows), of("2.2.1"))) == 4
