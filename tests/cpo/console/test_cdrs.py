"""CDRs: the ledger, one CDR, the export."""

import csv
import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from billing.models import Cdr
from billing.services import cdrs
from cpo.models import AuditEvent
from tests import factories

EXPORT = {
    "from_day": "2025-03-01",
    "to_day": "2025-03-01",
    "separator": ";",
    "decimal": ",",
    "time_zone": "site",
}


@pytest.fixture
def cdr(db: None) -> Cdr:
    station = factories.station("ADA-1")
    factories.tariff(at=station.location)
    session = factories.session(station, ended=True, party="NL*ABC")
    factories.samples(session, (0, "1000"), (60, "13345.5"))
    return cdrs.issue(session)


def lines(client: Client, **fields: Any) -> list[list[str]]:
    response = client.post("/finance/cdrs/export/", EXPORT | fields)
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(response.streaming_content).decode()
    return list(csv.reader(io.StringIO(text), delimiter=fields.get("separator", ";")))


def test_the_ledger_shows_the_sums_of_the_cdr(ada: Client, cdr: Cdr) -> None:
    text = ada.get("/finance/cdrs/").content.decode()

    assert cdr.total_before_taxes == Decimal("3.0865")  # 12,346 Wh: the tariff counts in whole Wh
    assert all(word in text for word in ("12.3455 kWh", "€3.09", "€3.73", "NL*ABC"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=ada-1", False),
        ("?q=ADA-1", True),
        ("?kind=roaming", True),
        ("?kind=own", False),
        ("?kind=credit", False),
        ("?from=2025-03-01&to=2025-03-01", True),
        ("?from=2025-03-02", False),
        ("?to=2025-02-28", False),
        ("?from=nonsense", True),
        ("?partner=NL*ABC", True),
    ],
)
def test_the_ledger_is_filtered(ada: Client, cdr: Cdr, query: str, found: bool) -> None:
    assert (f"/finance/cdrs/{cdr.pk}/" in ada.get(f"/finance/cdrs/{query}").content.decode()) is found


def test_a_cdr_shows_how_it_was_computed(ada: Client, cdr: Cdr) -> None:
    text = ada.get(f"/finance/cdrs/{cdr.pk}/").content.decode()

    assert "3.0865 EUR" in text
    assert "VAT 21 %: 0.6482" in text
    assert cdr.explanation[0][:20] in text


def test_a_credited_cdr_and_its_credit_name_each_other(ada: Client, cdr: Cdr) -> None:
    credit = cdrs.credit(cdr, reason="wrong meter", by="user:ada")

    assert f"/finance/cdrs/{credit.pk}/" in ada.get(f"/finance/cdrs/{cdr.pk}/").content.decode()
    assert f"/finance/cdrs/{cdr.pk}/" in ada.get(f"/finance/cdrs/{credit.pk}/").content.decode()


def test_the_export_is_written_as_asked(ada: Client, cdr: Cdr) -> None:
    header, row = lines(ada)

    found = dict(zip(header, row, strict=True))
    assert (found["cdr_id"], found["energy_kwh"], found["time_zone"]) == (
        cdr.uid,
        "12,3455",
        "Europe/Amsterdam",
    )
    assert found["started_at"].startswith("2025-03-01")


def test_the_last_day_is_included_in_the_chosen_zone(ada: Client, cdr: Cdr) -> None:
    assert len(lines(ada, time_zone="UTC")) == 2
    assert len(lines(ada, from_day="2025-03-02", to_day="2025-03-02", time_zone="UTC")) == 1
    assert len(lines(ada, from_day="2025-02-01", to_day="2025-02-28", time_zone="UTC")) == 1


def test_the_export_is_recorded(ada: Client, cdr: Cdr) -> None:
    lines(ada)

    event = AuditEvent.objects.get()
    assert (event.action, event.facts["from_day"]) == ("cdr.export", "2025-03-01")


def test_days_in_the_wrong_order_are_told_at_the_form(ada: Client, cdr: Cdr) -> None:
    response = ada.post("/finance/cdrs/export/", EXPORT | {"to_day": "2025-02-01"})

    assert response.status_code == 422
    assert b"The last day lies before the first." in response.content


def test_an_export_holds_what_is_in_scope_only(person: Callable[..., Client], cdr: Cdr) -> None:
    stranger = person("finance", operators=[factories.operator("DE", "XYZ")])

    assert len(lines(stranger)) == 1


def test_the_export_is_for_finance(person: Callable[..., Client], cdr: Cdr) -> None:
    assert b"Export as CSV" not in person("support").get("/finance/cdrs/").content
    assert b"Export as CSV" in person("finance").get("/finance/cdrs/").content
