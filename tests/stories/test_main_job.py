"""The main job, end to end: a charger that is not ours charges, a partner and finance get the right CDR.

Real sockets, a real web server and Celery worker, a strict partner on real HTTP. What the charger metered is compared
with the session, the CDR, the partner's copy and the CSV, to the last digit.
"""

import asyncio
import csv
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from ocpp.v16 import ChargePoint, call
from websockets.asyncio.client import connect

from billing.models import Cdr
from cpo import api_tokens
from roaming import breaker, push, registration
from roaming.models import Push
from stations.models import ChargingSession, ChargingStation
from tests import factories
from tests.emsp import Partner, wait_for
from tests.processes import Process, Server
from tests.stories.story import PASSWORD, basic

METER_START_WH, METER_STOP_WH = 1_000_003, 1_012_350
REGISTERS = ("1000003", "1004000.125", "1009999.9", "1012349.75")
ENERGY_KWH = Decimal("12.347")


@pytest.fixture
def partner(server: Server, ada: ChargingStation) -> Iterator[Partner]:
    """Give a partner who registered over HTTP and pushed his driver's card."""
    assert ada.location is not None
    factories.tariff(
        factories.element("ENERGY", "0.3333"), factories.element("FLAT", "0.50"), at=ada.location
    )
    found = Partner().start()
    _, token_a = registration.issue_token_a(found.name)
    found.register(f"{server.http}/ocpi/versions", token_a)
    found.push_token("EMP-7")
    yield found
    found.stop()


async def charge(server: Server) -> int:
    """Charge with the `ocpp` package's charge point and give the transaction id."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    async with connect(
        f"{server.ws}/ocpp/ADA-1", subprotocols=["ocpp1.6"], additional_headers=basic("ADA-1", PASSWORD)
    ) as socket:
        point = ChargePoint("ADA-1", socket)
        listening = asyncio.create_task(point.start())
        await point.call(call.BootNotification("Model", "Vendor"))
        assert (await point.call(call.Authorize("EMP-7"))).id_tag_info["status"] == "Accepted"
        started = await point.call(call.StartTransaction(1, "EMP-7", METER_START_WH, start.isoformat()))
        for number, value in enumerate(REGISTERS):
            at = (start + timedelta(minutes=20 * number)).isoformat()
            readings = [{"timestamp": at, "sampled_value": [{"value": value}]}]
            await point.call(call.MeterValues(1, readings, started.transaction_id))
        end = (start + timedelta(minutes=61)).isoformat()
        await point.call(call.StopTransaction(METER_STOP_WH, end, started.transaction_id, id_tag="EMP-7"))
        listening.cancel()
    return int(started.transaction_id)


def exported(server: Server, session_uid: str) -> dict[str, str]:
    """Give the session's line of the CSV that finance downloads."""
    _, token = api_tokens.issue("finance", role="finance")
    request = urllib.request.Request(
        f"{server.http}/api/v1/cdrs/export.csv", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        lines = csv.DictReader(answer.read().decode("utf-8-sig").splitlines())
        return next(line for line in lines if line["session_id"] == session_uid)


def number(value: Any) -> Decimal:
    return Decimal(str(value))


def test_what_a_charger_metered_is_what_the_partner_and_finance_get(
    server: Server, celery_worker_process: Process, partner: Partner
) -> None:
    transaction_id = asyncio.run(charge(server))

    theirs = wait_for(lambda: next(iter(partner.books.cdrs.values()), None), 60)
    session, cdr = ChargingSession.objects.get(), Cdr.objects.get()
    line = exported(server, session.uid)

    assert (session.transaction_id, session.energy_wh) == (str(transaction_id), ENERGY_KWH * 1000)
    assert cdr.energy_wh == ENERGY_KWH * 1000
    assert number(theirs["total_energy"]) == number(line["energy_kwh"]) == ENERGY_KWH
    assert cdr.total_before_taxes == number(theirs["total_cost"]["excl_vat"]) == number(line["net"])
    assert cdr.total_after_taxes == number(theirs["total_cost"]["incl_vat"]) == number(line["gross"])
    assert (theirs["session_id"], theirs["cdr_token"]["uid"], line["partner"]) == (
        session.uid,
        "EMP-7",
        "NL*EMP",
    )
    assert partner.violations == []


def test_the_session_is_told_to_the_partner_while_it_runs_and_when_it_ends(
    server: Server, celery_worker_process: Process, partner: Partner
) -> None:
    asyncio.run(charge(server))

    session = ChargingSession.objects.get()
    wait_for(lambda: partner.books.sessions.get(session.uid, {}).get("status") == "COMPLETED", 60)
    assert number(partner.books.sessions[session.uid]["kwh"]) == ENERGY_KWH


def test_a_partner_who_is_away_gets_the_cdr_once_when_he_is_back(
    server: Server, celery_worker_process: Process, partner: Partner
) -> None:
    partner.fault = "500"
    asyncio.run(charge(server))
    row = wait_for(lambda: Push.objects.filter(module="cdrs").exclude(state="sent").first(), 60)
    partner.fault = ""
    breaker.resume(row.connection)
    push.retry(row)

    cdr = wait_for(lambda: next(iter(partner.books.cdrs.values()), None), 60)
    assert partner.deliveries == {cdr["id"]: 1}
