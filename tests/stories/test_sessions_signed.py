"""Signed meter values over OCPP 1.6 (section 7.43 format SignedData; white paper on signed meter values)."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from stations.models import ChargingStation, MeterSample, SignedReading
from stations.services import signed_readings
from tests.processes import Server
from tests.stories.raw import RawSocket, opened
from tests.stories.story import rows
from tests.stories.visit import at, begun, done, session_of, stop, values

OCMF = 'OCMF|{"FV":"1.0","RD":[{"RV":1.000,"RU":"kWh"}]}|{"SD":"30440220\\u00e9"}'


@pytest.fixture
async def socket(server: Server, ada: ChargingStation) -> AsyncIterator[RawSocket]:
    """Give the socket of Ada's station."""
    async with opened(server) as found:
        yield found


def signed(text: str = OCMF, context: str = "Transaction.Begin") -> dict[str, Any]:
    return {"value": text, "format": "SignedData", "context": context}


async def test_a_signed_value_is_kept_untouched_beside_the_plain_ones(socket: RawSocket) -> None:
    one = await begun(socket)
    await done(socket, "MeterValues", values(1, signed(), "1200", transactionId=one))

    session = await session_of(one)
    kept = await rows(SignedReading.objects.get)
    assert (kept.text, kept.session_id, kept.encoding) == (OCMF, session.pk, "OCMF")
    assert (session.energy_wh, await rows(MeterSample.objects.count)) == (200, 1)


async def test_one_that_stands_alone_is_kept_and_said_again_is_kept_once(socket: RawSocket) -> None:
    one = await begun(socket)
    for _ in range(3):
        await done(socket, "MeterValues", values(1, signed(), transactionId=one))

    assert (await rows(SignedReading.objects.get)).sampled_at.isoformat()[:19] == at(1)[:19]


async def test_those_of_the_stop_belong_to_its_session(socket: RawSocket) -> None:
    one = await begun(socket)
    data = [{"timestamp": at(30), "sampledValue": [signed("AP;0;3;XYZ", "Transaction.End")]}]
    await done(socket, "StopTransaction", stop(one, transactionData=data))

    session = await session_of(one)
    kept = await rows(SignedReading.objects.get)
    assert (kept.context, kept.session_id, kept.encoding) == ("Transaction.End", session.pk, "ALFEN")
    assert session.energy_wh == 2000


async def test_those_of_a_stop_before_its_start_find_their_session_later(socket: RawSocket) -> None:
    data = [{"timestamp": at(30), "sampledValue": [signed()]}]
    await done(socket, "StopTransaction", stop(-1, idTag="BO-1", transactionData=data))
    one = await begun(socket)

    assert (await rows(SignedReading.objects.get)).session_id == (await session_of(one)).pk


async def test_a_wrapped_value_opens_in_transparency_software(socket: RawSocket) -> None:
    key = "oca:base16:asn1:3056301006072a8648ce3d0201"
    wrapped = {
        "signedMeterData": base64.b64encode(OCMF.encode()).decode(),
        "signingMethod": "", "encodingMethod": "OCMF", "publicKey": base64.b64encode(key.encode()).decode(),
    }  # fmt: skip
    one = await begun(socket)
    await done(socket, "MeterValues", values(1, signed(json.dumps(wrapped)), transactionId=one))

    session = await session_of(one)
    document = await rows(lambda: signed_readings.as_xml(signed_readings.of_session(session)).decode())
    assert (await rows(SignedReading.objects.get)).text == json.dumps(wrapped)
    assert '<signedData format="OCMF" encoding="plain">OCMF|{"FV":"1.0"' in document
    assert '<publicKey encoding="plain">3056301006072a8648ce3d0201</publicKey>' in document
