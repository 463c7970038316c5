"""A network that has run for years, and what its pages cost: P8 and P9. `python -m bench.grown fill|pages [scale]`.

Runs under the product's settings. At scale 1: 10,000 locations and stations, a million sessions with a CDR and ten
samples each, all of one roaming partner's drivers. Rows go in by SQL, without foreign key checks where the role may.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import django

NETWORK, SESSIONS = 10_000, 1_000_000
PARTNER_TOKEN = "bench-partner-token"
PAGES = ("/", "/stations/", "/sessions/", "/finance/cdrs/", "/tokens/", "/tariffs/", "/partners/", "/onboarding/",
         "/review/")  # fmt: skip

LOCATIONS = """
insert into stations_location (uid, operator_id, name, address, city, postal_code, state, country, latitude,
    longitude, time_zone, publish, parking_type, facilities, opening_times, energy_mix, created_at, last_updated)
select 'L' || n, o.id, 'Site ' || n, 'Street ' || n, 'Town ' || n %% 300, '1000AA', '', 'NLD', 52, 5,
    'Europe/Amsterdam', true, '', '[]', '{}', '{}', now(), now() - n * interval '1 minute'
from (select min(id) as id from stations_operator) o, generate_series(1, %(network)s) n
"""
SPREAD = """
update stations_chargingstation s set location_id = l.id
from (select id, row_number() over (order by id) as n from stations_location where uid like 'L%%') l,
    (select id, row_number() over (order by id) as n from stations_chargingstation) k
where k.id = s.id and l.n = k.n
"""
KINDS = """
insert into stations_readingkind (measurand, phase, location, context, unit)
values ('Energy.Active.Import.Register', '', 'Outlet', 'Sample.Periodic', 'Wh') on conflict do nothing
"""
ROWS = """
insert into stations_chargingsession (uid, station_id, evse_id, connector_number, transaction_id, start_key, id_token,
    party, authorization_status, authorization_reference, auth_method, reservation_id, status, started_at, ended_at,
    stop_reason, stop_id_token, meter_start_wh, meter_stop_wh, register_wh, energy_wh, needs_review, flags, created_at,
    last_updated, billed_at)
select 'S' || n, e.station_id, e.id, 1, n::text, 'k' || n, 'TAG' || n %% 5000, 'NL*ABC', 'Accepted', '', 'WHITELIST',
    '', 'ended', t.start, t.start + interval '50 minutes', 'Local', '', 0, 9000, 9000, 9000, false, '[]', t.start,
    t.start, t.start
from generate_series(1, %(sessions)s) n
join (select id, station_id, row_number() over (order by id) - 1 as k from stations_evse) e on e.k = n %% %(network)s
cross join lateral (select now() - interval '900 days' + n * (interval '899 days' / %(sessions)s) as start) t
"""
SAMPLES = """
insert into stations_metersample (session_id, sampled_at, kind_id, evse_id, value)
select s.id, s.started_at + m * interval '5 minutes', k.id, s.evse_id, 900 * m
from stations_chargingsession s, generate_series(1, 10) m, (select min(id) as id from stations_readingkind) k
"""
CDRS = """
insert into billing_cdr (uid, session_id, session_uid, operator_id, site_id, station_identity, party, currency,
    started_at, ended_at, time_zone, energy_wh, meter_start_wh, meter_stop_wh, seconds, parking_seconds,
    total_before_taxes, total_after_taxes, totals, location, evse, connector, token, charging_periods, explanation,
    auth_method, authorization_reference, is_credit, remark, issued_by, created_at)
select 'C' || c.id, c.id, c.uid, l.operator_id, l.id, s.identity, c.party, 'EUR', c.started_at, c.ended_at,
    'Europe/Amsterdam', 9000, 0, 9000, 3000, 0, 4.41, 5.3361, %(totals)s, %(location)s, %(evse)s, %(connector)s,
    %(token)s, %(periods)s, '[]', 'WHITELIST', '', false, '', '', c.ended_at
