"""The console in a real browser: live, in the chosen theme, usable by keys and on a phone."""

from types import SimpleNamespace
from typing import Any

import pytest

from cpo.lib import clock, events
from stations.events import FramesStored, StatusesChanged
from stations.models import Connector, Frame

pytestmark = pytest.mark.timeout(400)


def test_a_page_follows_what_happens_without_being_loaded_again(
    site: SimpleNamespace, ada_at_the_browser: Any, live_server_process: Any
) -> None:
    page = ada_at_the_browser
    page.goto(f"{live_server_process.http}/stations/{site.station.identity}/")
    page.wait_for_selector("#live-state[data-state=live]")
    page.evaluate("() => { window.sameDocument = true; }")

    Connector.objects.filter(evse__station=site.station, evse__number=1).update(status="SuspendedEV")
    events.deliver(StatusesChanged(frozenset(), frozenset({site.station.pk})))

    page.wait_for_selector("text=Paused by car", timeout=8000)
    assert page.evaluate("() => window.sameDocument")


def test_a_change_between_paint_and_socket_is_not_missed(
    site: SimpleNamespace, ada_at_the_browser: Any, live_server_process: Any
) -> None:
    page = ada_at_the_browser
    page.route("**/static/js/live.js", lambda route: (change(site), route.continue_()))

    page.goto(f"{live_server_process.http}/stations/{site.station.identity}/")

    page.wait_for_selector("text=Paused by car", timeout=8000)


def change(site: SimpleNamespace) -> None:
    """Change a row without a hint, after the page was rendered and before its socket is open."""
    Connector.objects.filter(evse__station=site.station, evse__number=1).update(status="SuspendedEV")


def test_an_open_row_stays_open_and_focused_when_others_come(
    site: SimpleNamespace, ada_at_the_browser: Any, live_server_process: Any
) -> None:
    page = ada_at_the_browser
    page.goto(f"{live_server_process.http}/stations/{site.station.identity}/?tab=messages")
    page.wait_for_selector("#live-state[data-state=live]")
    row = page.locator("details.frame", has_text="Heartbeat").first
    row.locator("summary").click()

    Frame.objects.create(
        id=99, at=clock.now(), station_id=site.station.pk, epoch=3, direction="i", message_type=2, message_id="m9",
        action="Authorize", text='[2,"m9","Authorize",{"idTag":"BO-1"}]', verdict="",
    )  # fmt: skip
    events.deliver(FramesStored(frozenset({site.station.pk})))

    page.wait_for_selector("details.frame:has-text('Authorize')", timeout=8000)
    assert row.evaluate("(element) => element.open")
    assert row.evaluate("(element) => element.contains(document.activeElement)")


def test_without_its_socket_a_page_looks_every_ten_seconds(
    site: SimpleNamespace, ada_at_the_browser: Any, live_server_process: Any
) -> None:
    page = ada_at_the_browser
    page.route_web_socket("**/ws/live/", lambda socket: socket.close())
    page.goto(f"{live_server_process.http}/stations/{site.station.identity}/")
    page.wait_for_selector("#live-state[data-state=polling]")

    Connector.objects.filter(evse__station=site.station, evse__number=1).update(status="SuspendedEV")

    page.wait_for_selector("text=Paused by car", timeout=15000)


def test_the_chart_is_drawn_and_told_in_words(
    site: SimpleNamespace, ada_at_the_browser: Any, live_server_process: Any
) -> None:
    page = ada_at_the_browser
    page.goto(f"{live_server_process.http}/sessions/{site.running.uid}/")

    page.wait_for_selector(".chart canvas")
    assert "11.00 kW" in page.locator(".u-legend").inner_text()
    page.locator("summary", has_text="The same as a table").click()
    page.wait_for_selector("td:has-text('3.000 kWh')")


def test_a_chosen_theme_is_there_before_the_first_paint(
    ada_at_the_browser: Any, live_server_process: Any
) -> None:
    page = ada_at_the_browser
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Light or dark").click()
    page.get_by_role("button", name="Dark").last.click()

    page.add_init_script(
        "new MutationObserver(() => { if (document.body) window.first ??= document.documentElement.dataset.bsTheme; })"
        ".observe(document, { childList: true, subtree: true });"
    )
    page.goto(f"{live_server_process.http}/stations/")

    assert page.evaluate("() => window.first") == "dark"


def test_a_slash_leads_to_the_search_field(ada_at_the_browser: Any, live_server_process: Any) -> None:
    page = ada_at_the_browser
    page.goto(f"{live_server_process.http}/stations/")

    page.keyboard.press("/")
    page.keyboard.type("ada")

    assert page.locator("input[type=search]").input_value() == "ada"


def test_on_a_phone_the_menu_opens_by_its_button(ada_at_the_browser: Any, live_server_process: Any) -> None:
    page = ada_at_the_browser
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live_server_process.http}/")

    page.get_by_role("button", name="Open the menu").click()
    page.get_by_role("link", name="Tariffs").click()

    page.wait_for_url("**/tariffs/")
