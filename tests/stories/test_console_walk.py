"""The operator's walk through the console: login, station, remote start, live session, CDR, CSV.

A real browser, server and Celery worker; the charger is ours, on a real socket. What it metered must be on every page
and in the file, to the last watt-hour.
"""

import asyncio
import csv
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from stations.models import ChargingStation
from tests import factories
from tests.charger import Charger, StoryClock
from tests.processes import Process, Server
from tests.stories.story import PASSWORD

pytestmark = pytest.mark.timeout(300)
OPERATOR_PASSWORD = "an operator's own words"
PACE = 60  # a minute of charging in a second of the test
SLOW_MS = 20_000  # a loaded machine


class ChargerInThread:
    """A charger that stays online beside the browser, whose own event loop fills this thread."""

    def __init__(self, url: str) -> None:
        clock = StoryClock(datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2), pace=PACE)
        self.charger = Charger(url, "ADA-1", PASSWORD, connectors=2, clock=clock, call_timeout_s=20)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.charger.come_up(), self._loop).result(30)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.charger.close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def charger_of_ada(server: Server, ada: ChargingStation) -> Iterator[Charger]:
    assert ada.location is not None
    factories.tariff(factories.element("ENERGY", "0.36"), factories.element("FLAT", "0.50"), at=ada.location)
    running = ChargerInThread(f"{server.ws}/ocpp")
    running.start()
    yield running.charger
    running.stop()


@pytest.fixture
def operator(server: Server, page: Any, transactional_db: None) -> Any:
    """Give the browser of an operator who has just logged in by hand."""
    User.objects.create_superuser("olaf", password=OPERATOR_PASSWORD)
    page.set_default_timeout(SLOW_MS)
    page.goto(f"{server.http}/stations/")
    page.get_by_label("User name").fill("olaf")
    page.get_by_label("Password").fill(OPERATOR_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{server.http}/stations/")
    return page


def start_remotely(page: Any) -> None:
    page.get_by_role("link", name="ADA-1").click()
    page.locator("article", has_text="Connector 1").get_by_role("link", name="Start").click()
    page.get_by_label("Token").fill("BO-1")
    page.get_by_role("button", name="Send RemoteStartTransaction").click()
    page.wait_for_selector("details:has-text('RemoteStartTransaction') .tag:has-text('Accepted')")


def watch_it_charge(page: Any) -> None:
    """See the session appear and its energy rise while the page stays as it was loaded."""
    page.get_by_role("navigation", name="Parts of this station").get_by_role("link", name="Overview").click()
    card = page.locator("article", has_text="Connector 1")
    card.locator(".tag", has_text="Charging").wait_for()
    page.evaluate("() => { window.sameDocument = true; }")
    page.wait_for_selector(".chart canvas")
    first = card.locator(".now").inner_text()
    page.wait_for_function(
        "(first) => document.querySelector('.connector .now').innerText !== first", arg=first
    )
    assert page.evaluate("() => window.sameDocument")
    card.get_by_role("link", name="BO-1").click()
    page.wait_for_selector("h2:has-text('Cost so far')")


def stop_and_wait_for_the_cdr(page: Any) -> None:
    session = page.url
    page.get_by_role("link", name="Stop charging").click()
    page.get_by_role("button", name="Send RemoteStopTransaction").click()
    page.get_by_role("button", name="Yes, send RemoteStopTransaction").click()
    page.wait_for_selector("details:has-text('RemoteStopTransaction') .tag:has-text('Accepted')")
    page.goto(session)
    page.get_by_role("link", name="Open the CDR").click()


def download(page: Any) -> list[dict[str, str]]:
    page.get_by_role("link", name="CDRs", exact=True).first.click()
    page.locator("summary", has_text="Export as CSV").click()
    page.get_by_label("From", exact=True).fill((datetime.now(UTC) - timedelta(days=3)).date().isoformat())
    page.get_by_label("Separator").select_option(";")
    page.get_by_label("Decimals").select_option(",")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download CSV").click()
    with open(waiting.value.path(), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def test_an_operator_walks_from_login_to_csv(
    charger_of_ada: Charger, operator: Any, celery_worker_process: Process
) -> None:
    page = operator

    start_remotely(page)
    watch_it_charge(page)
    stop_and_wait_for_the_cdr(page)
    cdr_page = page.locator("main").inner_text()
    (row,) = download(page)

    metered = (
        charger_of_ada.calls("StopTransaction")[0]["meterStop"]
        - charger_of_ada.calls("StartTransaction")[0]["meterStart"]
    )
    kwh = f"{metered / 1000:.3f}"
    assert metered > 0
    assert f"{kwh} kWh" in cdr_page
    assert row["energy_kwh"] == kwh.replace(".", ",")
    assert (row["station"], row["token_uid"], row["currency"]) == ("ADA-1", "BO-1", "EUR")
    assert re.search(rf"\b{re.escape(row['net'].replace(',', '.').rstrip('0'))}0* EUR", cdr_page)
