"""CDRs as CSV: exact, local, safe in a spreadsheet, and never all at once in memory."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing.models import Cdr
from billing.services import cdrs, exports
from billing.services.exports import CsvStyle, InvalidStyle, csv_blocks, csv_lines
from tests import factories

pytestmark = pytest.mark.django_db


def cdr(**fields) -> Cdr:
    session = factories.session(ended=True, **fields)
    factories.tariff(at=session.station.location)
    return cdrs.issue(session)


def table(style: CsvStyle = CsvStyle()) -> list[dict[str, str]]:  # noqa: B008
    text = "".join(csv_lines(Cdr.objects.all(), style=style))
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=style.separator))


def test_a_row_says_what_the_cdr_says():
    row = cdr()

    (line,) = table()

    assert (line["cdr_id"], line["session_id"]) == (row.uid, row.session_uid)
    assert (line["energy_kwh"], line["meter_start_kwh"], line["meter_stop_kwh"]) == (
        "12.3455",
        "1.000",
        "13.3455",
    )
    assert (line["net"], line["vat"], line["gross"], line["vat_percent"]) == (
        "3.0865",
        "0.6482",
        "3.7347",
        "21",
    )
    assert (line["duration_s"], line["tariff_id"], line["tariff_version"]) == ("3600", "AC", "1")


def test_times_are_local_to_the_site_with_their_distance_from_utc():
    cdr()

    (line,) = table()

    assert (line["started_at"], line["started_at_offset"]) == ("2025-03-01T13:00:00", "+01:00")
    assert line["time_zone"] == "Europe/Amsterdam"


def test_the_hour_that_comes_twice_is_told_apart():
    autumn = datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    cdr(started_at=autumn, ended_at=autumn + timedelta(hours=1))

    (line,) = table()

    assert [line["started_at"], line["ended_at"]] == ["2025-10-26T02:30:00", "2025-10-26T02:30:00"]
    assert [line["started_at_offset"], line["ended_at_offset"]] == ["+02:00", "+01:00"]


@pytest.mark.parametrize(("zone", "hour"), [("UTC", "12"), ("Asia/Kolkata", "17")])
def test_times_may_be_in_another_zone(zone, hour):
    cdr()

    (line,) = table(CsvStyle(time_zone=zone))

    assert line["started_at"][11:13] == hour


def test_a_decimal_comma_with_semicolons_reads_as_numbers():
    cdr()

    (line,) = table(CsvStyle(separator=";", decimal=","))

    assert (line["energy_kwh"], line["net"]) == ("12,3455", "3,0865")


def test_a_decimal_comma_with_commas_is_quoted():
    cdr()

    assert table(CsvStyle(decimal=","))[0]["gross"] == "3,7347"


def test_a_negative_number_stays_a_number():
    cdrs.credit(cdr(), reason="wrong meter", by="ada")

    credit = table()[1]

    assert (credit["net"], credit["gross"]) == ("-3.0865", "-3.7347")
    assert credit["credits_cdr_id"] == table()[0]["cdr_id"]


@pytest.mark.parametrize(
    "evil",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "  =1",
        "＝1",
        "\u200b=1",
        "\u3000＋1",
        "\x01@x",
        "\n=1",
        "-",
    ],
)
def test_no_text_becomes_a_formula(evil):
    assert exports.text(evil) == f"'{evil}"


@pytest.mark.parametrize("plain", ["NL-ABC-C1", "1=1", "Café -5", "", "'quoted"])
def test_ordinary_text_stays_as_it_is(plain):
    assert exports.text(plain) == plain


def test_a_driver_cannot_run_a_formula_in_the_spreadsheet():
    cdr(id_token='=HYPERLINK("http://evil")')

    (line,) = table()

    assert line["token_uid"] == '\'=HYPERLINK("http://evil")'


def test_quotes_newlines_and_separators_survive():
    name = 'Depot "A"; north,\nlevel 2'
    place = factories.location(name=name)
    factories.tariff(at=place)
    cdrs.issue(factories.session(factories.station(location=place), ended=True))

    assert table()[0]["location"] == name
    assert table(CsvStyle(separator=";"))[0]["location"] == name


def test_lines_end_as_rfc_4180_says():
    cdr()

    assert all(line.endswith("\r\n") for line in csv_lines(Cdr.objects.all()))


def test_a_byte_order_mark_comes_first_when_wanted():
    first = next(csv_blocks(Cdr.objects.all(), style=CsvStyle(bom=True)))

    assert first.startswith(b"\xef\xbb\xbfcreated_at")


def test_the_footer_counts_sums_and_proves():
    cdr()
    cdr()

    *lines, footer = csv_lines(Cdr.objects.all(), style=CsvStyle(footer=True))

    cells = footer.strip().split(",")
    assert cells[:4] == ["rows", "2", "net", "EUR 6.1730"]
    assert cells[5] == exports.hashlib.sha256("".join(lines).encode()).hexdigest()


def test_pages_join_without_gap_or_repetition(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(exports, "PAGE", 3)
    made = [cdr() for _ in range(7)]  # all end at the same time

    with django_assert_num_queries(3):
        lines = table()

    assert [line["cdr_id"] for line in lines] == [row.uid for row in made]


def test_the_first_line_needs_no_row(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert next(iter(csv_lines(Cdr.objects.all()))).startswith("created_at")


@pytest.mark.parametrize(
    "wrong",
    [{"separator": "|"}, {"decimal": "'"}, {"time_zone": "Mars/Base"}, {"time_zone": "../etc/passwd"}],
)
def test_an_unknown_style_is_refused(wrong):
    with pytest.raises(InvalidStyle):
        CsvStyle(**wrong)


@pytest.mark.parametrize(
    ("wh", "shown"), [("12345.5", "12.3455"), ("1000", "1.000"), ("0", "0.000"), ("0.0001", "0.0000001")]
)
def test_energy_keeps_every_digit(wh, shown):
    assert f"{exports.kwh(Decimal(wh)):f}" == shown
