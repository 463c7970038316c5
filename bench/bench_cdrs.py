"""P7: how many CDRs a second one Celery worker commits, and whether the last of a backlog costs what the first did.

Sessions as a day of charging leaves them: sixty samples and three statuses each, snapshots made at their start, a
tariff of four elements with times of day, parking and VAT. They are handed to a real worker of one process as nudges
hand them over; what counts is the time until their rows are committed.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from bench import databases, proc, servers
from bench.servers import PRODUCT

SESSIONS, SHORT = 10_000, 2_000
TARGET = 200
PATIENCE_S = 300

SEED = """
insert into stations_operator (country_code, party_id, name, legal_name, vat_id, website, currency)
values ('NL', 'BEN', 'Bench', '', '', '', 'EUR');
insert into stations_location (uid, operator_id, name, address, city, postal_code, state, country, latitude,
    longitude, time_zone, publish, parking_type, facilities, opening_times, energy_mix, created_at, last_updated)
select 'L' || n, o.id, 'Site ' || n, 'Street ' || n, 'Town', '1000AA', '', 'NLD', 52, 5, 'Europe/Amsterdam', true,
    '', '[]', '{}', '{}', now(), now()
from stations_operator o, generate_series(1, 100) n where o.party_id = 'BEN';
"""


def measure(*, short: bool = False, log: Path | None = None) -> dict[str, dict[str, Any]]:
    """Fill the bench's own database, let one worker drain it; give {"P7": entry}."""
    log = log or Path(os.environ.get("VAR", "var")) / "bench.log"
    number = SHORT if short else SESSIONS
    servers.prepare(PRODUCT)
    servers.run(PRODUCT, "-m", "bench.bench_cdrs", "seed", str(number))
    worker = servers.start_worker(PRODUCT, log, "--concurrency=1")
    try:
        time.sleep(5)  # the worker's own start is not the figure
        servers.run(PRODUCT, "-m", "bench.bench_cdrs", "hand-over")
        steps = list(_watch(databases.url_of(str(PRODUCT.database)), number, worker.pid))
    finally:
        servers.stop(worker)
    (first_s, first_cpu, first), (last_s, last_cpu, last) = steps[0], steps[-1]
    half = min(steps, key=lambda step: abs(step[2] - number / 2))
    early = (half[1] - first_cpu) / max(half[2] - first, 1)
    late = (last_cpu - half[1]) / max(last - half[2], 1)
    rate = (last - first) / (last_s - first_s)
    print(
        f"  {number} sessions, {1000 * early:.2f} ms of CPU a CDR in the first half, {1000 * late:.2f} in the second"
    )
    return {
        "P7": {"value": round(rate, 1), "unit": "CDRs/s", "target": TARGET, "floor": None, "textbook": None},
        "P7 growth": {
            "value": round(late / early, 2), "unit": "x growth", "target": 1.2, "floor": None, "textbook": None,
        },
    }  # fmt: skip


def _watch(url: str, number: int, pid: int) -> Iterator[tuple[float, float, int]]:
    """Yield (time, CPU of the worker, CDRs committed) from the first CDR until all are there."""
    deadline = time.monotonic() + PATIENCE_S
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            row = connection.execute("select count(*) from billing_cdr").fetchone()
            done = int(row[0]) if row else 0
            if done:
                yield time.monotonic(), proc.tree_cpu_s(pid), done
            if done >= number:
                return
            time.sleep(0.2)
    raise servers.Unavailable(f"{done} of {number} CDRs after {PATIENCE_S} s")


def seed(number: int) -> None:
    """Make the sessions by SQL, and their snapshots by the task that makes them."""
    import django

    django.setup()
    from django.db import connection

    from bench.bench_tariff import TARIFF
    from billing.services import jobs, tariffs
    from billing.tasks import snapshot_sessions
    from stations.models import ChargingSession, Operator

    with connection.cursor() as cursor:
        cursor.execute(SEED)
        cursor.execute(STATIONS)
    ours = Operator.objects.get(party_id="BEN")
    saved = tariffs.save({**TARIFF, "party_id": "BEN", "country_code": "NL"}, operator=ours)
    tariffs.assign(saved, operator=ours)
    with connection.cursor() as cursor:
        cursor.execute(KINDS)
        cursor.execute(SESSION_ROWS, [number])
        cursor.execute(SAMPLE_ROWS)
        cursor.execute(STATUS_ROWS)
        cursor.execute("analyze")
    for chunk in jobs.chunks(list(ChargingSession.objects.order_by("pk").values_list("pk", flat=True))):
        snapshot_sessions(chunk)


