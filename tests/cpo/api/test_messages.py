"""/stations/{id}/messages/: the journal of frames."""

from datetime import timedelta

import pytest

from stations.models import Frame
from tests import factories
from tests.factories import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    ada = factories.station("ADA-1")
    for number in range(6):  # two frames at each moment
        Frame.objects.create(
            id=number + 1,
            at=NOON + timedelta(seconds=number // 2),
            station_id=ada.pk,
            epoch=1,
            direction="io"[number % 2],
            message_type=2 + number % 2,
            message_id=f"m{number // 2}",
            action="Heartbeat" if number < 4 else "MeterValues",
            text=f'[2,"m{number}"]',
            verdict="",
        )
    return ada


def texts(page):
    return [frame["text"] for frame in page["results"]]


def test_it_lists_frames_newest_first(api, ada):
    page = api.get("stations/ADA-1/messages/")

    assert texts(page) == [f'[2,"m{number}"]' for number in range(5, -1, -1)]
    assert page["results"][0] == {
        "at": "2025-03-01T12:00:02Z",
        "direction": "out",
        "message_type": 3,
        "message_id": "m2",
        "action": "MeterValues",
        "text": '[2,"m5"]',
        "verdict": "",
    }


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_it_loses_no_frame_between_pages(api, ada, limit):
    page = api.get(f"stations/ADA-1/messages/?limit={limit}")
    found = texts(page)
    while page["next"]:
        page = api.get(page["next"])
        found += texts(page)

    assert found == [f'[2,"m{number}"]' for number in range(5, -1, -1)]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("action=Heartbeat", 4),
        ("direction=in", 3),
        ("direction=out&action=MeterValues", 1),
        ("at_from=2025-03-01T12:00:01Z", 4),
        ("at_to=2025-03-01T12:00:01Z", 2),
    ],
)
def test_it_filters_frames(api, ada, query, count):
    assert len(texts(api.get(f"stations/ADA-1/messages/?{query}"))) == count


def test_it_shows_no_frames_of_another_station(api, ada):
    factories.station("BEA-1")

    assert texts(api.get("stations/BEA-1/messages/")) == []
