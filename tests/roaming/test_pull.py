"""Pulling a partner's tokens (OCPI 2.2.1 mod_tokens#Sender Interface, SECURITY O17)."""

from datetime import timedelta

import pytest

from cpo.lib import clock
from roaming import pull
from roaming.models import Connection
from stations.models import IdToken
from tests.emsp import now_text
from tests.roaming.platform import connection_of

pytestmark = pytest.mark.django_db


def give(partner, number, **changes):
    """Let the partner have so many drivers, without pushing them."""
    for index in range(number):
        uid = f"EMP-{index:04}"
        partner.drivers[uid] = {
            "country_code": "NL", "party_id": "ABC", "uid": uid, "type": "RFID", "contract_id": uid, "issuer": "e",
            "valid": True, "whitelist": "ALLOWED", "last_updated": now_text(),
        } | changes  # fmt: skip


def test_all_pages_are_pulled(partner):
    give(partner, 120)

    result = pull.tokens(connection_of(partner), full=True)

    assert (result.seen, result.created, result.pages, result.is_complete) == (120, 120, 3, True)
    assert IdToken.objects.filter(party_id="ABC").count() == 120
    assert partner.violations == []


def test_the_next_pull_asks_for_what_changed_with_an_overlap(partner):
    give(partner, 3)
    connection = connection_of(partner)
    pull.tokens(connection, full=True)
    connection.refresh_from_db()
    partner.requests.clear()

    pull.tokens(connection)

    since = connection.tokens_pulled_at - pull.OVERLAP
    assert f"date_from={since:%Y-%m-%dT%H}" in partner.requests[0].path
    assert clock.now() - connection.tokens_pulled_at < timedelta(minutes=1)


def test_one_bad_token_spoils_only_itself(partner):
    give(partner, 3)
    partner.drivers["EMP-0001"]["whitelist"] = "WHATEVER"
    partner.drivers["EMP-0002"]["party_id"] = "XYZ"

    result = pull.tokens(connection_of(partner), full=True)

    assert (result.created, result.refused, result.is_complete) == (1, 2, True)
    assert "whitelist" in result.faults[0]


@pytest.mark.parametrize("page_number", [1, 2])
def test_a_page_that_fails_leaves_the_watermark_where_it_was(partner, page_number):
    give(partner, 120)
    asked = []
    partner.fault = lambda seen: asked.append(1) or ("500" if len(asked) == page_number else "")

    result = pull.tokens(connection_of(partner), full=True)

    assert not result.is_complete
    assert connection_of(partner).tokens_pulled_at is None


def test_attack_o17_links_in_a_circle_end_the_crawl(partner, monkeypatch):
    give(partner, 120)
    _link_always(partner, monkeypatch, lambda: f"{partner.base}/ocpi/emsp/2.2.1/tokens/?offset=0&limit=50")

    result = pull.tokens(connection_of(partner), full=True)

    assert not result.is_complete
    assert result.pages == 2


@pytest.mark.parametrize(
    "link", ["/relative?offset=50", "https://evil.example/tokens", "ftp://x/", "not a url"]
)
def test_a_broken_link_is_replaced_by_counting_offsets(partner, monkeypatch, link):
    give(partner, 120)
    _link_always(partner, monkeypatch, lambda: link)

    result = pull.tokens(connection_of(partner), full=True)

    assert (result.created, result.is_complete) == (120, True)
    assert all(seen.path.startswith("/ocpi/emsp/2.2.1/tokens/") for seen in partner.requests[-3:])


def test_a_partner_without_tokens_to_give_is_not_asked(partner):
    Connection.objects.update(endpoints=[])
    asked = len(partner.requests)

    assert pull.tokens(connection_of(partner)).pages == 0
    assert len(partner.requests) == asked


def _link_always(partner, monkeypatch, link):
    """Let every page of tokens name this as its next one."""
    from cpo.simulator.partner_http import Handler

    answer = Handler._answer

    def linking(self, http, code, data=None, *, message="", headers=None):
        headers = dict(headers or {})
        if "X-Total-Count" in headers:
            headers["Link"] = f'<{link()}>; rel="next"'
        answer(self, http, code, data, message=message, headers=headers)

    monkeypatch.setattr(Handler, "_answer", linking)
