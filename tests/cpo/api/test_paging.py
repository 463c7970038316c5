"""Lists: newest first, by key, at a flat cost."""

import pytest

from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def uids():
    for number in range(7):
        factories.token(f"T-{number}")
    return [f"T-{number}" for number in range(6, -1, -1)]


def walk(api, path, link="next"):
    while path:
        page = api.get(path)
        yield [row["uid"] for row in page["results"]]
        path = page[link]


def test_it_walks_from_the_newest_to_the_oldest(api, uids):
    assert list(walk(api, "tokens/?limit=3")) == [uids[:3], uids[3:6], uids[6:]]


def test_it_walks_back(api, uids):
    last = api.get(api.get(api.get("tokens/?limit=3")["next"])["next"])

    assert last["next"] is None
    assert list(walk(api, last["previous"], "previous")) == [uids[3:6], uids[:3]]


def test_it_shows_no_link_where_nothing_follows(api, uids):
    page = api.get("tokens/?limit=7")

    assert (page["next"], page["previous"]) == (None, None)


def test_it_keeps_filters_in_the_links(api, uids):
    factories.token("X", status="Blocked")

    page = api.get(api.get("tokens/?status=Accepted&limit=3")["next"])

    assert [row["uid"] for row in page["results"]] == uids[3:6]


def test_a_new_row_moves_nothing_on_a_later_page(api, uids):
    link = api.get("tokens/?limit=3")["next"]

    factories.token("newest")

    assert [row["uid"] for row in api.get(link)["results"]] == uids[3:6]


def test_it_answers_an_empty_list(api):
    assert api.get("tokens/") == {"next": None, "previous": None, "results": []}


def test_it_gives_no_more_than_the_most(api, uids):
    assert len(api.get("tokens/?limit=999999")["results"]) == 7


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", "", "9" * 30, "%00", "١"])
def test_it_answers_400_to_a_limit_that_is_no_number(api, limit):
    assert api("GET", f"tokens/?limit={limit}").status_code == 400


@pytest.mark.parametrize("cursor", ["x", "o", "o-1", "o1.2", "p1", "o" + "9" * 40, "o1;drop", "%00", "bz0x"])
def test_it_answers_400_to_a_cursor_that_it_never_gave(api, cursor):
    assert api("GET", f"tokens/?cursor={cursor}").status_code == 400


@pytest.mark.parametrize("cursor", ["o1", "o999999999999999999.1", "n5.9.9"])
def test_it_answers_400_to_a_cursor_of_another_list(api, cursor):
    session = factories.session()

    assert api("GET", f"sessions/{session.uid}/meter-values/?cursor={cursor}").status_code == 400


def test_the_last_page_costs_as_many_queries_as_the_first(api, uids, django_assert_num_queries):
    first = api.get("tokens/?limit=3")
    last = api.get(first["next"])["next"]

    with django_assert_num_queries(4):
        api.get("tokens/?limit=3")
    with django_assert_num_queries(4):
        api.get(last)
