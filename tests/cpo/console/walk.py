"""A walk through pages in a real browser: each is opened once and looked at from all sides."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings

AXE = settings.BASE_DIR / "tests/vendor/axe.min.js"
RUN_AXE = """async (rules) => (await axe.run(rules ? {runOnly: rules} : {})).violations
    .filter((found) => ['serious', 'critical'].includes(found.impact))
    .map((found) => `${found.id}: ${found.nodes.map((node) => node.target).join(', ')}`)"""
OPEN_ALL = "() => document.querySelectorAll('details').forEach((d) => { d.open = true; })"
IS_WIDE = "() => document.documentElement.scrollWidth > window.innerWidth"
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


def look(page: Any, base: str, addresses: Iterable[str]) -> dict[str, list[str]]:
    """Open each page with everything unfolded; give what is wrong with it: in light and dark, on a desk and a phone.

    Colours alone differ between the two themes, so only contrast is looked at again.
    """
    wrong: dict[str, list[str]] = {}
    for address in addresses:
        page.set_viewport_size(DESK)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.goto(base + address)
        page.evaluate(OPEN_ALL)
        page.evaluate(AXE.read_text())
        found = [] if page.locator("html[data-bs-theme=light] nav#nav").count() else ["no page"]
        found += page.evaluate(RUN_AXE, None)
        found += ["wide on a desk"] if page.evaluate(IS_WIDE) else []
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        page.wait_for_selector("html[data-bs-theme=dark]", state="attached")
        found += [f"dark {fault}" for fault in page.evaluate(RUN_AXE, ["color-contrast"])]
        page.set_viewport_size(PHONE)
        found += ["wide on a phone"] if page.evaluate(IS_WIDE) else []
        if found:
            wrong[address] = found
    return wrong