def hand_over() -> None:
    """Tell the worker about all ended sessions, as nudges do."""
    import django

    django.setup()
    from billing.services import jobs
    from billing.tasks import bill_sessions
    from stations.models import ChargingSession

    for chunk in jobs.chunks(
        list(ChargingSession.objects.unbilled().order_by("pk").values_list("pk", flat=True))
    ):
        bill_sessions.delay(chunk)


STATIONS = """
insert into stations_chargingstation (identity, location_id, name, security_profile, secret_salt, secret_hash,
    registration, ocpp_version, vendor, model, serial_number, firmware_version, iccid, imsi, meter_type,
    meter_serial_number, epoch, owner, is_online, boot_count, status, firmware_status, diagnostics_status, created_at)
select 'CDR-' || row_number() over (), l.id, '', 1, '', '', 'Accepted', '1.6', '', '', '', '', '', '', '', '', 0, '',
    false, 0, 'Available', '', '', now()
from stations_location l, generate_series(1, 5);
insert into stations_evse (uid, station_id, number, evse_id, physical_reference, capabilities, is_removed, last_updated)
select 'E' || s.id, s.id, 1, 'NL*BEN*E' || s.id, '', '[]', false, now() from stations_chargingstation s;
insert into stations_connector (evse_id, number, standard, format, power_type, max_voltage_v, max_amperage_a, status,
    error_code, vendor_error_code, status_info, last_updated)
select id, 1, 'IEC_62196_T2', 'SOCKET', 'AC_3_PHASE', 230, 32, 'Available', '', '', '', now() from stations_evse;
"""
KINDS = """
insert into stations_readingkind (measurand, phase, location, context, unit) values
    ('Energy.Active.Import.Register', '', 'Outlet', 'Sample.Periodic', 'Wh'),
    ('Power.Active.Import', '', 'Outlet', 'Sample.Periodic', 'W'),
    ('Current.Import', 'L1', 'Outlet', 'Sample.Periodic', 'A'),
    ('Current.Import', 'L2', 'Outlet', 'Sample.Periodic', 'A'),
    ('Current.Import', 'L3', 'Outlet', 'Sample.Periodic', 'A'),
    ('SoC', '', 'EV', 'Sample.Periodic', 'Percent');
"""
SESSION_ROWS = """
insert into stations_chargingsession (uid, station_id, evse_id, connector_number, transaction_id, start_key, id_token,
    party, authorization_status, authorization_reference, auth_method, reservation_id, status, started_at, ended_at,
    stop_reason, stop_id_token, meter_start_wh, meter_stop_wh, register_wh, energy_wh, needs_review, flags, created_at,
    last_updated)
select gen_random_uuid()::text, e.station_id, e.id, 1, n::text, 'k' || n, 'BENCH', '', 'Accepted', '', 'WHITELIST', '',
    'ended', t.start, t.start + interval '150 minutes', 'Local', '', 1000 * n, 1000 * n + 22345, 1000 * n + 22345,
    22345,
    false, '[]', now(), now() - interval '1 hour'
from generate_series(1, %s) n
join lateral (select id, station_id from stations_evse order by id offset n %% 500 limit 1) e on true
cross join lateral (select now() - interval '20 days' + n * interval '2 minutes' as start) t;
"""
SAMPLE_ROWS = """
insert into stations_metersample (session_id, sampled_at, kind_id, evse_id, value)
select s.id, s.started_at + m * interval '15 minutes', k.id, s.evse_id,
    case k.measurand when 'Energy.Active.Import.Register' then s.meter_start_wh + 2200 * m when 'SoC' then 20 + m
    when 'Power.Active.Import' then 8800 else 13 end
from stations_chargingsession s, generate_series(1, 10) m, stations_readingkind k;
"""
STATUS_ROWS = """
insert into stations_statuschange (evse_id, connector_number, at, status, error_code, received_at)
select s.evse_id, 1, s.started_at + c.minute * interval '1 minute', c.status, '', now()
from stations_chargingsession s,
    (values (0, 'Charging'), (120, 'SuspendedEV'), (151, 'Available')) as c (minute, status)
on conflict do nothing;
"""


if __name__ == "__main__":
    if sys.argv[1:2] == ["seed"]:
        seed(int(sys.argv[2]))
    elif sys.argv[1:2] == ["hand-over"]:
        hand_over()
    else:
        print(json.dumps(measure(short="--short" in sys.argv), indent=1))
