"""Keyset paging: every row once, whatever the cursor says."""

from datetime import timedelta

import pytest

from cpo.console import paging
from stations.models import ChargingSession, ChargingStation, ReviewItem
from stations.services import review
from tests import factories


def test_pages_show_every_row_once_in_order(db: None) -> None:
    for number in range(7):
        factories.station(f"ADA-{number}", location=None, connectors=0)

    seen, after = [], ""
    for _ in range(3):
        page = paging.page(
            ChargingStation.objects.all(), by=("identity",), after=after, newest_first=False, size=3
        )
        seen += [station.identity for station in page]
        after = page.after

    assert (seen, after) == ([f"ADA-{number}" for number in range(7)], "")


def test_rows_of_one_moment_are_told_apart_by_the_second_key(db: None) -> None:
    items = [review.raise_item("bad_frame", key=str(n), summary=str(n)) for n in range(5)]
    ReviewItem.objects.update(raised_at=items[0].raised_at)

    first = paging.page(ReviewItem.objects.all(), by=("raised_at", "id"), size=3)
    second = paging.page(ReviewItem.objects.all(), by=("raised_at", "id"), size=3, after=first.after)

    assert [i.pk for i in first] + [i.pk for i in second] == sorted((i.pk for i in items), reverse=True)


@pytest.mark.parametrize("cursor", ["x", "1~2", "'; drop table", "~", "99999999999999999999999", "\x00"])
def test_a_cursor_that_nobody_gave_out_does_no_harm(db: None, cursor: str) -> None:
    session = factories.session()

    page = paging.page(ChargingSession.objects.all(), by=("id",), after=cursor)

    assert page.rows in ([session], [])


def test_there_is_no_next_page_after_the_last_row(db: None) -> None:
    for minutes in range(2):
        factories.session(started_at=factories.NOON + timedelta(minutes=minutes))

    assert paging.page(ChargingSession.objects.all(), by=("id",), size=2).after == ""
