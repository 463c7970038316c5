"""CDRs as CSV for spreadsheets: exact decimals, local times, nothing that a spreadsheet would run.

Rows are read in pages by key (end of the session, id): memory stays constant and the first line comes at once,
however many rows follow.
"""

import csv
import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.db.models.fields.json import KT

from billing.errors import BillingError
from billing.models import Cdr

PAGE = 2000  # rows read at once
BLOCK = 500  # lines in one piece of a response
SITE = ""  # the time zone of each location
_FORMULA = frozenset("=+-@＝＋－＠")  # what a spreadsheet takes for the beginning of a formula
_KWH = Decimal("0.001")
_ZERO = Decimal(0)


class InvalidStyle(BillingError):
    """No such separator, decimal sign or time zone."""


@dataclass(frozen=True, slots=True)
class CsvStyle:
    """How a CSV file is written. Raises InvalidStyle.

    `time_zone`: '' is the zone of each location, else an IANA name. `bom`: for spreadsheets that do not expect
    UTF-8. `footer`: a last line with the number of rows, sums and the SHA-256 of everything before it.
    """

    separator: str = ","
    decimal: str = "."
    time_zone: str = SITE
    bom: bool = False
    footer: bool = False

    def __post_init__(self) -> None:
        if self.separator not in (",", ";", "\t"):
            raise InvalidStyle("the separator is a comma, a semicolon or a tab")
        if self.decimal not in (".", ","):
            raise InvalidStyle("the decimal sign is a point or a comma")
        if self.time_zone != SITE:
            _zone(self.time_zone)


class Row(NamedTuple):
    """What one line is made of, in the order of `FIELDS`."""

    id: int
    created_at: datetime
    uid: str
    session_uid: str
    credited: str | None
    location: str | None
    station: str
    evse_id: str | None
    evse_uid: str | None
    connector: str | None
    started_at: datetime
    ended_at: datetime
    time_zone: str
    seconds: int
    parking_seconds: int
    energy_wh: Decimal
    meter_start_wh: Decimal | None
    meter_stop_wh: Decimal | None
    net: Decimal | None
    gross: Decimal | None
    taxes: list[dict[str, str]] | None
    currency: str
    token: str | None
    contract_id: str | None
    auth_method: str
    party: str
    tariff: str | None
    tariff_version: int | None
    remark: str
    authorization_reference: str


FIELDS = (
    "id", "created_at", "uid", "session_uid", "credit_reference__uid", KT("location__name"), "station_identity",
    KT("evse__evse_id"), KT("evse__uid"), KT("connector__id"), "started_at", "ended_at", "time_zone", "seconds",
    "parking_seconds", "energy_wh", "meter_start_wh", "meter_stop_wh", "total_before_taxes", "total_after_taxes",
    "totals__total_cost__taxes", "currency", KT("token__uid"), KT("token__contract_id"), "auth_method", "party",
    KT("tariff__id"), "tariff_version", "remark", "authorization_reference",
)  # fmt: skip
HEADER = (
    "created_at", "cdr_id", "session_id", "credits_cdr_id", "location", "station", "evse_id", "connector",
    "started_at", "started_at_offset", "ended_at", "ended_at_offset", "time_zone", "duration_s", "parking_s",
    "energy_kwh", "meter_start_kwh", "meter_stop_kwh", "net", "vat_percent", "vat", "gross", "currency",
    "token_uid", "contract_id", "auth_method", "partner", "tariff_id", "tariff_version", "remark",
    "authorization_reference",
)  # fmt: skip


def csv_lines(queryset: QuerySet[Cdr], *, style: CsvStyle = CsvStyle()) -> Iterator[str]:  # noqa: B008 - frozen
    """Yield the header and one line for each CDR, oldest session end first; lines end in CR LF (RFC 4180)."""
    lines = _lines(queryset, style)
    return _with_footer(lines, queryset, style) if style.footer else (line for line, _ in lines)


def csv_blocks(queryset: QuerySet[Cdr], *, style: CsvStyle = CsvStyle()) -> Iterator[bytes]:  # noqa: B008 - frozen
    """Yield the same file in pieces of many lines, as a streamed response wants it."""
    lines = csv_lines(queryset, style=style)
    while block := list(islice(lines, BLOCK)):
        yield "".join(block).encode()


