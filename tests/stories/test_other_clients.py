"""Charge point clients that are not ours: the `ocpp` package's and one from npm. Their meters are the referee."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from ocpp.v16 import ChargePoint, call
from ocpp.v16.enums import ChargePointErrorCode, ChargePointStatus, RegistrationStatus
from websockets.asyncio.client import connect

from stations.models import ChargingSession, MeterSample
from tests import node
from tests.processes import Server
from tests.stories.story import PASSWORD, basic, rows

pytestmark = pytest.mark.usefixtures("ada")
REGISTERS = ("10000", "10777.25", "12000.5", "13999")


async def visit(point: ChargePoint, start: datetime) -> Any:
    """Charge from 10,000 to 14,000 Wh and give the answer to the start."""
    booted = await point.call(call.BootNotification("Model", "Vendor"))
    assert booted.status == RegistrationStatus.accepted
    await point.call(call.StatusNotification(1, ChargePointErrorCode.no_error, ChargePointStatus.preparing))
    await point.call(call.Authorize("BO-1"))
    started = await point.call(call.StartTransaction(1, "BO-1", 10_000, start.isoformat()))
    for minute, value in enumerate(REGISTERS):
        sample = {
            "timestamp": (start + timedelta(minutes=minute)).isoformat(),
            "sampled_value": [{"value": value}],
        }
        await point.call(call.MeterValues(1, [sample], started.transaction_id))
    await point.call(
        call.StopTransaction(14_000, (start + timedelta(minutes=30)).isoformat(), started.transaction_id)
    )
    return started


async def test_the_ocpp_packages_client_charges_and_every_reading_is_exact(server: Server) -> None:
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    async with connect(
        f"{server.ws}/ocpp/ADA-1", subprotocols=["ocpp1.6"], additional_headers=basic("ADA-1", PASSWORD)
    ) as socket:
        point = ChargePoint("ADA-1", socket)
        listening = asyncio.create_task(point.start())
        started = await visit(point, start)
        listening.cancel()

    session = await rows(ChargingSession.objects.get)
    values = await rows(
        lambda: list(MeterSample.objects.order_by("sampled_at").values_list("value", flat=True))
    )
    assert (session.transaction_id, session.energy_wh) == (str(started.transaction_id), Decimal(4000))
    assert values == [Decimal(value) for value in REGISTERS]


async def test_the_npm_client_charges_and_the_energy_is_exact(server: Server) -> None:
    folder = await asyncio.to_thread(node.installed)
    process = await asyncio.create_subprocess_exec(
        node.node(), "charge.js", f"{server.ws}/ocpp", "ADA-1", PASSWORD, "BO-1",
        cwd=folder, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, _ = await asyncio.wait_for(process.communicate(), 60)
    metered = json.loads(printed)

    session = await rows(ChargingSession.objects.get)
    assert metered["stopStatus"] == "Accepted"
    assert session.transaction_id == str(metered["transactionId"])
    assert session.energy_wh == metered["meterStop"] - metered["meterStart"]
