"""Contract certificates fetched from a pool: its two styles, what vehicles of both ISO 15118 get, what fails."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from stations.models import ChargingStation, ReviewItem
from stations.services import contracts
from stations.services.contracts import ContractWish, NoContract
from tests import factories
from tests.authority_server import serving
from tests.contract_pool import Pool

pytestmark = pytest.mark.django_db
ONE, TWO = "DE8AAC00000001", "DE8AAC00000002"
WISH = ContractWish("Install", "urn:iso:15118:2:2013:MsgDef", "eA==")
MANY = ContractWish("Install", "urn:iso:std:iso:15118:-20:CommonMessages", "eA==", most=2)


@pytest.fixture
def station() -> ChargingStation:
    return factories.station("ADA-1")


@pytest.fixture
def pool(settings: Any) -> Iterator[Pool]:
    cache.clear()
    found = Pool()
    with serving(found.reply) as url:
        settings.CONTRACT_CERTIFICATE_POOL = "stations.services.contract_pool.HttpPool"
        settings.CONTRACT_POOL_URL = url
        settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = True
        yield found


def test_the_open_protocol_is_spoken_too(settings: Any, station: ChargingStation, pool: Pool) -> None:
    settings.CONTRACT_POOL_STYLE = "opcp"
    pool.has(ONE)

    assert contracts.exchange(station, WISH, longest=100).response == pool.response(ONE)
    assert pool.asked[0][0] == {
        "certificateInstallationReq": "eA==", "xsdMsgDefNamespace": "urn:iso:15118:2:2013:MsgDef",
    }  # fmt: skip


def test_a_vehicle_gets_no_more_contracts_than_it_takes(station: ChargingStation, pool: Pool) -> None:
    pool.has(ONE, TWO, "DE8AAC00000003")

    told = [contracts.exchange(station, MANY, longest=100) for _ in range(3)]

    assert [one.remaining for one in told] == [1, 0, 1]
    assert len(pool.asked) == 2  # the third question begins afresh


def test_another_station_begins_with_the_first_contract(station: ChargingStation, pool: Pool) -> None:
    pool.has(ONE, TWO)
    both = [contracts.exchange(one, MANY, longest=100) for one in (station, factories.station("BEA-1"))]

    assert [one.response for one in both] == [pool.response(ONE)] * 2


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"contracts": 7}', b'{"contracts": [{"emaid": "x"}]}', b"[" * 5000],
    ids=["empty", "list", "nothing", "number", "no answer", "deep"],
)
def test_a_pool_that_talks_rubbish_is_told_to_an_operator(
    station: ChargingStation, pool: Pool, body: bytes
) -> None:
    pool.body = body

    with pytest.raises(NoContract, match="cannot be read"):
        contracts.exchange(station, WISH, longest=100)

    assert ReviewItem.objects.get().summary.startswith("The contract certificate pool failed")


def test_a_pool_that_answers_again_settles_what_an_operator_was_told(
    station: ChargingStation, pool: Pool
) -> None:
    pool.has(ONE)
    pool.fails_with = 500
    with pytest.raises(NoContract):
        contracts.exchange(station, WISH, longest=100)
    pool.fails_with = 0

    contracts.exchange(station, WISH, longest=100)

    assert ReviewItem.objects.get().resolved_at is not None


@pytest.mark.parametrize("response", ["", "é", "not base64!"])
def test_what_is_no_base64_is_no_contract(station: ChargingStation, pool: Pool, response: str) -> None:
    pool.body = json.dumps({"contracts": [{"emaid": ONE, "exi_response": response}]}).encode()

    with pytest.raises(NoContract, match="has no contract"):
        contracts.exchange(station, WISH, longest=100)


def test_what_the_version_cannot_carry_is_not_sent(station: ChargingStation, pool: Pool) -> None:
    pool.has(ONE)

    with pytest.raises(NoContract, match="longer than 10"):
        contracts.exchange(station, WISH, longest=10)


def test_a_pool_in_a_private_network_is_not_asked_unless_that_is_allowed(
    settings: Any, station: ChargingStation, pool: Pool
) -> None:
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = False
    pool.has(ONE)

    with pytest.raises(NoContract):
        contracts.exchange(station, WISH, longest=100)

    assert pool.asked == []


def test_without_an_address_and_without_a_pool_the_reason_is_said(
    settings: Any, station: ChargingStation, pool: Pool
) -> None:
    settings.CONTRACT_POOL_URL = ""
    with pytest.raises(NoContract, match="CONTRACT_POOL_URL is not set"):
        contracts.exchange(station, WISH, longest=100)

    settings.CONTRACT_CERTIFICATE_POOL = ""
    with pytest.raises(NoContract, match="no contract certificate pool is set up"):
        contracts.exchange(station, WISH, longest=100)
