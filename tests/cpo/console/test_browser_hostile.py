"""Texts of chargers and partners in a real browser: they stay texts (SECURITY.md W4 to W7)."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.cpo.console import network, network_v2, routes
from tests.cpo.console.walk import OPEN_ALL

HOSTILE = "\"'><img src=x onerror=alert(1)><script>alert(1)</script>"
WATCH = "window.broken = []; document.addEventListener('securitypolicyviolation', (e) => broken.push(e.blockedURI));"
# What the texts would have become, and what the content policy had to stop.
REPORT = """() => [...window.broken,
    ...[...document.querySelectorAll('img[src="x"], [onerror]')].map((e) => e.outerHTML),
    ...[...document.scripts].filter((s) => s.text.includes('alert')).map((s) => s.text)]"""

pytestmark = pytest.mark.timeout(300)


def test_texts_of_chargers_and_partners_stay_texts(
    bare: None, ada_at_the_browser: Any, live_server_process: Any
) -> None:
    page, dialogs = ada_at_the_browser, []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.add_init_script(WATCH)
    rows = network.build(hostile=HOSTILE)

    reports = []
    for address in addresses(rows):
        page.goto(live_server_process.http + address)
        page.evaluate(OPEN_ALL)
        reports += page.evaluate(REPORT)
    page.wait_for_timeout(300)  # a picture that cannot be loaded tells it a moment later

    assert (dialogs, reports) == ([], [])


def addresses(rows: SimpleNamespace) -> list[str]:
    """Give the pages, and the tabs of a 2.1 station with the same texts."""
    newer = network_v2.build(rows.site, hostile=HOSTILE).station
    return [
        *routes.shown_pages(rows),
        *(f"/stations/{newer.identity}/?tab={tab}" for tab in routes.TABS["station"]),
    ]