from stations_chargingsession c join stations_chargingstation s on s.id = c.station_id
join stations_location l on l.id = s.location_id order by c.id
"""
PRICE = {"before_taxes": "4.4100", "taxes": [{"name": "VAT", "percentage": "21", "amount": "0.9261"}]}
DOCUMENTS = {
    "totals": {"total_cost": PRICE, "total_energy_cost": PRICE},
    "location": {"id": "L1", "name": "Site", "address": "Street 1", "city": "Town", "country": "NLD",
                 "coordinates": {"latitude": "52.0000000", "longitude": "5.0000000"}},
    "evse": {"uid": "E1", "evse_id": "NL*BCH*E1"},
    "connector": {"id": "1", "standard": "IEC_62196_T2", "format": "SOCKET", "power_type": "AC_3_PHASE"},
    "token": {"uid": "TAG1", "type": "RFID", "contract_id": "NL-ABC-C1", "country_code": "NL", "party_id": "ABC"},
    "periods": [{"start_date_time": "2026-01-01T00:00:00Z", "dimensions": [{"type": "ENERGY", "volume": "9.0000"},
                 {"type": "TIME", "volume": "0.8333"}], "tariff_id": "bench"}],
}  # fmt: skip


def fill(scale: float) -> None:
    """Fill the product's database, which holds the stations of `bench.provision` already."""
    from django.contrib.auth import get_user_model
    from django.db import connection

    size = {"network": int(NETWORK * scale), "sessions": int(SESSIONS * scale)}
    documents = {name: json.dumps(document) for name, document in DOCUMENTS.items()}
    with connection.cursor() as cursor:
        cursor.execute("set synchronous_commit = off")
        with suppress(django.db.Error):
            cursor.execute("set session_replication_role = replica")
        for statement in (LOCATIONS, SPREAD, KINDS, ROWS, SAMPLES, CDRS, "analyze"):
            start = time.monotonic()
            cursor.execute(statement, size | documents)
            print(
                f"  {' '.join(statement.split()[:3])}: {cursor.rowcount:,} rows in {time.monotonic() - start:.0f} s",
                flush=True,
            )
    get_user_model().objects.create_superuser("bench", password="not used")
    _partner()


def _partner() -> None:
    from cpo.lib import clock
    from roaming import keyring
    from roaming.models import Connection, InboundToken, RemoteParty

    now = clock.now()
    partner = Connection.objects.create(
        name="Bench", status=Connection.Status.REGISTERED, version="2.2.1", created_at=now, registered_at=now
    )
    RemoteParty.objects.create(
        connection=partner, role="EMSP", country_code="NL", party_id="ABC", key="NL*ABC"
    )
    InboundToken.objects.create(
        connection=partner,
        purpose=InboundToken.Purpose.ACCESS,
        digest=keyring.digest(PARTNER_TOKEN),
        prefix=PARTNER_TOKEN[: keyring.PREFIX_LENGTH],
        created_at=now,
    )


def pages() -> dict[str, Any]:
    """Time every list in this process: median of five after a first look, in ms, and the queries of one look."""
    return {"ocpi": dict(_ocpi()), "console": dict(_console())}


def _ocpi() -> Iterator[tuple[str, dict[str, float]]]:
    from django.core.cache import cache
    from django.test import Client

    client = Client(headers={"authorization": f"Token {PARTNER_TOKEN}", "host": "127.0.0.1"})
    for module, more in (("locations", ""), ("cdrs", ""), ("sessions", "&date_from=2020-01-01T00:00:00Z")):
        url = f"/ocpi/cpo/2.2.1/{module}?limit=100{more}"
        cache.clear()
        cold_ms, answer = _timed(lambda url=url: client.get(url))
        if "X-Total-Count" not in answer:
            raise SystemExit(f"{url}: {answer.content[:300]!r}")
        total = int(answer["X-Total-Count"])
        link = client.get(f"{url}&offset={max(total - 200, 0)}").get("Link", f"<{url}>")
        last = link[1 : link.index(">")].partition("://")[2].partition("/")[2]
        yield (
            module,
            {
                "first, counting": cold_ms,
                "first": _median_ms(lambda url=url: client.get(url)),
                "last by link": _median_ms(lambda last=last: client.get(f"/{last}")),
                "last by offset": _median_ms(
                    lambda url=url, at=total - 100: client.get(f"{url}&offset={at}")
                ),
            },
        )


def _console() -> Iterator[tuple[str, dict[str, float]]]:
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(get_user_model().objects.get(username="bench"))
    for path in PAGES:
        _timed(lambda path=path: client.get(path))
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        count = len(queries)  # now: the next request empties the log
        yield path, {"ms": _median_ms(lambda path=path: client.get(path)), "queries": count}


def _timed(get: Callable[[], Any]) -> tuple[float, Any]:
    start = time.monotonic()
    answer = get()
    took_ms = (time.monotonic() - start) * 1000
    if answer.status_code != 200:
        raise SystemExit(f"{answer.request['PATH_INFO']}: {answer.status_code} {answer.content[:200]!r}")
    return took_ms, answer


def _median_ms(get: Callable[[], Any]) -> float:
    return statistics.median(_timed(get)[0] for _ in range(5))


if __name__ == "__main__":
    django.setup()
    if sys.argv[1] == "fill":
        fill(float(sys.argv[2]))
    else:
        print(json.dumps(pages()))
