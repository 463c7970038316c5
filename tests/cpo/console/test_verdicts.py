"""One sentence about a station: the first case that fits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cpo.console import verdicts
from cpo.console.verdicts import Facts
from stations.models import ChargingStation, ConnectionEvent, Connector, Evse, HandshakeRejection

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def station(**fields: Any) -> ChargingStation:
    lost = {"is_online": False, "epoch": 7, "online_changed_at": NOW - timedelta(minutes=14)}
    return ChargingStation(pk=1, identity="ADA-1", **lost | fields)


def online(**fields: Any) -> ChargingStation:
    return station(is_online=True, last_seen_at=NOW, **fields)


def plug(status: str, **fields: Any) -> Connector:
    return Connector(evse=Evse(number=2), status=status, **fields)


def refused(reason: str) -> HandshakeRejection:
    return HandshakeRejection(identity="ADA-1", reason=reason, count=12)


def connection(minutes_ago: int, code: int = 1006) -> ConnectionEvent:
    return ConnectionEvent(opened_at=NOW - timedelta(minutes=minutes_ago), close_code=code)


CASES = {
    "credentials": Facts(station(), NOW, rejections=[refused("bad_password")]),
    "refused": Facts(station(), NOW, rejections=[refused("subprotocol")]),
    "never_connected": Facts(station(epoch=0, online_changed_at=None), NOW),
    "site_outage": Facts(station(), NOW, neighbours=4, neighbours_lost=3),
    "flapping": Facts(station(), NOW, connections=[connection(2), connection(5), connection(9)]),
    "offline": Facts(station(), NOW, connections=[connection(300)], neighbours=4, neighbours_lost=1),
    "not_accepted": Facts(online(registration="Pending"), NOW, connectors=[plug("Available")]),
    "faulted": Facts(
        online(), NOW, connectors=[plug("Faulted", error_code="GroundFailure"), plug("Available")]
    ),
    "silent": Facts(station(is_online=True, last_seen_at=NOW - timedelta(hours=1)), NOW),
    "out_of_service": Facts(online(), NOW, connectors=[plug("Unavailable")]),
    "charging": Facts(online(), NOW, connectors=[plug("Charging")], charging=1),
    "no_connectors": Facts(online(), NOW),
    "ready": Facts(online(), NOW, connectors=[plug("Available"), plug("Unavailable")]),
}


@pytest.mark.parametrize("name", CASES)
def test_it_finds_the_case(name: str) -> None:
    assert verdicts.judge(CASES[name]).name == name


@pytest.mark.parametrize("name", CASES)
def test_each_verdict_says_what_to_do(name: str) -> None:
    verdict = verdicts.judge(CASES[name])

    assert verdict.sentence.endswith(".")
    assert verdict.advice.endswith(".")
    assert verdict.actions or verdict.tone in ("ok", "live")


def test_it_says_how_long_and_why_the_line_was_lost() -> None:
    verdict = verdicts.judge(CASES["offline"])

    assert verdict.sentence.startswith("Offline for 14 min: line lost without a goodbye")


def test_it_names_the_faulted_connector_and_its_code() -> None:
    assert verdicts.judge(CASES["faulted"]).sentence == "Connector 2 is faulted: GroundFailure."


def test_a_lost_neighbour_of_five_is_no_site_outage() -> None:
    assert verdicts.judge(Facts(station(), NOW, neighbours=5, neighbours_lost=1)).name == "offline"
