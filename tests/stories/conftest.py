"""Stories: a real server process, real sockets, Ada's station in between."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from tests.charger import Charger
from tests.processes import Server

if TYPE_CHECKING:  # this file is read before Django is set up
    from stations.models import ChargingStation


@pytest.fixture(scope="session")
def server(process_env: dict[str, str]) -> Iterator[Server]:
    """Give a web server that loses patience with silent chargers after a second."""
    found = Server(
        {
            **process_env,
            "OCPP_CALL_TIMEOUT_S": "1",
            "OCPP_SETTLE_S": "0.3",
            "OCPP_BOOT_WAIT_S": "3",
            "OCPP_AUTOMATIC_PER_MINUTE": "60000",
            "OCPP_MESSAGES_PER_S": "500",
            "OCPP_READ_CONFIGURATION_AFTER_BOOT": "0",  # most stories count what a station is sent
            "OCPP_ALLOW_PROFILE_0": "0",
        }
    )
    found.start()
    yield found
    found.close()


@pytest.fixture
def ada(transactional_db: None) -> "Iterator[ChargingStation]":
    """Give a registered station with two connectors, and Bo's token.

    Most stories begin in the middle of its life: nobody asks it for the BootNotification that it does not send.
    """
    from stations.services import provisioning, quirks
    from tests import factories
    from tests.stories.story import PASSWORD

    with connection.cursor() as cursor:  # Django empties only the tables that it manages
        cursor.execute(
            "truncate stations_frame, stations_metersample, stations_transactionevent, stations_deviceevent"
        )
    factories.token("BO-1")
    station = factories.station("ADA-1", connectors=2)
    provisioning.set_password(station, password=PASSWORD)
    quirks.override(station, flag="no_boot_on_reconnect", value=True, by="Ada")
    yield station
    wait_until_quiet()


def wait_until_quiet() -> None:
    """Wait until the server has written down that its sockets are gone: emptying the tables would meet its locks."""
    deadline = time.monotonic() + 10
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(
                "select (select count(*) from stations_chargingstation where is_online), count(*)"
                " from pg_stat_activity where datname = current_database() and state <> 'idle'"
                " and pid <> pg_backend_pid()"
            )
            if cursor.fetchone() == (0, 0):
                return
            time.sleep(0.02)


@pytest.fixture
def charger(server: Server, ada: "ChargingStation") -> Callable[..., Charger]:
    """Give a maker of chargers that play Ada's station."""
    from tests.stories.story import PASSWORD

    def make(**options: Any) -> Charger:
        return Charger(f"{server.ws}/ocpp", "ADA-1", **{"password": PASSWORD, "connectors": 2} | options)

    return make
