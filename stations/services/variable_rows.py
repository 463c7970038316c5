"""Rows of `Variable`, whatever version reported them: written in one statement, compared with what is wished."""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection

from cpo.lib import redact
from stations.models import Variable
from stations.services.guarded_keys import is_secret

LOCK_SPACE = 0x0CB1  # first half of the advisory lock under which a station's wishes and reports are compared


def lock(station_id: int) -> None:
    """Let one transaction at a time compare what a station reports with what it shall be."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, station_id % 2**31])


def upsert(rows: Iterable[Variable], *, fields: list[str]) -> None:
    """Write these columns in one statement: what others write at the same time to other columns stays."""
    for row in rows:
        row.pk = None
    Variable.objects.bulk_create(
        sorted(rows, key=lambda row: [str(getattr(row, field)) for field in Variable.KEY]),
        update_conflicts=True,
        unique_fields=["station", *Variable.KEY],
        update_fields=fields,
    )


def take(row: Variable, value: str | None, *, at: datetime) -> None:
    """Let the row say what the station told at this moment; a secret is dropped, a password in an address blanked."""
    value = None if value is None or is_secret(row.name) else redact.frame(value)
    if row.reported_at is not None and row.value != value:
        row.changed_at = at
    row.value, row.is_supported, row.reported_at = value, True, at


def is_drifting(row: Variable) -> bool:
    """Tell whether the reported value is not the desired one; unknown, so False, before the first report.

    Spaces around the members of a list and the case of true and false make no difference.
    """
    if row.desired is None or row.reported_at is None:
        return False
    return not row.is_supported or row.value is None or _plain(row.value) != _plain(row.desired)


def _plain(value: str) -> tuple[str, ...]:
    members = tuple(member.strip() for member in value.split(","))
    return tuple(m.lower() if m.lower() in ("true", "false") else m for m in members)
