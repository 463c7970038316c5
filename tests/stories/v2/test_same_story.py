"""The same charging told in 1.6, 2.0.1 and 2.1 leaves equal sessions, CDRs and OCPI pushes.

Real sockets, a real worker, a strict partner on real HTTP. What differs by nature (ids, the reading contexts of a
version) is left out; everything else must be the same to the last digit.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.models import Cdr
from roaming import registration
from stations.models import ChargingSession, ChargingStation, IdToken
from stations.services import provisioning
from tests import factories
from tests.emsp import Partner, wait_for
from tests.processes import Process, Server
from tests.stories.raw import opened
from tests.stories.story import PASSWORD

BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
REGISTERS = ("1000003", "1004000.125", "1009999.9", "1012349.75")
START_WH, STOP_WH = 1_000_003, 1_012_350
STATIONS = {"1.6": "ADA-1", "2.0.1": "ADA-2", "2.1": "ADA-3"}
SESSION = (
    "connector_number", "id_token", "party", "authorization_status", "auth_method", "status", "started_at",
    "ended_at", "stop_reason", "stop_id_token", "meter_start_wh", "meter_stop_wh", "register_wh", "energy_wh",
    "last_reading_at", "needs_review", "flags",
)  # fmt: skip
CDR = (
    "started_at", "ended_at", "energy_wh", "meter_start_wh", "meter_stop_wh", "seconds", "parking_seconds", "currency",
    "total_before_taxes", "total_after_taxes", "totals", "token", "tariff", "party",
)  # fmt: skip
OURS = frozenset(
    {"id", "session_id", "last_updated", "evse_uid", "evse_id", "connector_id", "location_id", "cdr_location"}
)


def at(minute: int) -> str:
    return (BEGAN + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")


@pytest.fixture
def partner(server: Server, ada: ChargingStation) -> Iterator[Partner]:
    """Give a partner whose driver charges at three stations of one site, all at one price."""
    assert ada.location is not None
    factories.tariff(
        factories.element("ENERGY", "0.3333"), factories.element("FLAT", "0.50"), at=ada.location
    )
    for identity in ("ADA-2", "ADA-3"):
        found = factories.station(identity, connectors=1, location=ada.location)
        provisioning.set_password(found, password=PASSWORD)
    books = Partner().start()
    _, token_a = registration.issue_token_a(books.name)
    books.register(f"{server.http}/ocpi/versions", token_a)
    books.push_token("EMP-7")
    yield books
    books.stop()


async def told_in_1_6(server: Server) -> None:
    async with opened(server, "ADA-1") as socket:
        await socket.call("BootNotification", {"chargePointVendor": "Volt", "chargePointModel": "V1"})
        started = await socket.call(
            "StartTransaction",
            {"connectorId": 1, "idTag": "EMP-7", "meterStart": START_WH, "timestamp": at(0)},
        )
        number = started[2]["transactionId"]
        for index, value in enumerate(REGISTERS):
            values = [{"timestamp": at(20 * index), "sampledValue": [{"value": value}]}]
            payload = {"connectorId": 1, "transactionId": number, "meterValue": values}
            await socket.call("MeterValues", payload)
        stop = {"transactionId": number, "meterStop": STOP_WH, "timestamp": at(61), "idTag": "EMP-7"}
        await socket.call("StopTransaction", stop | {"reason": "Local"})


def event(kind: str, seq_no: int, minute: int, value: Any, context: str, trigger: str) -> dict[str, Any]:
    sample = {"value": float(value), "context": context, "measurand": "Energy.Active.Import.Register"}
    return {
        "eventType": kind, "timestamp": at(minute), "triggerReason": trigger, "seqNo": seq_no,
        "transactionInfo": {"transactionId": "tx-1", "chargingState": "Charging"},
        "meterValue": [{"timestamp": at(minute), "sampledValue": [sample]}],
    }  # fmt: skip


async def told_in_2(server: Server, version: str) -> None:
    token = {"idToken": "EMP-7", "type": "ISO14443"}
    begin = event("Started", 0, 0, START_WH, "Transaction.Begin", "Authorized")
    end = event("Ended", 5, 61, STOP_WH, "Transaction.End", "StopAuthorized")
    end["transactionInfo"] |= {"stoppedReason": "Local"}
    updates = [
        event("Updated", 1 + index, 20 * index, value, "Sample.Periodic", "MeterValuePeriodic")
        for index, value in enumerate(REGISTERS)
    ]
    place = {"evse": {"id": 1, "connectorId": 1}, "idToken": token}
    boot = {"reason": "PowerUp", "chargingStation": {"vendorName": "Volt", "model": "V2"}}
    async with opened(server, STATIONS[version], subprotocols=[f"ocpp{version}"]) as socket:
        await socket.call("BootNotification", boot)
        for told in (begin | place, *updates, end | {"idToken": token}):
            assert (await socket.call("TransactionEvent", told))[0] == 3


async def tell(server: Server) -> None:
    """Tell the story three times, one after the other: the driver has one token."""
    await told_in_1_6(server)
    await told_in_2(server, "2.0.1")
    await told_in_2(server, "2.1")


def facts(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def said(pushed: dict[str, Any], *without: str) -> dict[str, Any]:
    """Give what a partner got, without what names the station, its ids and the moment of the push."""
    return {name: value for name, value in pushed.items() if name not in OURS and name not in without}


def test_the_same_story_in_three_versions_leaves_the_same_rows_and_pushes(
    server: Server, celery_worker_process: Process, partner: Partner
) -> None:
    asyncio.run(tell(server))

    wait_for(lambda: len(partner.books.cdrs) == 3, 60)
    uids = list(ChargingSession.objects.values_list("uid", flat=True))
    wait_for(
        lambda: all(partner.books.sessions.get(uid, {}).get("status") == "COMPLETED" for uid in uids), 60
    )
    sessions = [ChargingSession.objects.get(station__identity=identity) for identity in STATIONS.values()]
    cdrs = [Cdr.objects.get(session=session) for session in sessions]
    theirs = {cdr["session_id"]: said(cdr) for cdr in partner.books.cdrs.values()}

    assert IdToken.objects.filter(uid="EMP-7").count() == 1
    for one, name in ((sessions, SESSION), (cdrs, CDR)):
        first, *others = [facts(row, name) for row in one]
        assert others == [first, first]
    assert [theirs[row.uid] for row in sessions[1:]] == [theirs[sessions[0].uid]] * 2
    # A session's push carries its periods only if the bill was faster than the push; those of the CDR are compared.
    pushed = [said(partner.books.sessions[row.uid], "charging_periods") for row in sessions]
    assert pushed[1:] == [pushed[0]] * 2
    assert cdrs[0].energy_wh == STOP_WH - START_WH
    assert partner.violations == []