def _lines(queryset: QuerySet[Cdr], style: CsvStyle) -> Iterator[tuple[str, Row | None]]:
    writer = csv.writer(_Echo(), delimiter=style.separator)
    yield ("\ufeff" if style.bom else "") + writer.writerow(HEADER), None
    for row in rows(queryset):
        yield writer.writerow(_cells(row, style)), row


def rows(queryset: QuerySet[Cdr]) -> Iterator[Row]:
    """Read CDRs page by page; they never change, so a page is as good as a cursor and holds nothing open."""
    ordered = queryset.order_by("ended_at", "pk")
    page = ordered
    while True:
        found = [Row(*values) for values in page.values_list(*FIELDS)[:PAGE]]
        yield from found
        if len(found) < PAGE:
            return
        last = found[-1]
        page = ordered.filter(ended_at__gte=last.ended_at).exclude(ended_at=last.ended_at, pk__lte=last.id)


class _Echo:
    """A file that gives back what it is told to write."""

    def write(self, text: str) -> str:
        return text


def _cells(row: Row, style: CsvStyle) -> list[Any]:
    zone = _zone(style.time_zone or row.time_zone)
    created, _ = _local(row.created_at, zone)
    started, started_offset = _local(row.started_at, zone)
    ended, ended_offset = _local(row.ended_at, zone)
    vat = None if row.net is None or row.gross is None else row.gross - row.net

    def number(value: Decimal | None) -> str:
        return "" if value is None else f"{value:f}".replace(".", style.decimal)

    return [
        created, text(row.uid), text(row.session_uid), text(row.credited), text(row.location), text(row.station),
        text(row.evse_id or row.evse_uid), text(row.connector), started, started_offset, ended, ended_offset,
        zone.key, row.seconds, row.parking_seconds, number(kwh(row.energy_wh)),
        number(kwh(row.meter_start_wh)), number(kwh(row.meter_stop_wh)), number(row.net),
        " + ".join(number(_trim(Decimal(rate))) for rate in _rates(row)), number(vat), number(row.gross),
        row.currency, text(row.token), text(row.contract_id), row.auth_method, text(row.party), text(row.tariff),
        "" if row.tariff_version is None else row.tariff_version, text(row.remark),
        text(row.authorization_reference),
    ]  # fmt: skip


def text(value: str | None) -> str:
    """Return a text cell that no spreadsheet takes for a formula.

    Invisible characters in front do not hide one; NUL, which no spreadsheet reads, is dropped.
    """
    if not value:
        return ""
    value = value.replace("\0", "")
    visible = next((c for c in value if unicodedata.category(c)[0] not in "ZC"), "")
    return f"'{value}" if visible in _FORMULA or value[:1] in "\t\r\n" else value


def kwh(energy_wh: Decimal | None) -> Decimal | None:
    """Turn Wh into exact kWh with at least three decimals."""
    if energy_wh is None:
        return None
    exact = energy_wh.scaleb(-3)
    short = _trim(exact)
    return short if short.as_tuple().exponent <= -3 else exact.quantize(_KWH)  # type: ignore[operator]  # finite


def _trim(value: Decimal) -> Decimal:
    short = value.normalize()
    return short if short.as_tuple().exponent <= 0 else short.quantize(Decimal(1))  # type: ignore[operator]  # finite


def _rates(row: Row) -> list[str]:
    return [tax["percentage"] for tax in row.taxes or () if tax.get("percentage") is not None]


def _local(instant: datetime, zone: ZoneInfo) -> tuple[str, str]:
    """Return local time in ISO 8601 to the second, and its distance from UTC: the hour that comes twice is told."""
    local = instant.astimezone(zone).isoformat(timespec="seconds")
    return local[:19], local[19:]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as fault:
        raise InvalidStyle(f"{name[:40]!r} is no IANA time zone") from fault


def _with_footer(
    lines: Iterable[tuple[str, Row | None]], queryset: QuerySet[Cdr], style: CsvStyle
) -> Iterator[str]:
    digest, count = hashlib.sha256(), 0
    sums: dict[str, Decimal] = defaultdict(lambda: _ZERO)
    for line, row in lines:
        digest.update(line.encode())
        if row is not None:
            count += 1
            sums[row.currency] += row.net or _ZERO
        yield line
    totals = " ".join(f"{currency} {net:f}" for currency, net in sorted(sums.items()))
    words = ["rows", count, "net", totals.replace(".", style.decimal), "sha256", digest.hexdigest()]
    yield csv.writer(_Echo(), delimiter=style.separator).writerow(words)
