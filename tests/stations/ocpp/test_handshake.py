"""What a handshake costs and how the limiter counts (PERFORMANCE P4: 10,000 reconnects; case H8)."""

from collections.abc import Callable
from typing import Any

import pytest

from stations.models import ChargingStation
from stations.ocpp import handshake
from stations.ocpp.handshake import Knock, Limiter, Refusal, Welcome
from stations.services import provisioning
from tests import factories
from tests.stories.story import PASSWORD, basic

pytestmark = pytest.mark.django_db


@pytest.fixture
def station() -> ChargingStation:
    made = factories.station("ADA-COST")
    provisioning.set_password(made, password=PASSWORD)
    return made


def knock(identity: str = "ADA-COST", **changes: Any) -> Knock:
    scope = {
        "path": f"/ocpp/{identity}",
        "raw_path": f"/ocpp/{identity}".encode(),
        "client": ("192.0.2.1", 5000),
        "scheme": "ws",
        "subprotocols": ["ocpp1.6"],
        "headers": [(b"authorization", basic("ADA-COST", PASSWORD)["Authorization"].encode())],
    }
    return handshake.knock_of(scope | changes)


def test_an_ordinary_station_costs_one_statement(
    station: ChargingStation, django_assert_num_queries: Callable[[int], Any]
) -> None:
    with django_assert_num_queries(1):
        welcome = handshake.decide(knock())

    assert isinstance(welcome, Welcome)
    assert welcome.profile == 1


def test_too_many_attempts_cost_one_statement_and_no_hash(
    station: ChargingStation, django_assert_num_queries: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshake, "limiter", Limiter())
    handshake.limiter.fail(*["192.0.2.1"] * 10)

    with django_assert_num_queries(1):  # the refusal is written down
        refusal = handshake.decide(knock())

    assert isinstance(refusal, Refusal)
    assert refusal.status == 429


def test_a_proxys_header_counts_only_from_a_trusted_proxy(settings: Any) -> None:
    headers = [
        (b"x-forwarded-proto", b"https"),
        (b"x-client-cert", b"%2D%2D"),
        (b"x-forwarded-for", b"198.51.100.7"),
    ]

    stranger = knock(headers=headers)
    settings.TRUSTED_PROXIES = ["192.0.2.0/24"]
    proxy = knock(headers=headers)

    assert (stranger.is_tls, stranger.certificate, stranger.remote_address) == (False, b"", "192.0.2.1")
    assert (proxy.is_tls, proxy.certificate, proxy.remote_address) == (True, b"--", "198.51.100.7")


def test_two_certificate_headers_are_none(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["192.0.2.1"]
    headers = [(b"x-forwarded-proto", b"https"), (b"x-client-cert", b"a"), (b"x-client-cert", b"b")]

    assert knock(headers=headers).certificate == b""


def test_what_the_peer_reads_says_no_more_than_the_status() -> None:
    assert {Refusal(401, reason).body for reason in ("bad_password", "unknown_identity", "profile")} == {
        b"Unauthorized"
    }


@pytest.mark.parametrize("elapsed_s", [0.0, 0.001, 0.049, 0.051, 0.12])
def test_refusals_leave_at_even_times(elapsed_s: float) -> None:
    total = elapsed_s + handshake.pause_s(elapsed_s)

    assert abs(total / handshake.REFUSALS_EVERY_S - round(total / handshake.REFUSALS_EVERY_S)) < 1e-6
