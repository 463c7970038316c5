"""Every tab of a station's page in a real browser, of 1.6 and 2.1: accessible in both themes, not too wide."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.cpo.console import network_v2, routes
from tests.cpo.console.walk import look

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("version", ["1.6", "2.1"])
def test_tabs_are_accessible_and_fit_their_screen(
    site: SimpleNamespace, ada_at_the_browser: Any, live_server_process: Any, version: str
) -> None:
    station = site.station if version == "1.6" else network_v2.build(site.site).station
    tabs = [f"/stations/{station.identity}/?tab={tab}" for tab in routes.TABS["station"]]

    assert look(ada_at_the_browser, live_server_process.http, tabs) == {}
