"""Every page of the console in a real browser: accessible in both themes, no wider than its screen."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.cpo.console import routes
from tests.cpo.console.walk import AXE, RUN_AXE, look

pytestmark = pytest.mark.timeout(300)


def test_pages_are_accessible_and_fit_their_screen(
    site: SimpleNamespace, ada_at_the_browser: Any, live_server_process: Any
) -> None:
    assert look(ada_at_the_browser, live_server_process.http, routes.plain_pages(site)) == {}


def test_the_login_is_accessible(page: Any, live_server_process: Any, transactional_db: None) -> None:
    page.goto(f"{live_server_process.http}/login/")
    page.evaluate(AXE.read_text())

    assert page.evaluate(RUN_AXE, None) == []
