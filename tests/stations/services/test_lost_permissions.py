"""Sessions whose token may not charge any more (T10), and caches that still know it (OCPP 1.6 sections 3.5.1, 5.4)."""

from datetime import timedelta
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingSession, Command, IdToken, ReviewItem
from stations.services import authorization, lost_permissions, token_groups
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> ChargingSession:
    station = factories.station("ADA", is_online=True, epoch=1, ocpp_version="1.6")
    token, _ = authorization.save_token("BO-1", group_id="FLEET")
    return factories.session(station, token=token, started_at=clock.now() - timedelta(hours=1))


def block() -> None:
    authorization.save_token("BO-1", status="Blocked")


@pytest.mark.parametrize("how", ["blocked", "expired", "group"])
def test_a_session_whose_token_lost_its_permission_goes_on_and_is_told_of_once(
    session: ChargingSession, how: str
) -> None:
    assert lost_permissions.sweep() == 0
    match how:
        case "blocked":
            block()
        case "expired":
            IdToken.objects.update(expires_at=clock.now())
        case "group":
            token_groups.save("fleet", status="Blocked")

    assert [lost_permissions.sweep(), lost_permissions.sweep()] == [1, 0]
    session.refresh_from_db()
    assert (session.status, ReviewItem.objects.get().session) == ("active", session)
    assert not Command.objects.exists()


def test_it_is_stopped_where_that_is_wanted(session: ChargingSession, settings: Any) -> None:
    settings.OCPP_STOP_LOST_TOKENS = True
    block()

    lost_permissions.sweep()

    assert Command.objects.get().payload == {"transactionId": int(session.transaction_id)}


def test_a_start_that_was_refused_at_once_is_told_of_by_the_start(session: ChargingSession) -> None:
    ChargingSession.objects.update(authorization_status="Blocked")
    block()

    assert lost_permissions.sweep() == 0


def test_the_caches_of_stations_that_saw_a_blocked_token_are_emptied_once(
    session: ChargingSession, settings: Any
) -> None:
    settings.OCPP_CLEAR_CACHE_OF_BLOCKED = True
    factories.station()

    block()
    authorization.save_token("BO-1", status="Accepted")
    block()

    command = Command.objects.get()
    assert (command.action, command.station, command.priority < 0) == ("ClearCache", session.station, True)


def test_caches_are_left_alone_unless_somebody_wants_it(session: ChargingSession) -> None:
    block()

    assert not Command.objects.exists()
