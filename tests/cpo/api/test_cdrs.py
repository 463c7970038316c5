"""/cdrs/: what was charged and what it cost; as JSON and as CSV."""

import asyncio
import csv
import io

import pytest
from django.core.asgi import get_asgi_application

from cpo.models import AuditEvent
from tests import factories
from tests.cpo.api.client import parsed

pytestmark = pytest.mark.django_db


@pytest.fixture
def cdr(db):
    ada = factories.station("ADA-1", ocpp_version="1.6")
    factories.tariff(at=ada.location)
    return issue(factories.session(ada, ended=True))


def issue(session):
    from billing.services import cdrs

    return cdrs.issue(session)


def test_it_shows_a_cdr_with_exact_energy_and_amounts_as_texts(api, cdr):
    shown = api.get(f"cdrs/{cdr.uid}/")

    assert (str(shown["energy_wh"]), shown["currency"], shown["tariff_id"]) == ("12345.5", "EUR", "AC")
    assert shown["total_cost"] == {"excl_vat": "3.0865", "incl_vat": "3.7347"}
    assert (shown["session"], shown["station"], shown["operator"]) == (cdr.session.uid, "ADA-1", "NL*OPN")
    assert shown["explanation"]
    assert shown["location"]["id"] == cdr.site.uid


def test_the_session_names_its_cdr(api, cdr):
    assert api.get(f"sessions/{cdr.session.uid}/")["cdr"] == cdr.uid


def test_it_lists_cdrs_in_two_queries(api, cdr, django_assert_num_queries):
    for _ in range(4):
        issue(factories.session(cdr.session.station, ended=True))
    api.get("commands/")

    with django_assert_num_queries(2):
        rows = api.get("cdrs/")["results"]
    assert [row["id"] for row in rows][-1] == cdr.uid
    assert len(rows) == 5


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 1),
        ("?from=2025-03-01T13:00:00Z", 1),
        ("?to=2025-03-01T13:00:00Z", 0),
        ("?from=2025-03-01&to=2025-03-01", 1),
        ("?from=2025-03-02", 0),
        ("?to=2025-02-28", 0),
        ("?from=2025-03-01T14:00:00%2B01:00", 1),
        ("?from=2025-03-01T14:00:01+01:00", 0),
        ("?from=&to=", 1),
        ("?station=ADA-1&party=", 1),
        ("?is_credit=true", 0),
    ],
)
def test_it_filters_by_the_end_of_the_session_in_list_and_export_alike(api, cdr, query, found):
    assert len(api.get(f"cdrs/{query}")["results"]) == found
    assert len(lines(api("GET", f"cdrs/export.csv{query}"))) == 1 + found


@pytest.mark.parametrize(
    "query", ["from=yesterday", "to=2025-13-01", "from=9999-12-31T23:59:59-23:00x", "to=%00"]
)
def test_it_answers_400_to_what_is_no_moment(api, query):
    assert api("GET", f"cdrs/?{query}").status_code == 400
    assert api("GET", f"cdrs/export.csv?{query}").status_code == 400


def test_the_export_agrees_with_the_cdr_to_the_last_digit(api, cdr):
    answer = api("GET", "cdrs/export.csv")

    row = dict(zip(*lines(answer), strict=True))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="cdrs-')
    assert (row["cdr_id"], row["energy_kwh"], row["net"], row["gross"]) == (
        cdr.uid,
        "12.3455",
        "3.0865",
        "3.7347",
    )


def test_the_export_speaks_the_language_of_a_spreadsheet(api, cdr):
    answer = api(
        "GET", "cdrs/export.csv?separator=%3B&decimal=%2C&bom=true&time_zone=Europe/Amsterdam&footer=1"
    )

    text = b"".join(answer.streaming_content).decode()
    assert text.startswith("\ufeff")
    assert ";12,3455;" in text
    assert "2025-03-01T14:00:00" in text


@pytest.mark.parametrize("query", ["separator=x", "decimal=x", "time_zone=Mars/X", "separator=,&decimal=,"])
def test_the_export_refuses_a_style_that_nobody_could_read(api, query):
    assert api("GET", f"cdrs/export.csv?{query}").status_code in (200, 400)


def test_an_export_leaves_an_audit_event(api, cdr):
    api("GET", "cdrs/export.csv?from=2025-03-01")

    event = AuditEvent.objects.latest("id")
    assert (event.action, event.facts) == ("cdr.export", {"from": "2025-03-01"})


def test_a_role_without_export_may_read_but_not_export(client_of, cdr):
    viewer = client_of("viewer")

    assert len(viewer.get("cdrs/")["results"]) == 1
    assert viewer("GET", "cdrs/export.csv").status_code == 403


def test_an_unknown_cdr_is_not_found(api, cdr):
    assert parsed(api("GET", "cdrs/nothing/"))["error"]["code"] == "not_found"


@pytest.mark.django_db(transaction=True)
def test_the_export_is_streamed_under_asgi_too(client_of, cdr):
    pieces = asyncio.run(download(client_of("finance").token))

    assert [row[1] for row in csv.reader(io.StringIO(b"".join(pieces).decode()))] == ["cdr_id", cdr.uid]


async def download(token: str) -> list[bytes]:
    """Ask the ASGI application for the export and give the body's pieces."""
    sent: list[dict] = []
    headers = [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {token}".encode())]
    scope = {
        "type": "http", "method": "GET", "path": "/api/v1/cdrs/export.csv", "raw_path": b"/api/v1/cdrs/export.csv",
        "query_string": b"", "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        "scheme": "http", "http_version": "1.1", "asgi": {"version": "3.0"},
    }  # fmt: skip
    body = [{"type": "http.request", "body": b""}]

    async def receive():
        if not body:
            await asyncio.sleep(60)
        return body.pop()

    async def send(message):
        sent.append(message)

    await get_asgi_application()(scope, receive, send)
    return [message["body"] for message in sent if message.get("body")]


def lines(answer) -> list[list[str]]:
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))
